//! The arguments of a layer, visited for printing or parsing.

use std::fmt;

use autograd::Var;

use super::parse::{ESCAPES, Given, Value as GivenValue, Written, is_word};
use super::{ConfigError, Registry, Value};
use crate::layer::{Child, Layer};

/// The visitor to which [`Describe::describe`](super::Describe::describe) passes the layer's arguments.
pub struct Args<'a> {
    visit: Visit<'a>,
    /// The names of the arguments so far.
    names: Vec<&'static str>,
}

enum Visit<'a> {
    Write {
        /// Whether arguments that PyTorch does not print are written too.
        in_full: bool,
        args: Vec<String>,
        children: Vec<(String, String)>,
    },
    Read {
        kind: &'static str,
        written: &'a Written,
        is_used: Vec<bool>,
        /// The names of the child layers so far.
        layers: Vec<String>,
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
        let visit = Visit::Read { kind, written, is_used, layers: Vec::new(), registry, error: None };
        Self { visit, names: Vec::new() }
    }

    /// A required argument written without its name, `Conv2d(3, 32, …`.
    pub fn positional<T: Value>(&mut self, name: &'static str, place: &mut T) {
        self.argument(name, place, None, |value| Some(value.write()));
    }

    /// A required argument written with its name, `Linear(in_features=784, …`.
    pub fn named<T: Value>(&mut self, name: &'static str, place: &mut T) {
        self.argument(name, place, None, |value| Some(format!("{name}={}", value.write())));
    }

    /// An argument that is always written but optional on reading.
    pub fn shown<T: Value>(&mut self, name: &'static str, place: &mut T, default: T) {
        self.argument(name, place, Some(default), |value| Some(format!("{name}={}", value.write())));
    }

    /// An argument that is written if it differs from the default.
    pub fn option<T: Value + PartialEq + Clone>(&mut self, name: &'static str, place: &mut T, default: T) {
        self.argument(name, place, Some(default.clone()), |value| {
            (*value != default).then(|| format!("{name}={}", value.write()))
        });
    }

    /// Same as [`named`](Self::named), but written as a `V`.
    pub fn named_as<V: Value + From<T> + Into<T>, T: Copy>(&mut self, name: &'static str, place: &mut T) {
        let mut value = V::from(*place);
        self.named(name, &mut value);
        *place = value.into();
    }

    /// Same as [`shown`](Self::shown), but written as a `V`.
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

    /// Same as [`option`](Self::option), but written as a `V`.
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

    /// Same as [`option`](Self::option), but read only by name.
    pub fn keyword<T: Value + PartialEq + Clone>(&mut self, name: &'static str, place: &mut T, default: T) {
        self.argument_of(name, place, Some(default.clone()), false, |value| {
            (*value != default).then(|| format!("{name}={}", value.write()))
        });
    }

    /// Same as [`keyword`](Self::keyword), but written as a `V`.
    pub fn keyword_as<V: Value + From<T> + Into<T> + PartialEq + Clone, T: Copy>(
        &mut self,
        name: &'static str,
        place: &mut T,
        default: T,
    ) {
        let mut value = V::from(*place);
        self.keyword(name, &mut value, V::from(default));
        *place = value.into();
    }

    /// Reports that the arguments read are not a valid combination.
    pub fn refuse(&mut self, why: &str) {
        if let Visit::Read { kind, written, error, .. } = &mut self.visit {
            error.get_or_insert(ConfigError::new(written.line, format!("{kind}: {why}")));
        }
    }

    /// An argument that PyTorch does not print, such as the weight initialisation: written only in full
    /// output and if it differs from the default; read only by name.
    pub fn hidden<T: Value + PartialEq + Clone>(&mut self, name: &'static str, place: &mut T, default: T) {
        let in_full = matches!(self.visit, Visit::Write { in_full: true, .. });
        self.argument_of(name, place, Some(default.clone()), false, |value| {
            (in_full && *value != default).then(|| format!("{name}={}", value.write()))
        });
    }

    /// A PyTorch argument that can only have this value here: not written; on reading, any other value is an
    /// error.
    pub fn only<T: Value + PartialEq + Clone>(&mut self, name: &'static str, value: T) {
        let mut place = value.clone();
        self.argument(name, &mut place, Some(value.clone()), |_| None);
        if place != value
            && let Visit::Read { kind, written, error, .. } = &mut self.visit
        {
            let message = format!("{kind} supports only {name}={}", value.write());
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

    /// An argument that has only this value here and must be given, since leaving it out means another one to
    /// PyTorch; `why` completes the error.
    pub fn stated(&mut self, name: &'static str, value: &str, why: &str) {
        let mut place = String::new();
        self.argument(name, &mut place, Some(String::new()), |_| Some(format!("{name}={value}")));
        if let Visit::Read { kind, written, error, .. } = &mut self.visit
            && place != value
        {
            let message = format!("{kind} needs {name}={value}: {why}");
            error.get_or_insert(ConfigError::new(written.line, message));
        }
    }

    /// A required child layer.
    pub fn child<X: 'static, L: Within<X>>(&mut self, child: &mut Child<L>) {
        let name = child.name.clone();
        match self.visit_child(&name, Some(&child.layer), true) {
            Some(layer) => child.layer = layer,
            None => self.missing(&format!("the layer `({name}): …`")),
        }
    }

    /// An optional child layer; read only by name.
    pub fn optional_child<X: 'static, L: Within<X>>(&mut self, name: &str, child: &mut Option<Child<L>>) {
        if let Some(layer) = self.visit_child(name, child.as_ref().map(|child| &child.layer), false) {
            *child = Some(Child::new(name, layer));
        }
    }

    /// The layer that this one wraps, which has no name.
    pub fn wrapped<X: 'static>(&mut self, layer: &mut Box<dyn Layer<X>>) {
        match &mut self.visit {
            Visit::Write { in_full, args, .. } => args.push(text(layer, *in_full)),
            Visit::Read { .. } => match self.visit_child("layer", Some(&*layer), true) {
                Some(read) => *layer = read,
                None => self.missing("a layer"),
            },
        }
    }

    /// All other child layers; one without a name is named by its position.
    pub fn children<X: 'static, L: Within<X>>(&mut self, children: &mut Vec<Child<L>>) {
        match &mut self.visit {
            Visit::Write { in_full, children: out, .. } => {
                out.extend(children.iter().map(|child| (child.name.clone(), text(&child.layer, *in_full))));
            }
            Visit::Read { written, is_used, layers, registry, error, .. } => {
                let n_before =
                    is_used.iter().zip(&written.args).filter(|(used, arg)| **used && arg.is_layer());
                let n_before = n_before.count();
                for (given, is_used) in written.args.iter().zip(is_used).filter(|(_, is_used)| !**is_used) {
                    *is_used = true;
                    let name = given.name.clone().unwrap_or_else(|| (n_before + children.len()).to_string());
                    if layers.contains(&name) {
                        let message = format!("two layers are named `{name}`");
                        error.get_or_insert(ConfigError::new(given.line, message));
                        continue;
                    }
                    layers.push(name.clone());
                    match registry.layer_of(given).and_then(|layer| L::from_layer(layer, given.line)) {
                        Ok(layer) => children.push(Child::new(name, layer)),
                        Err(e) => {
                            error.get_or_insert(e);
                        }
                    }
                }
            }
        }
    }

    /// Writes a child layer that takes other inputs.
    pub(crate) fn write_child(&mut self, name: &str, layer: &dyn fmt::Debug) {
        if let Visit::Write { in_full, children, .. } = &mut self.visit {
            children.push((name.to_owned(), text(layer, *in_full)));
        }
    }

    /// The first child layer, which takes different inputs from the rest.
    pub(super) fn first<X: 'static>(&mut self) -> Result<Child<Box<dyn Layer<X>>>, ConfigError> {
        let Visit::Read { kind, written, is_used, layers, registry, .. } = &mut self.visit else {
            unreachable!("a first layer is only read")
        };
        let Some(i) = written.args.iter().position(Given::is_layer) else {
            let first = registry.names_over::<X>().join(", ");
            let message = format!("{kind} needs a first layer; the layers that take its input are {first}");
            return Err(ConfigError::new(written.line, message));
        };
        is_used[i] = true;
        let name = written.args[i].name.clone().unwrap_or_else(|| "0".to_owned());
        layers.push(name.clone());
        Ok(Child::new(name, registry.layer_of(&written.args[i])?))
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
                let by_name =
                    args.iter().position(|given| !given.is_child && given.name.as_deref() == Some(name));
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

    /// Writes the layer, or returns the one read.
    fn visit_child<X: 'static, L: Within<X>>(
        &mut self,
        name: &str,
        layer: Option<&L>,
        by_place: bool,
    ) -> Option<L> {
        match &mut self.visit {
            Visit::Write { in_full, children, .. } => {
                children.extend(layer.map(|layer| (name.to_owned(), text(layer, *in_full))));
                layer.cloned()
            }
            Visit::Read { written, is_used, layers, registry, error, .. } => {
                let args = &written.args;
                let by_name = args.iter().position(|given| given.name.as_deref() == Some(name));
                let next = || (0..args.len()).find(|&i| !is_used[i] && args[i].name.is_none());
                let i = by_name.or_else(|| if by_place { next() } else { None })?;
                is_used[i] = true;
                layers.push(name.to_owned());
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

    /// Checks that every argument given was read.
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
            (Some(name), _) if written.args[i].is_child => format!("{kind} has no layer `{name}`"),
            (Some(name), _) => format!("{kind} has no argument `{name}`; {known}"),
            (None, GivenValue::Text(text)) => format!("{kind} has no argument for `{text}`; {known}"),
            (None, GivenValue::Layer(layer)) => {
                format!("{kind} does not accept a layer here, found {}", layer.kind)
            }
        };
        Err(ConfigError::new(written.args[i].line, message))
    }

    pub(crate) fn write(self, kind: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Visit::Write { in_full, args, children } = self.visit else { return Ok(()) };
        let args = args.join(", ");
        if children.is_empty() {
            return write!(f, "{kind}({args})");
        }
        let args = (!args.is_empty()).then(|| format!("\n  {args}"));
        let as_read = |name: String| if in_full { quoted(name) } else { name };
        write_children(f, kind, args, children.into_iter().map(|(name, text)| (as_read(name), text)))
    }
}

