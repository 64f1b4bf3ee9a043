//! The layers that can be parsed.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::Arc;

use autograd::{Indices, Var};

use super::parse::{Given, Value, Written, parse};
use super::{Args, ConfigError, Describe};
use crate::layer::Layer;
use crate::layers::*;
use crate::sequential::{Sequential, SequentialOver};

/// The layers that a configuration may contain: those of this crate, and custom ones.
#[derive(Clone)]
pub struct Registry {
    /// The [`Reader`] of each layer, by its name and the type of its input.
    readers: BTreeMap<(&'static str, TypeId), Arc<dyn Any + Send + Sync>>,
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
    ($($layer:ty),+ $(,)?) => { Self { readers: BTreeMap::new() }$(.with::<$layer>())+ };
}

impl Registry {
    /// Creates a registry of the layers of this crate.
    pub fn new() -> Self {
        let registry = layers![
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

    /// Adds a layer.
    pub fn with<L: Describe + Layer>(self) -> Self {
        self.with_over::<Var, L>()
    }

    /// Adds a layer whose input is not one tensor: tokens ([`Indices`]), two tensors (`(Var, Var)`), or
    /// anything else.
    pub fn with_over<X: 'static, L: Describe + Layer<X>>(self) -> Self {
        self.insert::<X>(L::NAME, |written, registry| Ok(Box::new(read::<L>(written, registry)?)))
    }

    fn insert<X: 'static>(mut self, name: &'static str, reader: Reader<X>) -> Self {
        self.readers.insert((name, TypeId::of::<X>()), Arc::new(reader));
        self
    }

    /// Parses the network described by a text.
    ///
    /// # Errors
    /// When the text is not a valid network; the error names the line.
    pub fn read(&self, text: &str) -> Result<Sequential, ConfigError> {
        read(&parse(text)?, self)
    }

    /// Parses the network described by a text, whose first layer takes an `X`: tokens ([`Indices`]), two
    /// tensors (`(Var, Var)`), or what the layers take that [`with_over`](Self::with_over) added.
    ///
    /// # Errors
    /// Same as [`read`](Self::read).
    pub fn read_over<X: 'static>(&self, text: &str) -> Result<SequentialOver<X>, ConfigError> {
        let written = parse(text)?;
        let mut args = Args::reading(Sequential::NAME, &written, self);
        let first = args.first()?;
        let mut rest = Sequential::blank();
        rest.describe(&mut args);
        args.finish()?;
        Ok(SequentialOver { first, rest })
    }

    /// Returns the names of the layers.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.readers.keys().map(|(name, _)| *name)
    }

    /// Returns the names of the layers that take an `X`.
    pub(super) fn names_over<X: 'static>(&self) -> Vec<&'static str> {
        let over_x = |(_, input): &&(&str, TypeId)| *input == TypeId::of::<X>();
        self.readers.keys().filter(over_x).map(|(name, _)| *name).collect()
    }

    pub(super) fn layer_of<X: 'static>(&self, given: &Given) -> Result<Box<dyn Layer<X>>, ConfigError> {
        match &given.value {
            Value::Layer(written) => self.layer(written),
            // A layer without arguments needs no brackets.
            Value::Text(kind) => {
                self.layer(&Written { kind: kind.clone(), args: Vec::new(), line: given.line })
            }
        }
    }

    fn layer<X: 'static>(&self, written: &Written) -> Result<Box<dyn Layer<X>>, ConfigError> {
        let kind = written.kind.as_str();
        let reader = self.readers.get(&(kind, TypeId::of::<X>()));
        match reader.and_then(|reader| reader.downcast_ref::<Reader<X>>()) {
            Some(read) => read(written, self),
            None => Err(ConfigError::new(written.line, self.no_such_layer::<X>(kind))),
        }
    }

    fn no_such_layer<X: 'static>(&self, kind: &str) -> String {
        let layers = self.names_over::<X>().join(", ");
        match self.names().any(|name| name == kind) {
            true => format!("{kind} does not take this input; the layers that do are {layers}"),
            false => format!("unknown layer `{kind}`; the layers are {layers}"),
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}
