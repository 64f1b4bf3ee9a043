//! The layers of this crate by name, for networks that are parsed from text.

use std::str::FromStr;

use autograd::{Indices, Var};

use crate::config::{ConfigError, Describe, Registry, read};
use crate::layers::*;
use crate::models::basic_block::BasicBlock;
use crate::sequential::{Sequential, SequentialOver};

/// A registry with more layers: one line for each.
macro_rules! with {
    ($registry:expr; $($layer:ty),+ $(,)?) => { $registry$(.with::<$layer>())+ };
}

impl Registry {
    /// Creates a registry of the layers of this crate.
    pub fn new() -> Self {
        let registry = with![Self::empty();
            AdaptiveAvgPool1d,
            AdaptiveAvgPool2d,
            AdaptiveMaxPool1d,
            AdaptiveMaxPool2d,
            AvgPool1d,
            AvgPool2d,
            BasicBlock,
            BatchNorm1d,
            BatchNorm2d,
            CELU,
            CircularPad1d,
            CircularPad2d,
            ConstantPad1d,
            ConstantPad2d,
            Conv1d,
            Conv2d,
            ConvTranspose1d,
            ConvTranspose2d,
            Dropout,
            Dropout2d,
            ELU,
            GELU,
            GLU,
            GRU,
            GlobalAvgPool2d,
            GroupNorm,
            Hardsigmoid,
            Hardswish,
            Hardtanh,
            Identity,
            InstanceNorm2d,
            LSTM,
            LayerNorm,
            LeakyReLU,
            LearnedPositions,
            Linear,
            LocalResponseNorm,
            LogSigmoid,
            LogSoftmax,
            MaxPool1d,
            MaxPool2d,
            Mish,
            MultiheadAttention,
            PReLU,
            Parallel,
            PixelShuffle,
            PixelUnshuffle,
            RMSNorm,
            RNN,
            ReLU,
            ReLU6,
            Recompute,
            ReflectionPad1d,
            ReflectionPad2d,
            ReplicationPad1d,
            ReplicationPad2d,
            Residual,
            RotaryPositions,
            SELU,
            Scale,
            Sequential,
            SiLU,
            Sigmoid,
            SinusoidalPositions,
            Softmax,
            Softplus,
            StochasticDepth,
            Tanh,
            TransformerEncoder,
            TransformerEncoderLayer,
            Unflatten,
            Upsample,
            ZeroPad1d,
            ZeroPad2d,
        ]
        .with_over::<Indices, Embedding>()
        .with_over::<(Var, Var), Recompute<(Var, Var)>>()
        .with_over::<(Var, Var), TransformerDecoder>()
        .with_over::<(Var, Var), TransformerDecoderLayer>();
        // Flatten from an axis other than 1 is a separate layer.
        registry.insert::<Var>(FlattenFrom::NAME, |written, registry| {
            Ok(read::<FlattenFrom>(written, registry)?.boxed())
        })
    }

    /// Parses the network described by a text.
    ///
    /// # Errors
    /// When the text is not a valid network; the error names the line.
    pub fn read(&self, text: &str) -> Result<Sequential, ConfigError> {
        self.read_as(text)
    }

    /// Parses the network described by a text, whose first layer takes an `X`: tokens ([`Indices`]), two
    /// tensors (`(Var, Var)`), or what the layers take that [`with_over`](Self::with_over) added.
    ///
    /// # Errors
    /// Same as [`read`](Self::read).
    pub fn read_over<X: 'static>(&self, text: &str) -> Result<SequentialOver<X>, ConfigError> {
        let (first, rest) = self.read_first(text)?;
        Ok(SequentialOver { first, rest })
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

/// Parses the output of [`Sequential::config`] and of PyTorch's `print`: see [`config`](crate::config).
impl FromStr for Sequential {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Registry::new().read(text)
    }
}

/// Parses a network over tokens, or one over two tensors, in the same way as a [`Sequential`].
impl<X: 'static> FromStr for SequentialOver<X> {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Registry::new().read_over(text)
    }
}
