//! Max-pooling: the largest element of each window, and where it was.

use super::Pool2dShape;
use crate::Beta;
use crate::parallel::{for_each_chunk, rows_mut};

/// y = the largest element of each window, channel by channel; `indices` is where it was.
///
/// An index counts the pixels of one image, row · width + column, as in PyTorch. Of equal elements, the first
/// in row-major order wins. NaN counts as largest, so it propagates (the last one of a window, as in
/// PyTorch). Exact.
///
/// # Panics
/// When the shape is invalid or a length does not fit it.
#[track_caller]
pub fn max_pool2d_forward(y: &mut [f32], indices: &mut [u32], x: &[f32], shape: &Pool2dShape) {
    shape.check("max_pool2d_forward", y.len(), x.len());
    assert_eq!(indices.len(), y.len(), "max_pool2d_forward: one index for each output");
    let channels = shape.channels.max(1);
    let (image_len, out_len) = (shape.image_len(), shape.out_image_len());
    let outputs = (rows_mut(y, out_len), rows_mut(indices, out_len));
    for_each_chunk(shape.batch, 1, shape.work(), outputs, |image, (y, indices)| {
        let x = &x[image.start * image_len..image.end * image_len];
        let pixels = y.into_slice().chunks_exact_mut(channels);
        let pixels = pixels.zip(indices.into_slice().chunks_exact_mut(channels));
        for ((y, indices), (rows, columns)) in pixels.zip(shape.windows()) {
            let window = shape.pixels(rows, columns);
            let ((y, y_rest), (indices, indices_rest)) = (y.as_chunks_mut(), indices.as_chunks_mut());
            for (block, (y, indices)) in y.iter_mut().zip(indices).enumerate() {
                (*y, *indices) = largest::<LANES>(&x[block * LANES..], channels, window.clone());
            }
            for (rest, (y, idx)) in y_rest.iter_mut().zip(indices_rest).enumerate() {
                ([*y], [*idx]) =
                    largest::<1>(&x[channels / LANES * LANES + rest..], channels, window.clone());
            }
        }
    });
}

/// How many channels are compared at once.
const LANES: usize = 16;

/// The largest element of each of `N` channels over some pixels, and the pixels it is at; `x` starts at the
/// first channel.
fn largest<const N: usize>(
    x: &[f32],
    channels: usize,
    pixels: impl Iterator<Item = usize>,
) -> ([f32; N], [u32; N]) {
    let (mut largest, mut at) = ([f32::NEG_INFINITY; N], [u32::MAX; N]);
    for pixel in pixels {
        let x: &[f32; N] = x[pixel * channels..].first_chunk().expect("the pixel lies in the image");
        for lane in 0..N {
            // The first pixel is always taken, since it may be −∞. Selections compile to vector code.
            let better = (x[lane] > largest[lane]) | x[lane].is_nan() | (at[lane] == u32::MAX);
            largest[lane] = if better { x[lane] } else { largest[lane] };
            at[lane] = if better { pixel as u32 } else { at[lane] };
        }
    }
    (largest, at)
}

/// dx = β·dx + dy, each element at the place given by `indices`.
///
/// # Panics
/// When the shape is invalid, a length does not fit it, or an index is outside its image.
#[track_caller]
pub fn max_pool2d_backward(dx: &mut [f32], dy: &[f32], indices: &[u32], shape: &Pool2dShape, beta: Beta) {
    shape.check("max_pool2d_backward", dy.len(), dx.len());
    assert_eq!(indices.len(), dy.len(), "max_pool2d_backward: one index for each output");
    let channels = shape.channels.max(1);
    let (image_len, out_len) = (shape.image_len(), shape.out_image_len());
    for_each_chunk(shape.batch, 1, 4 * dy.len(), rows_mut(dx, image_len), |image, dx| {
        let dx = dx.into_slice();
        beta.prepare(dx);
        let out = image.start * out_len..image.end * out_len;
        let pixels = dy[out.clone()].chunks_exact(channels).zip(indices[out].chunks_exact(channels));
        for (dy, indices) in pixels {
            for (channel, (dy, &idx)) in dy.iter().zip(indices).enumerate() {
                dx[idx as usize * channels + channel] += dy;
            }
        }
    });
}
