//! Sixteen f32 in one AVX-512 register.

use std::arch::x86_64::*;
use std::ops::{Add, Mul, Sub};

use super::{LANES, Simd, Vector};

/// The proof that the processor has AVX-512 F, BW, DQ and VL, and AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

/// Sixteen lanes; only made by an [`Avx512`].
#[derive(Clone, Copy)]
pub(crate) struct F32x16(__m512);

/// Whether the processor and the operating system support what [`Avx512`] needs beyond AVX2.
pub(super) fn is_detected() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

impl Avx512 {
    /// The proof, on the caller's word.
    ///
    /// # Safety
    /// The processor has AVX-512 F, BW, DQ and VL, and AVX2 and FMA.
    #[inline(always)]
    pub(crate) unsafe fn assume() -> Self {
        Self(())
    }
}

/// The mask of the first `n` lanes.
#[inline(always)]
fn first(n: usize) -> __mmask16 {
    if n >= LANES { !0 } else { (1 << n) - 1 }
}

// Every intrinsic below needs the processor's support, which the existence of an `Avx512` or of an `F32x16`
// (made by one alone) proves.
impl Simd for Avx512 {
    type V = F32x16;
    const MANY_REGISTERS: bool = true;

    #[inline(always)]
    fn splat(self, x: f32) -> F32x16 {
        // SAFETY: `self` proves AVX-512.
        F32x16(unsafe { _mm512_set1_ps(x) })
    }

    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> F32x16 {
        // SAFETY: `self` proves AVX-512; the caller vouches for the memory.
        F32x16(unsafe { _mm512_loadu_ps(p) })
    }

    #[inline(always)]
    unsafe fn load_partial(self, p: *const f32, n: usize) -> F32x16 {
        // SAFETY: `self` proves AVX-512; masked lanes are not read, the caller vouches for the others.
        F32x16(unsafe { _mm512_maskz_loadu_ps(first(n), p) })
    }
}

impl Add for F32x16 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: `self` proves AVX-512.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }
}

impl Sub for F32x16 {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: `self` proves AVX-512.
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }
}

impl Mul for F32x16 {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: `self` proves AVX-512.
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }
}

impl Vector for F32x16 {
    type Mask = __mmask16;

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: `self` proves AVX-512.
        Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, addend.0) })
    }

    #[inline(always)]
    fn relu(self) -> Self {
        // SAFETY: `self` proves AVX-512. `max` answers its second operand when one is NaN.
        Self(unsafe { _mm512_max_ps(_mm512_setzero_ps(), self.0) })
    }

    #[inline(always)]
    fn gt(self, other: Self) -> __mmask16 {
        // SAFETY: `self` proves AVX-512.
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn ne(self, other: Self) -> __mmask16 {
        // SAFETY: `self` proves AVX-512.
        unsafe { _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn select(mask: __mmask16, yes: Self, no: Self) -> Self {
        // SAFETY: `yes` proves AVX-512.
        Self(unsafe { _mm512_mask_blend_ps(mask, no.0, yes.0) })
    }

    #[inline(always)]
    fn bits(mask: __mmask16) -> u16 {
        mask
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: `self` proves AVX-512, AVX2 and SSE.
        unsafe {
            let halves = _mm256_add_ps(_mm512_castps512_ps256(self.0), _mm512_extractf32x8_ps::<1>(self.0));
            super::avx2::sum_of_eight(halves)
        }
    }

    #[inline(always)]
    fn to_bytes(self) -> [u8; LANES] {
        let mut bytes = [0; LANES];
        // SAFETY: `self` proves AVX-512; `bytes` has sixteen bytes.
        unsafe {
            let narrow = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(self.0));
            _mm_storeu_si128(bytes.as_mut_ptr().cast(), narrow);
        }
        bytes
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: `self` proves AVX-512; the caller vouches for the memory.
        unsafe { _mm512_storeu_ps(p, self.0) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, p: *mut f32, n: usize) {
        // SAFETY: `self` proves AVX-512; masked lanes are not written, the caller vouches for the others.
        unsafe { _mm512_mask_storeu_ps(p, first(n), self.0) }
    }
}
