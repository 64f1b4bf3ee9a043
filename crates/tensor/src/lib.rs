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

pub mod linear;

mod fast;

pub mod conv;
pub mod conv_block;
pub mod pool;

pub mod activation;
pub mod dropout;
pub mod loss;
pub mod norm;

pub mod reference;

pub use axes::Axes;
pub use beta::Beta;
pub use fast::simd::{Level as SimdLevel, SIMD_VARIABLE};
pub use shape::{MAX_RANK, Shape};
pub use tensor::Tensor;
