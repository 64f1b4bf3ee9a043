//! A choice of axes to reduce over.

use std::ops::RangeFull;

use crate::{MAX_RANK, Shape};

/// The axes that a reduction runs over: one, several, or all.
///
/// Created from one axis (`1`), from several (`[0, 2]`), or from `..` for all.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Axes {
    chosen: [bool; MAX_RANK],
    /// One more than the largest axis named; irrelevant for `..`.
    min_rank: usize,
}

impl Axes {
    /// Whether the shape has all of the axes.
    pub fn fits(&self, shape: &Shape) -> bool {
        self.min_rank <= shape.rank()
    }

    /// Whether `axis` is one of them.
    pub fn contains(&self, axis: usize) -> bool {
        self.chosen[axis]
    }

    /// `shape` with the size of each chosen axis set to 1: the result of a reduction that keeps its axes.
    ///
    /// # Panics
    /// When the shape lacks one of the axes.
    #[track_caller]
    pub fn kept(&self, shape: &Shape) -> Shape {
        self.check(shape);
        let mut dims = [1; MAX_RANK];
        for (axis, &dim) in shape.iter().enumerate().filter(|&(axis, _)| !self.chosen[axis]) {
            dims[axis] = dim;
        }
        Shape::new(&dims[..shape.rank()])
    }

    /// `shape` without the chosen axes.
    ///
    /// # Panics
    /// When the shape lacks one of the axes.
    #[track_caller]
    pub fn removed(&self, shape: &Shape) -> Shape {
        self.check(shape);
        let mut dims = [0; MAX_RANK];
        let mut rank = 0;
        for (_, &dim) in shape.iter().enumerate().filter(|&(axis, _)| !self.chosen[axis]) {
            dims[rank] = dim;
            rank += 1;
        }
        Shape::new(&dims[..rank])
    }

    #[track_caller]
    fn check(&self, shape: &Shape) {
        assert!(
            self.fits(shape),
            "shape {shape} has no axis {}; it has {} axes",
            self.min_rank.saturating_sub(1),
            shape.rank()
        );
    }
}

impl From<&[usize]> for Axes {
    /// # Panics
    /// When an axis is named twice, or exceeds the largest rank.
    #[track_caller]
    fn from(axes: &[usize]) -> Self {
        let mut chosen = [false; MAX_RANK];
        for &axis in axes {
            assert!(axis < MAX_RANK, "axis {axis}: a shape has at most {MAX_RANK} axes");
            assert!(!std::mem::replace(&mut chosen[axis], true), "axis {axis} is named twice in {axes:?}");
        }
        Self { chosen, min_rank: axes.iter().max().map_or(0, |axis| axis + 1) }
    }
}

impl<const N: usize> From<[usize; N]> for Axes {
    #[track_caller]
    fn from(axes: [usize; N]) -> Self {
        axes.as_slice().into()
    }
}

impl From<usize> for Axes {
    #[track_caller]
    fn from(axis: usize) -> Self {
        [axis].into()
    }
}

impl From<RangeFull> for Axes {
    fn from(_: RangeFull) -> Self {
        Self { chosen: [true; MAX_RANK], min_rank: 0 }
    }
}
