//! Resizing images: each pixel is the nearest one of the image, or interpolated from the nearest four.

pub(crate) mod reference;

use crate::Beta;
use crate::parallel::{for_each_chunk, rows_mut};
use crate::shape::addressable;
use simd::{Kernel, Level, Simd, dispatch};

/// How a pixel between others is computed, as in `mode` of `torch.nn.functional.interpolate`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Interpolation {
    /// The pixel above and to the left, PyTorch's `"nearest"`.
    Nearest,
    /// Linear interpolation of the nearest four, PyTorch's `"bilinear"`.
    Bilinear {
        /// Whether the centres of the corner pixels are aligned; otherwise their outer edges are, which is
        /// PyTorch's default.
        align_corners: bool,
    },
}

/// The new size of images, rows before columns.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ResizeTo {
    /// This many pixels.
    Size([usize; 2]),
    /// A multiple of the number of pixels, rounded down.
    ScaleFactor([f64; 2]),
}

/// The sizes of an interpolation.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Interpolate2dShape {
    /// Images.
    pub batch: usize,
    /// Rows of an input image.
    pub height: usize,
    /// Columns of an input image.
    pub width: usize,
    /// Channels, of the input and of the output.
    pub channels: usize,
    /// The size of an output image.
    pub to: ResizeTo,
    /// How pixels are computed.
    pub mode: Interpolation,
}

impl Interpolate2dShape {
    /// Checks whether the sizes are valid; the error says which one is not and why.
    ///
    /// # Errors
    /// When the image has no pixel, a factor is not a positive number, an output would have no pixel, or there are more
    /// elements than memory can address.
    pub fn validate(&self) -> Result<(), String> {
        if self.height == 0 || self.width == 0 {
            return Err(format!("an image of {} x {} has no pixel", self.height, self.width));
        }
        if let ResizeTo::ScaleFactor(factors) = self.to
            && let Some(factor) = factors.iter().find(|factor| !(factor.is_finite() && **factor > 0.0))
        {
            return Err(format!("the scale factor is {factor}, it must be a positive number"));
        }
        let [height, width] = self.out_size();
        if height == 0 || width == 0 {
            return Err(format!(
                "the output of {height} x {width} has no pixel; make the size or the scale factor larger"
            ));
        }
        match addressable(&[self.batch, height, width, self.channels]) {
            true => Ok(()),
            false => Err(format!("it has more elements than memory can address: {self:?}")),
        }
    }

