//! The two element types: f32 and f64.

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// An element of a parameter vector: `f32` or `f64`.
///
/// Sealed: the rules are tested for these two types only. Hyperparameters are always f64, and the constants
/// of a step are computed in f64 before they are rounded to the element type.
pub trait Real:
    sealed::Sealed
    + Copy
    + Default
    + PartialEq
    + PartialOrd
    + Debug
    + Display
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The smallest positive normal number.
    const MIN_POSITIVE: Self;

    /// Rounds an f64 to this type.
    fn of(x: f64) -> Self;
    /// The same number as f64.
    fn to_f64(self) -> f64;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// This magnitude with the sign of another number.
    fn copysign(self, sign: Self) -> Self;
    /// Whether the number is neither NaN nor infinite.
    fn is_finite(self) -> bool;

    /// The larger of two numbers; NaN if either is.
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        #[expect(clippy::eq_op, reason = "the test for NaN that vectorises in every element type")]
        let self_is_nan = self != self;
        if (self >= other) | self_is_nan { self } else { other }
    }

    /// The smaller of two numbers; NaN if either is.
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        -(-self).larger(-other)
    }

    /// −1, 0 or 1; 0 at 0, NaN at NaN.
    #[inline(always)]
    fn sign(self) -> Self {
        if self.abs() > Self::ZERO { Self::ONE.copysign(self) } else { self }
    }

    /// `self + weight·(end − self)`, in the form that is exact at `weight` 0 and 1.
    #[inline(always)]
    fn lerp(self, end: Self, weight: Self) -> Self {
        if weight + weight < Self::ONE {
            self + weight * (end - self)
        } else {
            end - (end - self) * (Self::ONE - weight)
        }
    }
}

#[expect(unsafe_code, reason = "matrixmultiply takes pointers")]
pub(crate) mod sealed {
    /// A matrix as a pointer to its first element and its strides between rows and between columns.
    pub(crate) type At<P> = (P, [isize; 2]);

    pub trait Sealed: Sized {
        /// c = a·b, for a of m × k, b of k × n and c of m × n.
        ///
        /// # Safety
        /// The sizes and strides must stay within what the pointers may read and, for `c`, write; `c` must
        /// overlap neither factor.
        unsafe fn gemm(size: [usize; 3], a: At<*const Self>, b: At<*const Self>, c: At<*mut Self>);
    }

    macro_rules! sealed {
        ($($float:ident $gemm:ident)*) => {$(
            impl Sealed for $float {
                unsafe fn gemm([m, k, n]: [usize; 3], a: At<*const Self>, b: At<*const Self>, c: At<*mut Self>) {
                    let ((a, [rsa, csa]), (b, [rsb, csb]), (c, [rsc, csc])) = (a, b, c);
                    // SAFETY: the caller upholds what matrixmultiply requires.
                    unsafe { matrixmultiply::$gemm(m, k, n, 1.0, a, rsa, csa, b, rsb, csb, 0.0, c, rsc, csc) }
                }
            }
        )*};
    }
    sealed!(f32 sgemm f64 dgemm);
}

macro_rules! real {
    ($($float:ident)*) => {$(
        impl Real for $float {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const EPSILON: Self = $float::EPSILON;
            const MIN_POSITIVE: Self = $float::MIN_POSITIVE;

            #[inline(always)]
            fn of(x: f64) -> Self {
                x as $float
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self.into()
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $float::sqrt(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $float::abs(self)
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                $float::copysign(self, sign)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $float::is_finite(self)
            }
        }
    )*};
}
real!(f32 f64);

#[cfg(test)]
mod tests {
    use super::Real;

    #[test]
    fn sign_is_zero_at_zero_and_propagates_nan() {
        assert_eq!([-2.0, -0.0, 0.0, 3.0].map(|x: f64| x.sign()), [-1.0, 0.0, 0.0, 1.0]);
        assert!(f32::NAN.sign().is_nan());
    }

    #[test]
    fn larger_and_smaller_propagate_nan_from_either_side() {
        assert_eq!((1.0f64.larger(2.0), 2.0f64.larger(1.0)), (2.0, 2.0));
        assert_eq!((1.0f64.smaller(2.0), 2.0f64.smaller(1.0)), (1.0, 1.0));
        for (a, b) in [(f32::NAN, 1.0), (1.0, f32::NAN)] {
            assert!(a.larger(b).is_nan() && a.smaller(b).is_nan());
        }
    }

    #[test]
    fn lerp_is_exact_at_both_ends() {
        let (a, b) = (0.1f64, 12345.678f64);
        assert_eq!((a.lerp(b, 0.0), a.lerp(b, 1.0)), (a, b));
        assert!((a.lerp(b, 0.25) - (0.75 * a + 0.25 * b)).abs() < 1e-11);
        assert!((a.lerp(b, 0.75) - (0.25 * a + 0.75 * b)).abs() < 1e-11);
        // From the middle on, the result is computed from the end, as in PyTorch, so a large start does not
        // swamp it.
        assert_eq!(1e16f64.lerp(1.0, 0.5), 5e15 + 1.0);
    }
}
