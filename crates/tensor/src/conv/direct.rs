//! Convolution straight from the image, for stride 1 without dilation and groups: see
//! [`crate::fast::direct`] and [`crate::fast::direct_weight`] for the kernels and their error bounds.

use std::ops::Range;

use crate::fast::direct;
use crate::fast::direct_weight;
use crate::fast::geometry::Geometry;
use crate::fast::pack::{self, Rotation};
use crate::fast::simd::Level;
use crate::fast::sink::{OutputSize, Plain};
use crate::parallel::{self, for_each_chunk, for_each_group, rows_mut, tree_reduce};
use crate::{Beta, scratch};

/// y = x ∗ w + bias.
pub(super) fn forward(
    level: Level,
    geometry: &Geometry,
    y: &mut [f32],
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
) {
    convolve(level, geometry, y, x, w, bias, Rotation::None, Beta::Zero);
}

/// dx = β·dx + dy ∗ (w rotated by 180°, in and out exchanged).
pub(super) fn backward_input(
    level: Level,
    geometry: &Geometry,
    dx: &mut [f32],
    dy: &[f32],
    w: &[f32],
    beta: Beta,
) {
    convolve(level, &geometry.backward_input(), dx, dy, w, None, Rotation::Half, beta);
}

/// dw = β·dw + the sum over the groups of images, joined in the fixed tree.
pub(super) fn backward_weight(
    level: Level,
    geometry: &Geometry,
    dw: &mut [f32],
    dy: &[f32],
    x: &[f32],
    beta: Beta,
) {
    let (input_len, output_len) = (geometry.input_len(), geometry.output_len());
    let n_images = x.len() / input_len;
    let n_groups = parallel::groups(n_images);
    let packed_len = pack::packed_len(geometry);
    scratch::with((n_groups + 1) * packed_len, |memory| {
        let (sum, partials) = memory.split_at_mut(packed_len);
        let rows = rows_mut(partials, packed_len);
        for_each_chunk(n_groups, 1, geometry.work(n_images), rows, |group, partial| {
            let images = parallel::group_range(n_images, n_groups, group.start);
            let scratch_len = direct_weight::images_per_chunk(geometry, images.len())
                * direct_weight::bordered(geometry).len();
            scratch::with(scratch_len, |scratch| {
                let (dy, x) = (slice(dy, &images, output_len), slice(x, &images, input_len));
                direct_weight::backward_weight(level, geometry, partial.into_slice(), dy, x, scratch);
            });
        });
        tree_reduce(sum, partials, n_groups, Beta::Zero);
        pack::unpack(dw, sum, geometry, beta);
    });
}

#[allow(clippy::too_many_arguments)]
fn convolve(
    level: Level,
    geometry: &Geometry,
    y: &mut [f32],
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    rotation: Rotation,
    beta: Beta,
) {
    let (input_len, output_len) = (geometry.input_len(), geometry.output_len());
    let n_images = x.len() / input_len;
    scratch::with(pack::packed_len(geometry), |packed| {
        pack::pack(packed, w, geometry, rotation);
        for_each_group(n_images, geometry.work(n_images), rows_mut(y, output_len), |images, y| {
            scratch::with(direct::bordered(geometry).len(), |scratch| {
                let sink = Plain { y: y.into_slice(), bias, beta, size: OutputSize::of(geometry) };
                direct::forward(level, geometry, slice(x, &images, input_len), packed, scratch, sink);
            });
        });
    });
}

