//! The layers that can be parsed.

use std::collections::BTreeMap;

use autograd::{Indices, Var};

use super::parse::{Given, Value, Written, parse};
use super::{Args, ConfigError, Describe};
use crate::layer::Layer;
use crate::layers::*;
use crate::sequential::{Sequential, SequentialOver};

/// The layers that a configuration may contain: those of this crate, and custom ones.
#[derive(Clone)]
pub struct Registry {
    readers: BTreeMap<&'static str, Reader<Var>>,
    /// The readers of layers over tokens.
    token_readers: BTreeMap<&'static str, Reader<Indices>>,
}

type Reader<X> = fn(&Written, &Registry) -> Result<Box<dyn Layer<X>>, ConfigError>;

fn read<L: Describe>(written: &Written, registry: &Registry) -> Result<L, ConfigError> {
    let (mut layer, mut args) = (L::blank(), Args::reading(L::NAME, written, registry));
    layer.describe(&mut args);
    args.finish()?;
    let check = layer.check();
    check.map_err(|message| ConfigError::new(written.line, format!("{}: {message}", L::NAME)))?;
    Ok(layer)
}

/// A table of readers: one line for each layer.
macro_rules! layers {
    ($($layer:ty),+ $(,)?) => { Self { readers: BTreeMap::new(), token_readers: BTreeMap::new() }$(.with::<$layer>())+ };
}

impl Registry {
    /// Creates a registry of the layers of this crate that take one tensor or tokens: all but those of the
    /// transformer's decoder.
    pub fn new() -> Self {
        let mut registry = layers![
            AdaptiveAvgPool2d,
            AdaptiveMaxPool2d,
            AvgPool1d,
            AvgPool2d,
            BasicBlock,
            BatchNorm1d,
            BatchNorm2d,
            CELU,
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
            ReflectionPad2d,
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
            ZeroPad2d,
        ]
        .with_tokens::<Embedding>();
        // Flatten from an axis other than 1 is a separate layer.
        let flatten: Reader<Var> = |written, registry| Ok(read::<FlattenFrom>(written, registry)?.boxed());
        registry.readers.insert(FlattenFrom::NAME, flatten);
        registry
    }

    /// Adds a layer.
    pub fn with<L: Describe + Layer>(mut self) -> Self {
        self.readers.insert(L::NAME, |written, registry| Ok(Box::new(read::<L>(written, registry)?)));
        self
    }

    /// Adds a layer over tokens.
    pub fn with_tokens<L: Describe + Layer<Indices>>(mut self) -> Self {
        self.token_readers.insert(L::NAME, |written, registry| Ok(Box::new(read::<L>(written, registry)?)));
        self
    }

    /// Parses the network described by a text.
    ///
    /// # Errors
    /// When the text is not a valid network; the error names the line.
    pub fn read(&self, text: &str) -> Result<Sequential, ConfigError> {
        read(&parse(text)?, self)
    }

    /// Parses the network over tokens described by a text.
    ///
    /// # Errors
    /// Same as [`read`](Self::read).
    pub fn read_over_tokens(&self, text: &str) -> Result<SequentialOver<Indices>, ConfigError> {
        let written = parse(text)?;
        let mut args = Args::reading(Sequential::NAME, &written, self);
        let first = args.first(|given| self.layer_in(&self.token_readers, given))?;
        let mut rest = Sequential::blank();
        rest.describe(&mut args);
        args.finish()?;
        Ok(SequentialOver { first, rest })
    }

    /// Returns the names of the layers.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.readers.keys().chain(self.token_readers.keys()).copied()
    }

    pub(super) fn layer_of(&self, given: &Given) -> Result<Box<dyn Layer>, ConfigError> {
        self.layer_in(&self.readers, given)
    }

    fn layer_in<X>(
        &self,
        readers: &BTreeMap<&'static str, Reader<X>>,
        given: &Given,
    ) -> Result<Box<dyn Layer<X>>, ConfigError> {
        match &given.value {
            Value::Layer(written) => self.layer(readers, written),
            // A layer without arguments needs no brackets.
            Value::Text(kind) => {
                self.layer(readers, &Written { kind: kind.clone(), args: Vec::new(), line: given.line })
            }
        }
    }

    fn layer<X>(
        &self,
        readers: &BTreeMap<&'static str, Reader<X>>,
        written: &Written,
    ) -> Result<Box<dyn Layer<X>>, ConfigError> {
        let Some(read) = readers.get(written.kind.as_str()) else {
            let known: Vec<_> = readers.keys().copied().collect();
            let message = format!("unknown layer `{}`; the layers are {}", written.kind, known.join(", "));
            return Err(ConfigError::new(written.line, message));
        };
        read(written, self)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}
