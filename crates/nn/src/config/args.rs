//! The arguments of a layer, visited to be written or to be read.

use std::fmt;

use super::parse::{Given, Value as GivenValue, Written};
use super::{ConfigError, Registry, Value};
use crate::layer::{Child, Layer};

/// What [`Describe::describe`](super::Describe::describe) shows its arguments to.
pub struct Args<'a> {
    visit: Visit<'a>,
    /// The names of the arguments so far.
    names: Vec<&'static str>,
}

enum Visit<'a> {
    Write {
        /// Whether what PyTorch does not print is written too.
        in_full: bool,
        args: Vec<String>,
        children: Vec<(String, String)>,
    },
    Read {
        kind: &'static str,
        written: &'a Written,
        is_used: Vec<bool>,
        registry: &'a Registry,
        error: Option<ConfigError>,
    },
}

impl<'a> Args<'a> {
    pub(crate) fn writing(in_full: bool) -> Self {
        Self { visit: Visit::Write { in_full, args: Vec::new(), children: Vec::new() }, names: Vec::new() }
    }

    pub(super) fn reading(kind: &'static str, written: &'a Written, registry: &'a Registry) -> Self {
        let is_used = vec![false; written.args.len()];
        Self { visit: Visit::Read { kind, written, is_used, registry, error: None }, names: Vec::new() }
    }

    /// An argument that is written without its name, `Conv2d(3, 32, …`; it must be given.
    pub fn positional<T: Value>(&mut self, name: &'static str, place: &mut T) {
        self.argument(name, place, None, |value| Some(value.write()));
    }

    /// An argument that is written with its name, `Linear(in_features=784, …`; it must be given.
    pub fn named<T: Value>(&mut self, name: &'static str, place: &mut T) {
        self.argument(name, place, None, |value| Some(format!("{name}={}", value.write())));
    }

    /// An argument that is always written, and may be left out where one is read.
    pub fn shown<T: Value>(&mut self, name: &'static str, place: &mut T, default: T) {
        self.argument(name, place, Some(default), |value| Some(format!("{name}={}", value.write())));
    }

    /// An argument that is written where it is not the default.
    pub fn option<T: Value + PartialEq + Clone>(&mut self, name: &'static str, place: &mut T, default: T) {
        self.argument(name, place, Some(default.clone()), |value| {
            (*value != default).then(|| format!("{name}={}", value.write()))
        });
    }

    /// As [`named`](Self::named), written in the form of `V`.
    pub fn named_as<V: Value + From<T> + Into<T>, T: Copy>(&mut self, name: &'static str, place: &mut T) {
        let mut value = V::from(*place);
        self.named(name, &mut value);
        *place = value.into();
    }

    /// As [`shown`](Self::shown), written in the form of `V`.
    pub fn shown_as<V: Value + From<T> + Into<T>, T: Copy>(
        &mut self,
        name: &'static str,
        place: &mut T,
        default: T,
    ) {
        let mut value = V::from(*place);
        self.shown(name, &mut value, V::from(default));
        *place = value.into();
    }

    /// As [`option`](Self::option), written in the form of `V`.
    pub fn option_as<V: Value + From<T> + Into<T> + PartialEq + Clone, T: Copy>(
        &mut self,
        name: &'static str,
        place: &mut T,
        default: T,
    ) {
        let mut value = V::from(*place);
        self.option(name, &mut value, V::from(default));
        *place = value.into();
    }

    /// As [`option`](Self::option), read by its name only.
    pub fn keyword<T: Value + PartialEq + Clone>(&mut self, name: &'static str, place: &mut T, default: T) {
        self.argument_of(name, place, Some(default.clone()), false, |value| {
            (*value != default).then(|| format!("{name}={}", value.write()))
        });
    }

    /// Says that the arguments that were read do not go together.
    pub fn refuse(&mut self, why: &str) {
        if let Visit::Read { kind, written, error, .. } = &mut self.visit {
            error.get_or_insert(ConfigError::new(written.line, format!("{kind}: {why}")));
        }
    }

    /// An argument that PyTorch does not print, such as how a weight begins: written in full only, where it is not the
    /// default; read by its name only.
    pub fn hidden<T: Value + PartialEq + Clone>(&mut self, name: &'static str, place: &mut T, default: T) {
        let in_full = matches!(self.visit, Visit::Write { in_full: true, .. });
        self.argument_of(name, place, Some(default.clone()), false, |value| {
            (in_full && *value != default).then(|| format!("{name}={}", value.write()))
        });
    }

    /// An argument of PyTorch's that has only this value here: not written, and read where it is no other.
    pub fn only<T: Value + PartialEq + Clone>(&mut self, name: &'static str, value: T) {
        let mut place = value.clone();
        self.argument(name, &mut place, Some(value.clone()), |_| None);
        if place != value
            && let Visit::Read { kind, written, error, .. } = &mut self.visit
        {
            let message = format!("{kind} is here with {name}={} only", value.write());
            error.get_or_insert(ConfigError::new(written.line, message));
        }
        self.names.pop();
    }

