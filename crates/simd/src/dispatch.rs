//! The one place where a kernel meets an instruction set.

use crate::level::InstructionSet;
use crate::{Level, Simd};
#[cfg(target_arch = "x86_64")]
use crate::{avx2, avx512};

/// What every processor of the target has. On x86-64 that is SSE2, with the bits of `Portable`, whose arrays take the
/// compiler half of its time there. Miri looks through arrays better.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
use crate::Portable as Baseline;
#[cfg(all(target_arch = "x86_64", not(miri)))]
use crate::sse2::Sse2 as Baseline;

/// A computation written once and compiled for each instruction set: its operands, and what to do with them.
///
/// `run` and every generic function that it calls must be `#[inline(always)]`: [`dispatch`] runs it inside a
/// function that may use the registers of the instruction set, and a call that stays a call would be compiled
/// without them.
pub trait Kernel {
    /// What comes out.
    type Output;

    /// Computes with the vectors of `simd`; or without, where it is only for the compiler to choose wider ones.
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

/// A call, like those of the other sets: a kernel is compiled once however often it is dispatched.
#[inline(never)]
fn portable<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Baseline)
}
