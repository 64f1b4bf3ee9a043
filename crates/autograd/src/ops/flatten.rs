//! Flattens images to vectors, in PyTorch's order.

use tensor::{MAX_RANK, Shape};

use crate::{Graph, Var};

impl Graph<'_> {
    /// `[n, …]` to `[n, product of the rest]`; `torch.flatten` with `start_dim=1`.
    ///
    /// Images `[n, h, w, c]` are flattened in PyTorch's order c × h × w, so that a following linear layer has
    /// the same weights as in PyTorch. Other shapes keep their order.
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

    /// Merges the axes from `start_dim` on into one, in their own order; `torch.flatten`. With `start_dim` 1
    /// it is [`flatten`](Self::flatten).
    ///
    /// # Panics
    /// When `x` does not have the axis `start_dim`.
    #[track_caller]
    pub fn flatten_from(&self, x: Var, start_dim: usize) -> Var {
        if start_dim == 1 {
            return self.flatten(x);
        }
        let shape = self.shape(x);
        assert!(
            start_dim < shape.rank(),
            "flatten{}: {shape} has no axis {start_dim}; axes count from 0",
            self.at()
        );
        let mut dims = [1; MAX_RANK];
        dims[..start_dim].copy_from_slice(&shape[..start_dim]);
        dims[start_dim] = shape[start_dim..].iter().product();
        self.reshape(x, Shape::new(&dims[..=start_dim]))
    }

    /// Merges the axes from `start_dim` to `end_dim` into one, in their own order; `torch.flatten`, except
    /// that images are not reordered.
    ///
    /// # Panics
    /// When `x` does not have these axes, or `start_dim` is after `end_dim`.
    #[track_caller]
    pub fn flatten_between(&self, x: Var, start_dim: usize, end_dim: usize) -> Var {
        let shape = self.shape(x);
        assert!(
            start_dim <= end_dim && end_dim < shape.rank(),
            "flatten{}: {shape} has no axes {start_dim} to {end_dim}; axes count from 0",
            self.at()
        );
        let mut dims = [1; MAX_RANK];
        dims[..start_dim].copy_from_slice(&shape[..start_dim]);
        dims[start_dim] = shape[start_dim..=end_dim].iter().product();
        let behind = shape.rank() - end_dim - 1;
        dims[start_dim + 1..][..behind].copy_from_slice(&shape[end_dim + 1..]);
        self.reshape(x, Shape::new(&dims[..=start_dim + behind]))
    }
}
