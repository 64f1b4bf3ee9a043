//! Average-pooling over windows and over whole images.

use super::Pool2dShape;
use crate::parallel::{Shards, for_each_chunk, rows_mut};
use crate::reduce::{COLUMNS, Reduction, reduce_rows};
use crate::shape::checked_len;
use crate::{Beta, elementwise};

/// y = the mean of each window. The zeros of the padding are counted as elements if `count_include_pad`,
/// PyTorch's default.
///
/// Summed and divided in f64, so |Δ| ≤ ε·mean(|x|), with ε = 2⁻²⁴.
///
/// # Panics
/// When the shape is invalid or a length does not fit it.
#[track_caller]
pub fn avg_pool2d_forward(y: &mut [f32], x: &[f32], shape: &Pool2dShape, count_include_pad: bool) {
    shape.check("avg_pool2d_forward", y.len(), x.len());
    let channels = shape.channels.max(1);
    let (image_len, out_len) = (shape.image_len(), shape.out_image_len());
    for_each_chunk(shape.batch, 1, shape.work(), rows_mut(y, out_len), |image, y| {
        let x = &x[image.start * image_len..image.end * image_len];
        let windows = shape.windows().zip(counts(shape, count_include_pad));
        for (y, ((rows, columns), count)) in y.into_slice().chunks_exact_mut(channels).zip(windows) {
            let pixels = shape.pixels(rows, columns);
            for (block, y) in y.chunks_mut(COLUMNS).enumerate() {
                let mut sums = [0.0; COLUMNS];
                for pixel in pixels.clone() {
                    let x = &x[pixel * channels + block * COLUMNS..][..y.len()];
                    sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum += f64::from(x));
                }
                y.iter_mut().zip(sums).for_each(|(y, sum)| *y = (sum / count as f64) as f32);
            }
        }
    });
}

/// dx = β·dx + dy / the number of elements that forward counted, over each window.
///
/// # Panics
/// When the shape is invalid or a length does not fit it.
#[track_caller]
pub fn avg_pool2d_backward(
    dx: &mut [f32],
    dy: &[f32],
    shape: &Pool2dShape,
    count_include_pad: bool,
    beta: Beta,
) {
    shape.check("avg_pool2d_backward", dy.len(), dx.len());
    let channels = shape.channels.max(1);
    let (image_len, out_len) = (shape.image_len(), shape.out_image_len());
    for_each_chunk(shape.batch, 1, shape.work(), rows_mut(dx, image_len), |image, dx| {
        let dx = dx.into_slice();
        beta.prepare(dx);
        let dy = &dy[image.start * out_len..image.end * out_len];
        let windows = shape.windows().zip(counts(shape, count_include_pad));
        for (dy, ((rows, columns), count)) in dy.chunks_exact(channels).zip(windows) {
            for pixel in shape.pixels(rows, columns) {
                let dx = &mut dx[pixel * channels..][..channels];
                dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy / count as f32);
            }
        }
    });
}

/// The number of elements that each window of an image counts.
fn counts(shape: &Pool2dShape, with_padding: bool) -> impl Iterator<Item = usize> {
    let [rows, columns] = shape.windows;
    let (height, width, out_width) = (shape.height, shape.width, shape.out_width());
    (0..shape.out_height()).flat_map(move |y| {
        let n_rows = rows.counted(height, y, with_padding);
        (0..out_width).map(move |x| n_rows * columns.counted(width, x, with_padding))
    })
}

/// y[batch, channels] = the mean of x[batch, n_pixels, channels] over the pixels, summed in f64.
///
/// # Panics
/// When a length does not fit.
#[track_caller]
pub fn global_avg_pool2d_forward(y: &mut [f32], x: &[f32], batch: usize, n_pixels: usize, channels: usize) {
    check_global("global_avg_pool2d_forward", ["y", "x"], [y.len(), x.len()], [batch, n_pixels, channels]);
    for_each_chunk(batch, 1, x.len(), rows_mut(y, channels), |image, y| {
        let image_len = n_pixels * channels;
        let x = &x[image.start * image_len..image.end * image_len];
        let one = Shards::whole(1);
        reduce_rows(y.into_slice(), x, n_pixels, channels, Reduction::Mean, &one, Beta::Zero);
    });
}

/// dx[batch, n_pixels, channels] = β·dx + dy[batch, channels] / n_pixels.
///
/// # Panics
/// When a length does not fit.
#[track_caller]
pub fn global_avg_pool2d_backward(
    dx: &mut [f32],
    dy: &[f32],
    batch: usize,
    n_pixels: usize,
    channels: usize,
    beta: Beta,
) {
    check_global(
        "global_avg_pool2d_backward",
        ["dy", "dx"],
        [dy.len(), dx.len()],
        [batch, n_pixels, channels],
    );
    for_each_chunk(batch, 1, dx.len(), rows_mut(dx, n_pixels * channels), |image, dx| {
        let dy = &dy[image.start * channels..image.end * channels];
        for dx in dx.into_slice().chunks_exact_mut(channels.max(1)) {
            elementwise::map(dx, dy, beta, |dy| dy / n_pixels as f32);
        }
    });
}

/// Checks that the means and the images have the lengths given by the sizes.
#[track_caller]
fn check_global(name: &str, operands: [&str; 2], lens: [usize; 2], [batch, n_pixels, channels]: [usize; 3]) {
    let expected = [[batch, 1, channels], [batch, n_pixels, channels]].map(|dims| checked_len(name, &dims));
    let [means, images] = operands;
    assert_eq!(lens[0], expected[0], "{name}: {means} is [{batch}, {channels}]");
    assert_eq!(lens[1], expected[1], "{name}: {images} is [{batch}, {n_pixels}, {channels}]");
}
