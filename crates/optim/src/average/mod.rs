//! Averages of the weights over the steps.
//!
//! Each average holds its own copy of the weights and is updated after a step. Evaluate with the average and
//! continue training with the weights. Save the average and a count to resume. Gradients are neither read nor
//! asked for, so a network that only predicts can be given an average without allocating any.
//!
//! Only trainable parameters are averaged. Frozen weights and running statistics are kept as in the network,
//! just as `torch.optim.swa_utils.AveragedModel` copies buffers unless `use_buffers` is set.

mod ema;
mod lookahead;
mod shared;
mod swa;

pub use ema::Ema;
pub use lookahead::Lookahead;
pub use swa::Swa;
