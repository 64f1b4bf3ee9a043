#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod anomaly;
mod backward;
mod batch;
pub mod gradcheck;
mod graph;
mod op;
mod ops;
mod params;
mod part;
mod tape;
mod values;

pub use batch::{Images, Operands};
pub use graph::{Graph, Output, Traced};
pub use op::{Backward, Commit, Forward, Grad, Grads, Inputs, Op, Saved, ShapeError};
pub use ops::{
    AttentionOptions, BatchNormOptions, Conv2dOptions, CrossEntropyOptions, LocalResponseNormOptions,
    PadMode, Pairing, QueryKeyValue, RecurrentOptions, Reduction, RnnNonlinearity, RotaryOptions,
    StochasticDepthMode,
};
pub use params::{Entry, ParamId, Params, Role, UnknownPath};
pub use tape::{Indices, Mode, Tape, Var};
