//! y = x / (1 − p) where kept, 0 where dropped.

use keyed_random::skip;
use tensor::Shape;
use tensor::dropout::{dropout_backward, dropout_forward};

use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

struct Dropout {
    p: f32,
}

impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        let key = skip(f.key, f.shards.first_row(f.output.len()) as u64);
        dropout_forward(f.output, f.inputs.value(0), self.p, key);
    }

    /// dx = dy / (1 − p) where kept, 0 where dropped; the key says again which.
    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            let key = skip(b.key, b.shards.first_row(b.dy.len()) as u64);
            dropout_backward(dx.data, b.dy, self.p, key, dx.beta);
        }
    }

    fn is_random(&self) -> bool {
        true
    }
}

impl Graph<'_> {
    /// In training, each element becomes 0 with probability p and what is kept is divided by 1 − p;
    /// in evaluation `x` itself; `torch.nn.functional.dropout`. Srivastava et al. 2014.
    ///
    /// Which elements are dropped is a function of the run's seed, the layer's path, the step and the
    /// element's place in the whole batch; two calls under one path drop differently.
    ///
    /// # Panics
    /// When p does not lie in [0, 1].
    #[track_caller]
    pub fn dropout(&self, x: Var, p: f32) -> Var {
        assert!((0.0..=1.0).contains(&p), "dropout{}: p is {p}, it must lie in [0, 1]", self.at());
        if self.mode().training { self.apply(Dropout { p }, &[x]) } else { x }
    }
}
