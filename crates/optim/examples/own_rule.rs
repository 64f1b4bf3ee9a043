//! An update rule of one's own, AdaBelief, walks down Rosenbrock's valley; no tensor, no network.
//!
//!     cargo run --release -p optim --example own_rule -- --quick
//!
//! `twins/own_rule.py` is the same in PyTorch.

use std::error::Error;

use optim::{Coordinates, Elementwise, Real, Slot};

/// Steps are long where the gradient is near what was believed, its running mean.
///
/// ```text
/// m ← β₁·m + (1 − β₁)·g,   s ← β₂·s + (1 − β₂)·(g − m)² + ε
/// w ← w − lr/(1 − β₁ᵗ) · m/(√(s/(1 − β₂ᵗ)) + ε)
/// ```
/// Zhuang et al., "AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed Gradients", 2020.
#[derive(Clone, Copy, Debug)]
pub struct AdaBelief {
    lr: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
}

optim::hyperparameters! { AdaBelief "adabelief" {
    "lr" in NON_NEGATIVE: lr;
    "beta1" in DECAY_RATE: beta1;
    "beta2" in DECAY_RATE: beta2;
    "eps" in NON_NEGATIVE: eps;
} }

impl<F: Real> Elementwise<F> for AdaBelief {
    fn slots(&self, n: usize) -> Vec<Slot<F>> {
        ["exp_avg", "exp_avg_var"].map(|name| Slot::each(name, n, 0.0)).into()
    }

    fn apply(&self, t: u64, at: Coordinates<'_, F>) {
        let [beta1, beta2, eps] = [self.beta1, self.beta2, self.eps].map(F::of);
        let lr = F::of(self.lr / (1.0 - self.beta1.powi(t as i32)));
        let correction = F::of(1.0 - self.beta2.powi(t as i32));
        at.each(move |w, g, [m, s]| {
            *m = beta1 * *m + (F::ONE - beta1) * g;
            *s = beta2 * *s + (F::ONE - beta2) * (g - *m) * (g - *m) + eps;
            *w -= lr * *m / ((*s / correction).sqrt() + eps);
        });
    }
}

/// (1 − x)² + 100·(y − x²)², and its gradient.
fn rosenbrock([x, y]: [f64; 2]) -> (f64, [f64; 2]) {
    let (a, b) = (1.0 - x, y - x * x);
    (a * a + 100.0 * b * b, [-2.0 * a - 400.0 * x * b, 200.0 * b])
}

/// Takes `n_steps` steps from `point`; returns the value of the function before each.
pub fn train(mut point: [f64; 2], n_steps: usize) -> Result<Vec<f64>, optim::Error> {
    let rule = AdaBelief { lr: 0.02, beta1: 0.9, beta2: 0.999, eps: 1e-16 };
    let (mut state, mut losses) = (rule.state(2)?, Vec::new());
    for _ in 0..n_steps {
        let (loss, gradient) = rosenbrock(point);
        rule.update(&mut point, &gradient, &mut state);
        losses.push(loss);
    }
    Ok(losses)
}

/// The whole program; returns the number in its last line.
pub fn run(quick: bool) -> Result<f64, Box<dyn Error>> {
    let losses = train([-1.2, 1.0], if quick { 3000 } else { 100_000 })?;
    for (step, loss) in losses.iter().enumerate().step_by(losses.len() / 10) {
        println!("step {step:5}: {loss:.6}");
    }
    Ok(losses[losses.len() - 1])
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("loss {}", run(std::env::args().any(|arg| arg == "--quick"))?);
    Ok(())
}