    /// An argument that is always written and has only this value.
    pub fn constant(&mut self, name: &'static str, value: &str) {
        match &mut self.visit {
            Visit::Write { args, .. } => args.push(format!("{name}={value}")),
            Visit::Read { .. } => self.only(name, value.to_owned()),
        }
    }

    /// A layer within, which must be given.
    pub fn child<L: Within>(&mut self, child: &mut Child<L>) {
        let name = child.name.clone();
        match self.visit_child(&name, Some(&child.layer), true) {
            Some(layer) => child.layer = layer,
            None => self.missing(&format!("the layer `({name}): …`")),
        }
    }

    /// A layer within that may be missing; it is read by its name only.
    pub fn optional_child<L: Within>(&mut self, name: &str, child: &mut Option<Child<L>>) {
        if let Some(layer) = self.visit_child(name, child.as_ref().map(|child| &child.layer), false) {
            *child = Some(Child::new(name, layer));
        }
    }

    /// The layer that this one wraps, and which has no name of its own.
    pub fn wrapped(&mut self, layer: &mut Box<dyn Layer>) {
        match &mut self.visit {
            Visit::Write { in_full, args, .. } => args.push(text(layer, *in_full)),
            Visit::Read { .. } => match self.visit_child("layer", Some(&*layer), true) {
                Some(read) => *layer = read,
                None => self.missing("a layer"),
            },
        }
    }

    /// All other layers within; where one has no name, it is called by its position.
    pub fn children<L: Within>(&mut self, children: &mut Vec<Child<L>>) {
        match &mut self.visit {
            Visit::Write { in_full, children: out, .. } => {
                out.extend(children.iter().map(|child| (child.name.clone(), text(&child.layer, *in_full))));
            }
            Visit::Read { written, is_used, registry, error, .. } => {
                let n_before =
                    is_used.iter().zip(&written.args).filter(|(used, arg)| **used && arg.is_layer());
                let n_before = n_before.count();
                for (given, is_used) in written.args.iter().zip(is_used).filter(|(_, is_used)| !**is_used) {
                    *is_used = true;
                    let name = given.name.clone().unwrap_or_else(|| (n_before + children.len()).to_string());
                    match registry.layer_of(given).and_then(|layer| L::from_layer(layer, given.line)) {
                        _ if children.iter().any(|child| child.name == name) => {
                            let message = format!("there are two layers called `{name}`");
                            error.get_or_insert(ConfigError::new(given.line, message));
                        }
                        Ok(layer) => children.push(Child::new(name, layer)),
                        Err(e) => {
                            error.get_or_insert(e);
                        }
                    }
                }
            }
        }
    }

    /// The text of a layer within that is over other inputs.
    pub(crate) fn write_child(&mut self, name: &str, layer: &dyn fmt::Debug) {
        if let Visit::Write { in_full, children, .. } = &mut self.visit {
            children.push((name.to_owned(), text(layer, *in_full)));
        }
    }

