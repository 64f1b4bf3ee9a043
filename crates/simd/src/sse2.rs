//! Sixteen f32 in four SSE registers, which every x86-64 processor has.

use std::arch::x86_64::*;
use std::array::from_fn;
use std::ops::{Add, BitOr, Mul, Sub};

use crate::{LANES, Portable, Simd, Vector};

/// SSE2, which every x86-64 processor has, so it needs no proof.
#[derive(Clone, Copy)]
pub(crate) struct Sse2;

/// Lanes 0 to 3, 4 to 7, 8 to 11 and 12 to 15.
#[derive(Clone, Copy)]
pub(crate) struct F32x4x4([__m128; 4]);

/// A boolean per lane: all bits of the lane or none.
#[derive(Clone, Copy)]
pub(crate) struct MaskX4x4([__m128; 4]);

/// Lanes in one of the four registers.
const QUARTER: usize = LANES / 4;

/// Applies an SSE2 operation to the registers of some vectors, one by one; a macro, because a closure would
/// also have to be inlined.
macro_rules! each {
    ($Vector:ident, |$i:ident| $register:expr) => {{
        // SAFETY: every x86-64 processor has SSE2.
        $Vector(unsafe {
            [
                {
                    let $i = 0;
                    $register
                },
                {
                    let $i = 1;
                    $register
                },
                {
                    let $i = 2;
                    $register
                },
                {
                    let $i = 3;
                    $register
                },
            ]
        })
    }};
}

impl Simd for Sse2 {
    type V = F32x4x4;
    const MANY_REGISTERS: bool = Portable::MANY_REGISTERS;
    const FUSED: bool = Portable::FUSED;

    #[inline(always)]
    fn splat(self, x: f32) -> F32x4x4 {
        each!(F32x4x4, |_i| _mm_set1_ps(x))
    }

    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> F32x4x4 {
        // SAFETY: every x86-64 processor has SSE2; the caller vouches for sixteen values at `p`.
        F32x4x4(unsafe {
            [
                _mm_loadu_ps(p),
                _mm_loadu_ps(p.add(QUARTER)),
                _mm_loadu_ps(p.add(2 * QUARTER)),
                _mm_loadu_ps(p.add(3 * QUARTER)),
            ]
        })
    }

    #[inline(always)]
    unsafe fn load_partial(self, p: *const f32, n: usize) -> F32x4x4 {
        let mut lanes = [0.0; LANES];
        // SAFETY: the caller vouches for the first `n` values, and `lanes` has room for sixteen.
        unsafe {
            p.copy_to_nonoverlapping(lanes.as_mut_ptr(), n.min(LANES));
            self.load(lanes.as_ptr())
        }
    }
}

impl Add for F32x4x4 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        each!(Self, |i| _mm_add_ps(self.0[i], other.0[i]))
    }
}

impl Sub for F32x4x4 {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        each!(Self, |i| _mm_sub_ps(self.0[i], other.0[i]))
    }
}

impl Mul for F32x4x4 {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        each!(Self, |i| _mm_mul_ps(self.0[i], other.0[i]))
    }
}

impl BitOr for MaskX4x4 {
    type Output = Self;
    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        each!(Self, |i| _mm_or_ps(self.0[i], other.0[i]))
    }
}

/// `x · y + z`, rounded twice, or once if the compilation target has FMA.
///
/// # Safety
/// The processor has SSE2.
#[inline(always)]
unsafe fn mul_add(x: __m128, y: __m128, z: __m128) -> __m128 {
    // SAFETY: the caller vouches for SSE2, and the target for FMA.
    #[cfg(target_feature = "fma")]
    return unsafe { _mm_fmadd_ps(x, y, z) };
    // SAFETY: the caller vouches for SSE2.
    #[cfg(not(target_feature = "fma"))]
    unsafe {
        _mm_add_ps(_mm_mul_ps(x, y), z)
    }
}

