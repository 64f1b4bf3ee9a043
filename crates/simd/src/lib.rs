#![doc = include_str!("../README.md")]
//!
//! A kernel is written once, as a function generic over [`Simd`]. [`dispatch!`] compiles it for each
//! instruction set and picks one by a [`Level`] at the outermost call, so that everything below is inlined
//! into code that may use the registers of that set:
//!
//! ```text
//! public function ── Level::current() ──▶ dispatch! ──┬──▶ kernel::<Avx512>   one 512-bit register
//!                                                     ├──▶ kernel::<Avx2>     two 256-bit registers
//!                                                     └──▶ kernel::<Portable> [f32; 16]
//! ```
//!
//! Two rules follow. Every generic function under a dispatched kernel is `#[inline(always)]`: a call that
//! stays a call would be compiled without the instruction set. And a [`Simd`] value is a proof: it only
//! comes into being behind a check of the processor, and a vector only from a [`Simd`] value, so arithmetic
//! on vectors is safe. `read` and `write` take slices; inner loops use the unsafe `load` and `store`, which
//! take pointers, because a bounds check an operand would cost more than the arithmetic.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use std::fmt;
use std::ops::{Add, BitOr, Mul, Sub};
use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
pub use portable::Portable;

/// The number of f32 in a vector, whatever the instruction set.
pub const LANES: usize = 16;

/// The environment variable that caps the instruction set: `avx512`, `avx2` or `portable`.
pub const SIMD_VARIABLE: &str = "DESCENT_SIMD";

/// An instruction set that this processor has.
///
/// A value only comes from [`Level::current`] and [`Level::available`], so having one proves that code for
/// it may run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(#[doc(hidden)] pub InstructionSet);

/// The instruction sets that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstructionSet {
    /// What the compilation's target has.
    Portable,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The level in use: the best of this processor, at most what the environment variable
    /// `DESCENT_SIMD` (`avx512`, `avx2`, `portable`) names. Read once.
    ///
    /// # Panics
    /// When the variable holds anything else.
    pub fn current() -> Self {
        static CURRENT: OnceLock<Level> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let levels = Self::available();
            let best = levels[levels.len() - 1];
            let Ok(cap) = std::env::var(SIMD_VARIABLE) else { return best };
            match cap.as_str() {
                "avx512" => best,
                "avx2" => levels.into_iter().rfind(|level| level.name() != "avx512").unwrap_or(best),
                "portable" => levels[0],
                other => panic!("{SIMD_VARIABLE}={other}: expected avx512, avx2 or portable"),
            }
        })
    }

    /// Every level this processor has, the portable one first, the best one last.
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Self(InstructionSet::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            if avx2::is_detected() {
                levels.push(Self(InstructionSet::Avx2));
            }
            if avx2::is_detected() && avx512::is_detected() {
                levels.push(Self(InstructionSet::Avx512));
            }
        }
        levels
    }

    /// AVX2 where this is AVX-512, for loops that 512-bit instructions make slower.
    pub fn at_most_avx2(self) -> Self {
        match self.0 {
            // A processor has AVX-512 only beside AVX2: `available` has seen both.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => Self(InstructionSet::Avx2),
            _ => self,
        }
    }

    /// The level's name, as the environment variable spells it.
    pub fn name(self) -> &'static str {
        match self.0 {
            InstructionSet::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => "avx512",
        }
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An instruction set, as a value that proves that the processor has it.
pub trait Simd: Copy {
    /// Sixteen f32.
    type V: Vector;

    /// Whether there are registers for a tile of sixteen accumulators and more (thirty-two vectors); if not,
    /// a tile is to keep to four accumulators (AVX2 holds eight vectors in all).
    const MANY_REGISTERS: bool;

    /// Whether [`f32::mul_add`] and [`f64::mul_add`] are instructions, and not a function's emulation of one.
    const FUSED: bool;

    /// All lanes `x`.
    fn splat(self, x: f32) -> Self::V;

    /// The sixteen values at `p`, at any alignment.
    ///
    /// # Safety
    /// `p..p + 16` is readable.
    unsafe fn load(self, p: *const f32) -> Self::V;

    /// The first `n` values at `p`, zeros above them; no byte past them is touched.
    ///
    /// # Safety
    /// `p..p + min(n, 16)` is readable.
    unsafe fn load_partial(self, p: *const f32, n: usize) -> Self::V;

