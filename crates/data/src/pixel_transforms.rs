//! Changes to the pixels of one image, H × W × C.
//!
//! The arithmetic uses only sums, products, quotients and square roots, which are the same on every machine;
//! other functions are in [`portable`](crate::portable).

use std::ops::Range;

use rand_chacha::ChaCha8Rng;

use crate::{ImageShape, View, portable, random};

/// The image as seen by `view`; `copy` has space for as many values.
pub(crate) fn window(pixels: &mut [f32], copy: &mut [f32], shape: ImageShape, view: View) {
    let ImageShape { height, width, channels } = shape;
    copy.copy_from_slice(pixels);
    for (at, pixel) in pixels.chunks_exact_mut(channels).enumerate() {
        let (y, x) = (at / width, at % width);
        let x = if view.flipped { width - 1 - x } else { x };
        let source_y = view.border.source(y as isize + view.top, height);
        let source_x = view.border.source(x as isize + view.left, width);
        match (source_y, source_x) {
            (Some(y), Some(x)) => pixel.copy_from_slice(&copy[(y * width + x) * channels..][..channels]),
            _ => pixel.fill(0.0),
        }
    }
}

/// Multiplies brightness, contrast and saturation by `factors`, in this order.
pub(crate) fn jitter(pixels: &mut [f32], channels: usize, factors: [f32; 3]) {
    let [brightness, contrast, saturation] = factors;
    let blend = |value: f32, grey: f32, factor: f32| (grey + factor * (value - grey)).clamp(0.0, 1.0);
    pixels.iter_mut().for_each(|value| *value = blend(*value, 0.0, brightness));
    let n_pixels = pixels.len() / channels;
    let sum: f64 = pixels.chunks_exact(channels).map(|pixel| f64::from(grey(pixel))).sum();
    let mean = (sum / n_pixels as f64) as f32;
    for pixel in pixels.chunks_exact_mut(channels) {
        pixel.iter_mut().for_each(|value| *value = blend(*value, mean, contrast));
        let grey = grey(pixel);
        pixel.iter_mut().for_each(|value| *value = blend(*value, grey, saturation));
    }
}

/// torchvision's weights of red, green and blue.
fn grey(pixel: &[f32]) -> f32 {
    match *pixel {
        [red, green, blue] => 0.2989 * red + 0.587 * green + 0.114 * blue,
        _ => pixel[0],
    }
}

/// Rotates the image by `degrees` counter-clockwise about its centre; `copy` has space for as many values.
pub(crate) fn rotate(pixels: &mut [f32], copy: &mut [f32], shape: ImageShape, degrees: f64) {
    let ImageShape { height, width, channels } = shape;
    copy.copy_from_slice(pixels);
    let (sin, cos) = portable::sin_cos(degrees.to_radians());
    let (center_y, center_x) = ((height - 1) as f64 / 2.0, (width - 1) as f64 / 2.0);
    // Zero outside the image.
    let source = |y: isize, x: isize, channel: usize| {
        let is_inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
        if is_inside { copy[(y as usize * width + x as usize) * channels + channel] } else { 0.0 }
    };
    for (at, pixel) in pixels.chunks_exact_mut(channels).enumerate() {
        let (dy, dx) = ((at / width) as f64 - center_y, (at % width) as f64 - center_x);
        let (y, x) = (center_y + sin * dx + cos * dy, center_x + cos * dx - sin * dy);
        let (top, left) = (y.floor(), x.floor());
        let (down, right) = ((y - top) as f32, (x - left) as f32);
        let (top, left) = (top as isize, left as isize);
        for (channel, value) in pixel.iter_mut().enumerate() {
            let row = |y| (1.0 - right) * source(y, left, channel) + right * source(y, left + 1, channel);
            *value = (1.0 - down) * row(top) + down * row(top + 1);
        }
    }
}

