//! Instruction sets: the known ones, those of this processor, and the one in use.

use std::ffi::OsStr;
use std::fmt;
use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use crate::{avx2, avx512};

/// The environment variable that caps the instruction set: `avx512`, `avx2` or `portable`.
pub const SIMD_VARIABLE: &str = "DESCENT_SIMD";

/// An instruction set that this processor has.
///
/// A value above [`Level::PORTABLE`] only comes from [`Level::current`] and [`Level::available`], so having
/// one proves that code for it can run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(InstructionSet);

/// The instruction sets that kernels are compiled for, from the narrowest vectors to the widest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum InstructionSet {
    Portable,
    Avx2,
    Avx512,
}

impl InstructionSet {
    const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// The cap set by the value of the environment variable; no cap if it is unset.
    pub(crate) fn named(value: Option<&OsStr>) -> Result<Self, String> {
        let Some(value) = value else { return Ok(Self::Avx512) };
        let named = Self::ALL.into_iter().find(|set| value == set.name());
        named.ok_or_else(|| format!("{SIMD_VARIABLE} is {value:?}: expected avx512, avx2 or portable"))
    }

    /// The name used in the environment variable.
    fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Whether the processor and the operating system support it.
    fn is_detected(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::is_detected(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::is_detected(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }
}

impl Level {
    /// The level available on every processor.
    pub const PORTABLE: Self = Self(InstructionSet::Portable);

    /// The level in use: the best of this processor, capped by the environment variable `DESCENT_SIMD`
    /// (`avx512`, `avx2`, `portable`). The variable is read once.
    ///
    /// # Panics
    /// When the variable has any other value; [`Level::check_variable`] reports that beforehand.
    pub fn current() -> Self {
        static CURRENT: OnceLock<Level> = OnceLock::new();
        *CURRENT.get_or_init(|| Self::best(variable().unwrap_or_else(|problem| panic!("{problem}"))))
    }

    /// Checks that [`Level::current`] can use the environment variable `DESCENT_SIMD`, so that a program can
    /// reject a wrong value before any work.
    ///
    /// # Errors
    /// When the variable has a value that is not the name of an instruction set.
    pub fn check_variable() -> Result<(), String> {
        variable().map(drop)
    }

    /// The best level of this processor that is not above `cap`.
    pub(crate) fn best(cap: InstructionSet) -> Self {
        let best = Self::available().into_iter().rfind(|level| level.0 <= cap);
        best.expect("the portable level is always there")
    }

    /// Every level of this processor, from the portable one to the best.
    pub fn available() -> Vec<Self> {
        InstructionSet::ALL.into_iter().filter(|set| set.is_detected()).map(Self).collect()
    }

    /// This level, but AVX2 instead of AVX-512, for loops that 512-bit instructions slow down.
    pub fn at_most_avx2(self) -> Self {
        // A processor only counts as having AVX-512 if it also has AVX2.
        Self(self.0.min(InstructionSet::Avx2))
    }

    /// The name used in the environment variable.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    pub(crate) fn instruction_set(self) -> InstructionSet {
        self.0
    }
}

/// The value of the environment variable.
fn variable() -> Result<InstructionSet, String> {
    InstructionSet::named(std::env::var_os(SIMD_VARIABLE).as_deref())
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
