//! A convolution as seen by the fast kernels, and the bordered copy of an image that they read.

use super::Conv2dShape;

/// The sizes of a convolution with stride 1, dilation 1 and one group, for one pass.
///
/// Its input gradient is also such a convolution, of the output's gradient with the flipped kernel:
/// [`Geometry::backward_input`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Geometry {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) in_channels: usize,
    pub(crate) out_channels: usize,
    pub(crate) kernel_size: [usize; 2],
    pub(crate) padding: [usize; 2],
}

impl Geometry {
    /// The geometry of a convolution, if the fast kernels support it: stride 1, dilation 1, one group, and
    /// padding smaller than the kernel.
    pub(crate) fn of(shape: &Conv2dShape) -> Option<Self> {
        let &Conv2dShape { height, width, in_channels, out_channels, kernel_size, padding, .. } = shape;
        let plain = shape.stride == [1, 1] && shape.dilation == [1, 1] && shape.groups == 1;
        let narrow = padding[0] < kernel_size[0] && padding[1] < kernel_size[1];
        (plain && narrow).then_some(Self { height, width, in_channels, out_channels, kernel_size, padding })
    }

    /// The convolution that computes this one's input gradient: output and input are swapped, and a kernel of
    /// size k with padding p gets padding k − 1 − p (so p is at most k − 1).
    pub(crate) fn backward_input(&self) -> Self {
        let [kernel_height, kernel_width] = self.kernel_size;
        Self {
            height: self.out_height(),
            width: self.out_width(),
            in_channels: self.out_channels,
            out_channels: self.in_channels,
            kernel_size: self.kernel_size,
            padding: [kernel_height - 1 - self.padding[0], kernel_width - 1 - self.padding[1]],
        }
    }

    /// Rows of the output.
    pub(crate) fn out_height(&self) -> usize {
        self.height + 2 * self.padding[0] + 1 - self.kernel_size[0]
    }

    /// Columns of the output.
    pub(crate) fn out_width(&self) -> usize {
        self.width + 2 * self.padding[1] + 1 - self.kernel_size[1]
    }

    /// Elements of one input image.
    pub(crate) fn input_len(&self) -> usize {
        self.height * self.width * self.in_channels
    }

    /// Elements of one output image.
    pub(crate) fn output_len(&self) -> usize {
        self.out_height() * self.out_width() * self.out_channels
    }

    /// Taps of the kernel: kernel height × kernel width.
    pub(crate) fn n_taps(&self) -> usize {
        self.kernel_size[0] * self.kernel_size[1]
    }

    /// The layout of output images in whole tiles of `tile` (rows, columns), without a border.
    pub(crate) fn output_layout(&self, tile: [usize; 2]) -> Bordered {
        let output = Self {
            height: self.out_height(),
            width: self.out_width(),
            in_channels: self.out_channels,
            kernel_size: [1, 1],
            padding: [0, 0],
            ..*self
        };
        Bordered::new(&output, tile)
    }

    /// Multiply-adds of one pass over `n_images` images, in the work units of [`crate::parallel`].
    pub(crate) fn work(&self, n_images: usize) -> usize {
        n_images * self.output_len() * self.n_taps() * self.in_channels / 8
    }
}

/// The layout of an input image stored with its border of zeros, so that kernels have no edge cases:
///
/// ```text
///              left           width          right
///        top  ┌────┬────────────────────────┬───────┐
///             │ 0  │            0           │   0   │
///     height  ├────┼────────────────────────┼───────┤
///             │ 0  │  H × W × C, row-major  │   0   │
///             ├────┼────────────────────────┼───────┤
///     bottom  │ 0  │            0           │   0   │
///             └────┴────────────────────────┴───────┘
/// ```
///
/// The top and left borders are the padding. The bottom and right borders also cover what output tiles at the
/// edge read if the output size is not a multiple of the tile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bordered {
    height: usize,
    width: usize,
    channels: usize,
    top: usize,
    left: usize,
    rows: usize,
    /// Columns, borders included.
    pub(crate) cols: usize,
}

impl Bordered {
    /// The layout for kernels that compute `tile` (rows, columns) outputs at a time.
    pub(crate) fn new(geometry: &Geometry, tile: [usize; 2]) -> Self {
        let [kernel_height, kernel_width] = geometry.kernel_size;
        Self {
            height: geometry.height,
            width: geometry.width,
            channels: geometry.in_channels,
            top: geometry.padding[0],
            left: geometry.padding[1],
            rows: geometry.out_height().next_multiple_of(tile[0]) + kernel_height - 1,
            cols: geometry.out_width().next_multiple_of(tile[1]) + kernel_width - 1,
        }
    }

    /// Elements of the image without its border.
    pub(crate) fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Elements of the bordered image.
    pub(crate) fn len(&self) -> usize {
        self.rows * self.row_len()
    }

    /// Elements from one row to the next.
    pub(crate) fn row_len(&self) -> usize {
        self.cols * self.channels
    }

    /// The start of row `row` of image `image` inside its border, in consecutive bordered images.
    pub(crate) fn row_start(&self, image: usize, row: usize) -> usize {
        image * self.len() + (row + self.top) * self.row_len() + self.left * self.channels
    }

    /// The index of the first pixel in bordered row `row` of image `image`.
    pub(crate) fn first_pixel(&self, image: usize, row: usize) -> usize {
        (image * self.rows + row) * self.cols
    }

    /// Elements of a row without its border, and from one row to the next.
    pub(crate) fn lines(&self) -> [usize; 2] {
        [self.width * self.channels, self.row_len()]
    }

    /// Copies an image into a bordered one whose border is already zero.
    pub(crate) fn fill(&self, bordered: &mut [f32], image: &[f32]) {
        let [line_len, stride] = self.lines();
        let rows = bordered[self.row_start(0, 0)..].chunks_mut(stride);
        for (dst, src) in rows.zip(image.chunks_exact(line_len)) {
            dst[..line_len].copy_from_slice(src);
        }
    }
}
