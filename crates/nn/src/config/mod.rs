//! Networks as text, in PyTorch's format: written by [`Sequential::config`](crate::Sequential::config), and
//! parsed.
//!
//! Each layer lists its arguments once, in [`Describe::describe`], for both printing and parsing. `config`
//! omits only what is at its default. `{net:?}` also omits what PyTorch does not print, such as the weight
//! initialisation and the sizes of attention and transformer layers; a network without these can be parsed
//! from it.
//!
//! ```
//! use nn::{Linear, ReLU, Sequential};
//! let net: Sequential = "Linear(784, 128) | Linear(128, 10)".parse()?;
//! assert_eq!(format!("{net:?}"), "Sequential(
//!   (0): Linear(in_features=784, out_features=128, bias=True)
//!   (1): Linear(in_features=128, out_features=10, bias=True)
//! )");
//! let again: Sequential = net.config().parse()?;
//! assert_eq!(again.config(), net.config());
//!
//! let error = "Linear(784, 128)\nLinear(128, 10, bais=False)".parse::<Sequential>().unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "line 2: Linear has no argument `bais`; it has in_features, out_features, bias, weight_init, bias_value"
//! );
//! # Ok::<(), nn::config::ConfigError>(())
//! ```
//!
//! Networks printed by PyTorch can be parsed too, if all their layers and options exist here and the sizes
//! are printed; `inplace=True` is refused, for example, and an `LSTM` without `batch_first=True`. Axes and
//! shapes, such as those of `Unflatten` and `LayerNorm`, are read in this crate's order, with channels last.
//! There is one layer per line; layers on the same line are separated by a bar or a comma. A `#` starts a
//! comment. A layer's name that has spaces or other marks is written in quotes, `('block 1'): …`, in which
//! `\n`, `\r`, `\'`, `\"` and `\\` are those of Python. [`Registry`] parses networks with custom layers;
//! [`SequentialOver`](crate::SequentialOver) parses those whose input is tokens or two tensors.

mod args;
mod parse;
mod registry;
mod value;

use std::fmt;

pub use args::Args;
pub(crate) use args::{Within, write_children};
pub use registry::Registry;
pub(crate) use registry::read;
pub(crate) use value::names;
pub use value::{One, Sizes, Value};

/// A layer that describes its name and arguments once, for both printing and parsing.
///
/// ```
/// use autograd::{Graph, Var};
/// use nn::config::{Args, Describe, Registry, described};
/// use nn::{Layer, Sequential};
///
/// /// y = s · x
/// #[derive(Clone)]
/// struct Times {
///     s: f32,
/// }
///
/// impl Layer for Times {
///     fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
///         g.scale(x, self.s)
///     }
/// }
///
/// impl Describe for Times {
///     const NAME: &str = "Times";
///     fn blank() -> Self {
///         Self { s: 1.0 }
///     }
///     fn describe(&mut self, args: &mut Args<'_>) {
///         args.named("s", &mut self.s);
///     }
/// }
///
/// described!(Times); // its Debug
///
/// let registry = Registry::new().with::<Times>();
/// let net: Sequential = registry.read("Times(s=0.5) | Linear(2, 3)")?;
/// assert_eq!(format!("{net:?}").lines().nth(1), Some("  (0): Times(s=0.5)"));
/// # Ok::<(), nn::config::ConfigError>(())
/// ```
pub trait Describe: Clone + fmt::Debug + 'static {
    /// The name under which it is written.
    const NAME: &str;

    /// Returns a layer whose arguments [`describe`](Self::describe) fills in.
    fn blank() -> Self;

    /// Passes each argument's name and a reference to it, in the order of the constructor.
    fn describe(&mut self, args: &mut Args<'_>);

    /// Checks that the arguments read are valid.
    ///
    /// # Errors
    /// When they are not: a sentence that states the requirement.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Implements `Debug` for layers that implement [`Describe`](crate::config::Describe).
#[macro_export]
macro_rules! described {
    ($($layer:ty),+ $(,)?) => {$(
        impl std::fmt::Debug for $layer {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::config::write(self, f)
            }
        }
    )+};
}
pub use described;

/// Writes a layer according to its [`Describe`]; with `{:#?}`, also the arguments that PyTorch does not
/// print.
///
/// # Errors
/// When the formatter fails.
pub fn write<L: Describe>(layer: &L, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut args = Args::writing(f.alternate());
    layer.clone().describe(&mut args);
    args.write(L::NAME, f)
}

/// Why a text is not a valid configuration, and on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The line number, starting at 1.
    pub line: usize,
    message: String,
}

impl ConfigError {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ConfigError {}
