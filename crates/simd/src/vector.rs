//! Instruction sets and their vectors, which kernels compute with.

use std::ops::{Add, BitOr, Mul, Sub};

/// The number of f32 in a vector, whatever the instruction set.
pub const LANES: usize = 16;

/// An instruction set, as a value that proves that the processor supports it.
pub trait Simd: Copy {
    /// Sixteen f32.
    type V: Vector;

    /// Whether there are enough registers for a tile of at least sixteen accumulators (thirty-two vectors).
    /// If not, a tile should keep to four accumulators (AVX2 holds eight vectors in all).
    const MANY_REGISTERS: bool;

    /// Whether [`f32::mul_add`] and [`f64::mul_add`] are instructions rather than emulated by a function.
    const FUSED: bool;

    /// All lanes `x`.
    fn splat(self, x: f32) -> Self::V;

    /// The sixteen values at `p`, at any alignment.
    ///
    /// # Safety
    /// `p..p + 16` is readable.
    unsafe fn load(self, p: *const f32) -> Self::V;

    /// The first `n` values at `p`, followed by zeros; does not access bytes beyond them.
    ///
    /// # Safety
    /// `p..p + min(n, 16)` is readable.
    unsafe fn load_partial(self, p: *const f32, n: usize) -> Self::V;

    /// All lanes zero.
    #[inline(always)]
    fn zero(self) -> Self::V {
        self.splat(0.0)
    }

    /// The first sixteen values of a slice, padded with zeros.
    #[inline(always)]
    fn read(self, src: &[f32]) -> Self::V {
        // SAFETY: reads no more values than the slice has.
        unsafe {
            if src.len() >= LANES {
                self.load(src.as_ptr())
            } else {
                self.load_partial(src.as_ptr(), src.len())
            }
        }
    }
}

/// Sixteen f32 and their arithmetic, lane by lane.
pub trait Vector: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {
    /// A truth value per lane.
    type Mask: Copy + BitOr<Output = Self::Mask>;

    /// `self · factor + addend`: rounded once if the processor supports it, twice on
    /// [`Portable`](crate::Portable) otherwise.
    fn mul_add(self, factor: Self, addend: Self) -> Self;

    /// 0 if the lane is at most 0, otherwise the lane; NaN stays NaN.
    fn relu(self) -> Self;

    /// The larger of the two lanes; `other` if one is NaN.
    fn max(self, other: Self) -> Self;

    /// 2ⁿ for integer lanes n from −127 to 127, where 2⁻¹²⁷ counts as 0; unspecified for other lanes.
    fn power_of_two(self) -> Self;

    /// Whether `self > other`; false for NaN.
    fn gt(self, other: Self) -> Self::Mask;

    /// Whether `self ≠ other`; true for NaN.
    fn ne(self, other: Self) -> Self::Mask;

    /// Whether the lane is NaN.
    #[inline(always)]
    fn is_nan(self) -> Self::Mask {
        self.ne(self)
    }

    /// `yes` where the mask is true, otherwise `no`.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// The mask as bits, with lane 0 lowest.
    fn bits(mask: Self::Mask) -> u16;

    /// The sums of the lanes of four vectors, each in an order that depends only on the instruction set.
    fn sums(vectors: [Self; 4]) -> [f32; 4];

    /// Transposes sixteen vectors as the rows of a matrix: lane r of result c is lane c of vector r.
    fn transpose(rows: [Self; LANES]) -> [Self; LANES];

    /// Converts lanes that are integers from 0 to 255 to bytes.
    fn to_bytes(self) -> [u8; LANES];

    /// Writes the sixteen lanes to `p`, at any alignment.
    ///
    /// # Safety
    /// `p..p + 16` is writable.
    unsafe fn store(self, p: *mut f32);

    /// Writes the first `n` lanes to `p`; does not access bytes beyond them.
    ///
    /// # Safety
    /// `p..p + min(n, 16)` is writable.
    unsafe fn store_partial(self, p: *mut f32, n: usize);

    /// Writes as many lanes to a slice as it has room for.
    #[inline(always)]
    fn write(self, dst: &mut [f32]) {
        // SAFETY: writes no more values than the slice has.
        unsafe {
            if dst.len() >= LANES {
                self.store(dst.as_mut_ptr())
            } else {
                self.store_partial(dst.as_mut_ptr(), dst.len())
            }
        }
    }
}