/// The name of a child as it is read: in quotes unless it is a word, with the escapes that it needs.
fn quoted(name: String) -> String {
    if is_word(&name) {
        return name;
    }
    let mark = if name.contains('\'') { '"' } else { '\'' };
    let escaped = |c: char| match ESCAPES.iter().find(|(_, meant)| *meant == c) {
        Some((letter, _)) if !"'\"".contains(c) || c == mark => format!("\\{letter}"),
        _ => c.to_string(),
    };
    format!("{mark}{}{mark}", name.chars().map(escaped).collect::<String>())
}

/// Writes a layer as PyTorch does: its name, a line of options, if any, and an indented line for each child.
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

/// The types a child with the input `X` may have: one kind of layer, or any layer that takes an `X`.
pub trait Within<X = Var>: Layer<X> + Clone {
    /// Converts the layer read to this kind.
    ///
    /// # Errors
    /// When it is of another kind.
    fn from_layer(layer: Box<dyn Layer<X>>, line: usize) -> Result<Self, ConfigError>;
}

impl<X: 'static> Within<X> for Box<dyn Layer<X>> {
    fn from_layer(layer: Box<dyn Layer<X>>, _: usize) -> Result<Self, ConfigError> {
        Ok(layer)
    }
}

impl<X: 'static, L: super::Describe + Layer<X>> Within<X> for L {
    fn from_layer(layer: Box<dyn Layer<X>>, line: usize) -> Result<Self, ConfigError> {
        let any: &dyn std::any::Any = &*layer;
        let found = any.downcast_ref::<L>().cloned();
        found.ok_or_else(|| ConfigError::new(line, format!("expected {}, found {layer:?}", L::NAME)))
    }
}
