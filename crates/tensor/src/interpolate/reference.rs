//! Resizing images, pixel by pixel.

use super::Interpolate2dShape;

/// x, resized.
pub fn interpolate2d_forward(x: &[f64], shape: &Interpolate2dShape) -> Vec<f64> {
    let mut y = vec![0.0; shape.output_len()];
    for_each_share(shape, |x_idx, y_idx, share| y[y_idx] += share * x[x_idx]);
    y
}

/// dy at the pixels that forward read.
pub fn interpolate2d_backward(dy: &[f64], shape: &Interpolate2dShape) -> Vec<f64> {
    let mut dx = vec![0.0; shape.input_len()];
    for_each_share(shape, |x_idx, y_idx, share| dx[x_idx] += share * dy[y_idx]);
    dx
}

/// Calls `f(x_idx, y_idx, share)` with the weight of each element of the input in an output. The elements and
/// weights are computed in f32.
fn for_each_share(shape: &Interpolate2dShape, mut f: impl FnMut(usize, usize, f64)) {
    let [out_height, out_width] = shape.out_size();
    for y_idx in 0..shape.output_len() {
        let (pixel, channel) = (y_idx / shape.channels, y_idx % shape.channels);
        let image = pixel / out_width / out_height;
        for (row, row_share) in shape.rows().places(pixel / out_width % out_height) {
            for (column, share) in shape.columns().places(pixel % out_width) {
                let x_pixel = (image * shape.height + row) * shape.width + column;
                f(x_pixel * shape.channels + channel, y_idx, f64::from(row_share) * f64::from(share));
            }
        }
    }
}
