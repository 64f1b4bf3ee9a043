//! Weights that pass their input through: the identity matrix and its convolutional counterpart.

use crate::check_shape;

/// The identity, as far as it fits into a `rows × cols` matrix. `torch.nn.init.eye_`.
///
/// # Panics
/// When the shape is not a matrix or does not fill the slice.
#[track_caller]
pub fn eye(weights: &mut [f32], shape: &[usize]) {
    check_shape("eye", weights, shape);
    let [rows, cols] = *shape else { panic!("eye: takes a matrix, this shape is {shape:?}") };
    weights.fill(0.0);
    for idx in 0..rows.min(cols) {
        weights[idx * cols + idx] = 1.0;
    }
}

/// Dirac delta: a convolution (`out × in × window`, the window in one to three dimensions) that passes
/// through as many input channels as it can, separately per group. `torch.nn.init.dirac_`, whose default is
/// one group.
///
/// # Panics
/// When the shape does not fill the slice or does not have three to five dimensions, or `out` is not a
/// multiple of `groups`.
#[track_caller]
pub fn dirac(weights: &mut [f32], shape: &[usize], groups: usize) {
    check_shape("dirac", weights, shape);
    assert!((3..=5).contains(&shape.len()), "dirac: takes 3, 4 or 5 dimensions, this shape is {shape:?}");
    let (out_channels, in_channels, window) = (shape[0], shape[1], &shape[2..]);
    assert!(
        groups > 0 && out_channels.is_multiple_of(groups),
        "dirac: the {out_channels} output channels of shape {shape:?} do not divide into {groups} groups"
    );
    weights.fill(0.0);
    if weights.is_empty() {
        return;
    }
    let window_len: usize = window.iter().product();
    let centre = window.iter().fold(0, |offset, size| offset * size + size / 2);
    let group_len = out_channels / groups;
    for group in 0..groups {
        for channel in 0..group_len.min(in_channels) {
            let row = group * group_len + channel;
            weights[(row * in_channels + channel) * window_len + centre] = 1.0;
        }
    }
}
