//! `Tensor`: an owned, contiguous, row-major array of f32 with a shape known at run time.

mod arithmetic;
mod display;
mod layout;
mod reduce;

use crate::Shape;

/// An owned, contiguous, row-major array of f32 with a shape known at run time, for simple arithmetic.
///
/// Each operation allocates its result. Kernels, and all code that computes networks, work on slices instead;
/// [`as_slice`](Self::as_slice) and [`new`](Self::new) convert between the two.
///
/// ```
/// use tensor::Tensor;
/// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
/// let mean = x.mean(0, true);
/// assert_eq!(mean, Tensor::from([[2.5, 3.5, 4.5]]));
/// assert_eq!((&x - &mean).sum(.., false).item(), 0.0);
/// ```
#[derive(Clone, PartialEq)]
pub struct Tensor {
    shape: Shape,
    data: Vec<f32>,
}

impl Tensor {
    /// Creates a tensor from `data` in row-major order.
    ///
    /// # Panics
    /// When the number of elements does not match the shape.
    #[track_caller]
    pub fn new(shape: impl Into<Shape>, data: Vec<f32>) -> Self {
        let shape = shape.into();
        assert_eq!(
            data.len(),
            shape.numel(),
            "Tensor::new: shape {shape} needs {} elements, data has {}",
            shape.numel(),
            data.len()
        );
        Self { shape, data }
    }

    /// Creates a tensor of zeros.
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        Self::full(shape, 0.0)
    }

    /// Creates a tensor of ones.
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>) -> Self {
        Self::full(shape, 1.0)
    }

    /// Creates a tensor filled with `value`.
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: f32) -> Self {
        let shape = shape.into();
        Self { shape, data: vec![value; shape.numel()] }
    }

    /// Creates a tensor without axes: a single number.
    pub fn scalar(value: f32) -> Self {
        Self { shape: Shape::scalar(), data: vec![value] }
    }

    /// Creates a tensor whose elements are `f` of their index.
    ///
    /// ```
    /// # use tensor::Tensor;
    /// let identity = Tensor::from_fn([2, 2], |index| if index[0] == index[1] { 1.0 } else { 0.0 });
    /// assert_eq!(identity, Tensor::from([[1.0, 0.0], [0.0, 1.0]]));
    /// ```
    #[track_caller]
    pub fn from_fn(shape: impl Into<Shape>, mut f: impl FnMut(&[usize]) -> f32) -> Self {
        let shape = shape.into();
        let strides = shape.strides();
        let mut index = [0; crate::MAX_RANK];
        let element = |flat: usize| {
            for axis in 0..shape.rank() {
                index[axis] = flat / strides[axis] % shape[axis];
            }
            f(&index[..shape.rank()])
        };
        Self { shape, data: (0..shape.numel()).map(element).collect() }
    }

    /// start, start + step, … up to but not including `end`: ⌈(end − start) / step⌉ elements.
    ///
    /// The three numbers are rounded to f32: a quotient whose distance from an integer can be due to this
    /// rounding counts as that integer, so that 0 to 0.3 by 0.1 has three elements. An element that rounds to
    /// `end` is left out.
    ///
    /// # Panics
    /// When `step` is zero, a number is not finite, or there are more elements than memory can address.
    #[track_caller]
    pub fn arange(start: f32, end: f32, step: f32) -> Self {
        assert!(step != 0.0, "Tensor::arange: the step is zero");
        let [first, last, by] = [start, end, step].map(f64::from);
        let quotient = (last - first) / by;
        assert!(
            quotient.is_finite(),
            "Tensor::arange: from {start} to {end} by {step} is not a finite range"
        );
        let error =
            (((first.abs() + last.abs()) / by).abs() + quotient.abs()) * f64::from(f32::EPSILON) / 2.0;
        let whole = quotient.round();
        let is_whole = whole >= 1.0 && (quotient - whole).abs() <= error;
        let len = if is_whole { whole } else { quotient.ceil() };
        let element = |idx| (first + idx as f64 * by) as f32;
        let shape = Shape::new(&[len.max(0.0) as usize]);
        let mut data: Vec<f32> = (0..shape[0]).map(element).collect();
        while data.pop_if(|last| if step > 0.0 { *last >= end } else { *last <= end }).is_some() {}
        Self { shape: [data.len()].into(), data }
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The elements in row-major order.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// The elements in row-major order, for writing.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// The elements in row-major order, without a copy.
    pub fn into_vec(self) -> Vec<f32> {
        self.data
    }

    /// The only element.
    ///
    /// # Panics
    /// When there is not exactly one.
    #[track_caller]
    pub fn item(&self) -> f32 {
        assert_eq!(
            self.data.len(),
            1,
            "Tensor::item: shape {} does not have exactly one element",
            self.shape
        );
        self.data[0]
    }

    /// The element at an index.
    ///
    /// # Panics
    /// When the index does not have one entry per axis, or an entry is out of bounds.
    #[track_caller]
    pub fn at(&self, index: &[usize]) -> f32 {
        let inside =
            index.len() == self.shape.rank() && index.iter().zip(self.shape.iter()).all(|(i, n)| i < n);
        assert!(inside, "Tensor::at: index {index:?} is out of bounds for shape {}", self.shape);
        self.data[index.iter().zip(self.shape.strides()).map(|(i, stride)| i * stride).sum::<usize>()]
    }

    /// Returns the same elements with another shape; nothing is copied.
    ///
    /// # Panics
    /// When the number of elements differs.
    #[track_caller]
    pub fn reshape(self, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        assert_eq!(
            self.data.len(),
            shape.numel(),
            "Tensor::reshape: shape {} cannot become {shape}, the number of elements differs",
            self.shape
        );
        Self { shape, data: self.data }
    }

    /// Whether |a − b| ≤ atol + rtol · |b| for all elements, like `torch.allclose`. NaN is not close to
    /// anything.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn allclose(&self, other: &Tensor, rtol: f32, atol: f32) -> bool {
        assert_eq!(self.shape, other.shape, "Tensor::allclose: the shapes differ");
        // Equal infinities are close although their difference is NaN.
        self.data.iter().zip(&other.data).all(|(a, b)| a == b || (a - b).abs() <= atol + rtol * b.abs())
    }
}

impl<const N: usize> From<[f32; N]> for Tensor {
    fn from(data: [f32; N]) -> Self {
        Self::new([N], data.to_vec())
    }
}

impl<const M: usize, const N: usize> From<[[f32; N]; M]> for Tensor {
    fn from(data: [[f32; N]; M]) -> Self {
        Self::new([M, N], data.as_flattened().to_vec())
    }
}

impl<const L: usize, const M: usize, const N: usize> From<[[[f32; N]; M]; L]> for Tensor {
    fn from(data: [[[f32; N]; M]; L]) -> Self {
        Self::new([L, M, N], data.as_flattened().as_flattened().to_vec())
    }
}
