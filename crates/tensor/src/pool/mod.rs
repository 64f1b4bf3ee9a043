//! Pooling over windows of N × H × W × C images: the largest element, the mean, and the mean of the image.

mod average;
mod max;
pub(crate) mod reference;

use std::ops::Range;

use crate::shape::addressable;

pub use average::{
    avg_pool2d_backward, avg_pool2d_forward, global_avg_pool2d_backward, global_avg_pool2d_forward,
};
pub use max::{max_pool2d_backward, max_pool2d_forward};

/// The sizes of a pooling layer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Pool2dShape {
    /// Images.
    pub batch: usize,
    /// Rows of an input image.
    pub height: usize,
    /// Columns of an input image.
    pub width: usize,
    /// Channels, of the input and of the output.
    pub channels: usize,
    /// Height and width of the window.
    pub kernel_size: [usize; 2],
    /// Steps between windows, by rows and by columns.
    pub stride: [usize; 2],
    /// Border on each side; at most half the window, as in PyTorch.
    pub padding: [usize; 2],
}

impl Pool2dShape {
    /// Whether the sizes make a pooling; the error says which one does not and why.
    ///
    /// # Errors
    /// When a size other than `batch`, `channels` and `padding` is zero, the padding is more than half the
    /// window, the window larger than the padded image, a padded image has 2³² pixels or more, or there are more elements than
    /// memory can address.
    pub fn validate(&self) -> Result<(), String> {
        let sizes = [self.height, self.width];
        if sizes.iter().chain(&self.kernel_size).chain(&self.stride).any(|&n| n == 0) {
            return Err(format!("image, kernel and stride must be at least 1: {self:?}"));
        }
        let mut padded = [0; 2];
        for (axis, size) in sizes.into_iter().enumerate() {
            let (kernel, padding) = (self.kernel_size[axis], self.padding[axis]);
            if padding > kernel / 2 {
                return Err(format!("padding {padding} is more than half of the kernel size {kernel}"));
            }
            // At most half a kernel, so doubling it does not overflow, but the sum may.
            padded[axis] = size.saturating_add(2 * padding);
            if kernel > padded[axis] {
                return Err(format!(
                    "kernel size {kernel} does not fit the size {size} with padding {padding}"
                ));
            }
        }
        // Indices within an image are kept as u32.
        if padded[0].checked_mul(padded[1]).is_none_or(|pixels| u32::try_from(pixels).is_err()) {
            return Err(format!("a padded image of {} x {} has too many pixels", padded[0], padded[1]));
        }
        // The output has no more pixels than the padded image.
        match addressable(&[self.batch, padded[0], padded[1], self.channels]) {
            true => Ok(()),
            false => Err(format!("it has more elements than memory can address: {self:?}")),
        }
    }

    /// Rows of an output image: ⌊(height + 2·padding − kernel) / stride⌋ + 1.
    pub fn out_height(&self) -> usize {
        (self.height + 2 * self.padding[0] - self.kernel_size[0]) / self.stride[0] + 1
    }

    /// Columns of an output image; the formula of [`Self::out_height`].
    pub fn out_width(&self) -> usize {
        (self.width + 2 * self.padding[1] - self.kernel_size[1]) / self.stride[1] + 1
    }

    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        self.batch * self.height * self.width * self.channels
    }

    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        self.batch * self.out_height() * self.out_width() * self.channels
    }

    /// What of window number `idx` on an axis lies in an image of `size`.
    fn window(&self, axis: usize, size: usize, idx: usize) -> Range<usize> {
        let start = idx * self.stride[axis];
        let end = (start + self.kernel_size[axis]).saturating_sub(self.padding[axis]).min(size);
        start.saturating_sub(self.padding[axis])..end
    }

    /// The output pixels of an image in order, each with its window's rows and columns.
    fn windows(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        (0..self.out_height()).flat_map(move |y| {
            let rows = self.window(0, self.height, y);
            (0..self.out_width()).map(move |x| (rows.clone(), self.window(1, self.width, x)))
        })
    }

    fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    fn out_image_len(&self) -> usize {
        self.out_height() * self.out_width() * self.channels
    }

    /// Element operations of one pass.
    fn work(&self) -> usize {
        self.output_len().saturating_mul(self.kernel_size[0] * self.kernel_size[1])
    }

    #[track_caller]
    fn check(&self, name: &str, y_len: usize, x_len: usize) {
        if let Err(reason) = self.validate() {
            panic!("{name}: {reason}");
        }
        assert_eq!(y_len, self.output_len(), "{name}: output length for {self:?}");
        assert_eq!(x_len, self.input_len(), "{name}: input length for {self:?}");
    }
}
