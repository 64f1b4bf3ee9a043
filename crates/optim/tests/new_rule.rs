//! A rule of one's own, as the book shows it: the sign of the running mean of the gradient.

use optim::{AnyRule, Coordinates, Elementwise, Error, Group, Interval, Optimizer, Param, Real, Rule, Slot};

// ANCHOR: rule
/// Signum: a step of the same length for every coordinate, against the sign of the mean gradient.
///
/// ```text
/// m ← β·m + (1 − β)·g
/// w ← w − lr·sign(m)
/// ```
/// Bernstein et al., "signSGD: Compressed Optimisation for Non-Convex Problems", ICML 2018.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Signum {
    lr: f64,
    momentum: f64,
}

impl Rule for Signum {
    fn name(&self) -> &'static str {
        "signum"
    }

    fn hyperparameters(&self) -> Vec<(&'static str, f64)> {
        vec![("lr", self.lr), ("momentum", self.momentum)]
    }

    fn hyperparameter_mut(&mut self, name: &str) -> Option<&mut f64> {
        match name {
            "lr" => Some(&mut self.lr),
            "momentum" => Some(&mut self.momentum),
            _ => None,
        }
    }

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("signum", "lr", self.lr)?;
        Interval::DECAY_RATE.check("signum", "momentum", self.momentum)
    }
}

impl<F: Real> Elementwise<F> for Signum {
    fn slots(&self, n: usize) -> Vec<Slot<F>> {
        vec![Slot::each("momentum_buffer", n, 0.0)]
    }

    fn apply(&self, _t: u64, at: Coordinates<'_, F>) {
        let [lr, beta, new] = [self.lr, self.momentum, 1.0 - self.momentum].map(F::of);
        at.each(move |w, g, [m]| {
            *m = beta * *m + new * g;
            *w -= lr * m.sign();
        });
    }
}
// ANCHOR_END: rule

// ANCHOR: test
#[test]
fn it_steps_by_lr_against_the_mean_gradient() {
    let signum = Signum { lr: 0.1, momentum: 0.5 };
    let mut state = signum.state(2).unwrap();
    let mut w = [1.0f64, 1.0];
    signum.update(&mut w, &[3.0, 0.0], &mut state); // m = 1.5, 0
    assert_eq!(w, [0.9, 1.0]);
    signum.update(&mut w, &[-1.0, -1e-9], &mut state); // m = 0.25, −5e-10
    assert_eq!(w, [0.9 - 0.1, 1.0 + 0.1]);
    assert!(Elementwise::<f64>::state(&Signum { momentum: 1.0, ..signum }, 2).is_err(), "β lies in [0, 1)");
}

#[test]
fn the_optimizer_takes_it_like_one_of_its_own() {
    let rule = AnyRule::Elementwise(Box::new(Signum { lr: 0.01, momentum: 0.9 }));
    let mut optimizer = Optimizer::for_slices([Group::new(rule, [Param::new("w", 0..2)])]).unwrap();
    let mut w = [1.0f32, -2.0];
    for _ in 0..500 {
        let grads = w.map(|w| 2.0 * w); // of Σ w²
        optimizer.step_slices(&mut w, &grads);
    }
    assert!(w.iter().all(|w| w.abs() < 0.2), "{w:?}");
}
// ANCHOR_END: test
