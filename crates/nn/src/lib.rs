#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod fusion;
mod init;
mod layer;
mod layers;
pub mod models;
mod sequential;
mod summary;
pub mod weights;

pub use init::Init;
pub use layer::{Child, CloneLayer, Handle, Layer, Scope, build};
pub use layers::{
    AvgPool2d, BatchNorm, BatchNorm1d, BatchNorm2d, Conv2d, Dropout, Flatten, GELU, GlobalAvgPool2d,
    LeakyReLU, Linear, MaxPool2d, Pair, ReLU, Residual, Sigmoid, Tanh,
};
pub use sequential::{Sequential, SequentialOver};
pub use summary::{InputShape, Row, Summary};
