//! The weight gradient of a depthwise convolution: dw[kh][kw][C] = Σ x[y·stride + kh·dilation − padding][…] · dy[y][x].
//!
//! For sixteen channels of one row of `dy`, the taps of a kernel's row are summed in registers, up to four at
//! a time (three with few registers) and two pixels at once, then added to the sums in memory. Each element
//! is a chain of such additions over the rows of some images, so |error| ≤ (pixels + 1)·ε·(|x| ∗ |dy|) to
//! first order.

use simd::{Kernel, LANES, Simd, Vector};

use crate::conv::Conv2dShape;

/// How many pixels are summed side by side.
const COLS: usize = 2;

/// Writes the weight gradient of some images to `packed`, `[kh][kw][C]`.
pub(super) struct BackwardWeight<'a> {
    pub(super) shape: &'a Conv2dShape,
    pub(super) packed: &'a mut [f32],
    pub(super) dy: &'a [f32],
    pub(super) x: &'a [f32],
}

impl Kernel for BackwardWeight<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { shape, packed, dy, x } = self;
        packed.fill(0.0);
        let Conv2dShape {
            height, width, groups: channels, kernel_size: [kernel_height, kernel_width], ..
        } = *shape;
        let (out_height, dy_len) = (shape.out_height(), shape.out_width() * channels);
        for (row, dy) in dy.chunks_exact(dy_len).enumerate() {
            let (image, row) = (row / out_height, row % out_height);
            for tap_row in 0..kernel_height {
                let from =
                    (row * shape.stride[0] + tap_row * shape.dilation[0]).checked_sub(shape.padding[0]);
                let Some(from) = from.filter(|&from| from < height) else { continue };
                let x = &x[(image * height + from) * width * channels..][..width * channels];
                let packed = &mut packed[tap_row * kernel_width * channels..][..kernel_width * channels];
                let row = Row { shape, dy, x };
                for channel in (0..channels).step_by(LANES) {
                    if channels - channel >= LANES {
                        row.channels::<S, false>(simd, packed, channel);
                    } else {
                        row.channels::<S, true>(simd, packed, channel);
                    }
                }
            }
        }
    }
}

/// A row of the output's gradient, and the row of the image under a row of the kernel.
struct Row<'a> {
    shape: &'a Conv2dShape,
    dy: &'a [f32],
    x: &'a [f32],
}

impl Row<'_> {
    /// Computes the kernel's row, for 16 channels from `channel` on; `PARTIAL` when there are fewer.
    #[inline(always)]
    fn channels<S: Simd, const PARTIAL: bool>(&self, simd: S, packed: &mut [f32], channel: usize) {
        let kernel_width = self.shape.kernel_size[1];
        let mut tap = 0;
        while tap < kernel_width {
            tap += match kernel_width - tap {
                1 => self.taps::<S, 1, PARTIAL>(simd, packed, channel, tap),
                2 => self.taps::<S, 2, PARTIAL>(simd, packed, channel, tap),
                4.. if S::MANY_REGISTERS => self.taps::<S, 4, PARTIAL>(simd, packed, channel, tap),
                _ => self.taps::<S, 3, PARTIAL>(simd, packed, channel, tap),
            };
        }
    }

    /// Computes `TAPS` taps from number `tap` on; returns `TAPS`.
    #[inline(always)]
    fn taps<S: Simd, const TAPS: usize, const PARTIAL: bool>(
        &self,
        simd: S,
        packed: &mut [f32],
        channel: usize,
        tap: usize,
    ) -> usize {
        let Conv2dShape { width, groups: channels, stride: [_, stride], dilation: [_, dilation], .. } =
            *self.shape;
        let n = if PARTIAL { channels - channel } else { LANES };
        let out_width = self.dy.len() / channels;
        // The column offsets of the first and the last of these taps.
        let (left, right) = (tap * dilation, (tap + TAPS - 1) * dilation);
        let padding = self.shape.padding[1];
        let start = padding.saturating_sub(left).div_ceil(stride).min(out_width);
        let end = (width + padding).saturating_sub(right).div_ceil(stride).clamp(start, out_width);

        let mut sums = [[simd.zero(); TAPS]; COLS];
        let edges = (0..start).chain(end..out_width);
        for column in edges {
            let dy = simd.read(&self.dy[column * channels + channel..][..n]);
            for idx in 0..TAPS {
                let from = (column * stride + left + idx * dilation).checked_sub(padding);
                if let Some(from) = from.filter(|&from| from < width) {
                    let x = simd.read(&self.x[from * channels + channel..][..n]);
                    sums[0][idx] = dy.mul_add(x, sums[0][idx]);
                }
            }
        }
        let reach = (TAPS - 1) * dilation * channels + n;
        for pair in (start..end).step_by(COLS) {
            for col in 0..COLS {
                let column = pair + col;
                if column == end {
                    break;
                }
                let dy = simd.read(&self.dy[column * channels + channel..][..n]);
                let x = &self.x[(column * stride + left - padding) * channels + channel..][..reach];
                for idx in 0..TAPS {
                    // SAFETY: `x` ends after the `n` values of the last tap.
                    let x = unsafe {
                        let x = x.as_ptr().add(idx * dilation * channels);
                        if PARTIAL { simd.load_partial(x, n) } else { simd.load(x) }
                    };
                    sums[col][idx] = dy.mul_add(x, sums[col][idx]);
                }
            }
        }
        for idx in 0..TAPS {
            let packed = &mut packed[(tap + idx) * channels + channel..][..n];
            let sum = simd.read(packed) + (sums[0][idx] + sums[1][idx]);
            sum.write(packed);
        }
        TAPS
    }
}