/// The rows of some images.
fn slice<'a>(values: &'a [f32], images: &Range<usize>, image_len: usize) -> &'a [f32] {
    &values[images.start * image_len..images.end * image_len]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fast::testing::{assert_same_on_any_threads, levels, shapes, values};
    use crate::reference::{self, assert_within, magnitudes, to_f64};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn forward_is_the_sum_over_taps(shape in shapes(1usize..=5), seed: u64) {
            let geometry = Geometry::of(&shape).unwrap();
            let x = values(shape.input_len(), seed);
            let w = values(shape.weight_len(), seed ^ 1);
            let bias = values(shape.out_channels, seed ^ 2);
            let expected = reference::conv2d_forward(&to_f64(&x), &to_f64(&w), Some(&to_f64(&bias)), &shape);
            let magnitude = reference::conv2d_forward(
                &magnitudes(&x), &magnitudes(&w), Some(&magnitudes(&bias)), &shape);
            let n_terms = geometry.n_taps() * geometry.in_channels;
            for level in levels() {
                let mut y = vec![f32::NAN; shape.output_len()];
                forward(level, &geometry, &mut y, &x, &w, Some(&bias));
                assert_within(&y, &expected, &magnitude, n_terms as f64 + 2.0);
            }
        }

        #[test]
        fn input_gradient_is_the_sum_over_taps(shape in shapes(1usize..=5), seed: u64) {
            let geometry = Geometry::of(&shape).unwrap();
            let dy = values(shape.output_len(), seed);
            let w = values(shape.weight_len(), seed ^ 1);
            let before = values(shape.input_len(), seed ^ 2);
            let mut expected = reference::conv2d_backward_input(&to_f64(&dy), &to_f64(&w), &shape);
            expected.iter_mut().zip(&before).for_each(|(dx, &before)| *dx += f64::from(before));
            let mut magnitude = reference::conv2d_backward_input(&magnitudes(&dy), &magnitudes(&w), &shape);
            magnitude.iter_mut().for_each(|dx| *dx += 1.0);
            let n_terms = geometry.n_taps() * geometry.out_channels;
            for level in levels() {
                let mut dx = before.clone();
                backward_input(level, &geometry, &mut dx, &dy, &w, Beta::One);
                assert_within(&dx, &expected, &magnitude, n_terms as f64 + 2.0);
            }
        }

        #[test]
        fn weight_gradient_is_the_sum_over_pixels(shape in shapes(1usize..=5), seed: u64) {
            let geometry = Geometry::of(&shape).unwrap();
            let dy = values(shape.output_len(), seed);
            let x = values(shape.input_len(), seed ^ 1);
            let before = values(shape.weight_len(), seed ^ 2);
            let mut expected = reference::conv2d_backward_weight(&to_f64(&dy), &to_f64(&x), &shape);
            expected.iter_mut().zip(&before).for_each(|(dw, &before)| *dw += f64::from(before));
            let mut magnitude = reference::conv2d_backward_weight(&magnitudes(&dy), &magnitudes(&x), &shape);
            magnitude.iter_mut().for_each(|dw| *dw += 1.0);
            let n_terms = shape.batch * shape.out_height() * shape.out_width();
            for level in levels() {
                let mut dw = before.clone();
                backward_weight(level, &geometry, &mut dw, &dy, &x, Beta::One);
                assert_within(&dw, &expected, &magnitude, n_terms as f64 + 6.0);
            }
        }
    }

    #[test]
    fn the_bits_do_not_depend_on_the_threads() {
        let geometry = Geometry {
            height: 9,
            width: 7,
            in_channels: 20,
            out_channels: 24,
            kernel_size: [3, 3],
            padding: [1, 1],
        };
        let n_images = 35;
        let x = values(n_images * geometry.input_len(), 1);
        let dy = values(n_images * geometry.output_len(), 2);
        let w = values(9 * 20 * 24, 3);
        for level in levels() {
            assert_same_on_any_threads(|| {
                let (mut y, mut dx, mut dw) = (dy.clone(), x.clone(), w.clone());
                forward(level, &geometry, &mut y, &x, &w, None);
                backward_input(level, &geometry, &mut dx, &dy, &w, Beta::Zero);
                backward_weight(level, &geometry, &mut dw, &dy, &x, Beta::Zero);
                [y, dx, dw].concat()
            });
        }
    }
}
