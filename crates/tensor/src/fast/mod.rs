//! The fast kernels: what the framework exists for, in the instruction set of the machine.

// Tiles are arrays of registers; loops over them have constant bounds, are unrolled, and index several alike.
#![allow(clippy::needless_range_loop)]

pub(crate) mod direct;
pub(crate) mod direct_weight;
pub(crate) mod geometry;
pub(crate) mod linear;
pub(crate) mod pack;
pub(crate) mod simd;
pub(crate) mod sink;
pub(crate) mod sparse;
pub(crate) mod tile;
pub(crate) mod winograd;

#[cfg(test)]
pub(crate) mod testing;
