//! Padding along any axes.

use tensor::pad::{PadMode, pad_backward, pad_forward, padded_shape};
use tensor::{MAX_RANK, Shape};

use super::shared::{channels_last_hint, count, there_are};
use crate::{Backward, Forward, Graph, Images, Op, Operands, ShapeError, Var};

struct Pad {
    padding: [[usize; 2]; MAX_RANK],
    /// The number of axes in `padding`.
    rank: usize,
    mode: PadMode,
}

impl Pad {
    fn padding(&self) -> &[[usize; 2]] {
        &self.padding[..self.rank]
    }

    /// The first axis whose border is too long.
    fn too_long(&self, x: &[usize]) -> Option<usize> {
        let mut borders = self.padding().iter().zip(x);
        borders.position(|(&[before, after], &size)| before.max(after) > self.mode.max_border(size))
    }

    /// Added to an error about images or sequences: that they fit with their channels last.
    fn hint(&self, x: Shape) -> &'static str {
        let between = matches!(self.padding(), [[0, 0], .., [0, 0]]);
        let channels_last = match *x.dims() {
            [n, c, h, w] => Shape::new(&[n, h, w, c]),
            [n, c, t] => Shape::new(&[n, t, c]),
            _ => x,
        };
        channels_last_hint(x, |_| between && self.too_long(&channels_last).is_none())
    }
}

impl Op for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let (x, padding, mode) = (inputs[0], self.padding(), self.mode);
        if padding.len() != x.rank() {
            return Err(ShapeError::new(format!(
                "{} for the {} of {x}; give [before, after] for each axis from the first",
                there_are(padding.len(), "border"),
                count(x.rank(), "axis")
            )));
        }
        if let Some(axis) = self.too_long(&x) {
            return Err(ShapeError::new(format!(
                "a border of {:?} is too long for axis {axis} of {x} in the mode {mode:?}; it can be at most {} at \
                 each end, so make it shorter or choose another mode{}",
                padding[axis],
                mode.max_border(x[axis]),
                self.hint(x)
            )));
        }
        Ok(padded_shape(&x, padding))
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        match self.padding().first() {
            Some([0, 0]) => inputs.kept_of(0),
            _ => inputs.mixed_of(0),
        }
    }

    fn forward(&self, f: Forward<'_>) {
        pad_forward(f.output, f.inputs.value(0), &f.inputs.shape(0), self.padding(), self.mode);
    }

    /// dx is the sum of dy over the places an element was copied to.
    fn backward(&self, mut b: Backward<'_>) {
        let shape = b.inputs.shape(0);
        if let Some(dx) = b.grads.get(0) {
            pad_backward(dx.data, b.dy, &shape, self.padding(), self.mode, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// Pads `x`: `padding[axis]` is the number of elements added before and after; `torch.nn.functional.pad`,
    /// where the list begins with the last axis. The height and width of images [n, h, w, c] are axes 1 and
    /// 2:
    ///
    /// ```
    /// use autograd::{Graph, PadMode, Var};
    ///
    /// /// One pixel more above and below, two more at either side.
    /// fn mirrored(g: &Graph<'_>, images: Var) -> Var {
    ///     g.pad(images, &[[0, 0], [1, 1], [2, 2], [0, 0]], PadMode::Reflect)
    /// }
    /// ```
    ///
    /// # Panics
    /// When there is not one pair for each axis, or a border is longer than the axis allows:
    /// [`PadMode::max_border`].
    #[track_caller]
    pub fn pad(&self, x: Var, padding: &[[usize; 2]], mode: PadMode) -> Var {
        let rank = padding.len();
        assert!(
            rank <= MAX_RANK,
            "pad{}: there are {rank} borders, a shape has at most {MAX_RANK} axes; \
             give [before, after] for each axis from the first",
            self.at()
        );
        let mut op = Pad { padding: [[0; 2]; MAX_RANK], rank, mode };
        op.padding[..rank].copy_from_slice(padding);
        self.apply(op, &[x])
    }
}
