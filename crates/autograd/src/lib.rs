#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod anomaly;
mod backward;
mod batch;
mod forward;
pub mod gradcheck;
mod gradients;
mod graph;
mod leaves;
mod mode;
mod op;
mod ops;
mod overlap;
mod params;
mod part;
mod reading;
mod recipe;
mod recording;
mod tape;
mod touched;
mod values;

pub use batch::{Images, Operands};
pub use graph::{Graph, Output, Trace, Traced};
pub use mode::Mode;
pub use op::{Backward, Commit, Forward, Grad, Grads, Inputs, Op, Saved, ShapeError};
pub use ops::{
    AttentionOptions, BatchNormOptions, BceOptions, BceWithLogitsOptions, Conv1dOptions, Conv2dOptions,
    ConvTranspose1dOptions, ConvTranspose2dOptions, CosineEmbeddingOptions, CrossEntropyOptions,
    GaussianNllOptions, HingeEmbeddingOptions, Interpolation, KlDivOptions, LocalResponseNormOptions,
    MarginRankingOptions, MultiMarginOptions, NllOptions, PadMode, Pairing, PoissonNllOptions, Pool1dOptions,
    Pool2dOptions, PoolOptions, QueryKeyValue, RecurrentOptions, Reduction, ResizeTo, RnnNonlinearity,
    RotaryOptions, SmoothL1Options, StochasticDepthMode, Target, TripletMarginOptions,
};
pub use params::{Entry, ParamId, Params, Role, UnknownPath};
pub use recipe::Recipe;
pub use tape::{Indices, Tape, Var};
