//! Pooling, window by window.

use super::{Pool2dShape, Windows};

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

/// dy at the places given by `indices`.
pub fn max_pool2d_backward(dy: &[f64], indices: &[u32], shape: &Pool2dShape) -> Vec<f64> {
    let mut dx = vec![0.0; shape.input_len()];
    for_each_tap(shape, |x_idx, y_idx| {
        if (x_idx / shape.channels % (shape.height * shape.width)) as u32 == indices[y_idx] {
            dx[x_idx] += dy[y_idx];
        }
    });
    dx
}

/// The mean of each window, with its padding counted as zeros or not at all.
pub fn avg_pool2d_forward(x: &[f64], shape: &Pool2dShape, count_include_pad: bool) -> Vec<f64> {
    let counts = counts(shape, count_include_pad);
    let mut y = vec![0.0; shape.output_len()];
    for_each_tap(shape, |x_idx, y_idx| y[y_idx] += x[x_idx] / counts[y_idx]);
    y
}

/// dy / the number of elements that are counted, over each window.
pub fn avg_pool2d_backward(dy: &[f64], shape: &Pool2dShape, count_include_pad: bool) -> Vec<f64> {
    let counts = counts(shape, count_include_pad);
    let mut dx = vec![0.0; shape.input_len()];
    for_each_tap(shape, |x_idx, y_idx| dx[x_idx] += dy[y_idx] / counts[y_idx]);
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

/// The number of elements that each window counts, with or without those in the padding.
fn counts(shape: &Pool2dShape, with_padding: bool) -> Vec<f64> {
    let mut counts = vec![0.0; shape.output_len()];
    let [rows, columns] = [(0, shape.height), (1, shape.width)]
        .map(|(axis, size)| move |place: i64| is_counted(&shape.windows[axis], size, place, with_padding));
    for_each_place(shape, |y_idx, [row, column]| {
        counts[y_idx] += f64::from(u8::from(rows(row) && columns(column)));
    });
    counts
}

/// Whether an average counts the element at `place`.
fn is_counted(windows: &Windows, size: usize, place: i64, with_padding: bool) -> bool {
    let padding = match *windows {
        Windows::Sliding { padding, .. } if with_padding => padding as i64,
        _ => 0,
    };
    (-padding..size as i64 + padding).contains(&place)
}

/// The places of window `idx` on an axis, including those outside the image.
fn places(windows: &Windows, size: usize, idx: usize) -> Vec<i64> {
    match *windows {
        Windows::Sliding { kernel_size, stride, padding, dilation, .. } => {
            let place = |tap: usize| (idx * stride + tap * dilation) as i64 - padding as i64;
            (0..kernel_size).map(place).collect()
        }
        Windows::Adaptive { output_size } => {
            let start = (idx * size) as f64 / output_size as f64;
            let end = ((idx + 1) * size) as f64 / output_size as f64;
            (start.floor() as i64..end.ceil() as i64).collect()
        }
    }
}

/// Calls `f(y_idx, [row, column])` for each place of the window of each output, row by row.
fn for_each_place(shape: &Pool2dShape, mut f: impl FnMut(usize, [i64; 2])) {
    let (out_height, out_width) = (shape.out_height(), shape.out_width());
    for y_idx in 0..shape.output_len() {
        let pixel = y_idx / shape.channels;
        let columns = places(&shape.windows[1], shape.width, pixel % out_width);
        for row in places(&shape.windows[0], shape.height, pixel / out_width % out_height) {
            columns.iter().for_each(|&column| f(y_idx, [row, column]));
        }
    }
}

/// Calls `f(x_idx, y_idx)` for each element of the input in the window of an output, in row-major order
/// within each window.
fn for_each_tap(shape: &Pool2dShape, mut f: impl FnMut(usize, usize)) {
    let out_len = shape.out_height() * shape.out_width() * shape.channels;
    for_each_place(shape, |y_idx, [row, column]| {
        let (Ok(row), Ok(column)) = (usize::try_from(row), usize::try_from(column)) else { return };
        if row < shape.height && column < shape.width {
            let (image, channel) = (y_idx / out_len, y_idx % shape.channels);
            f(((image * shape.height + row) * shape.width + column) * shape.channels + channel, y_idx);
        }
    });
}
