//! Element-wise losses: each is its formula and its slopes.

use tensor::broadcast::{broadcast_forward, broadcast_shapes};
use tensor::elementwise::{zip, zip_all};
use tensor::{Beta, Shape, scratch};

use super::reduction::{LossGradient, Reduction};
use crate::{Backward, Forward, Graph, Images, Inputs, Op, Operands, ShapeError, Var};

/// `loss(v)` of the elements v of N inputs, reduced; `slopes(v)` are its derivatives.
pub(super) struct ElementLoss<const N: usize, L, S> {
    pub(super) name: &'static str,
    pub(super) reduction: Reduction,
    /// The names of the inputs in errors.
    pub(super) inputs: [&'static str; N],
    /// How many of them have the same shape and may have gradients. The others are weights, which broadcast
    /// to it.
    pub(super) n_alike: usize,
    pub(super) loss: L,
    pub(super) slopes: S,
}

impl<const N: usize, L, S> ElementLoss<N, L, S> {
    /// Calls `f` with the values of all inputs, weights broadcast.
    fn with_values<R>(&self, inputs: Inputs<'_>, f: impl FnOnce([&[f32]; N]) -> R) -> R {
        let values: [&[f32]; N] = std::array::from_fn(|i| inputs.value(i));
        let (shape, len) = (inputs.shape(0), inputs.value(0).len());
        let narrow = (self.n_alike..N).filter(|&i| inputs.shape(i) != shape);
        match narrow.clone().count() {
            0 => f(values),
            n_narrow => scratch::with(n_narrow * len, |memory| {
                let (mut values, mut rest) = (values, memory);
                for i in narrow {
                    let (wide, more) = rest.split_at_mut(len);
                    broadcast_forward(wide, inputs.value(i), &inputs.shape(i), &shape, Beta::Zero);
                    (values[i], rest) = (wide, more);
                }
                f(values)
            }),
        }
    }
}

impl<const N: usize, L, S> Op for ElementLoss<N, L, S>
where
    L: Fn([f32; N]) -> f32 + Send + Sync + 'static,
    S: Fn([f32; N]) -> [f32; N] + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let (x, what) = (inputs[0], self.inputs);
        if let Some(i) = (1..self.n_alike).find(|&i| inputs[i] != x) {
            return Err(ShapeError::new(format!(
                "the {} is {x} and the {} is {}; losses do not broadcast, so reshape one of them",
                what[0], what[i], inputs[i]
            )));
        }
        let is_narrower = |&i: &usize| broadcast_shapes(&x, &inputs[i]) == Some(x);
        if let Some(i) = (self.n_alike..N).find(|i| !is_narrower(i)) {
            return Err(ShapeError::new(format!(
                "the {} is {}, which does not broadcast to the {} {x}; aligned at the last axis, its sizes must be \
                 equal or 1",
                what[i], inputs[i], what[0]
            )));
        }
        Ok(self.reduction.output_shape(x))
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        let with_images = (0..self.n_alike).find(|&i| inputs.has_images(i));
        with_images.filter(|_| output.rank() > 0).map_or(Images::Summed, Images::Kept)
    }

    fn forward(&self, f: Forward<'_>) {
        let (shape, shards) = (f.inputs.shape(0), f.inputs.shards(0));
        self.reduction.join(f.output, shape, &shards, |losses| {
            self.with_values(f.inputs, |values| zip_all(losses, values, Beta::Zero, &self.loss));
        });
    }

    fn backward(&self, mut b: Backward<'_>) {
        let (shape, shards) = (b.inputs.shape(0), b.inputs.shards(0));
        let dloss = self.reduction.gradient(b.dy, shape, &shards);
        self.with_values(b.inputs, |values| {
            for i in 0..self.n_alike {
                let Some(grad) = b.grads.get(i) else { continue };
                match dloss {
                    LossGradient::All(dloss) => {
                        zip_all(grad.data, values, grad.beta, |v| dloss * pick((self.slopes)(v), i));
                    }
                    LossGradient::Each(dy) => scratch::with(dy.len(), |slopes| {
                        zip_all(slopes, values, Beta::Zero, |v| pick((self.slopes)(v), i));
                        zip(grad.data, dy, slopes, grad.beta, |dy, slope| dy * slope);
                    }),
                }
            }
        });
    }
}

/// `slopes[i]`, by comparisons: an indexed array is kept in memory, and a loop that indexes it is not
/// vectorised.
#[inline]
fn pick<const N: usize>(slopes: [f32; N], i: usize) -> f32 {
    (1..N).fold(slopes[0], |slope, k| if k == i { slopes[k] } else { slope })
}

impl Graph<'_> {
    /// Any element-wise `loss(x, target)`; vectorised and on all threads.
    ///
    /// `slopes(x, target)` are the derivatives of a loss with respect to x and to the target. `name` is used
    /// in errors.
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
        let (loss, slopes) = (move |[x, t]: [f32; 2]| loss(x, t), move |[x, t]: [f32; 2]| slopes(x, t));
        let inputs = ["input", "target"];
        self.apply(ElementLoss { name, reduction, inputs, n_alike: 2, loss, slopes }, &[x, target])
    }

    /// The same for several inputs, each with its name in errors.
    #[track_caller]
    pub(super) fn element_loss<const N: usize>(
        &self,
        name: &'static str,
        inputs: [(&'static str, Var); N],
        n_alike: usize,
        reduction: Reduction,
        loss: impl Fn([f32; N]) -> f32 + Send + Sync + 'static,
        slopes: impl Fn([f32; N]) -> [f32; N] + Send + Sync + 'static,
    ) -> Var {
        let vars = inputs.map(|(_, var)| var);
        let inputs = inputs.map(|(name, _)| name);
        self.apply(ElementLoss { name, reduction, inputs, n_alike, loss, slopes }, &vars)
    }

    /// A weight without gradient flow, or 1.
    #[track_caller]
    pub(super) fn weight_or_one(&self, weight: Option<Var>) -> Var {
        weight.map_or_else(|| self.input(Shape::scalar(), &[1.0]), |weight| self.detach(weight))
    }
}
