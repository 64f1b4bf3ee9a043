#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod builtin;
pub mod config;
mod fusion;
mod init;
mod layer;
mod layer_macro;
mod layers;
pub mod models;
mod sequential;
mod summary;
pub mod weights;

pub use autograd::Interpolation;
pub use init::Init;
pub use layer::{Child, CloneLayer, Handle, Layer, Scope, build, shapes};
pub use layers::*;
pub use models::basic_block::BasicBlock;
pub use sequential::{Sequential, SequentialOver};
pub use summary::{InputShape, Row, Summary};
