//! The ops: one file each, with its formula, forward and backward, and the [`Graph`](crate::Graph) method
//! that records it. A new op is a file here, a `mod` line, and a row in `tests/gradcheck`.

mod add;
mod div;
mod mul;
mod sub;

mod add_scalar;
mod exp;
mod log;
mod pow;
mod scale;
mod sqrt;

mod concat;
mod flatten;
mod gather;
mod index_select;
mod permute;
mod slice;

mod mean;
mod sum;

mod linear;
mod linear_relu;
mod matmul;

mod gelu;
mod leaky_relu;
mod log_softmax;
mod relu;
mod sigmoid;
mod softmax;
mod tanh;

mod conv2d;
mod conv_relu_pool;

mod avg_pool2d;
mod global_avg_pool2d;
mod max_pool2d;

mod batch_norm;
mod dropout;

mod bce_with_logits;
mod cross_entropy;
mod huber_loss;
mod l1_loss;
mod mse_loss;

mod shared;

pub use batch_norm::BatchNormOptions;
pub use conv2d::Conv2dOptions;
pub use cross_entropy::CrossEntropyOptions;
pub use shared::Reduction;
