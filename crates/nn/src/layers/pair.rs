//! Sizes: one number for both axes of an image, or one for each; one for a sequence.

/// A vertical and a horizontal size: `3` stands for `[3, 3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(size: usize) -> Self {
        Self([size, size])
    }
}

impl From<[usize; 2]> for Pair {
    fn from(sizes: [usize; 2]) -> Self {
        Self(sizes)
    }
}

/// The sizes of both axes.
pub(super) fn pair(size: impl Into<Pair>) -> [usize; 2] {
    size.into().0
}

/// The size of the one axis of a sequence.
pub(super) fn single(size: usize) -> [usize; 1] {
    [size]
}
