//! Sixteen f32 in one AVX-512 register.

use std::arch::x86_64::*;
use std::ops::{Add, Mul, Sub};

use crate::avx2;
use crate::{Kernel, LANES, Simd, Vector};

/// Proof that the processor has AVX-512 F, BW, DQ and VL, and AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

/// Sixteen lanes; only created by an [`Avx512`].
#[derive(Clone, Copy)]
pub(crate) struct F32x16(__m512);

/// Whether the processor and the operating system support what [`Avx512`] needs.
pub(crate) fn is_detected() -> bool {
    avx2::is_detected()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// Runs a kernel, compiled for this instruction set.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512(()))
}

/// The mask of the first `n` lanes.
#[inline(always)]
fn first(n: usize) -> __mmask16 {
    if n >= LANES { !0 } else { (1 << n) - 1 }
}

// Every intrinsic below needs the processor's support, which is proved by the existence of an `Avx512`, or of
// an `F32x16`, which only an `Avx512` can create.
impl Simd for Avx512 {
    type V = F32x16;
    const MANY_REGISTERS: bool = true;
    const FUSED: bool = true;

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
        // SAFETY: `self` proves AVX-512. `max` returns its second operand when one is NaN.
        Self(unsafe { _mm512_max_ps(_mm512_setzero_ps(), self.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: `self` proves AVX-512. `max` returns its second operand when one is NaN.
        Self(unsafe { _mm512_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        // SAFETY: `self` proves AVX-512.
        Self(unsafe {
            let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
        })
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
    fn sums(vectors: [Self; 4]) -> [f32; 4] {
        // SAFETY: the vectors prove AVX-512 and AVX2.
        unsafe {
            let mut halves = [_mm256_setzero_ps(); 4];
            for idx in 0..4 {
                let v = vectors[idx].0;
                halves[idx] = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v));
            }
            avx2::sums_of_eight(halves)
        }
    }

    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        let mut quads = rows;
        let mut columns = rows;
        // SAFETY: the rows prove AVX-512.
        unsafe {
            // For each four rows, quarter q of quads[4 · four + c] is column 4q + c of those rows.
            for first in (0..LANES).step_by(4) {
                let r = [rows[first].0, rows[first + 1].0, rows[first + 2].0, rows[first + 3].0];
                let (low_01, high_01) = (_mm512_unpacklo_ps(r[0], r[1]), _mm512_unpackhi_ps(r[0], r[1]));
                let (low_23, high_23) = (_mm512_unpacklo_ps(r[2], r[3]), _mm512_unpackhi_ps(r[2], r[3]));
                quads[first].0 = _mm512_shuffle_ps::<0x44>(low_01, low_23);
                quads[first + 1].0 = _mm512_shuffle_ps::<0xEE>(low_01, low_23);
                quads[first + 2].0 = _mm512_shuffle_ps::<0x44>(high_01, high_23);
                quads[first + 3].0 = _mm512_shuffle_ps::<0xEE>(high_01, high_23);
            }
            // Then the quarters of the four fours are combined: even ones (columns c and 8 + c) and odd ones
            // (4 + c and 12 + c).
            for c in 0..4 {
                let q = [quads[c].0, quads[4 + c].0, quads[8 + c].0, quads[12 + c].0];
                let (even_01, even_23) =
                    (_mm512_shuffle_f32x4::<0x88>(q[0], q[1]), _mm512_shuffle_f32x4::<0x88>(q[2], q[3]));
                let (odd_01, odd_23) =
                    (_mm512_shuffle_f32x4::<0xDD>(q[0], q[1]), _mm512_shuffle_f32x4::<0xDD>(q[2], q[3]));
                columns[c].0 = _mm512_shuffle_f32x4::<0x88>(even_01, even_23);
                columns[4 + c].0 = _mm512_shuffle_f32x4::<0x88>(odd_01, odd_23);
                columns[8 + c].0 = _mm512_shuffle_f32x4::<0xDD>(even_01, even_23);
                columns[12 + c].0 = _mm512_shuffle_f32x4::<0xDD>(odd_01, odd_23);
            }
        }
        columns
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
