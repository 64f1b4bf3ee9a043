//! The layers that can be parsed.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::Arc;

use autograd::Var;

use super::parse::{Given, Value, Written, parse};
use super::{Args, ConfigError, Describe};
use crate::layer::{Child, Layer};

/// The layers that a configuration may contain: those of this crate, and custom ones.
#[derive(Clone)]
pub struct Registry {
    /// The [`Reader`] of each layer, by its name and the type of its input.
    readers: BTreeMap<(&'static str, TypeId), Arc<dyn Any + Send + Sync>>,
}

/// The first layer of a network, which takes an `X`.
type First<X> = Child<Box<dyn Layer<X>>>;

type Reader<X> = fn(&Written, &Registry) -> Result<Box<dyn Layer<X>>, ConfigError>;

/// Reads a layer by its [`Describe`].
pub(crate) fn read<L: Describe>(written: &Written, registry: &Registry) -> Result<L, ConfigError> {
    let (mut layer, mut args) = (L::blank(), Args::reading(L::NAME, written, registry));
    layer.describe(&mut args);
    args.finish()?;
    let check = layer.check();
    check.map_err(|message| ConfigError::new(written.line, format!("{}: {message}", L::NAME)))?;
    Ok(layer)
}

impl Registry {
    /// Creates a registry without layers.
    pub(crate) fn empty() -> Self {
        Self { readers: BTreeMap::new() }
    }

    /// Adds a layer.
    pub fn with<L: Describe + Layer>(self) -> Self {
        self.with_over::<Var, L>()
    }

    /// Adds a layer whose input is not one tensor: tokens ([`Indices`](autograd::Indices)), two tensors
    /// (`(Var, Var)`), or anything else.
    pub fn with_over<X: 'static, L: Describe + Layer<X>>(self) -> Self {
        self.insert::<X>(L::NAME, |written, registry| Ok(Box::new(read::<L>(written, registry)?)))
    }

    /// Adds a layer by the function that reads it.
    pub(crate) fn insert<X: 'static>(mut self, name: &'static str, reader: Reader<X>) -> Self {
        self.readers.insert((name, TypeId::of::<X>()), Arc::new(reader));
        self
    }

    /// Parses the layers of a text as those of an `L`.
    pub(crate) fn read_as<L: Describe>(&self, text: &str) -> Result<L, ConfigError> {
        read(&parse(text)?, self)
    }

    /// Parses the layers of a text: the first, which takes an `X`, and the others as those of an `L`.
    pub(crate) fn read_first<X: 'static, L: Describe>(
        &self,
        text: &str,
    ) -> Result<(First<X>, L), ConfigError> {
        let written = parse(text)?;
        let mut args = Args::reading(L::NAME, &written, self);
        let first = args.first()?;
        let mut rest = L::blank();
        rest.describe(&mut args);
        args.finish()?;
        Ok((first, rest))
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
