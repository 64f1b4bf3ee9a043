#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod batches;
mod model;
mod network;
mod serve;
mod work;

pub use batches::{Batches, IMAGE_BYTES, write_synthetic};
pub use model::{Model, initial_entry};
pub use network::{Layer, Network, uniform};
pub use serve::{Driver, Hello, Opened, Ran, Timer, Worker, cifar_folder, serve};
pub use work::{ConvPass, ConvSize, Pass, Probe, Rule, TensorOp, UnknownWork, Work};
