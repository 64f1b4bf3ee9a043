//! The layers.

mod activation;
mod affine;
mod conv2d;
mod dropout;
mod flatten;
mod linear;
mod norm;
mod pair;
mod pool;
mod recompute;
mod recurrent;
mod residual;
mod sequence;

pub use activation::{
    Approximate, CELU, ELU, GELU, GLU, Hardsigmoid, Hardswish, Hardtanh, Identity, LeakyReLU, LogSigmoid,
    LogSoftmax, Mish, PReLU, ReLU, ReLU6, SELU, SiLU, Sigmoid, Softmax, Softplus, Tanh,
};
pub use conv2d::Conv2d;
pub use dropout::{Dropout, Dropout2d, StochasticDepth};
pub use flatten::Flatten;
pub use linear::Linear;
pub use norm::{
    BatchNorm, BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm2d, LayerNorm, LocalResponseNorm, RMSNorm,
};
pub use pair::Pair;
pub use pool::{AvgPool2d, GlobalAvgPool2d, MaxPool2d};
pub use recompute::Recompute;
pub use recurrent::{
    CarriedState, GRU, GruCell, LSTM, LstmCell, RNN, Recurrent, RecurrentCell, RnnCell, Sequences, State,
};
pub use residual::Residual;
pub use sequence::{
    Embedding, Masks, MultiheadAttention, RotaryPositions, SinusoidalPositions, TransformerActivation,
    TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer,
};
