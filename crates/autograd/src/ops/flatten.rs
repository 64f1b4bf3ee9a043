//! Images to vectors, in PyTorch's order.

use tensor::Shape;

use crate::{Graph, Var};

impl Graph<'_> {
    /// `[n, …]` to `[n, product of the rest]`; `torch.flatten` with `start_dim=1`.
    ///
    /// Images `[n, h, w, c]` come out in PyTorch's order c × h × w, so that a linear layer behind them
    /// has the weights that PyTorch's would have. Other shapes keep their order.
    ///
    /// # Panics
    /// When `x` is a scalar.
    #[track_caller]
    pub fn flatten(&self, x: Var) -> Var {
        let shape = self.shape(x);
        let Some((&n, rest)) = shape.dims().split_first() else {
            panic!("flatten{}: a scalar has no first axis to keep; reshape it to [1, 1]", self.at());
        };
        let flat = Shape::new(&[n, rest.iter().product()]);
        let x = match *rest {
            // One pixel or one channel: the order is PyTorch's already.
            [h, w, c] if h * w != 1 && c != 1 => self.permute(x, &[0, 3, 1, 2]),
            _ => x,
        };
        self.reshape(x, flat)
    }
}
