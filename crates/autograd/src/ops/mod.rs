//! The ops. An element-wise op, a loss or a pooling is a method on [`Graph`](crate::Graph) with its formula,
//! derivative and documentation, in a file shared with others of its kind. Any other op has its own file,
//! with forward, backward and the method that records it. Every op also needs a row in `tests/gradcheck`.

mod activation;
mod binary;
mod broadcast;
mod broadcast_to;
mod elementwise;
mod glu;
mod random;
mod trigonometric;
mod where_cond;

mod concat;
mod flatten;
mod gather;
mod index_select;
mod pad;
mod permute;
mod roll;
mod scatter_add;
mod slice;
mod sort;
mod stack;

mod cumsum;
mod over_axes;
mod reduce;
mod variance;

mod einsum;
mod linear;
mod matmul;
mod similarity;

mod attention;
mod positions;

mod conv1d;
mod conv2d;
mod conv_pool;
mod conv_transpose2d;
mod interpolate;
mod pixel_shuffle;
mod pool;
mod pool_options;

mod batch_norm;
mod group_norm;
mod layer_norm;
mod local_response_norm;

mod dropout;

mod recurrent;

mod loss;

mod shared;

pub use attention::AttentionOptions;
pub use batch_norm::BatchNormOptions;
pub use conv_transpose2d::ConvTranspose2dOptions;
pub use conv1d::{Conv1dOptions, ConvTranspose1dOptions};
pub use conv2d::Conv2dOptions;
pub use dropout::StochasticDepthMode;
pub use local_response_norm::LocalResponseNormOptions;
pub use loss::{
    BceOptions, BceWithLogitsOptions, CosineEmbeddingOptions, CrossEntropyOptions, GaussianNllOptions,
    HingeEmbeddingOptions, KlDivOptions, MarginRankingOptions, MultiMarginOptions, NllOptions,
    PoissonNllOptions, Reduction, SmoothL1Options, Target, TripletMarginOptions,
};
pub use pool_options::{Pool1dOptions, Pool2dOptions, PoolOptions};
pub use positions::RotaryOptions;
pub use recurrent::{RecurrentOptions, RnnNonlinearity};
pub(crate) use shared::channels_last_hint;
pub use tensor::attention::QueryKeyValue;
pub use tensor::interpolate::{Interpolation, ResizeTo};
pub use tensor::pad::PadMode;
pub use tensor::positions::Pairing;