    /// Rows and columns of an output image.
    pub fn out_size(&self) -> [usize; 2] {
        match self.to {
            ResizeTo::Size(size) => size,
            // A conversion to an integer saturates.
            ResizeTo::ScaleFactor([rows, columns]) => {
                [(self.height as f64 * rows) as usize, (self.width as f64 * columns) as usize]
            }
        }
    }

    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        self.batch * self.height * self.width * self.channels
    }

    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        let [height, width] = self.out_size();
        self.batch * height * width * self.channels
    }

    fn rows(&self) -> Axis {
        self.axis(0, self.height)
    }

    fn columns(&self) -> Axis {
        self.axis(1, self.width)
    }

    fn axis(&self, axis: usize, size: usize) -> Axis {
        let out_size = self.out_size()[axis];
        let step = match (self.mode, self.to) {
            (Interpolation::Bilinear { align_corners: true }, _) => {
                if out_size > 1 {
                    (size - 1) as f32 / (out_size - 1) as f32
                } else {
                    0.0
                }
            }
            (_, ResizeTo::ScaleFactor(factors)) => (1.0 / factors[axis]) as f32,
            (_, ResizeTo::Size(_)) => size as f32 / out_size as f32,
        };
        Axis { size, is_copy: size == out_size, step, mode: self.mode }
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

/// Where outputs lie on an axis of the image; computed in f32 as in PyTorch, so that both use the same
/// pixels.
#[derive(Clone, Copy)]
struct Axis {
    size: usize,
    /// The output has the same length, so no output is between pixels, whatever the factor.
    is_copy: bool,
    step: f32,
    mode: Interpolation,
}

impl Axis {
    /// The two places between which output `idx` lies, and their weights.
    fn places(&self, idx: usize) -> [(usize, f32); 2] {
        if self.is_copy {
            return [(idx, 1.0), (idx, 0.0)];
        }
        let last = self.size - 1;
        let at = match self.mode {
            Interpolation::Nearest => {
                let place = ((idx as f32 * self.step) as usize).min(last);
                return [(place, 1.0), (place, 0.0)];
            }
            Interpolation::Bilinear { align_corners: true } => idx as f32 * self.step,
            Interpolation::Bilinear { align_corners: false } => {
                ((idx as f32 + 0.5) * self.step - 0.5).max(0.0)
            }
        };
        let place = (at as usize).min(last);
        let next = (at - place as f32).clamp(0.0, 1.0);
        [(place, 1.0 - next), ((place + 1).min(last), next)]
    }
}

/// y = x, resized.
///
/// |Δ| ≤ 6·ε·(the weighted mean of |x|), with ε = 2⁻²⁴; exact for [`Interpolation::Nearest`].
///
/// # Panics
/// When the shape is invalid or a length does not fit it.
#[track_caller]
pub fn interpolate2d_forward(y: &mut [f32], x: &[f32], shape: &Interpolate2dShape) {
    shape.check("interpolate2d_forward", y.len(), x.len());
    let [out_height, out_width] = shape.out_size();
    let row_len = out_width * shape.channels;
    let image_len = shape.height * shape.width * shape.channels;
    let (rows, level, chunk) = (shape.rows(), Level::current(), ((1 << 14) / row_len.max(1)).max(1));
    for_each_chunk(shape.batch * out_height, chunk, 4 * y.len(), rows_mut(y, row_len), |range, y| {
        for (row, y) in range.zip(y.into_slice().chunks_exact_mut(row_len.max(1))) {
            let x = &x[row / out_height * image_len..][..image_len];
            dispatch(level, ForwardRow { shape, y, x, rows: rows.places(row % out_height) });
        }
    });
}

/// dx = β·dx + dy at the pixels that forward read, with their weights.
///
/// # Panics
/// When the shape is invalid or a length does not fit it.
#[track_caller]
pub fn interpolate2d_backward(dx: &mut [f32], dy: &[f32], shape: &Interpolate2dShape, beta: Beta) {
    shape.check("interpolate2d_backward", dy.len(), dx.len());
    let [out_height, out_width] = shape.out_size();
    let (row_len, out_image_len) = (out_width * shape.channels, out_height * out_width * shape.channels);
    let image_len = shape.height * shape.width * shape.channels;
    let (rows, level) = (shape.rows(), Level::current());
    for_each_chunk(shape.batch, 1, 4 * dy.len(), rows_mut(dx, image_len), |image, dx| {
        let dx = dx.into_slice();
        beta.prepare(dx);
        let dy = &dy[image.start * out_image_len..image.end * out_image_len];
        for (row, dy) in dy.chunks_exact(row_len.max(1)).enumerate() {
            dispatch(level, BackwardRow { shape, dx: &mut *dx, dy, rows: rows.places(row) });
        }
    });
}

/// One row of an output image.
struct ForwardRow<'a> {
    shape: &'a Interpolate2dShape,
    y: &'a mut [f32],
    x: &'a [f32],
    /// The rows between which it lies, and their weights.
    rows: [(usize, f32); 2],
}

impl Kernel for ForwardRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { shape: &Interpolate2dShape { width, channels, mode, .. }, y, x, rows } = self;
        let columns = self.shape.columns();
        for (column, y) in y.chunks_exact_mut(channels).enumerate() {
            let columns = columns.places(column);
            let pixel = |row: usize, column: usize| {
                &x[(rows[row].0 * width + columns[column].0) * channels..][..channels]
            };
            if mode == Interpolation::Nearest {
                y.copy_from_slice(pixel(0, 0));
                continue;
            }
            let [[(_, top), (_, bottom)], [(_, left), (_, right)]] = [rows, columns];
            let above = pixel(0, 0).iter().zip(pixel(0, 1));
            let below = pixel(1, 0).iter().zip(pixel(1, 1));
            for (y, ((a, b), (c, d))) in y.iter_mut().zip(above.zip(below)) {
                *y = top * (left * a + right * b) + bottom * (left * c + right * d);
            }
        }
    }
}

/// The backward pass of one row of an output image to its input image.
struct BackwardRow<'a> {
    shape: &'a Interpolate2dShape,
    dx: &'a mut [f32],
    dy: &'a [f32],
    rows: [(usize, f32); 2],
}

impl Kernel for BackwardRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { shape: &Interpolate2dShape { width, channels, mode, .. }, dx, dy, rows } = self;
        let (columns, n_places) = (self.shape.columns(), if mode == Interpolation::Nearest { 1 } else { 2 });
        for (column, dy) in dy.chunks_exact(channels).enumerate() {
            for (row, row_share) in rows.into_iter().take(n_places) {
                for (column, share) in columns.places(column).into_iter().take(n_places) {
                    let (dx, share) =
                        (&mut dx[(row * width + column) * channels..][..channels], row_share * share);
                    dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += share * dy);
                }
            }
        }
    }
}
