//! How the losses of a batch are reduced, and the gradient of each from that of the result.

use tensor::parallel::Shards;
use tensor::reduce::{self, reduce_rows};
use tensor::{Beta, Shape, scratch};

/// How the losses of elements or rows are reduced; the default is the mean, as in PyTorch.
///
/// Means and sums are over the whole batch, even if this process has only a part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// No reduction: the output has a loss for each element or row.
    None,
    /// Their mean; NaN when there are none, as in PyTorch.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// Their sum divided by the size of the first axis: `batchmean` in PyTorch, which has it only for
    /// `kl_div`.
    BatchMean,
}

impl Reduction {
    /// The shape of the output for losses of this shape.
    pub(super) fn output_shape(self, losses: Shape) -> Shape {
        if self == Self::None { losses } else { Shape::scalar() }
    }

    /// Reduces the losses that `write` fills in, with this shape and these shards, to `output`.
    pub(super) fn join(
        self,
        output: &mut [f32],
        shape: Shape,
        shards: &Shards<'_>,
        write: impl FnOnce(&mut [f32]),
    ) {
        if self == Self::None {
            return write(output);
        }
        let how = if self == Self::Mean { reduce::Reduction::Mean } else { reduce::Reduction::Sum };
        scratch::with(shape.numel(), |losses| {
            write(losses);
            if self == Self::BatchMean {
                let factor = self.factor(shape, shards);
                losses.iter_mut().for_each(|loss| *loss *= factor);
            }
            reduce_rows(output, losses, shape.numel(), 1, how, shards, Beta::Zero);
        });
    }

    /// The gradient of each loss, from that of the output.
    pub(super) fn gradient<'a>(self, dy: &'a [f32], shape: Shape, shards: &Shards<'_>) -> LossGradient<'a> {
        match self {
            Self::None => LossGradient::Each(dy),
            _ => LossGradient::All(dy[0] * self.factor(shape, shards)),
        }
    }

    /// The factor of each loss in the sum of all.
    fn factor(self, shape: Shape, shards: &Shards<'_>) -> f32 {
        let n_divided_by = match self {
            Self::None | Self::Sum => return 1.0,
            Self::Mean => shape.numel(),
            Self::BatchMean => shape.first().copied().unwrap_or(1),
        };
        1.0 / shards.rows_of_batch(n_divided_by) as f32
    }
}

/// The gradient of the losses of a batch.
#[derive(Clone, Copy)]
pub(super) enum LossGradient<'a> {
    /// One for each.
    Each(&'a [f32]),
    /// The same for all.
    All(f32),
}

impl LossGradient<'_> {
    /// The gradient of loss number `idx`.
    pub(super) fn at(&self, idx: usize) -> f32 {
        match self {
            Self::Each(gradients) => gradients[idx],
            Self::All(gradient) => *gradient,
        }
    }
}
