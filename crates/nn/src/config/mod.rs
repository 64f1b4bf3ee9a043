//! Networks as text: what `{:?}` prints, as PyTorch does, can be read again.
//!
//! Each layer says once, in [`Describe::describe`], which arguments it has. From that come the way it prints and the way it
//! is read. `{net:?}` leaves out what PyTorch leaves out and [`Sequential::config`](crate::Sequential::config) nothing:
//! it also tells how weights begin.
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
//! What PyTorch prints of a network of its own is read too, as long as it consists of layers that are here. One layer
//! stands on a line; a bar or a comma may stand between two on the same. What follows a `#` is a remark.
//! [`Registry`] reads networks in which there are layers of yours; [`SequentialOver`](crate::SequentialOver) those that begin
//! with tokens.

mod args;
mod parse;
mod registry;
mod value;

use std::fmt;

pub use args::Args;
pub(crate) use args::write_children;
pub use registry::Registry;
pub(crate) use value::names;
pub use value::{One, Sizes, Value};

/// A layer that says its name and its arguments, once for printing and for reading.
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
    /// The name that it is written by.
    const NAME: &str;

    /// A layer whose arguments [`describe`](Self::describe) will fill.
    fn blank() -> Self;

    /// Names each argument, in the order of the constructor's, and lends its place.
    fn describe(&mut self, args: &mut Args<'_>);

    /// Whether the arguments that were read can be: else a sentence that says what must hold.
    ///
    /// # Errors
    /// When they cannot.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Writes the `Debug` of layers that [`Describe`](crate::config::Describe) themselves.
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

/// Writes a layer as its [`Describe`] says; everything that it says with `{:#?}`.
///
/// # Errors
/// When the formatter has one.
pub fn write<L: Describe>(layer: &L, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut args = Args::writing(f.alternate());
    layer.clone().describe(&mut args);
    args.write(L::NAME, f)
}

/// Why a text is no configuration, and on which of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The line, from 1.
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
