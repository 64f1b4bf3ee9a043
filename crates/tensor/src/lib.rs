#![doc = include_str!("../README.md")]

mod axes;
mod beta;
mod nest;
mod shape;
mod tensor;

pub mod scratch;

pub mod parallel;

pub mod elementwise;

pub mod broadcast;
pub mod layout;
pub mod reduce;

pub mod matmul;

mod tile;
mod transpose;

pub mod linear;

pub mod conv;
pub mod pool;

pub mod activation;
pub mod dropout;
pub mod loss;
pub mod norm;

pub mod reference;

#[cfg(test)]
mod testing;

pub use axes::Axes;
pub use beta::Beta;
pub use shape::{MAX_RANK, Shape};
pub use simd::{Level as SimdLevel, SIMD_VARIABLE};
pub use tensor::Tensor;
