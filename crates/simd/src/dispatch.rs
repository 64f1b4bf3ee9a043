//! Dispatches kernels to instruction sets.

use crate::level::InstructionSet;
use crate::{Level, Simd};
#[cfg(target_arch = "x86_64")]
use crate::{avx2, avx512};

/// The instruction set of every processor of the target. On x86-64 that is SSE2, which gives the same bits as
/// `Portable`; there the arrays of `Portable` take half of the compile time. Miri checks arrays better.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
use crate::Portable as Baseline;
#[cfg(all(target_arch = "x86_64", not(miri)))]
use crate::sse2::Sse2 as Baseline;

/// A computation written once and compiled for each instruction set, with its operands.
///
/// `run` and every generic function it calls must be `#[inline(always)]`: [`dispatch`] runs it in a function
/// that may use the registers of the instruction set, and a function that is not inlined would be compiled
/// without them.
pub trait Kernel {
    /// The result.
    type Output;

    /// Computes with the vectors of `simd`, or without them if the compiler alone is to choose wider ones.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs a kernel compiled for the instruction set of `level`.
#[inline]
pub fn dispatch<K: Kernel>(level: Level, kernel: K) -> K::Output {
    match level.instruction_set() {
        // SAFETY: a level is only made for an instruction set that was detected.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => unsafe { avx512::run(kernel) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { avx2::run(kernel) },
        _ => portable(kernel),
    }
}

/// A separate function, like those of the other sets, so that a kernel is compiled once however often it is
/// dispatched.
#[inline(never)]
fn portable<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Baseline)
}
