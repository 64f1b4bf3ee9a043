#![doc = include_str!("../README.md")]
// Tiles are arrays of registers; loops over them have constant bounds, are unrolled and index several arrays.
#![allow(clippy::needless_range_loop)]

// The layers of a network.
pub mod activation;
pub mod attention;
pub mod conv;
pub mod dropout;
pub mod embedding;
pub mod interpolate;
pub mod linear;
pub mod loss;
pub mod norm;
pub mod pool;
pub mod positions;
pub mod recurrent;

// The building blocks of layers and their gradients.
pub mod broadcast;
pub mod cumsum;
pub mod elementwise;
pub mod layout;
pub mod matmul;
pub mod pad;
pub mod random;
pub mod reduce;
pub mod sort;

// Threads, memory and registers for kernels.
pub mod parallel;
pub mod scratch;
mod tile;
mod transpose;

mod beta;
mod nest;
mod shape;

pub mod reference;

// An array with a shape, for simple arithmetic.
mod axes;
mod tensor;

#[cfg(test)]
mod testing;

pub use axes::Axes;
pub use beta::Beta;
pub use shape::{MAX_RANK, Shape};
pub use simd::{Level as SimdLevel, SIMD_VARIABLE};
pub use tensor::Tensor;