/// A rectangle of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Cut {
    /// With the given probability, a rectangle drawn as in torchvision's `RandomErasing`.
    pub(crate) fn erased(
        rng: &mut ChaCha8Rng,
        shape: ImageShape,
        probability: f32,
        area: [f32; 2],
        ratio: [f32; 2],
    ) -> Option<Self> {
        if random::unit(rng) >= probability {
            return None;
        }
        let between = |[low, high]: [f64; 2], at: f32| low + (high - low) * f64::from(at);
        let logarithms = ratio.map(|ratio| portable::ln(f64::from(ratio)));
        let n_pixels = (shape.height * shape.width) as f64;
        for _ in 0..10 {
            let area = n_pixels * between(area.map(f64::from), random::unit(rng));
            let ratio = portable::exp(between(logarithms, random::unit(rng)));
            let (height, width) = ((area * ratio).sqrt().round(), (area / ratio).sqrt().round());
            let (height, width) = (height as usize, width as usize);
            if (1..shape.height).contains(&height) && (1..shape.width).contains(&width) {
                let top = random::below(rng, (shape.height - height + 1) as u32) as usize;
                let left = random::below(rng, (shape.width - width + 1) as u32) as usize;
                return Some(Self { rows: top..top + height, columns: left..left + width });
            }
        }
        None
    }

    /// A square around a random pixel, clipped to the image.
    pub(crate) fn square(rng: &mut ChaCha8Rng, shape: ImageShape, size: usize) -> Self {
        let mut within = |len: usize| {
            let center = random::below(rng, len as u32) as usize;
            center.saturating_sub(size / 2)..(center + size.div_ceil(2)).min(len)
        };
        Self { rows: within(shape.height), columns: within(shape.width) }
    }
}

/// Sets a rectangle to 0.
pub(crate) fn cut(pixels: &mut [f32], shape: ImageShape, cut: Cut) {
    for row in pixels.chunks_exact_mut(shape.width * shape.channels).take(cut.rows.end).skip(cut.rows.start) {
        row[cut.columns.start * shape.channels..cut.columns.end * shape.channels].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape { height: 3, width: 3, channels: 1 };

    fn rotated(degrees: f64) -> Vec<f32> {
        let mut pixels: Vec<f32> = (1..=9_u8).map(f32::from).collect();
        rotate(&mut pixels, &mut [0.0; 9], SHAPE, degrees);
        pixels.iter().map(|value| (value * 1e4).round() / 1e4).collect()
    }

    /// Matches `numpy.rot90` of 1 to 9.
    #[test]
    fn quarter_turns_are_counter_clockwise() {
        assert_eq!(rotated(0.0), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        assert_eq!(rotated(90.0), [3.0, 6.0, 9.0, 2.0, 5.0, 8.0, 1.0, 4.0, 7.0]);
        assert_eq!(rotated(180.0), [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
        assert_eq!(rotated(-90.0), [7.0, 4.0, 1.0, 8.0, 5.0, 2.0, 9.0, 6.0, 3.0]);
    }

    /// torchvision's `adjust_brightness`, `adjust_contrast` and `adjust_saturation` on two pixels, by their formulas.
    #[test]
    fn each_factor_by_hand() {
        let pixels = [0.2, 0.4, 0.6, 1.0, 0.0, 0.5];
        let close = |factors, expected: [f32; 6]| {
            let mut found = pixels;
            jitter(&mut found, 3, factors);
            let is_close =
                found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6);
            assert!(is_close, "{found:?} instead of {expected:?}");
        };
        close([1.0, 1.0, 1.0], pixels);
        close([1.5, 1.0, 1.0], [0.3, 0.6, 0.9, 1.0, 0.0, 0.75]);
        let greys = [0.36298, 0.3559];
        let mean = (greys[0] + greys[1]) / 2.0;
        close([1.0, 0.5, 1.0], pixels.map(|value| 0.5 * value + 0.5 * mean));
        let grey_of = |at: usize| greys[at / 3];
        close([1.0, 1.0, 0.0], std::array::from_fn(grey_of));
        close([1.0, 1.0, 0.5], std::array::from_fn(|at| 0.5 * pixels[at] + 0.5 * grey_of(at)));
    }

    #[test]
    fn rectangles_lie_within_the_image_and_have_the_share_asked_for() {
        let shape = ImageShape { height: 32, width: 20, channels: 3 };
        let mut n_erased = 0;
        for item in 0..1_000 {
            let mut rng = random::stream(item, "test", 0);
            if let Some(Cut { rows, columns }) = Cut::erased(&mut rng, shape, 0.25, [0.1, 0.3], [0.5, 2.0]) {
                n_erased += 1;
                assert!(rows.end <= 32 && columns.end <= 20);
                let (height, width) = (rows.len() as f32, columns.len() as f32);
                assert!((0.08..0.33).contains(&(height * width / 640.0)), "{height} × {width}");
                assert!((0.43..2.3).contains(&(height / width)), "{height} × {width}");
            }
            let Cut { rows, columns } = Cut::square(&mut rng, shape, 7);
            assert!(rows.end <= 32 && columns.end <= 20);
            assert!((4..=7).contains(&rows.len()) && (4..=7).contains(&columns.len()));
        }
        // 250 expected, standard deviation 14.
        assert!((180..=320).contains(&n_erased), "{n_erased}");
    }
}
