//! Regression losses: squared, absolute and in between, and the Poisson and Gaussian likelihoods.

use tensor::elementwise::{exp, ln};

use super::reduction::Reduction;
use crate::ops::elementwise::sign;
use crate::{Graph, Var};

/// The options of [`Graph::smooth_l1_loss`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothL1Options {
    /// Where the parabola becomes a line, not negative (default 1).
    pub beta: f32,
    /// How the losses of the elements are reduced (default: the mean).
    pub reduction: Reduction,
}

impl Default for SmoothL1Options {
    fn default() -> Self {
        Self { beta: 1.0, reduction: Reduction::Mean }
    }
}

/// The options of [`Graph::poisson_nll_loss`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoissonNllOptions {
    /// Whether the input is the logarithm of the rate (default true).
    pub log_input: bool,
    /// Whether the term that depends only on the target is added, by Stirling's approximation (default
    /// false).
    pub full: bool,
    /// The constant added to a rate before taking its logarithm (default 1e-8).
    pub eps: f32,
    /// How the losses of the elements are reduced (default: the mean).
    pub reduction: Reduction,
}

impl Default for PoissonNllOptions {
    fn default() -> Self {
        Self { log_input: true, full: false, eps: 1e-8, reduction: Reduction::Mean }
    }
}

/// The options of [`Graph::gaussian_nll_loss`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianNllOptions {
    /// Whether the constant ½ · ln 2π is added (default false).
    pub full: bool,
    /// The smallest variance to divide by (default 1e-6).
    pub eps: f32,
    /// How the losses of the elements are reduced (default: the mean).
    pub reduction: Reduction,
}

impl Default for GaussianNllOptions {
    fn default() -> Self {
        Self { full: false, eps: 1e-6, reduction: Reduction::Mean }
    }
}

