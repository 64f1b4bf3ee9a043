//! Pooling options.

use tensor::pool::Windows;

/// The options of [`Graph::max_pool2d`](crate::Graph::max_pool2d) and [`Graph::avg_pool2d`](crate::Graph::avg_pool2d),
/// vertical before horizontal.
pub type Pool2dOptions = PoolOptions<2>;

/// The options of [`Graph::max_pool1d`](crate::Graph::max_pool1d) and [`Graph::avg_pool1d`](crate::Graph::avg_pool1d).
pub type Pool1dOptions = PoolOptions<1>;

/// The options of pooling over `N` axes: [`Pool2dOptions`], [`Pool1dOptions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions<const N: usize> {
    /// The size of the window.
    pub kernel_size: [usize; N],
    /// The stride of the window (default: its size).
    pub stride: [usize; N],
    /// The border on each side, at most half the window (default 0).
    pub padding: [usize; N],
    /// The distance between the elements of a window (default 1). PyTorch has it only for max pooling.
    pub dilation: [usize; N],
    /// Whether the last window may extend past the padded edge, but not start past the image (default false).
    pub ceil_mode: bool,
    /// Whether a mean counts the zeros of the padding (default true).
    pub count_include_pad: bool,
}

impl<const N: usize> PoolOptions<N> {
    /// Creates options with PyTorch's defaults for windows of this size.
    ///
    /// ```
    /// use autograd::Pool2dOptions;
    /// let overlapping = Pool2dOptions { stride: [2, 2], padding: [1, 1], ..Pool2dOptions::new([3, 3]) };
    /// assert!(overlapping.count_include_pad);
    /// ```
    pub const fn new(kernel_size: [usize; N]) -> Self {
        let (stride, padding, dilation) = (kernel_size, [0; N], [1; N]);
        Self { kernel_size, stride, padding, dilation, ceil_mode: false, count_include_pad: true }
    }
}

impl Pool1dOptions {
    /// The same for images one row high.
    pub(super) fn one_row_high(self) -> Pool2dOptions {
        let Self { kernel_size, stride, padding, dilation, ceil_mode, count_include_pad } = self;
        let behind = |row: usize, [column]: [usize; 1]| [row, column];
        PoolOptions {
            kernel_size: behind(1, kernel_size),
            stride: behind(1, stride),
            padding: behind(0, padding),
            dilation: behind(1, dilation),
            ceil_mode,
            count_include_pad,
        }
    }
}

impl Pool2dOptions {
    pub(super) fn windows(&self) -> [Windows; 2] {
        [0, 1].map(|axis| Windows::Sliding {
            kernel_size: self.kernel_size[axis],
            stride: self.stride[axis],
            padding: self.padding[axis],
            dilation: self.dilation[axis],
            ceil_mode: self.ceil_mode,
        })
    }
}
