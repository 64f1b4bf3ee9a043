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
    Approximate, AvgPool2d, BatchNorm, BatchNorm1d, BatchNorm2d, CELU, Conv2d, Dropout, ELU, Flatten, GELU,
    GLU, GlobalAvgPool2d, Hardsigmoid, Hardswish, Hardtanh, Identity, LeakyReLU, Linear, LogSigmoid,
    LogSoftmax, MaxPool2d, Mish, PReLU, Pair, ReLU, ReLU6, Residual, SELU, SiLU, Sigmoid, Softmax, Softplus,
    Tanh,
};
pub use sequential::{Sequential, SequentialOver};
pub use summary::{InputShape, Row, Summary};