    /// All lanes zero.
    #[inline(always)]
    fn zero(self) -> Self::V {
        self.splat(0.0)
    }

    /// The first sixteen values of a slice, zeros where it is shorter.
    #[inline(always)]
    fn read(self, src: &[f32]) -> Self::V {
        // SAFETY: no more values are read than the slice has.
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
    /// A truth value a lane.
    type Mask: Copy + BitOr<Output = Self::Mask>;

    /// `self · factor + addend`: rounded once where the processor can, twice on [`Portable`] without it.
    fn mul_add(self, factor: Self, addend: Self) -> Self;

    /// 0 where the lane is at most 0, else the lane: NaN stays NaN.
    fn relu(self) -> Self;

    /// Where `self > other`; false for NaN.
    fn gt(self, other: Self) -> Self::Mask;

    /// Where `self ≠ other`; true for NaN.
    fn ne(self, other: Self) -> Self::Mask;

    /// Where the lane is NaN.
    #[inline(always)]
    fn is_nan(self) -> Self::Mask {
        self.ne(self)
    }

    /// `yes` where the mask is true, else `no`.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// The mask as bits, lane 0 lowest.
    fn bits(mask: Self::Mask) -> u16;

    /// The sums of the lanes of four vectors, each in an order that only depends on the instruction set.
    fn sums(vectors: [Self; 4]) -> [f32; 4];

    /// Sixteen vectors as the rows of a matrix, transposed: lane r of result c is lane c of vector r.
    fn transpose(rows: [Self; LANES]) -> [Self; LANES];

    /// Lanes that are integers from 0 to 255, as bytes.
    fn to_bytes(self) -> [u8; LANES];

    /// Writes the sixteen lanes to `p`, at any alignment.
    ///
    /// # Safety
    /// `p..p + 16` is writable.
    unsafe fn store(self, p: *mut f32);

    /// Writes the first `n` lanes to `p` and touches no byte past them.
    ///
    /// # Safety
    /// `p..p + min(n, 16)` is writable.
    unsafe fn store_partial(self, p: *mut f32, n: usize);

    /// Writes the lanes to a slice, as many as it has room for.
    #[inline(always)]
    fn write(self, dst: &mut [f32]) {
        // SAFETY: no more values are written than the slice has.
        unsafe {
            if dst.len() >= LANES {
                self.store(dst.as_mut_ptr())
            } else {
                self.store_partial(dst.as_mut_ptr(), dst.len())
            }
        }
    }
}

/// Defines functions that run a generic kernel compiled for the instruction set of a [`Level`].
///
/// `fn name(a: A, …) -> R = kernel;` makes `fn name(level: Level, a: A, …) -> R`, which calls
/// `kernel(simd, a, …)`. Type parameters stand in brackets: `fn name[T, F: Fn(T)](…)`.
#[macro_export]
macro_rules! dispatch {
    ($(
        $(#[$doc:meta])*
        $vis:vis fn $name:ident $([$($param:ident $(: $bound:path)?),*])? ($($arg:ident: $ty:ty),* $(,)?)
        $(-> $ret:ty)? = $kernel:path;
    )*) => {$(
        $(#[$doc])*
        // A kernel's operands and sizes come one by one.
        #[allow(clippy::too_many_arguments)]
        $vis fn $name $(<$($param $(: $bound)?),*>)? (
            level: $crate::Level,
            $($arg: $ty),*
        ) $(-> $ret)? {
            use $crate::{InstructionSet, Portable};
            #[cfg(target_arch = "x86_64")]
            use $crate::{Avx2, Avx512};

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
            #[allow(clippy::too_many_arguments)]
            fn avx512 $(<$($param $(: $bound)?),*>)? (simd: Avx512, $($arg: $ty),*) $(-> $ret)? {
                $kernel(simd, $($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
            #[allow(clippy::too_many_arguments)]
            fn avx2 $(<$($param $(: $bound)?),*>)? (simd: Avx2, $($arg: $ty),*) $(-> $ret)? {
                $kernel(simd, $($arg),*)
            }

            match level.0 {
                // SAFETY: a level is only made for an instruction set that was detected.
                #[cfg(target_arch = "x86_64")]
                InstructionSet::Avx512 => unsafe { avx512(Avx512::assume(), $($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                InstructionSet::Avx2 => unsafe { avx2(Avx2::assume(), $($arg),*) },
                InstructionSet::Portable => $kernel(Portable, $($arg),*),
            }
        }
    )*};
}
