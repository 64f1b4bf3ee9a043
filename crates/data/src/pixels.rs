//! From bytes in planes (C × H × W) to f32 in pixels (H × W × C).

use crate::augment::View;
use crate::{ImageShape, Normalize};

/// For each channel, the f32 that stands for each byte.
///
/// A table makes the result exactly what division, subtraction and division give, at the price of a load.
#[derive(Clone, Debug)]
pub(crate) struct ByteTable(Vec<[f32; 256]>);

impl ByteTable {
    /// byte / 255, then (x − mean) / std if asked.
    pub(crate) fn new(n_channels: usize, normalize: Option<&Normalize>) -> Self {
        let value = |channel: usize, byte: usize| {
            let x = byte as f32 / 255.0;
            normalize.map_or(x, |n| (x - n.mean[channel]) / n.std[channel])
        };
        Self((0..n_channels).map(|channel| std::array::from_fn(|byte| value(channel, byte))).collect())
    }

    /// Writes the image `planes` as `view` shows it into `pixels`.
    pub(crate) fn write(&self, planes: &[u8], shape: ImageShape, view: View, pixels: &mut [f32]) {
        let ImageShape { height, width, channels } = shape;
        for (y, out) in pixels.chunks_exact_mut(width * channels).enumerate() {
            let source = view.border.source(y as isize + view.top, height);
            for (channel, table) in self.0.iter().enumerate() {
                let row = source.map(|y| &planes[(channel * height + y) * width..][..width]);
                let out = out[channel..].iter_mut().step_by(channels);
                match row {
                    None => out.for_each(|value| *value = table[0]),
                    Some(row) if view.flipped => write_row(table, row, view, out.rev()),
                    Some(row) => write_row(table, row, view, out),
                }
            }
        }
    }
}

/// Writes one row of one channel, shifted by `view.left`.
fn write_row<'a>(table: &[f32; 256], row: &[u8], view: View, mut out: impl Iterator<Item = &'a mut f32>) {
    let width = row.len();
    let n_shifted = view.left.unsigned_abs().min(width);
    let (inside, n_before) =
        if view.left < 0 { (&row[..width - n_shifted], n_shifted) } else { (&row[n_shifted..], 0) };
    let bordered = |x: usize| match view.border.source(x as isize + view.left, width) {
        Some(x) => table[usize::from(row[x])],
        None => table[0],
    };
    for (x, value) in (0..n_before).zip(out.by_ref()) {
        *value = bordered(x);
    }
    for (&byte, value) in inside.iter().zip(out.by_ref()) {
        *value = table[usize::from(byte)];
    }
    for (x, value) in (n_before + inside.len()..width).zip(out) {
        *value = bordered(x);
    }
}
