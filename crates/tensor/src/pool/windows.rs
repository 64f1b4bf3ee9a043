//! The positions of pooling windows on one axis.

use std::ops::Range;

/// The windows on one axis of an image.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Windows {
    /// Windows of one size at a fixed step, as in `torch.nn.MaxPool2d`.
    Sliding {
        /// The number of elements in a window.
        kernel_size: usize,
        /// The step between windows.
        stride: usize,
        /// The border on each side; at most half the kernel size, as in PyTorch.
        padding: usize,
        /// The step between the elements of a window.
        dilation: usize,
        /// Whether the last window may extend past the padded edge; it must start inside the image or before
        /// it.
        ceil_mode: bool,
    },
    /// As many windows as requested, as in `torch.nn.AdaptiveAvgPool2d`: window `i` of `n` spans ⌊i·size / n⌋
    /// to ⌈(i + 1)·size / n⌉.
    Adaptive {
        /// The number of windows.
        output_size: usize,
    },
}

impl Windows {
    /// Windows of one size without dilation, as many as fit.
    pub const fn new(kernel_size: usize, stride: usize, padding: usize) -> Self {
        Self::Sliding { kernel_size, stride, padding, dilation: 1, ceil_mode: false }
    }

    /// How many windows there are on an axis of `size`, which they must fit:
    /// ⌊(size + 2·padding − dilation·(kernel_size − 1) − 1) / stride⌋ + 1, or with ⌈ ⌉ in ceil mode, without
    /// a window that would start after the image.
    pub fn count(&self, size: usize) -> usize {
        match *self {
            Self::Sliding { kernel_size, stride, padding, dilation, ceil_mode } => {
                let (padded, span) = (size + 2 * padding, span(kernel_size, dilation));
                if !ceil_mode {
                    return (padded - span) / stride + 1;
                }
                let n = padded.saturating_sub(span).div_ceil(stride) + 1;
                n - usize::from((n - 1) * stride >= size + padding)
            }
            Self::Adaptive { output_size } => output_size,
        }
    }

    /// The size with its padding, if the windows are not too large for it.
    pub(super) fn padded(&self, size: usize) -> Result<usize, String> {
        match *self {
            Self::Sliding { kernel_size, stride, padding, dilation, ceil_mode } => {
                let sizes = [
                    (size, "input size"),
                    (kernel_size, "kernel size"),
                    (stride, "stride"),
                    (dilation, "dilation"),
                ];
                if let Some((_, name)) = sizes.into_iter().find(|&(size, _)| size == 0) {
                    return Err(format!("the {name} must be at least 1"));
                }
                if padding > kernel_size / 2 {
                    return Err(format!(
                        "padding {padding} is more than half of the kernel size {kernel_size}"
                    ));
                }
                // At most half a kernel, so doubling it does not overflow, but the sums may.
                let padded = size.saturating_add(2 * padding);
                let room = padded.saturating_add(if ceil_mode { stride - 1 } else { 0 });
                let span = (kernel_size - 1).saturating_mul(dilation).saturating_add(1);
                if span > room {
                    let dilated =
                        if dilation > 1 { format!(" with dilation {dilation}") } else { String::new() };
                    return Err(format!(
                        "kernel size {kernel_size}{dilated} does not fit the size {size} with padding {padding}"
                    ));
                }
                Ok(padded)
            }
            Self::Adaptive { .. } if size == 0 => Err("the image must have at least one pixel".to_owned()),
            Self::Adaptive { output_size: 0 } => Err("the output size must be at least 1".to_owned()),
            Self::Adaptive { output_size } if output_size.checked_mul(size).is_none() => {
                Err(format!("the output size {output_size} is too large"))
            }
            Self::Adaptive { .. } => Ok(size),
        }
    }

    /// Checks that each window contains an element of an axis of `size`, for which they must not be too
    /// large.
    pub(super) fn check_inside(&self, size: usize) -> Result<(), String> {
        match *self {
            Self::Sliding { stride, padding, dilation, .. } => {
                // Only windows that begin in the padding may skip the image.
                let n_before = padding.div_ceil(stride).min(self.count(size));
                match (0..n_before).any(|idx| self.inside(size, idx).is_empty()) {
                    true => Err(format!(
                        "a window with padding {padding} and dilation {dilation} covers no element of size \
                         {size}"
                    )),
                    false => Ok(()),
                }
            }
            Self::Adaptive { .. } => Ok(()),
        }
    }

    /// The part of window `idx` inside an axis of `size`: from its first element there to past its last.
    pub(super) fn inside(&self, size: usize, idx: usize) -> Range<usize> {
        match *self {
            Self::Sliding { kernel_size, stride, padding, dilation, .. } => {
                let start = idx * stride;
                let skipped = padding.saturating_sub(start).div_ceil(dilation) * dilation;
                let end = (start + span(kernel_size, dilation)).saturating_sub(padding).min(size);
                // A window that skips the image is empty.
                (start + skipped - padding).min(end)..end
            }
            Self::Adaptive { output_size: n } => idx * size / n..((idx + 1) * size).div_ceil(n),
        }
    }

    /// The number of elements of window `idx` that an average counts, with or without those in the padding.
    /// Elements beyond the padding in ceil mode are never counted, as in PyTorch.
    pub(super) fn counted(&self, size: usize, idx: usize, with_padding: bool) -> usize {
        match *self {
            Self::Sliding { kernel_size, stride, padding, dilation, .. } if with_padding => {
                let start = idx * stride;
                ((start + span(kernel_size, dilation)).min(size + 2 * padding) - start).div_ceil(dilation)
            }
            _ => self.inside(size, idx).len().div_ceil(self.dilation()),
        }
    }

    pub(super) fn dilation(&self) -> usize {
        match *self {
            Self::Sliding { dilation, .. } => dilation,
            Self::Adaptive { .. } => 1,
        }
    }

    /// The maximum number of elements in a window.
    pub(super) fn longest(&self, size: usize) -> usize {
        match *self {
            Self::Sliding { kernel_size, .. } => kernel_size,
            Self::Adaptive { output_size } => size.div_ceil(output_size) + 1,
        }
    }
}

/// The distance from the first element of a window to past its last.
fn span(kernel_size: usize, dilation: usize) -> usize {
    (kernel_size - 1) * dilation + 1
}
