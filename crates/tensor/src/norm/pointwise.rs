//! Numbers that are computed from others where they are read, so that they need not be stored.

use std::ops::Range;

use super::columns::{Channels, Normalise, task_rows};
use crate::activation::{Activation, with_function};
use crate::parallel::{for_each_chunk, rows_mut};
use simd::{Level, dispatch};

/// y = f(z), where z = (x − mean) · scale + bias, channel by channel: batch normalisation by known statistics,
/// and an activation f. Without channels z = x, and without an activation y = z; without both, y is x as it
/// is stored.
///
/// Each number follows from one other, so whatever copies y anyway can compute it at that moment. A
/// convolution does, as it copies each image into a layout of its own: it takes a `Pointwise` for its input.
/// The bits are those that [`write`](Self::write) stores.
#[derive(Clone, Copy, Debug)]
pub struct Pointwise<'a> {
    /// The numbers in memory, rows of as many as there are channels.
    pub x: &'a [f32],
    /// The normalisation, if any.
    pub channels: Option<Channels<'a>>,
    /// The activation, if any.
    pub activation: Option<Activation>,
}

impl<'a> From<&'a [f32]> for Pointwise<'a> {
    fn from(x: &'a [f32]) -> Self {
        Self { x, channels: None, activation: None }
    }
}

impl<'a> From<&'a Vec<f32>> for Pointwise<'a> {
    fn from(x: &'a Vec<f32>) -> Self {
        Self::from(&**x)
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Pointwise<'a> {
    fn from(x: &'a [f32; N]) -> Self {
        Self::from(&x[..])
    }
}

impl<'a> Pointwise<'a> {
    /// The numbers as a slice, if they are stored in memory.
    pub fn as_slice(&self) -> Option<&'a [f32]> {
        (self.channels.is_none() && self.activation.is_none()).then_some(self.x)
    }

    /// Stores the numbers.
    ///
    /// # Panics
    /// When the lengths differ, or are not whole rows of the channels.
    #[track_caller]
    pub fn write(&self, y: &mut [f32]) {
        let n = self.channels.map_or(1, |channels| channels.scale.len()).max(1);
        assert_eq!((y.len(), y.len() % n), (self.len(), 0), "Pointwise::write: the length, and its rest");
        for_each_chunk(y.len() / n, task_rows(n), 2 * y.len(), rows_mut(y, n), |rows, y| {
            self.range(rows.start * n..rows.end * n).fill(y.into_slice(), [rows.len() * n; 2]);
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.x.len()
    }

    /// The same, after checking that the normalisation, if any, is of `n` channels.
    #[track_caller]
    pub(crate) fn of_channels(self, name: &str, n: usize) -> Self {
        let n_given = self.channels.map_or(n, |channels| channels.scale.len());
        assert_eq!(n_given, n, "{name}: the input is normalised by channels, of which there are in_channels");
        self
    }

    /// Some of the numbers, whole rows of channels.
    pub(crate) fn range(&self, numbers: Range<usize>) -> Self {
        Self { x: &self.x[numbers], ..*self }
    }

    /// Computes the numbers on the calling thread, in lines of some length that start a stride apart.
    pub(crate) fn fill(&self, y: &mut [f32], [line_len, stride]: [usize; 2]) {
        let &Self { x, channels, activation } = self;
        with_function!(activation, |f| {
            dispatch(Level::current(), Normalise { y, x, line_len, stride, channels, f });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::values;

    #[test]
    fn lines_apart_hold_what_is_stored_in_one_piece() {
        let (n_channels, line_len, stride) = (5, 15, 22);
        let (x, table) = (values(4 * line_len, 1), values(Channels::TABLE_ROWS * n_channels, 2));
        let activations = [Activation::Relu, Activation::Gelu, Activation::GeluTanh, Activation::Silu];
        for channels in [None, Some(Channels::of_table(&table))] {
            for activation in activations.map(Some).into_iter().chain([None]) {
                let y = Pointwise { x: &x, channels, activation };
                let (mut stored, mut apart) = (vec![f32::NAN; x.len()], vec![f32::NAN; 4 * stride]);
                y.write(&mut stored);
                y.fill(&mut apart, [line_len, stride]);
                for (line, expected) in apart.chunks(stride).zip(stored.chunks(line_len)) {
                    assert_eq!(&line[..line_len], expected, "{activation:?}");
                    assert!(line[line_len..].iter().all(|gap| gap.is_nan()));
                }
                assert_eq!(y.as_slice().is_some(), channels.is_none() && activation.is_none());
                assert!(y.as_slice().is_none_or(|x| x == stored));
            }
        }
    }
}
