//! Convolution as a sum over taps.

use super::{Conv2dShape, ConvTranspose2dShape};

/// y = x ∗ w + bias.
pub fn conv2d_forward(x: &[f64], w: &[f64], bias: Option<&[f64]>, shape: &Conv2dShape) -> Vec<f64> {
    let mut y = vec![0.0; shape.output_len()];
    if let Some(bias) = bias {
        y.chunks_exact_mut(shape.out_channels).for_each(|y| y.copy_from_slice(bias));
    }
    for_each_product(shape, |x_idx, w_idx, y_idx| y[y_idx] += x[x_idx] * w[w_idx]);
    y
}

/// The gradient with respect to the input.
pub fn conv2d_backward_input(dy: &[f64], w: &[f64], shape: &Conv2dShape) -> Vec<f64> {
    let mut dx = vec![0.0; shape.input_len()];
    for_each_product(shape, |x_idx, w_idx, y_idx| dx[x_idx] += dy[y_idx] * w[w_idx]);
    dx
}

/// The gradient with respect to the weight.
pub fn conv2d_backward_weight(dy: &[f64], x: &[f64], shape: &Conv2dShape) -> Vec<f64> {
    let mut dw = vec![0.0; shape.weight_len()];
    for_each_product(shape, |x_idx, w_idx, y_idx| dw[w_idx] += dy[y_idx] * x[x_idx]);
    dw
}

/// The transposed convolution: y = Σ x · w + bias, with each input spread over the outputs that the kernel
/// reaches.
pub fn conv_transpose2d_forward(
    x: &[f64],
    w: &[f64],
    bias: Option<&[f64]>,
    shape: &ConvTranspose2dShape,
) -> Vec<f64> {
    let mut y = vec![0.0; shape.convolution().input_len()];
    if let Some(bias) = bias {
        y.chunks_exact_mut(shape.out_channels).for_each(|y| y.copy_from_slice(bias));
    }
    for_each_spread(shape, |x_idx, w_idx, y_idx| y[y_idx] += x[x_idx] * w[w_idx]);
    y
}

/// The gradient of the transposed convolution with respect to the input.
pub fn conv_transpose2d_backward_input(dy: &[f64], w: &[f64], shape: &ConvTranspose2dShape) -> Vec<f64> {
    let mut dx = vec![0.0; shape.input_len()];
    for_each_spread(shape, |x_idx, w_idx, y_idx| dx[x_idx] += dy[y_idx] * w[w_idx]);
    dx
}

/// The gradient of the transposed convolution with respect to the weight.
pub fn conv_transpose2d_backward_weight(dy: &[f64], x: &[f64], shape: &ConvTranspose2dShape) -> Vec<f64> {
    let mut dw = vec![0.0; shape.convolution().weight_len()];
    for_each_spread(shape, |x_idx, w_idx, y_idx| dw[w_idx] += dy[y_idx] * x[x_idx]);
    dw
}

/// Calls `f(x_idx, w_idx, y_idx)` for each product x\[x_idx\] · w\[w_idx\] that the transposed convolution adds to
/// y\[y_idx\].
fn for_each_spread(shape: &ConvTranspose2dShape, mut f: impl FnMut(usize, usize, usize)) {
    let inputs = [shape.height, shape.width];
    for_each_product_at(inputs, &shape.convolution(), |y_idx, w_idx, x_idx| f(x_idx, w_idx, y_idx));
}

/// Calls `f(x_idx, w_idx, y_idx)` for each product x\[x_idx\] · w\[w_idx\] that the convolution adds to y\[y_idx\].
fn for_each_product(shape: &Conv2dShape, f: impl FnMut(usize, usize, usize)) {
    for_each_product_at([shape.out_height(), shape.out_width()], shape, f);
}

/// The same, for an output of these rows and columns.
fn for_each_product_at(
    [out_height, out_width]: [usize; 2],
    shape: &Conv2dShape,
    mut f: impl FnMut(usize, usize, usize),
) {
    let [kernel_height, kernel_width] = shape.kernel_size;
    let (group_in, group_out) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
    // The place of a tap, unless it is in the padding.
    let place = |axis: usize, out: usize, tap: usize, size: usize| {
        let padded = out * shape.stride[axis] + tap * shape.dilation[axis];
        padded.checked_sub(shape.padding[axis]).filter(|&place| place < size)
    };
    for image in 0..shape.batch {
        for (out_row, out_column) in grid(out_height, out_width) {
            for (tap_row, tap_column) in grid(kernel_height, kernel_width) {
                let Some(row) = place(0, out_row, tap_row, shape.height) else { continue };
                let Some(column) = place(1, out_column, tap_column, shape.width) else { continue };
                for (out_channel, channel) in grid(shape.out_channels, group_in) {
                    let in_channel = out_channel / group_out * group_in + channel;
                    f(
                        ((image * shape.height + row) * shape.width + column) * shape.in_channels
                            + in_channel,
                        ((out_channel * group_in + channel) * kernel_height + tap_row) * kernel_width
                            + tap_column,
                        ((image * out_height + out_row) * out_width + out_column) * shape.out_channels
                            + out_channel,
                    );
                }
            }
        }
    }
}

fn grid(rows: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)))
}
