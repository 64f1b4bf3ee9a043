//! Sixteen f32 in two AVX2 registers.

use std::arch::x86_64::*;
use std::ops::{Add, BitOr, Mul, Sub};

use crate::{Kernel, LANES, Simd, Vector};

/// Proof that the processor has AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

/// Lanes 0 to 7 and 8 to 15; only created by an [`Avx2`].
#[derive(Clone, Copy)]
pub(crate) struct F32x8x2([__m256; 2]);

/// A boolean per lane: all bits of the lane or none.
#[derive(Clone, Copy)]
pub(crate) struct MaskX8x2([__m256; 2]);

/// Lanes in one of the two registers.
const HALF: usize = LANES / 2;

/// Whether the processor and the operating system support what [`Avx2`] needs, including the bit operations
/// that kernels are compiled with.
pub(crate) fn is_detected() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

/// The sums of the lanes of four registers: first neighbours, then neighbouring pairs, then the two halves.
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
pub(crate) unsafe fn sums_of_eight(v: [__m256; 4]) -> [f32; 4] {
    let mut sums = [0.0; 4];
    // SAFETY: the caller vouches for AVX; `sums` has room for four values.
    unsafe {
        let quarters = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
        let whole = _mm_add_ps(_mm256_castps256_ps128(quarters), _mm256_extractf128_ps::<1>(quarters));
        _mm_storeu_ps(sums.as_mut_ptr(), whole);
    }
    sums
}

/// Transposes eight registers as the rows of a matrix.
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
unsafe fn transpose_eight(rows: [__m256; HALF]) -> [__m256; HALF] {
    let mut quads = rows;
    let mut columns = rows;
    // SAFETY: the caller vouches for AVX.
    unsafe {
        // For each four rows, half h of quads[4 · four + c] is column 4h + c of those rows.
        for first in [0, 4] {
            let r = [rows[first], rows[first + 1], rows[first + 2], rows[first + 3]];
            let (low_01, high_01) = (_mm256_unpacklo_ps(r[0], r[1]), _mm256_unpackhi_ps(r[0], r[1]));
            let (low_23, high_23) = (_mm256_unpacklo_ps(r[2], r[3]), _mm256_unpackhi_ps(r[2], r[3]));
            quads[first] = _mm256_shuffle_ps::<0x44>(low_01, low_23);
            quads[first + 1] = _mm256_shuffle_ps::<0xEE>(low_01, low_23);
            quads[first + 2] = _mm256_shuffle_ps::<0x44>(high_01, high_23);
            quads[first + 3] = _mm256_shuffle_ps::<0xEE>(high_01, high_23);
        }
        for c in 0..4 {
            columns[c] = _mm256_permute2f128_ps::<0x20>(quads[c], quads[4 + c]);
            columns[4 + c] = _mm256_permute2f128_ps::<0x31>(quads[c], quads[4 + c]);
        }
    }
    columns
}

/// 2ⁿ for integer lanes, by writing n into the exponent.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn power_of_two(n: __m256) -> __m256 {
    // SAFETY: the caller vouches for AVX2.
    unsafe {
        let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
        _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
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

/// Runs a kernel, compiled for this instruction set.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

// Every intrinsic below needs the processor's support, which is proved by the existence of an `Avx2`, or of
// an `F32x8x2`, which only an `Avx2` can create.
impl Simd for Avx2 {
    type V = F32x8x2;
    const MANY_REGISTERS: bool = false;
    const FUSED: bool = true;

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
        // address of the second half may be past the memory; it is then only computed.
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
        // SAFETY: `self` proves AVX2. `max` returns its second operand when one is NaN.
        Self(unsafe {
            let zero = _mm256_setzero_ps();
            [_mm256_max_ps(zero, self.0[0]), _mm256_max_ps(zero, self.0[1])]
        })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: `self` proves AVX2. `max` returns its second operand when one is NaN.
        Self(unsafe { [_mm256_max_ps(self.0[0], other.0[0]), _mm256_max_ps(self.0[1], other.0[1])] })
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        // SAFETY: `self` proves AVX2.
        Self(unsafe { [power_of_two(self.0[0]), power_of_two(self.0[1])] })
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
    fn sums(vectors: [Self; 4]) -> [f32; 4] {
        // SAFETY: the vectors prove AVX2.
        unsafe {
            let mut halves = [_mm256_setzero_ps(); 4];
            for idx in 0..4 {
                halves[idx] = _mm256_add_ps(vectors[idx].0[0], vectors[idx].0[1]);
            }
            sums_of_eight(halves)
        }
    }

    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        let mut columns = rows;
        for row_half in 0..2 {
            for col_half in 0..2 {
                let mut quadrant = [rows[0].0[0]; HALF];
                for row in 0..HALF {
                    quadrant[row] = rows[row_half * HALF + row].0[col_half];
                }
                // SAFETY: the rows prove AVX2.
                let quadrant = unsafe { transpose_eight(quadrant) };
                for col in 0..HALF {
                    columns[col_half * HALF + col].0[row_half] = quadrant[col];
                }
            }
        }
        columns
    }

    #[inline(always)]
    fn to_bytes(self) -> [u8; LANES] {
        let mut bytes = [0; LANES];
        // SAFETY: `self` proves AVX2; `bytes` has sixteen bytes. The packs narrow within 128-bit halves; the
        // permutation between them restores the order of the quarters.
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
        // address of the second half may be past the memory; it is then only computed.
        unsafe {
            let mask = first(n);
            _mm256_maskstore_ps(p, mask[0], self.0[0]);
            _mm256_maskstore_ps(p.wrapping_add(HALF), mask[1], self.0[1]);
        }
    }
}
