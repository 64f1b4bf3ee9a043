//! What the benchmarks share: the networks in this project's own layers, the ceilings of the machine, and a
//! criterion measurement that shows a kernel's share of them.

mod peak;
pub mod probe;
mod training;

pub use peak::{AgainstPeak, Peak, criterion, criterion_against};
pub use training::{Inference, Training, nhwc};
