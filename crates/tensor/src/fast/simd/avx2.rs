//! Sixteen f32 in two AVX2 registers.

use std::arch::x86_64::*;
use std::ops::{Add, BitOr, Mul, Sub};

use super::{LANES, Simd, Vector};

/// The proof that the processor has AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

/// Lanes 0 to 7 and 8 to 15; only made by an [`Avx2`].
#[derive(Clone, Copy)]
pub(crate) struct F32x8x2([__m256; 2]);

/// A truth value a lane: all bits of the lane or none.
#[derive(Clone, Copy)]
pub(crate) struct MaskX8x2([__m256; 2]);

/// Lanes in one of the two registers.
const HALF: usize = LANES / 2;

/// Whether the processor and the operating system support what [`Avx2`] needs, and the bit operations that
/// kernels are compiled with.
pub(super) fn is_detected() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

/// The sum of eight lanes, upper half on lower half three times.
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
pub(super) unsafe fn sum_of_eight(v: __m256) -> f32 {
    // SAFETY: the caller vouches for AVX.
    unsafe {
        let four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        let one = _mm_add_ss(two, _mm_shuffle_ps::<1>(two, two));
        _mm_cvtss_f32(one)
    }
}

/// The masks of the first `n` lanes, for the two halves.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn first(n: usize) -> [__m256i; 2] {
    let n = n.min(LANES) as i32;
    // SAFETY: the caller vouches for AVX2.
    unsafe {
        let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        [
            _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane),
            _mm256_cmpgt_epi32(_mm256_set1_epi32(n - HALF as i32), lane),
        ]
    }
}

impl Avx2 {
    /// The proof, on the caller's word.
    ///
    /// # Safety
    /// The processor has AVX2 and FMA.
    #[inline(always)]
    pub(crate) unsafe fn assume() -> Self {
        Self(())
    }
}

// Every intrinsic below needs the processor's support, which the existence of an `Avx2` or of an `F32x8x2`
// (made by one alone) proves.
impl Simd for Avx2 {
    type V = F32x8x2;
    const MANY_REGISTERS: bool = false;

    #[inline(always)]
    fn splat(self, x: f32) -> F32x8x2 {
        // SAFETY: `self` proves AVX2.
        F32x8x2([unsafe { _mm256_set1_ps(x) }; 2])
    }

    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> F32x8x2 {
        // SAFETY: `self` proves AVX2; the caller vouches for the memory.
        F32x8x2(unsafe { [_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(HALF))] })
    }

    #[inline(always)]
    unsafe fn load_partial(self, p: *const f32, n: usize) -> F32x8x2 {
        // SAFETY: `self` proves AVX2; masked lanes are not read, the caller vouches for the others. The
        // address of the second half may lie past the memory and is then only computed.
        unsafe {
            let mask = first(n);
            F32x8x2([_mm256_maskload_ps(p, mask[0]), _mm256_maskload_ps(p.wrapping_add(HALF), mask[1])])
        }
    }
}

impl Add for F32x8x2 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: `self` proves AVX2.
        Self(unsafe { [_mm256_add_ps(self.0[0], other.0[0]), _mm256_add_ps(self.0[1], other.0[1])] })
    }
}

impl Sub for F32x8x2 {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: `self` proves AVX2.
        Self(unsafe { [_mm256_sub_ps(self.0[0], other.0[0]), _mm256_sub_ps(self.0[1], other.0[1])] })
    }
}

impl Mul for F32x8x2 {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: `self` proves AVX2.
        Self(unsafe { [_mm256_mul_ps(self.0[0], other.0[0]), _mm256_mul_ps(self.0[1], other.0[1])] })
    }
}

impl BitOr for MaskX8x2 {
    type Output = Self;
    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        // SAFETY: a mask only comes from comparing vectors, which proves AVX2.
        Self(unsafe { [_mm256_or_ps(self.0[0], other.0[0]), _mm256_or_ps(self.0[1], other.0[1])] })
    }
}

impl Vector for F32x8x2 {
    type Mask = MaskX8x2;

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: `self` proves AVX2 and FMA.
        Self(unsafe {
            [
                _mm256_fmadd_ps(self.0[0], factor.0[0], addend.0[0]),
                _mm256_fmadd_ps(self.0[1], factor.0[1], addend.0[1]),
            ]
        })
    }

    #[inline(always)]
    fn relu(self) -> Self {
        // SAFETY: `self` proves AVX2. `max` answers its second operand when one is NaN.
        Self(unsafe {
            let zero = _mm256_setzero_ps();
            [_mm256_max_ps(zero, self.0[0]), _mm256_max_ps(zero, self.0[1])]
        })
    }

    #[inline(always)]
    fn gt(self, other: Self) -> MaskX8x2 {
        // SAFETY: `self` proves AVX2.
        MaskX8x2(unsafe {
            [
                _mm256_cmp_ps::<_CMP_GT_OQ>(self.0[0], other.0[0]),
                _mm256_cmp_ps::<_CMP_GT_OQ>(self.0[1], other.0[1]),
            ]
        })
    }

    #[inline(always)]
    fn ne(self, other: Self) -> MaskX8x2 {
        // SAFETY: `self` proves AVX2.
        MaskX8x2(unsafe {
            [
                _mm256_cmp_ps::<_CMP_NEQ_UQ>(self.0[0], other.0[0]),
                _mm256_cmp_ps::<_CMP_NEQ_UQ>(self.0[1], other.0[1]),
            ]
        })
    }

    #[inline(always)]
    fn select(mask: MaskX8x2, yes: Self, no: Self) -> Self {
        // SAFETY: `yes` proves AVX2.
        Self(unsafe {
            [_mm256_blendv_ps(no.0[0], yes.0[0], mask.0[0]), _mm256_blendv_ps(no.0[1], yes.0[1], mask.0[1])]
        })
    }

    #[inline(always)]
    fn bits(mask: MaskX8x2) -> u16 {
        // SAFETY: a mask only comes from comparing vectors, which proves AVX2.
        unsafe { _mm256_movemask_ps(mask.0[0]) as u16 | (_mm256_movemask_ps(mask.0[1]) as u16) << HALF }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: `self` proves AVX2.
        unsafe { sum_of_eight(_mm256_add_ps(self.0[0], self.0[1])) }
    }

    #[inline(always)]
    fn to_bytes(self) -> [u8; LANES] {
        let mut bytes = [0; LANES];
        // SAFETY: `self` proves AVX2; `bytes` has sixteen bytes. The packs narrow within 128-bit halves, the
        // permutation between them puts the quarters back in order.
        unsafe {
            let words = _mm256_packs_epi32(_mm256_cvtps_epi32(self.0[0]), _mm256_cvtps_epi32(self.0[1]));
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
            let narrow =
                _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(bytes.as_mut_ptr().cast(), narrow);
        }
        bytes
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: `self` proves AVX2; the caller vouches for the memory.
        unsafe {
            _mm256_storeu_ps(p, self.0[0]);
            _mm256_storeu_ps(p.add(HALF), self.0[1]);
        }
    }

    #[inline(always)]
    unsafe fn store_partial(self, p: *mut f32, n: usize) {
        // SAFETY: `self` proves AVX2; masked lanes are not written, the caller vouches for the others. The
        // address of the second half may lie past the memory and is then only computed.
        unsafe {
            let mask = first(n);
            _mm256_maskstore_ps(p, mask[0], self.0[0]);
            _mm256_maskstore_ps(p.wrapping_add(HALF), mask[1], self.0[1]);
        }
    }
}
