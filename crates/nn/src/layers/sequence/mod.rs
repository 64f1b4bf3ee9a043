//! Layers over sequences of tokens, `[n, t, features]`.

mod attention;
mod decoder;
mod embedding;
mod encoder;
mod feed_forward;
mod positions;
mod stack;

pub use attention::{Masks, MultiheadAttention};
pub use decoder::{TransformerDecoder, TransformerDecoderLayer};
pub use embedding::Embedding;
pub use encoder::{TransformerEncoder, TransformerEncoderLayer};
pub use feed_forward::TransformerActivation;
pub use positions::{LearnedPositions, RotaryPositions, SinusoidalPositions};
