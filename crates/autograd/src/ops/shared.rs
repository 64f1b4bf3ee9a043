//! What several ops have in common.

use tensor::broadcast::{broadcast_shapes, reduce_to_shape};
use tensor::elementwise::zip;
use tensor::pool::Pool2dShape;
use tensor::reduce::sum;
use tensor::{Axes, Beta, Shape, scratch};

use crate::tape::Indices;
use crate::{Backward, Forward, Grad, Graph, ShapeError};

/// How the losses of the elements, or of the rows, become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean; NaN when there are none, as in PyTorch.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

impl Reduction {
    /// What the sum of `n_losses` is multiplied by.
    pub(super) fn factor(self, n_losses: usize) -> f32 {
        match self {
            Reduction::Mean => 1.0 / n_losses as f32,
            Reduction::Sum => 1.0,
        }
    }
}

/// The shape of a sum or a mean over some axes, which vanish or stay with size 1.
pub(super) fn reduced_shape(x: Shape, axes: Axes, keepdim: bool) -> Result<Shape, ShapeError> {
    match (axes.fits(&x), keepdim) {
        (false, _) => Err(ShapeError::new(format!(
            "{x} has {} axes, and one beyond them is to be reduced; axes count from 0",
            x.rank()
        ))),
        (true, true) => Ok(axes.kept(&x)),
        (true, false) => Ok(axes.removed(&x)),
    }
}

/// The shape of an element-wise op of two inputs.
pub(super) fn broadcast_shape(inputs: &[Shape]) -> Result<Shape, ShapeError> {
    let (a, b) = (inputs[0], inputs[1]);
    broadcast_shapes(&a, &b).ok_or_else(|| {
        ShapeError::new(format!(
            "{a} and {b} do not broadcast; aligned at the last axis, sizes must be equal or 1: reshape one of them"
        ))
    })
}

/// Writes the gradient of an operand of shape `shape` that was broadcast to `y_shape`: `share` fills
/// a slice of `y_shape` with what each element of the output hands back.
pub(super) fn write_broadcast(grad: Grad<'_>, shape: Shape, y_shape: Shape, share: impl FnOnce(&mut [f32])) {
    if shape == y_shape && grad.beta == Beta::Zero {
        share(grad.data);
    } else {
        scratch::with(y_shape.numel(), |shares| {
            share(shares);
            reduce_to_shape(grad.data, shares, &shape, &y_shape, grad.beta);
        });
    }
}

/// The last axis as columns, all others as rows; a scalar is one row of one column.
pub(super) fn rows_and_cols(shape: Shape) -> (usize, usize) {
    match shape.dims().split_last() {
        Some((&cols, leading)) => (leading.iter().product(), cols),
        None => (1, 1),
    }
}

/// The sizes `[n, h, w, c]` of images.
pub(super) fn image_sizes(shape: Shape) -> Result<[usize; 4], ShapeError> {
    shape.dims().try_into().map_err(|_| {
        ShapeError::new(format!(
            "the input is {shape}, expected images [n, h, w, c]; reshape it, or add the missing axes"
        ))
    })
}

/// The sizes of a pooling of `x`, if they fit.
pub(super) fn pool_sizes(
    x: Shape,
    kernel_size: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Result<Pool2dShape, ShapeError> {
    let [batch, height, width, channels] = image_sizes(x)?;
    let sizes = Pool2dShape { batch, height, width, channels, kernel_size, stride, padding };
    let explain = |reason| {
        ShapeError::new(format!(
            "a window {kernel_size:?} by {stride:?} does not fit the input {x}: {reason}"
        ))
    };
    sizes.validate().map(|()| sizes).map_err(explain)
}

/// A loss that compares `x` with `t` element by element.
pub(super) trait Pairwise: Sync {
    /// How the elements are joined.
    fn reduction(&self) -> Reduction;

    /// The loss of one element.
    fn loss(&self, x: f32, t: f32) -> f32;

    /// Its derivatives by x and by t.
    fn slopes(&self, x: f32, t: f32) -> [f32; 2];
}

/// The shape of a [`Pairwise`] loss: a scalar, if input and target agree.
pub(super) fn pairwise_shape(inputs: &[Shape]) -> Result<Shape, ShapeError> {
    let (x, t) = (inputs[0], inputs[1]);
    if x == t {
        return Ok(Shape::scalar());
    }
    Err(ShapeError::new(format!(
        "the input is {x} and the target is {t}; losses do not broadcast, so reshape one of them"
    )))
}

/// y = the mean or the sum of the losses of the elements.
pub(super) fn pairwise_forward(op: &impl Pairwise, f: Forward<'_>) {
    let (x, t) = (f.inputs.value(0), f.inputs.value(1));
    scratch::with(x.len(), |losses| {
        zip(losses, x, t, Beta::Zero, |x, t| op.loss(x, t));
        f.output[0] = match op.reduction() {
            Reduction::Mean => sum(losses) / x.len() as f32,
            Reduction::Sum => sum(losses),
        };
    });
}

/// The gradients of a [`Pairwise`] loss by its input and by its target.
pub(super) fn pairwise_backward(op: &impl Pairwise, mut b: Backward<'_>) {
    let (x, t) = (b.inputs.value(0), b.inputs.value(1));
    let scale = b.dy[0] * op.reduction().factor(x.len());
    for i in 0..2 {
        if let Some(grad) = b.grads.get(i) {
            zip(grad.data, x, t, grad.beta, |x, t| scale * op.slopes(x, t)[i]);
        }
    }
}

impl Graph<'_> {
    /// Makes sure that all indices lie below `bound`.
    #[track_caller]
    pub(super) fn expect_below(&self, op: &str, what: &str, indices: Indices, bound: usize) {
        let recording = self.tape.recording.borrow();
        let indices = recording.indices(op, indices);
        if let Some(pos) = indices.iter().position(|&idx| idx as usize >= bound) {
            let (at, idx) = (recording.at(), indices[pos]);
            panic!("{op}{at}: {what} {idx} at position {pos} is out of range; it must be below {bound}");
        }
    }
}
