//! The layers.

mod activation;
mod affine;
mod conv1d;
mod conv2d;
mod conv_padding;
mod conv_transpose2d;
mod dropout;
mod flatten;
mod last_axis;
mod linear;
mod norm;
mod pad;
mod pair;
mod parallel;
mod parameter;
mod pool;
mod recompute;
mod recurrent;
mod residual;
mod resize;
mod scale;
mod sequence;
mod unread;

pub use activation::{
    Approximate, CELU, ELU, GELU, GLU, Hardsigmoid, Hardswish, Hardtanh, Identity, LeakyReLU, LogSigmoid,
    LogSoftmax, Mish, PReLU, ReLU, ReLU6, SELU, SiLU, Sigmoid, Softmax, Softplus, Tanh,
};
pub use conv_padding::PaddingMode;
pub use conv_transpose2d::ConvTranspose2d;
pub use conv1d::{Conv1d, ConvTranspose1d};
pub use conv2d::Conv2d;
pub use dropout::{Dropout, Dropout2d, StochasticDepth};
pub use flatten::{Flatten, FlattenFrom, Unflatten};
pub use linear::Linear;
pub use norm::{
    BatchNorm, BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm2d, LayerNorm, LocalResponseNorm, RMSNorm,
};
pub use pad::{
    Border, CircularPad1d, CircularPad2d, ConstantPad1d, ConstantPad2d, ReflectionPad1d, ReflectionPad2d,
    ReplicationPad1d, ReplicationPad2d, ZeroPad1d, ZeroPad2d,
};
pub use pair::Pair;
pub use parallel::Parallel;
pub use parameter::Parameter;
pub use pool::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d, AvgPool1d, AvgPool2d,
    GlobalAvgPool2d, MaxPool1d, MaxPool2d,
};
pub use recompute::{Recompute, Tensors};
pub use recurrent::{
    CarriedState, GRU, GruCell, LSTM, LstmCell, RNN, Recurrent, RecurrentCell, RnnCell, Sequences, State,
};
pub use residual::Residual;
pub use resize::{PixelShuffle, PixelUnshuffle, Upsample};
pub use scale::Scale;
pub use sequence::{
    Embedding, LearnedPositions, Masks, MultiheadAttention, RotaryPositions, SinusoidalPositions,
    TransformerActivation, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder,
    TransformerEncoderLayer,
};
