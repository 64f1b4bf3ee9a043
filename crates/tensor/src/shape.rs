//! Shapes: short lists of sizes that are copied and never allocated.

use std::fmt;
use std::ops::Deref;

/// The maximum number of axes of a [`Shape`].
pub const MAX_RANK: usize = 6;

/// The sizes of a tensor's axes, outermost first; row-major order is implied.
///
/// A `Shape` is a `Copy` value of at most [`MAX_RANK`] axes and reads as a slice:
///
/// ```
/// use tensor::Shape;
/// let shape = Shape::new(&[2, 3, 4]);
/// assert_eq!(shape.numel(), 24);
/// assert_eq!(shape[1], 3);
/// assert_eq!(shape.to_string(), "[2, 3, 4]");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    dims: [usize; MAX_RANK],
    rank: usize,
}

/// The number of elements in an operand of `op` with these sizes.
///
/// # Panics
/// When there are more than memory can address, so that no later product of sizes can wrap around.
#[track_caller]
pub(crate) fn checked_len(op: &str, dims: &[usize]) -> usize {
    assert!(addressable(dims), "{op}: {dims:?} has more elements than memory can address");
    dims.iter().product()
}

/// Whether memory can address an operand with these sizes.
pub(crate) fn addressable(dims: &[usize]) -> bool {
    // Zero-sized axes must not hide an overflow of the others, which strides multiply too.
    let product = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1)));
    product.is_some_and(|n| n <= isize::MAX as usize / size_of::<f32>())
}

impl Shape {
    /// Creates the shape with the given sizes; an empty slice gives the shape of a scalar.
    ///
    /// # Panics
    /// When there are more than [`MAX_RANK`] axes, or more elements than memory can address.
    #[track_caller]
    pub fn new(dims: &[usize]) -> Self {
        assert!(
            dims.len() <= MAX_RANK,
            "Shape::new: {dims:?} has {} axes, at most {MAX_RANK} are supported",
            dims.len()
        );
        checked_len("Shape::new", dims);
        let mut padded = [0; MAX_RANK];
        padded[..dims.len()].copy_from_slice(dims);
        Self { dims: padded, rank: dims.len() }
    }

    /// Whether [`new`](Self::new) accepts these sizes.
    ///
    /// ```
    /// use tensor::Shape;
    /// assert!(Shape::fits(&[2, 3]) && !Shape::fits(&[usize::MAX, 2]));
    /// ```
    pub fn fits(dims: &[usize]) -> bool {
        dims.len() <= MAX_RANK && addressable(dims)
    }

    /// The shape of a scalar: no axes, one element.
    pub const fn scalar() -> Self {
        Self { dims: [0; MAX_RANK], rank: 0 }
    }

    /// The sizes as a slice.
    pub fn dims(&self) -> &[usize] {
        &self.dims[..self.rank]
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// The number of elements: the product of the sizes, 1 for a scalar.
    pub fn numel(&self) -> usize {
        self.dims().iter().product()
    }

    /// The same shape with the size of one axis replaced.
    ///
    /// # Panics
    /// When there is no such axis, or more elements than memory can address.
    #[track_caller]
    pub fn with_axis(&self, axis: usize, size: usize) -> Self {
        assert!(axis < self.rank, "Shape::with_axis: {self} has no axis {axis}");
        let mut dims = self.dims;
        dims[axis] = size;
        Self::new(&dims[..self.rank])
    }

    /// The row-major strides, in elements; entries past the rank are 0.
    pub fn strides(&self) -> [usize; MAX_RANK] {
        let mut strides = [0; MAX_RANK];
        let mut next = 1;
        for axis in (0..self.rank).rev() {
            strides[axis] = next;
            next *= self.dims[axis].max(1);
        }
        strides
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        self.dims()
    }
}

impl From<&[usize]> for Shape {
    #[track_caller]
    fn from(dims: &[usize]) -> Self {
        Self::new(dims)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    #[track_caller]
    fn from(dims: [usize; N]) -> Self {
        Self::new(&dims)
    }
}

impl<const N: usize> From<&[usize; N]> for Shape {
    #[track_caller]
    fn from(dims: &[usize; N]) -> Self {
        Self::new(dims)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.dims())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.dims())
    }
}
