//! Code shared by the benchmarks: the networks in this project's own layers, the machine's peak rates, and a
//! criterion measurement that shows a kernel's throughput relative to them.

pub mod amx;
mod nets;
mod peak;
pub mod probe;
mod training;

pub use nets::{Inputs, Kind};
pub use peak::{AgainstPeak, Peak, criterion, criterion_against};
pub use training::{Inference, Training, mean_cross_entropy, nhwc};
