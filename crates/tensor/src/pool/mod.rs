//! Pooling over windows of N × H × W × C images: the largest element, the mean, and the mean of the whole
//! image.

mod average;
mod max;
pub(crate) mod reference;
mod windows;

use std::ops::Range;

use crate::shape::addressable;

pub use average::{
    avg_pool2d_backward, avg_pool2d_forward, global_avg_pool2d_backward, global_avg_pool2d_forward,
};
pub use max::{max_pool2d_backward, max_pool2d_forward};
pub use windows::Windows;

/// The sizes of a pooling layer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Pool2dShape {
    /// The number of images.
    pub batch: usize,
    /// Rows of an input image.
    pub height: usize,
    /// Columns of an input image.
    pub width: usize,
    /// Channels, of the input and of the output.
    pub channels: usize,
    /// The windows, by rows and by columns.
    pub windows: [Windows; 2],
}

impl Pool2dShape {
    /// Creates the shape of windows of one size over images `[n, h, w, c]`, without dilation, as many as fit.
    ///
    /// ```
    /// use tensor::pool::Pool2dShape;
    /// let shape = Pool2dShape::new([64, 32, 32, 3], [3, 3], [2, 2], [1, 1]);
    /// assert_eq!(shape.out_height(), 16);
    /// ```
    pub const fn new(
        [batch, height, width, channels]: [usize; 4],
        kernel_size: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Self {
        let windows = [
            Windows::new(kernel_size[0], stride[0], padding[0]),
            Windows::new(kernel_size[1], stride[1], padding[1]),
        ];
        Self { batch, height, width, channels, windows }
    }

    /// Checks whether the sizes are valid; the error says which one is not and why.
    ///
    /// # Errors
    /// When a size other than `batch`, `channels` and `padding` is zero, the padding is more than half the
    /// window, the window is larger than the padded image, a window is entirely in the padding, a padded
    /// image has 2³² pixels or more, or there are more elements than memory can address.
    pub fn validate(&self) -> Result<(), String> {
        let padded = [self.windows[0].padded(self.height)?, self.windows[1].padded(self.width)?];
        // Indices within an image are kept as u32.
        if padded[0].checked_mul(padded[1]).is_none_or(|pixels| u32::try_from(pixels).is_err()) {
            return Err(format!("a padded image of {} x {} has too many pixels", padded[0], padded[1]));
        }
        self.windows[0].check_inside(self.height)?;
        self.windows[1].check_inside(self.width)?;
        // There may be more adaptive windows than pixels.
        let [rows, columns] = [padded[0].max(self.out_height()), padded[1].max(self.out_width())];
        match addressable(&[self.batch, rows, columns, self.channels]) {
            true => Ok(()),
            false => Err(format!("it has more elements than memory can address: {self:?}")),
        }
    }

    /// Rows of an output image: the number of [`Windows`] on the axis.
    pub fn out_height(&self) -> usize {
        self.windows[0].count(self.height)
    }

    /// Columns of an output image.
    pub fn out_width(&self) -> usize {
        self.windows[1].count(self.width)
    }

    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        self.batch * self.height * self.width * self.channels
    }

    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        self.batch * self.out_height() * self.out_width() * self.channels
    }

    /// The output pixels of an image in order, each with its window's rows and columns: those inside the
    /// image, of which every [`dilation`](Self::dilation)-th counts.
    fn windows(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let [rows, columns] = self.windows;
        (0..self.out_height()).flat_map(move |y| {
            let rows = rows.inside(self.height, y);
            (0..self.out_width()).map(move |x| (rows.clone(), columns.inside(self.width, x)))
        })
    }

    /// The pixels of a window of [`Self::windows`], row by row.
    #[inline(always)]
    fn pixels(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> impl Iterator<Item = usize> + Clone + use<> {
        let (width, [down, right]) = (self.width, self.dilation());
        rows.step_by(down)
            .flat_map(move |row| columns.clone().step_by(right).map(move |column| row * width + column))
    }

    /// The step between the elements of a window, by rows and by columns.
    fn dilation(&self) -> [usize; 2] {
        self.windows.map(|windows| windows.dilation())
    }

    fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    fn out_image_len(&self) -> usize {
        self.out_height() * self.out_width() * self.channels
    }

    /// The number of element operations of one pass.
    fn work(&self) -> usize {
        let [rows, columns] =
            [(0, self.height), (1, self.width)].map(|(axis, n)| self.windows[axis].longest(n));
        self.output_len().saturating_mul(rows).saturating_mul(columns)
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
