//! Losses that compare input and target element by element: each is its formula, and its slopes.

use tensor::activation::sigmoid;
use tensor::elementwise::zip;
use tensor::reduce::{Reduction, reduce_rows};
use tensor::{Beta, Shape, scratch};

use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

/// The mean or the sum of `loss(x, t)`; `slopes(x, t)` are its derivatives with respect to x and t.
struct PairwiseLoss<L, S> {
    name: &'static str,
    reduction: Reduction,
    loss: L,
    slopes: S,
}

impl<L, S> Op for PairwiseLoss<L, S>
where
    L: Fn(f32, f32) -> f32 + Send + Sync + 'static,
    S: Fn(f32, f32) -> [f32; 2] + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let (x, t) = (inputs[0], inputs[1]);
        if x == t {
            return Ok(Shape::scalar());
        }
        Err(ShapeError::new(format!(
            "the input is {x} and the target is {t}; losses do not broadcast, so reshape one of them"
        )))
    }

    fn forward(&self, f: Forward<'_>) {
        let (x, t) = (f.inputs.value(0), f.inputs.value(1));
        scratch::with(x.len(), |losses| {
            zip(losses, x, t, Beta::Zero, &self.loss);
            reduce_rows(f.output, losses, x.len(), 1, self.reduction, &f.inputs.shards(0), Beta::Zero);
        });
    }

    fn backward(&self, mut b: Backward<'_>) {
        let (x, t) = (b.inputs.value(0), b.inputs.value(1));
        let dloss = b.dy[0] * self.reduction.factor(b.inputs.shards(0).rows_of_batch(x.len()));
        for i in 0..2 {
            if let Some(grad) = b.grads.get(i) {
                zip(grad.data, x, t, grad.beta, |x, t| dloss * (self.slopes)(x, t)[i]);
            }
        }
    }
}

impl Graph<'_> {
    /// The mean or the sum of any `loss(x, target)`, element by element, a scalar; vectorised and on all threads.
    ///
    /// `slopes(x, target)` are the derivatives of a loss with respect to x and to the target. Errors call the op `name`.
    ///
    /// ```
    /// use autograd::{Graph, Reduction, Var};
    ///
    /// /// ln cosh(x − t)
    /// fn log_cosh_loss(g: &Graph<'_>, x: Var, t: Var) -> Var {
    ///     let (loss, slope) = (|d: f32| d.cosh().ln(), |d: f32| d.tanh());
    ///     let slopes = move |x, t| [slope(x - t), slope(t - x)];
    ///     g.pairwise_loss("log_cosh_loss", (x, t), Reduction::Mean, move |x, t| loss(x - t), slopes)
    /// }
    /// ```
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn pairwise_loss(
        &self,
        name: &'static str,
        (x, target): (Var, Var),
        reduction: Reduction,
        loss: impl Fn(f32, f32) -> f32 + Send + Sync + 'static,
        slopes: impl Fn(f32, f32) -> [f32; 2] + Send + Sync + 'static,
    ) -> Var {
        self.apply(PairwiseLoss { name, reduction, loss, slopes }, &[x, target])
    }

    /// (x − t)², the mean or the sum over the elements; `torch.nn.functional.mse_loss`.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn mse_loss(&self, x: Var, target: Var, reduction: Reduction) -> Var {
        let loss = |x, t| (x - t) * (x - t);
        let slopes = |x, t| [2.0 * (x - t), 2.0 * (t - x)];
        self.pairwise_loss("mse_loss", (x, target), reduction, loss, slopes)
    }

    /// |x − t|, the mean or the sum over the elements; `torch.nn.functional.l1_loss`. The gradient is 0
    /// where x = t.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn l1_loss(&self, x: Var, target: Var, reduction: Reduction) -> Var {
        // −1, 0 or 1, and NaN for NaN; `signum` has no 0.
        let sign = |d: f32| if d == 0.0 { 0.0 } else { d.signum() };
        let slopes = move |x, t| [sign(x - t), sign(t - x)];
        self.pairwise_loss("l1_loss", (x, target), reduction, |x, t| (x - t).abs(), slopes)
    }

    /// ½d² where |d| ≤ δ and δ·(|d| − ½δ) elsewhere, d = x − t, the mean or the sum over the elements;
    /// `torch.nn.functional.huber_loss`. Huber 1964.
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

    /// Binary cross-entropy of logits x with probabilities t, −t · ln σ(x) − (1 − t) · ln(1 − σ(x)), the
    /// mean or the sum over the elements; `torch.nn.functional.binary_cross_entropy_with_logits`.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn bce_with_logits(&self, x: Var, target: Var, reduction: Reduction) -> Var {
        // max(x, 0) − x · t + ln(1 + e^−|x|): the same without overflow. `max` would turn NaN into 0.
        let loss = |x: f32, t| (if x < 0.0 { 0.0 } else { x }) - x * t + (-x.abs()).exp().ln_1p();
        self.pairwise_loss("bce_with_logits", (x, target), reduction, loss, |x, t| [sigmoid(x) - t, -x])
    }
}
