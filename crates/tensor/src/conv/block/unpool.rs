//! The gradient before a pool without a ReLU, as an image: a quarter of it is not zero, whatever the network learns, and
//! that is too much for events to be faster than dense kernels.

use simd::{Kernel, Simd};

use super::super::Conv2dShape;

/// Writes the gradient of some images before their 2×2 pool: dy where the maximum was, else 0.
pub(super) struct Unpool<'a> {
    pub(super) dz: &'a mut [f32],
    pub(super) dy: &'a [f32],
    pub(super) argmax: &'a [u8],
    pub(super) shape: &'a Conv2dShape,
}

impl Kernel for Unpool<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { dz, dy, argmax, shape } = self;
        let [height, width, channels] = [shape.out_height(), shape.out_width(), shape.out_channels];
        let (line_len, half_line_len) = (width * channels, width / 2 * channels);
        let mut pooled = dy.chunks_exact(half_line_len).zip(argmax.chunks_exact(half_line_len));
        for image in dz.chunks_exact_mut(height * line_len) {
            let (windows, odd_line) = image.split_at_mut(height / 2 * 2 * line_len);
            odd_line.fill(0.0);
            for (lines, (dy, argmax)) in windows.chunks_exact_mut(2 * line_len).zip(&mut pooled) {
                for (row, line) in lines.chunks_exact_mut(line_len).enumerate() {
                    let (windows, odd_pixel) = line.split_at_mut(2 * half_line_len);
                    odd_pixel.fill(0.0);
                    let pooled = dy.chunks_exact(channels).zip(argmax.chunks_exact(channels));
                    for (pixels, (dy, argmax)) in windows.chunks_exact_mut(2 * channels).zip(pooled) {
                        for (col, dz) in pixels.chunks_exact_mut(channels).enumerate() {
                            let position = (2 * row + col) as u8;
                            for (dz, (&dy, &argmax)) in dz.iter_mut().zip(dy.iter().zip(argmax)) {
                                *dz = if argmax == position { dy } else { 0.0 };
                            }
                        }
                    }
                }
            }
        }
    }
}
