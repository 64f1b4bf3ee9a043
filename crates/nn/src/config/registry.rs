//! Which layers can be read.

use std::any::Any;
use std::collections::BTreeMap;

use super::parse::{Given, Value, Written, parse};
use super::{Args, ConfigError, Describe};
use crate::layer::Layer;
use crate::layers::*;
use crate::sequential::Sequential;

/// The layers that a configuration may consist of: those of this crate, and yours.
#[derive(Clone)]
pub struct Registry {
    readers: BTreeMap<&'static str, Reader>,
}

type Reader = fn(&Written, &Registry) -> Result<Box<dyn Layer>, ConfigError>;

/// A table of readers: one line for each layer.
macro_rules! layers {
    ($($layer:ty),+ $(,)?) => { Registry { readers: BTreeMap::new() }$(.with::<$layer>())+ };
}

impl Registry {
    /// The layers of this crate.
    pub fn new() -> Self {
        layers![Linear, Recompute, Residual, Sequential]
    }

    /// These and another.
    pub fn with<L: Describe>(mut self) -> Self {
        self.readers.insert(L::NAME, |written, registry| {
            let (mut layer, mut args) = (L::blank(), Args::reading(L::NAME, written, registry));
            layer.describe(&mut args);
            args.finish()?;
            let check = layer.check();
            check.map_err(|message| ConfigError::new(written.line, format!("{}: {message}", L::NAME)))?;
            Ok(Box::new(layer))
        });
        self
    }

    /// The network that a text describes.
    ///
    /// # Errors
    /// When it describes none; the error names the line.
    pub fn read(&self, text: &str) -> Result<Sequential, ConfigError> {
        let layer: Box<dyn Any> = self.layer(&parse(text)?)?;
        Ok(*layer.downcast::<Sequential>().expect("what is parsed is a Sequential"))
    }

    /// The names of the layers.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.readers.keys().copied()
    }

    pub(super) fn layer_of(&self, given: &Given) -> Result<Box<dyn Layer>, ConfigError> {
        match &given.value {
            Value::Layer(written) => self.layer(written),
            // A layer without arguments needs no brackets.
            Value::Text(kind) => {
                self.layer(&Written { kind: kind.clone(), args: Vec::new(), line: given.line })
            }
        }
    }

    fn layer(&self, written: &Written) -> Result<Box<dyn Layer>, ConfigError> {
        let Some(read) = self.readers.get(written.kind.as_str()) else {
            let known: Vec<_> = self.names().collect();
            let message = format!("there is no layer `{}`; there are {}", written.kind, known.join(", "));
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
