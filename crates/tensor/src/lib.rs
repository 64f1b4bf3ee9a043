#![doc = include_str!("../README.md")]

mod shape;

pub use shape::{MAX_RANK, Shape};
