//! Pooling, window by window.

use super::Pool2dShape;

/// The largest element of each window, and the pixel of the image that it was at.
pub fn max_pool2d_forward(x: &[f64], shape: &Pool2dShape) -> (Vec<f64>, Vec<u32>) {
    let mut y = vec![f64::NEG_INFINITY; shape.output_len()];
    let mut indices = vec![u32::MAX; shape.output_len()];
    for_each_tap(shape, |x_idx, y_idx| {
        if x[x_idx] > y[y_idx] || x[x_idx].is_nan() || indices[y_idx] == u32::MAX {
            y[y_idx] = x[x_idx];
            indices[y_idx] = (x_idx / shape.channels % (shape.height * shape.width)) as u32;
        }
    });
    (y, indices)
}

/// dy at the places that `indices` names.
pub fn max_pool2d_backward(dy: &[f64], indices: &[u32], shape: &Pool2dShape) -> Vec<f64> {
    let mut dx = vec![0.0; shape.input_len()];
    for_each_tap(shape, |x_idx, y_idx| {
        if (x_idx / shape.channels % (shape.height * shape.width)) as u32 == indices[y_idx] {
            dx[x_idx] += dy[y_idx];
        }
    });
    dx
}

/// The mean of each window, its padding counted as zeros.
pub fn avg_pool2d_forward(x: &[f64], shape: &Pool2dShape) -> Vec<f64> {
    let mut y = vec![0.0; shape.output_len()];
    for_each_tap(shape, |x_idx, y_idx| y[y_idx] += x[x_idx] / window_len(shape));
    y
}

/// dy / the window's size, over each window.
pub fn avg_pool2d_backward(dy: &[f64], shape: &Pool2dShape) -> Vec<f64> {
    let mut dx = vec![0.0; shape.input_len()];
    for_each_tap(shape, |x_idx, y_idx| dx[x_idx] += dy[y_idx] / window_len(shape));
    dx
}

/// The mean over the pixels of x\[batch, n_pixels, channels\].
pub fn global_avg_pool2d_forward(x: &[f64], n_pixels: usize, channels: usize) -> Vec<f64> {
    let batch = x.len() / (n_pixels * channels);
    let mut y = vec![0.0; batch * channels];
    for (idx, x) in x.iter().enumerate() {
        y[idx / (n_pixels * channels) * channels + idx % channels] += x / n_pixels as f64;
    }
    y
}

/// dy / n_pixels at each pixel.
pub fn global_avg_pool2d_backward(dy: &[f64], n_pixels: usize, channels: usize) -> Vec<f64> {
    let image = |dy: &[f64]| dy.iter().map(|dy| dy / n_pixels as f64).collect::<Vec<_>>().repeat(n_pixels);
    dy.chunks_exact(channels).flat_map(image).collect()
}

fn window_len(shape: &Pool2dShape) -> f64 {
    (shape.kernel_size[0] * shape.kernel_size[1]) as f64
}

/// Calls `f(x_idx, y_idx)` for each element of the input that lies in the window of an output, windows in
/// row-major order within themselves.
fn for_each_tap(shape: &Pool2dShape, mut f: impl FnMut(usize, usize)) {
    let (out_height, out_width) = (shape.out_height(), shape.out_width());
    for y_idx in 0..shape.output_len() {
        let (pixel, channel) = (y_idx / shape.channels, y_idx % shape.channels);
        let (image, out_row, out_column) =
            (pixel / out_width / out_height, pixel / out_width % out_height, pixel % out_width);
        for tap_row in 0..shape.kernel_size[0] {
            for tap_column in 0..shape.kernel_size[1] {
                let row = (out_row * shape.stride[0] + tap_row).checked_sub(shape.padding[0]);
                let column = (out_column * shape.stride[1] + tap_column).checked_sub(shape.padding[1]);
                if let (Some(row), Some(column)) = (row, column)
                    && row < shape.height
                    && column < shape.width
                {
                    f(
                        ((image * shape.height + row) * shape.width + column) * shape.channels + channel,
                        y_idx,
                    );
                }
            }
        }
    }
}