/// Transposes four registers as the rows of a matrix.
#[inline(always)]
fn transpose_four([a, b, c, d]: [__m128; QUARTER]) -> [__m128; QUARTER] {
    // SAFETY: every x86-64 processor has SSE2.
    unsafe {
        let (ab, cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
        let (ab_high, cd_high) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
        [
            _mm_movelh_ps(ab, cd),
            _mm_movehl_ps(cd, ab),
            _mm_movelh_ps(ab_high, cd_high),
            _mm_movehl_ps(cd_high, ab_high),
        ]
    }
}

/// The lane-wise sum of the four registers of a vector.
#[inline(always)]
fn sum_of_four([a, b, c, d]: [__m128; 4]) -> __m128 {
    // SAFETY: every x86-64 processor has SSE2.
    unsafe { _mm_add_ps(_mm_add_ps(a, c), _mm_add_ps(b, d)) }
}

impl Vector for F32x4x4 {
    type Mask = MaskX4x4;

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        each!(Self, |i| mul_add(self.0[i], factor.0[i], addend.0[i]))
    }

    #[inline(always)]
    fn relu(self) -> Self {
        // NaN is not at most 0, so it stays.
        each!(Self, |i| _mm_andnot_ps(_mm_cmple_ps(self.0[i], _mm_setzero_ps()), self.0[i]))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // `max` returns its second operand when one is NaN.
        each!(Self, |i| _mm_max_ps(self.0[i], other.0[i]))
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        each!(Self, |i| {
            let exponent = _mm_add_epi32(_mm_cvtps_epi32(self.0[i]), _mm_set1_epi32(127));
            _mm_castsi128_ps(_mm_slli_epi32::<23>(exponent))
        })
    }

    #[inline(always)]
    fn gt(self, other: Self) -> MaskX4x4 {
        each!(MaskX4x4, |i| _mm_cmpgt_ps(self.0[i], other.0[i]))
    }

    #[inline(always)]
    fn ne(self, other: Self) -> MaskX4x4 {
        each!(MaskX4x4, |i| _mm_cmpneq_ps(self.0[i], other.0[i]))
    }

    #[inline(always)]
    fn select(mask: MaskX4x4, yes: Self, no: Self) -> Self {
        each!(Self, |i| _mm_or_ps(_mm_and_ps(mask.0[i], yes.0[i]), _mm_andnot_ps(mask.0[i], no.0[i])))
    }

    #[inline(always)]
    fn bits(mask: MaskX4x4) -> u16 {
        // SAFETY: every x86-64 processor has SSE2.
        let quarter = |i: usize| (unsafe { _mm_movemask_ps(mask.0[i]) } as u16) << (QUARTER * i);
        quarter(0) | quarter(1) | quarter(2) | quarter(3)
    }

    #[inline(always)]
    fn sums(vectors: [Self; 4]) -> [f32; 4] {
        // In the order of `Portable`: lanes eight apart, then four, two and one.
        let lanes = transpose_four(vectors.map(|vector| sum_of_four(vector.0)));
        let mut sums = [0.0; 4];
        // SAFETY: every x86-64 processor has SSE2; `sums` has room for four values.
        unsafe { _mm_storeu_ps(sums.as_mut_ptr(), sum_of_four(lanes)) };
        sums
    }

    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        let mut columns = rows;
        for down in 0..4 {
            for across in 0..4 {
                let block = transpose_four(from_fn(|row| rows[QUARTER * down + row].0[across]));
                for (column, register) in block.into_iter().enumerate() {
                    columns[QUARTER * across + column].0[down] = register;
                }
            }
        }
        columns
    }

    #[inline(always)]
    fn to_bytes(self) -> [u8; LANES] {
        let [a, b, c, d] = self.0;
        let mut bytes = [0; LANES];
        // SAFETY: every x86-64 processor has SSE2; `bytes` has room for sixteen bytes.
        unsafe {
            let low = _mm_packs_epi32(_mm_cvtps_epi32(a), _mm_cvtps_epi32(b));
            let high = _mm_packs_epi32(_mm_cvtps_epi32(c), _mm_cvtps_epi32(d));
            _mm_storeu_si128(bytes.as_mut_ptr().cast(), _mm_packus_epi16(low, high));
        }
        bytes
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: every x86-64 processor has SSE2; the caller vouches for sixteen values at `p`.
        unsafe {
            _mm_storeu_ps(p, self.0[0]);
            _mm_storeu_ps(p.add(QUARTER), self.0[1]);
            _mm_storeu_ps(p.add(2 * QUARTER), self.0[2]);
            _mm_storeu_ps(p.add(3 * QUARTER), self.0[3]);
        }
    }

    #[inline(always)]
    unsafe fn store_partial(self, p: *mut f32, n: usize) {
        let mut lanes = [0.0_f32; LANES];
        // SAFETY: `lanes` has room for sixteen values; the caller vouches for the first `n` at `p`.
        unsafe {
            self.store(lanes.as_mut_ptr());
            p.copy_from_nonoverlapping(lanes.as_ptr(), n.min(LANES));
        }
    }
}
