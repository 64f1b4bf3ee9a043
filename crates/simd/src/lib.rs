#![doc = include_str!("../README.md")]

mod dispatch;
mod level;
mod vector;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod sse2;

#[cfg(test)]
mod tests;

pub use dispatch::{Kernel, dispatch};
pub use level::{Level, SIMD_VARIABLE};
pub use portable::Portable;
pub use vector::{LANES, Simd, Vector};
