//! Losses of probabilities, element by element: binary cross-entropy and Kullback-Leibler divergence.

use tensor::activation::{ln_1p_exp, sigmoid};
use tensor::elementwise::{exp, ln, ln_1p};

use super::reduction::Reduction;
use crate::{Graph, Var};

/// The options of [`Graph::bce_loss`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BceOptions {
    /// Factors of the losses, with a shape that broadcasts to theirs (default none). They get no gradient.
    pub weight: Option<Var>,
    /// How the losses of the elements are reduced (default: the mean, not divided by weights).
    pub reduction: Reduction,
}

/// The options of [`Graph::bce_with_logits`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BceWithLogitsOptions {
    /// Factors of the losses, with a shape that broadcasts to theirs (default none). They get no gradient.
    pub weight: Option<Var>,
    /// Factors of the positive examples' term, with a shape that broadcasts to that of the losses, such as
    /// one for each class on the last axis (default none). They get no gradient.
    pub pos_weight: Option<Var>,
    /// How the losses of the elements are reduced (default: the mean, not divided by weights).
    pub reduction: Reduction,
}

/// The options of [`Graph::kl_div`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KlDivOptions {
    /// Whether the target is given as logarithms (default false).
    pub log_target: bool,
    /// How the losses of the elements are reduced (default: the mean, as in PyTorch).
    /// [`Reduction::BatchMean`] gives the divergence as it is mathematically defined.
    pub reduction: Reduction,
}

impl Graph<'_> {
    /// Binary cross-entropy of logits x with probabilities t, −t · ln σ(x) − (1 − t) · ln(1 − σ(x)), element
    /// by element; `torch.nn.functional.binary_cross_entropy_with_logits`. Takes options, or just a
    /// reduction.
    ///
    /// # Panics
    /// When the shapes differ, or a weight does not broadcast.
    #[track_caller]
    pub fn bce_with_logits(&self, x: Var, target: Var, options: impl Into<BceWithLogitsOptions>) -> Var {
        let BceWithLogitsOptions { weight, pos_weight, reduction } = options.into();
        if weight.is_none() && pos_weight.is_none() {
            // max(x, 0) − x · t + ln(1 + e^−|x|): the same without overflow. `max` would turn NaN into 0.
            let loss = |x: f32, t| (if x < 0.0 { 0.0 } else { x }) - x * t + ln_1p(exp(-x.abs()));
            let slopes = |x, t| [sigmoid(x) - t, -x];
            return self.pairwise_loss("bce_with_logits", (x, target), reduction, loss, slopes);
        }
        let (weight, pos_weight) = (self.weight_or_one(weight), self.weight_or_one(pos_weight));
        // −t · p · ln σ(x) − (1 − t) · ln(1 − σ(x)), for ln(1 − σ(x)) = ln σ(x) − x.
        let loss = |[x, t, w, p]: [f32; 4]| w * ((1.0 - t) * x + (1.0 + (p - 1.0) * t) * ln_1p_exp(-x));
        let slopes = |[x, t, w, p]: [f32; 4]| {
            let dx = 1.0 - t - (1.0 + (p - 1.0) * t) * sigmoid(-x);
            let dt = (p - 1.0) * ln_1p_exp(-x) - x;
            [w * dx, w * dt, 0.0, 0.0]
        };
        let inputs = [("input", x), ("target", target), ("weight", weight), ("pos_weight", pos_weight)];
        self.element_loss("bce_with_logits", inputs, 2, reduction, loss, slopes)
    }

    /// Binary cross-entropy of probabilities x with probabilities t, −t · ln x − (1 − t) · ln(1 − x), element
    /// by element; `torch.nn.functional.binary_cross_entropy`. Logarithms are at least −100, and the gradient
    /// divides by at least 1e-12, as in PyTorch. [`bce_with_logits`](Self::bce_with_logits) needs neither.
    ///
    /// # Panics
    /// When the shapes differ, the weight does not broadcast, or an element of x is not in [0, 1].
    #[track_caller]
    pub fn bce_loss(&self, x: Var, target: Var, options: impl Into<BceOptions>) -> Var {
        let BceOptions { weight, reduction } = options.into();
        // NaN is on neither side and passes.
        let is_outside = |&x: &f32| if x < 0.5 { x < 0.0 } else { x > 1.0 };
        if let Some(idx) = self.value(x).iter().position(is_outside) {
            panic!(
                "bce_loss{}: the input at position {idx} is {}, not a probability in [0, 1]; use bce_with_logits for \
                 logits",
                self.at(),
                self.value(x)[idx]
            );
        }
        // `max` would turn NaN into −100.
        let limited = |log: f32| if log < -100.0 { -100.0 } else { log };
        let loss = move |[x, t, w]: [f32; 3]| w * ((t - 1.0) * limited(ln_1p(-x)) - t * limited(ln(x)));
        let slopes = move |[x, t, w]: [f32; 3]| {
            let square = (1.0 - x) * x;
            let dx = (x - t) / if square < 1e-12 { 1e-12 } else { square };
            [w * dx, w * (limited(ln_1p(-x)) - limited(ln(x))), 0.0]
        };
        let inputs = [("input", x), ("target", target), ("weight", self.weight_or_one(weight))];
        self.element_loss("bce_loss", inputs, 2, reduction, loss, slopes)
    }

    /// Kullback-Leibler divergence of the distribution t from the one with logarithms x, t · (ln t − x),
    /// element by element; `torch.nn.functional.kl_div`. With `log_target`, t is given as ln t: eᵗ · (t − x).
    ///
    /// Where a probability t is 0, the loss is 0 for a finite x and NaN for x = −∞, as in PyTorch; the gradient
    /// with respect to that t is −∞ (NaN for x = −∞), where PyTorch's is NaN.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn kl_div(&self, x: Var, target: Var, options: impl Into<KlDivOptions>) -> Var {
        let KlDivOptions { log_target, reduction } = options.into();
        let entropy = |t: f32| if t == 0.0 { 0.0 } else { t * ln(t) };
        let loss = move |x: f32, t: f32| if log_target { exp(t) * (t - x) } else { entropy(t) - t * x };
        let slopes = move |x: f32, t: f32| match log_target {
            true => [-exp(t), exp(t) * (t - x + 1.0)],
            false => [-t, ln(t) + 1.0 - x],
        };
        self.pairwise_loss("kl_div", (x, target), reduction, loss, slopes)
    }
}