    /// The first layer within, which is over other inputs than the rest.
    pub(super) fn first<X: 'static>(
        &mut self,
        read: impl FnOnce(&Given) -> Result<Box<dyn Layer<X>>, ConfigError>,
    ) -> Result<Child<Box<dyn Layer<X>>>, ConfigError> {
        let Visit::Read { kind, written, is_used, .. } = &mut self.visit else {
            unreachable!("a first layer is only read")
        };
        let Some(i) = written.args.iter().position(Given::is_layer) else {
            return Err(ConfigError::new(written.line, format!("{kind} needs a layer over tokens")));
        };
        is_used[i] = true;
        let name = written.args[i].name.clone().unwrap_or_else(|| "0".to_owned());
        Ok(Child::new(name, read(&written.args[i])?))
    }

    fn argument<T: Value>(
        &mut self,
        name: &'static str,
        place: &mut T,
        default: Option<T>,
        write: impl FnOnce(&T) -> Option<String>,
    ) {
        self.argument_of(name, place, default, true, write);
    }

    fn argument_of<T: Value>(
        &mut self,
        name: &'static str,
        place: &mut T,
        default: Option<T>,
        by_place: bool,
        write: impl FnOnce(&T) -> Option<String>,
    ) {
        self.names.push(name);
        match &mut self.visit {
            Visit::Write { args, .. } => args.extend(write(place)),
            Visit::Read { kind, written, is_used, error, .. } => {
                let args = &written.args;
                let text = |given: &'a Given| match &given.value {
                    GivenValue::Text(text) => Some(text),
                    GivenValue::Layer(_) => None,
                };
                let by_name = args.iter().position(|given| given.name.as_deref() == Some(name));
                let next = || {
                    (0..args.len())
                        .find(|&i| !is_used[i] && args[i].name.is_none() && text(&args[i]).is_some())
                };
                let found = by_name.or_else(|| if by_place { next() } else { None });
                match (found, default) {
                    (Some(i), _) => {
                        is_used[i] = true;
                        let value = text(&args[i]).and_then(|text| T::read(text));
                        let Some(value) = value else {
                            let found =
                                text(&args[i]).map_or("a layer".to_owned(), |text| format!("`{text}`"));
                            let message = format!("{kind}: `{name}` is {found}, expected {}", T::EXPECTED);
                            error.get_or_insert(ConfigError::new(args[i].line, message));
                            return;
                        };
                        *place = value;
                    }
                    (None, Some(default)) => *place = default,
                    (None, None) => self.missing(&format!("`{name}`")),
                }
            }
        }
    }

    /// Writes the layer, or gives back the one that is read.
    fn visit_child<L: Within>(&mut self, name: &str, layer: Option<&L>, by_place: bool) -> Option<L> {
        match &mut self.visit {
            Visit::Write { in_full, children, .. } => {
                children.extend(layer.map(|layer| (name.to_owned(), text(layer, *in_full))));
                layer.cloned()
            }
            Visit::Read { written, is_used, registry, error, .. } => {
                let args = &written.args;
                let by_name = args.iter().position(|given| given.name.as_deref() == Some(name));
                let next = || (0..args.len()).find(|&i| !is_used[i] && args[i].name.is_none());
                let i = by_name.or_else(|| if by_place { next() } else { None })?;
                is_used[i] = true;
                match registry.layer_of(&args[i]).and_then(|layer| L::from_layer(layer, args[i].line)) {
                    Ok(layer) => Some(layer),
                    Err(e) => {
                        error.get_or_insert(e);
                        layer.cloned()
                    }
                }
            }
        }
    }

    fn missing(&mut self, what: &str) {
        if let Visit::Read { kind, written, error, .. } = &mut self.visit {
            error.get_or_insert(ConfigError::new(written.line, format!("{kind} needs {what}")));
        }
    }

    /// Whether everything that was given was read.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        let Visit::Read { kind, written, is_used, error, .. } = self.visit else { return Ok(()) };
        if let Some(error) = error {
            return Err(error);
        }
        let Some(i) = is_used.iter().position(|is_used| !is_used) else { return Ok(()) };
        let known = match self.names[..] {
            [] => "it has none".to_owned(),
            _ => format!("it has {}", self.names.join(", ")),
        };
        let message = match (&written.args[i].name, &written.args[i].value) {
            (Some(name), _) => format!("{kind} has no argument `{name}`; {known}"),
            (None, GivenValue::Text(text)) => format!("{kind} has no argument for `{text}`; {known}"),
            (None, GivenValue::Layer(layer)) => format!("{kind} takes no layer such as {}", layer.kind),
        };
        Err(ConfigError::new(written.args[i].line, message))
    }

    pub(crate) fn write(self, kind: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Visit::Write { args, children, .. } = self.visit else { return Ok(()) };
        let args = args.join(", ");
        if children.is_empty() {
            return write!(f, "{kind}({args})");
        }
        let args = (!args.is_empty()).then(|| format!("\n  {args}"));
        write_children(f, kind, args, children)
    }
}

/// Writes a layer as PyTorch does: its name, a line of options if it has any, and a line for each child, indented.
pub(crate) fn write_children<N: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    kind: &str,
    args: Option<String>,
    children: impl IntoIterator<Item = (N, String)>,
) -> fmt::Result {
    let children =
        children.into_iter().map(|(name, text)| format!("\n  ({name}): {}", text.replace('\n', "\n  ")));
    let lines: String = args.into_iter().chain(children).collect();
    write!(f, "{kind}({lines}\n)")
}

fn text(layer: &dyn fmt::Debug, in_full: bool) -> String {
    if in_full { format!("{layer:#?}") } else { format!("{layer:?}") }
}

/// What a child may be: a layer of one kind, or any.
pub trait Within: Layer + Clone {
    /// The layer that was read, if it is of this kind.
    ///
    /// # Errors
    /// When it is of another.
    fn from_layer(layer: Box<dyn Layer>, line: usize) -> Result<Self, ConfigError>;
}

impl Within for Box<dyn Layer> {
    fn from_layer(layer: Box<dyn Layer>, _: usize) -> Result<Self, ConfigError> {
        Ok(layer)
    }
}

impl<L: super::Describe + Layer> Within for L {
    fn from_layer(layer: Box<dyn Layer>, line: usize) -> Result<Self, ConfigError> {
        let any: &dyn std::any::Any = &*layer;
        let found = any.downcast_ref::<L>().cloned();
        found.ok_or_else(|| ConfigError::new(line, format!("{layer:?} where {} is due", L::NAME)))
    }
}