impl Graph<'_> {
    /// (x − t)², element by element; `torch.nn.functional.mse_loss`.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn mse_loss(&self, x: Var, target: Var, reduction: Reduction) -> Var {
        let loss = |x, t| (x - t) * (x - t);
        let slopes = |x, t| [2.0 * (x - t), 2.0 * (t - x)];
        self.pairwise_loss("mse_loss", (x, target), reduction, loss, slopes)
    }

    /// |x − t|, element by element; `torch.nn.functional.l1_loss`. The gradient is 0 where x = t.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn l1_loss(&self, x: Var, target: Var, reduction: Reduction) -> Var {
        let slopes = |x, t| [sign(x - t), sign(t - x)];
        self.pairwise_loss("l1_loss", (x, target), reduction, |x, t| (x - t).abs(), slopes)
    }

    /// ½d² where |d| ≤ δ and δ·(|d| − ½δ) elsewhere, d = x − t, element by element;
    /// `torch.nn.functional.huber_loss`, by default with δ = 1. Huber 1964.
    ///
    /// # Panics
    /// When the shapes differ, or δ is not positive.
    #[track_caller]
    pub fn huber_loss(&self, x: Var, target: Var, delta: f32, reduction: Reduction) -> Var {
        assert!(delta > 0.0, "huber_loss{}: delta is {delta}, it must be positive", self.at());
        let loss = move |d: f32| if d > delta { delta * (d - 0.5 * delta) } else { 0.5 * d * d };
        // `clamp` propagates NaN.
        let slope = move |x: f32, t: f32| (x - t).clamp(-delta, delta);
        let slopes = move |x, t| [slope(x, t), -slope(x, t)];
        self.pairwise_loss("huber_loss", (x, target), reduction, move |x, t| loss((x - t).abs()), slopes)
    }

    /// ½d²/β where |d| < β and |d| − ½β elsewhere, d = x − t, element by element;
    /// `torch.nn.functional.smooth_l1_loss`. Girshick 2015. The Huber loss, divided by β; with β = 0 the L1 loss.
    ///
    /// # Panics
    /// When the shapes differ, or β is negative.
    #[track_caller]
    pub fn smooth_l1_loss(&self, x: Var, target: Var, options: impl Into<SmoothL1Options>) -> Var {
        let SmoothL1Options { beta, reduction } = options.into();
        assert!(beta >= 0.0, "smooth_l1_loss{}: beta is {beta}, it must not be negative", self.at());
        // d/β is below 1, where d² may be infinite.
        let loss = move |d: f32| if d < beta { 0.5 * d * (d / beta) } else { d - 0.5 * beta };
        let slope = move |d: f32| if d.abs() < beta { d / beta } else { sign(d) };
        let slopes = move |x, t| [slope(x - t), slope(t - x)];
        self.pairwise_loss("smooth_l1_loss", (x, target), reduction, move |x, t| loss((x - t).abs()), slopes)
    }

    /// −ln of the probability of the count t under a Poisson distribution of rate eˣ, except for a term of t
    /// alone, element by element: eˣ − t·x; `torch.nn.functional.poisson_nll_loss`.
    ///
    /// Without `log_input` x is the rate itself: x − t·ln(x + eps). `full` adds t·ln t − t + ½·ln(2πt) where t > 1.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn poisson_nll_loss(&self, x: Var, target: Var, options: impl Into<PoissonNllOptions>) -> Var {
        let PoissonNllOptions { log_input, full, eps, reduction } = options.into();
        let stirling = |t: f32| t * ln(t) - t + 0.5 * ln(std::f32::consts::TAU * t);
        let loss = move |x: f32, t: f32| {
            let loss = if log_input { exp(x) - t * x } else { x - t * ln(x + eps) };
            if full && t > 1.0 { loss + stirling(t) } else { loss }
        };
        let slopes = move |x: f32, t: f32| {
            let [dx, dt] = if log_input { [exp(x) - t, -x] } else { [1.0 - t / (x + eps), -ln(x + eps)] };
            [dx, if full && t > 1.0 { dt + ln(t) + 0.5 / t } else { dt }]
        };
        self.pairwise_loss("poisson_nll_loss", (x, target), reduction, loss, slopes)
    }

    /// −ln of the density of t under a normal distribution of mean x and variance v, except for the constant
    /// ½ · ln 2π, element by element: ½ · (ln v + (x − t)²/v); `torch.nn.functional.gaussian_nll_loss`. Nix
    /// and Weigend 1994.
    ///
    /// All three have the same shape. A variance below `eps` counts as `eps`, and gets the gradient at `eps`.
    ///
    /// # Panics
    /// When the shapes differ, or a variance is negative.
    #[track_caller]
    pub fn gaussian_nll_loss(
        &self,
        x: Var,
        target: Var,
        variance: Var,
        options: impl Into<GaussianNllOptions>,
    ) -> Var {
        let GaussianNllOptions { full, eps, reduction } = options.into();
        if let Some(idx) = self.value(variance).iter().position(|&v| v < 0.0) {
            let v = self.value(variance)[idx];
            panic!(
                "gaussian_nll_loss{}: the variance at position {idx} is {v}, it must not be negative",
                self.at()
            );
        }
        let constant = if full { 0.5 * std::f32::consts::TAU.ln() } else { 0.0 };
        let at_least_eps = move |v: f32| if v < eps { eps } else { v };
        let loss = move |[x, t, v]: [f32; 3]| {
            let (d, v) = (x - t, at_least_eps(v));
            0.5 * (ln(v) + d * (d / v)) + constant
        };
        let slopes = move |[x, t, v]: [f32; 3]| {
            let (d, v) = (x - t, at_least_eps(v));
            [d / v, -d / v, 0.5 * (1.0 - d * (d / v)) / v]
        };
        let inputs = [("input", x), ("target", target), ("variance", variance)];
        self.element_loss("gaussian_nll_loss", inputs, 3, reduction, loss, slopes)
    }
}
