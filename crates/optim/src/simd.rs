//! Runs a loop compiled for the widest vectors that the processor has.
//!
//! Only the width differs: multiplication and addition are not fused, so every width gives the same bits.

/// A loop that the compiler may vectorise. `run` must be `#[inline(always)]`, or it is compiled once, for
/// the narrowest vectors.
pub(crate) trait Kernel {
    type Output;

    fn run(self) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
pub(crate) fn widest<K: Kernel>(kernel: K) -> K::Output {
    #[target_feature(enable = "avx512f")]
    fn avx512<K: Kernel>(kernel: K) -> K::Output {
        kernel.run()
    }
    #[target_feature(enable = "avx2")]
    fn avx2<K: Kernel>(kernel: K) -> K::Output {
        kernel.run()
    }
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the line above has seen that the processor has AVX-512F.
        unsafe { avx512(kernel) }
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: the line above has seen that the processor has AVX2.
        unsafe { avx2(kernel) }
    } else {
        kernel.run()
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn widest<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}
