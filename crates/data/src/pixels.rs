//! Converts bytes in planes (C × H × W) to f32 in pixels (H × W × C).

use std::ops::Range;

use crate::augment::View;
use crate::{ImageShape, Normalize};

/// For each channel, the f32 for each byte.
///
/// A table gives exactly the result of division, subtraction and division, at the cost of a load.
#[derive(Clone, Debug)]
pub(crate) struct ByteTable(Vec<[f32; 256]>);

impl ByteTable {
    /// byte / 255, then (x − mean) / std if requested.
    pub(crate) fn new(n_channels: usize, normalize: Option<&Normalize>) -> Self {
        let value = |channel: usize, byte: usize| {
            let x = byte as f32 / 255.0;
            normalize.map_or(x, |n| (x - n.mean[channel] as f32) / n.std[channel] as f32)
        };
        Self((0..n_channels).map(|channel| std::array::from_fn(|byte| value(channel, byte))).collect())
    }

    /// Writes the image `planes`, as seen by `view`, into `pixels`.
    pub(crate) fn write(&self, planes: &[u8], shape: ImageShape, view: View, pixels: &mut [f32]) {
        let ImageShape { height, width, channels } = shape;
        let columns = Columns::new(view, width);
        for (y, out) in pixels.chunks_exact_mut(width * channels).enumerate() {
            let source_y = view.border.source(y as isize + view.top, height);
            for (channel, table) in self.0.iter().enumerate() {
                match source_y {
                    Some(y) => {
                        let row = &planes[(channel * height + y) * width..][..width];
                        columns.write(row, table, &mut out[channel..], channels);
                    }
                    None => out[channel..].iter_mut().step_by(channels).for_each(|value| *value = table[0]),
                }
            }
        }
    }
}

/// The source of each pixel of a row.
struct Columns {
    view: View,
    /// The output pixels that lie within the image.
    inside: Range<usize>,
    /// Their source pixels, from right to left if the view is flipped.
    source: Range<usize>,
}

impl Columns {
    fn new(view: View, width: usize) -> Self {
        let n_outside = view.left.unsigned_abs().min(width);
        let (kept, moved) = (0..width - n_outside, n_outside..width);
        let (source, inside) = if view.left < 0 { (kept, moved) } else { (moved, kept) };
        let inside = if view.flipped { width - inside.end..width - inside.start } else { inside };
        Self { view, inside, source }
    }

    /// Writes one channel of a row to every `stride`th value of `out`.
    fn write(&self, row: &[u8], table: &[f32; 256], out: &mut [f32], stride: usize) {
        let bytes = row[self.source.clone()].iter();
        let values = out.get_mut(self.inside.start * stride..).unwrap_or_default().iter_mut().step_by(stride);
        if self.view.flipped {
            values.zip(bytes.rev()).for_each(|(value, &byte)| *value = table[usize::from(byte)]);
        } else {
            values.zip(bytes).for_each(|(value, &byte)| *value = table[usize::from(byte)]);
        }
        let width = row.len();
        for x in (0..self.inside.start).chain(self.inside.end..width) {
            let unflipped = if self.view.flipped { width - 1 - x } else { x };
            let byte =
                self.view.border.source(unflipped as isize + self.view.left, width).map_or(0, |x| row[x]);
            out[x * stride] = table[usize::from(byte)];
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Border;

    /// The plain version: each value by its definition.
    fn naive(planes: &[u8], shape: ImageShape, view: View, normalize: &Normalize) -> Vec<f32> {
        let ImageShape { height, width, channels } = shape;
        let mut pixels = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let x = if view.flipped { width - 1 - x } else { x };
                let source_y = view.border.source(y as isize + view.top, height);
                let source_x = view.border.source(x as isize + view.left, width);
                for channel in 0..channels {
                    let byte = match (source_y, source_x) {
                        (Some(y), Some(x)) => planes[(channel * height + y) * width + x],
                        _ => 0,
                    };
                    let (mean, std) = (normalize.mean[channel] as f32, normalize.std[channel] as f32);
                    pixels.push((f32::from(byte) / 255.0 - mean) / std);
                }
            }
        }
        pixels
    }

    fn view(flipped: bool, top: isize, left: isize, border: Border) -> View {
        View { flipped, top, left, border }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn an_image_is_written_as_defined(
            (height, width, channels) in (1..9_usize, 1..9_usize, 1..4_usize),
            flipped: bool,
            (top, left) in (-12..=12_isize, -12..=12_isize),
            reflect: bool,
            seed: u8,
        ) {
            let shape = ImageShape { height, width, channels };
            let planes: Vec<u8> = (0..shape.len()).map(|i| (i * 37 + usize::from(seed)) as u8).collect();
            // A reflected border is narrower than the image.
            let within = |at: isize, len: usize| at.clamp(1 - len as isize, len as isize - 1);
            let view = if reflect {
                view(flipped, within(top, height), within(left, width), Border::Reflect)
            } else {
                view(flipped, top, left, Border::Zero)
            };
            let normalize = Normalize { mean: vec![0.3, 0.5, 0.1], std: vec![0.2, 0.7, 1.5] };
            let mut pixels = vec![f32::NAN; shape.len()];
            ByteTable::new(channels, Some(&normalize)).write(&planes, shape, view, &mut pixels);
            prop_assert_eq!(pixels, naive(&planes, shape, view, &normalize));
        }
    }

    #[test]
    fn a_reflected_border_leaves_the_edge_out() {
        let seen: Vec<_> = (-2..6).map(|at| Border::Reflect.source(at, 4).unwrap()).collect();
        assert_eq!(seen, [2, 1, 0, 1, 2, 3, 2, 1]);
    }
}
