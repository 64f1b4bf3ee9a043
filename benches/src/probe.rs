//! The machine's peak rates: fused multiply-adds on registers, and memory copies.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;
use tensor::SimdLevel;

/// The number of concurrent sums: enough that the next multiply-add of a sum never waits for the previous one
/// (latency 4 × 2 per cycle), few enough that all stay in registers.
const N_SUMS: usize = 12;

/// The lanes of a vector; two registers on AVX2.
const LANES: usize = 8;

/// Executes at least `n_flops` floating-point operations (a multiply-add is two) on every thread of the
/// current rayon pool, with the instructions that the kernels use; returns the total number.
pub fn multiply_add(n_flops: usize) -> usize {
    let n_rounds = n_flops.div_ceil(2 * N_SUMS * LANES).max(1);
    let on_each = rayon::broadcast(|_| match SimdLevel::current().name() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level implies that the processor has AVX-512.
        "avx512" => 2 * unsafe { avx512(n_rounds.div_ceil(2)) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level implies that the processor has AVX2 and FMA.
        "avx2" => unsafe { avx2(n_rounds) },
        _ => portable(n_rounds),
    });
    on_each.into_iter().map(|n_rounds| n_rounds * 2 * N_SUMS * LANES).sum()
}

/// Vectors of sixteen.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512(n_rounds: usize) -> usize {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_set1_ps};
    let (factor, summand) = (_mm512_set1_ps(black_box(0.5)), _mm512_set1_ps(black_box(1.0)));
    let mut sums = [summand; N_SUMS];
    for _ in 0..n_rounds {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(*sum, factor, summand);
        }
    }
    black_box(sums);
    n_rounds
}

/// Vectors of eight.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(n_rounds: usize) -> usize {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps};
    let (factor, summand) = (_mm256_set1_ps(black_box(0.5)), _mm256_set1_ps(black_box(1.0)));
    let mut sums = [summand; N_SUMS];
    for _ in 0..n_rounds {
        for sum in &mut sums {
            *sum = _mm256_fmadd_ps(*sum, factor, summand);
        }
    }
    black_box(sums);
    n_rounds
}

/// Without `mul_add`, which is a function call if the target has no such instruction.
fn portable(n_rounds: usize) -> usize {
    let (factor, summand) = (black_box(0.5_f32), black_box(1.0_f32));
    let mut sums = [[summand; LANES]; N_SUMS];
    for _ in 0..n_rounds {
        for sum in sums.iter_mut().flatten() {
            *sum = *sum * factor + summand;
        }
    }
    black_box(sums);
    n_rounds
}

/// Two arrays that together exceed every cache.
#[derive(Debug)]
pub struct Copying {
    from: Vec<u64>,
    to: Vec<u64>,
}

impl Copying {
    /// Creates arrays of `n_bytes` each, a multiple of eight.
    pub fn new(n_bytes: usize) -> Self {
        Self { from: (0..n_bytes as u64 / 8).collect(), to: vec![0; n_bytes / 8] }
    }

    /// Copies one to the other, split over the current rayon pool; returns the number of bytes copied. Memory
    /// transfers them twice: one read and one write.
    pub fn copy(&mut self) -> usize {
        let chunk = self.from.len().div_ceil(rayon::current_num_threads()).max(1);
        let pairs = self.to.par_chunks_mut(chunk).zip(self.from.par_chunks(chunk));
        pairs.for_each(|(to, from)| to.copy_from_slice(from));
        black_box(&mut self.to);
        8 * self.from.len()
    }
}

/// Floating-point operations per second on all threads of the current pool: the best of a few tries of 20 ms.
pub fn peak_flops() -> f64 {
    best_rate(|| multiply_add(2_000_000_000 / 50))
}

/// Bytes copied per second on all threads of the current pool: the best of a few tries.
pub fn peak_copy() -> f64 {
    let mut copying = Copying::new(64 << 20);
    best_rate(|| copying.copy())
}

fn best_rate(mut work: impl FnMut() -> usize) -> f64 {
    let rate = |_| {
        let start = Instant::now();
        let n = work();
        n as f64 / start.elapsed().as_secs_f64()
    };
    (0..20).map(rate).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_counted() {
        let n_threads = rayon::current_num_threads();
        let n = multiply_add(100_000);
        assert!(n >= 100_000 * n_threads && n < 102_000 * n_threads, "{n} on {n_threads} threads");
        assert_eq!(portable(3), 3);
    }

    #[test]
    fn everything_is_copied() {
        let mut copying = Copying::new(80_000);
        assert_eq!(copying.copy(), 80_000);
        assert_eq!(copying.from, copying.to);
    }
}
