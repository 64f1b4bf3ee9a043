//! Winograd's F(4×4, 3×3): 4×4 outputs of a 3×3 convolution from 36 products instead of 144.
//!
//! The output is split into tiles of 4×4. Input tiles of 6×6 and weights are transformed to 36 points. At
//! each point there is a small matrix product over the channels, for tiles of several images together; its
//! result is transformed back:
//!
//! ```text
//!   x ─ bordered ─▶ 6×6 tiles ─ Bᵀ·B ─▶ V [36][tiles][in] ┐
//!                                                          ├ 36 products ─▶ M [36][tiles][32] ─ Aᵀ·A ─▶ 4×4
//!   w ─────────────────────── G·Gᵀ ──▶ U [36][in][out]    ┘    (32 output channels at a time)      outputs
//! ```
//!
//! A chunk of tiles is as large as fits in the L2 cache. Borders and sizes that are not divisible by 4 are
//! handled by the bordered copy: outputs past the edge are computed and dropped.
//!
//! The input gradient is the same on flipped weights; the weight gradient ([`weight`]) takes the same steps
//! backwards, dU = Σ Vᵀ · (A dy Aᵀ) over all tiles.
//!
//! Rounding error: with Winograd's magnitude |Aᵀ| [(|G| |w| |Gᵀ|) ⊙ (|Bᵀ| |x| |B|)] |A|, which is up to a
//! hundred times |x| ∗ |w|, |error| ≤ (in + 30)·ε·magnitude to first order. On random data the error is about
//! four times that of the direct algorithm.

mod forward;
mod points;
mod tiling;
pub(crate) mod transform;
mod weight;

pub(crate) use forward::{Convolve, TransformWeights};
pub(crate) use tiling::{Tiling, n_tasks, weights_block_len, weights_len};
pub(crate) use weight::BackwardWeight;

/// The kernel size that the algorithm supports.
pub(crate) const KERNEL_SIZE: [usize; 2] = [transform::TAPS, transform::TAPS];
