//! Activations: the functions between layers, without parameters except for [`PReLU`].

use autograd::{Graph, Role, Var};
use tensor::activation::Activation;

use crate::config::{Args, Describe, Value, described};
use crate::layer::{Handle, Layer, Scope};

/// Defines layers without parameters. Each is given once: its name, its options in PyTorch's order with
/// PyTorch's defaults, or PyTorch's options that have only one value here, and what it records.
macro_rules! activations {
    () => {};
    ($(#[$doc:meta])* $Name:ident [$($fixed:ident = $value:literal),*] => |$g:ident, $x:ident| $y:expr; $($rest:tt)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $Name;

        impl Layer for $Name {
            fn forward(&self, $g: &Graph<'_>, $x: Var) -> Var {
                $y
            }
        }

        impl Describe for $Name {
            const NAME: &str = stringify!($Name);

            fn blank() -> Self {
                Self
            }

            fn describe(&mut self, args: &mut Args<'_>) {
                $(args.constant(stringify!($fixed), stringify!($value));)*
                args.only("inplace", false);
            }
        }

        described!($Name);

        activations!($($rest)*);
    };
    (
        $(#[$doc:meta])*
        $Name:ident { $($option:ident: $Type:ty = $default:expr),+ } => |$g:ident, $x:ident| $y:expr; $($rest:tt)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $Name {
            $($option: $Type),+
        }

        impl $Name {
            #[doc = concat!("PyTorch's defaults:" $(, " `", stringify!($option), " = ", stringify!($default), "`")+, ".")]
            pub const fn new($($option: $Type),+) -> Self {
                Self { $($option),+ }
            }
        }

        impl Default for $Name {
            fn default() -> Self {
                Self::new($($default),+)
            }
        }

        impl Layer for $Name {
            fn forward(&self, $g: &Graph<'_>, $x: Var) -> Var {
                let Self { $($option),+ } = *self;
                $y
            }
        }

        impl Describe for $Name {
            const NAME: &str = stringify!($Name);

            fn blank() -> Self {
                Self::default()
            }

            fn describe(&mut self, args: &mut Args<'_>) {
                $(args.shown(stringify!($option), &mut self.$option, $default);)+
                args.only("inplace", false);
            }
        }

        described!($Name);

        activations!($($rest)*);
    };
}

activations! {
    /// `max(0, x)`; NaN passes through.
    ReLU [] => |g, x| g.relu(x);

    /// `x` clamped to [0, 6].
    ReLU6 [] => |g, x| g.relu6(x);

    /// `x` where positive, `negative_slope · x` elsewhere.
    LeakyReLU { negative_slope: f32 = 0.01 } => |g, x| g.leaky_relu(x, negative_slope);

    /// `x` where positive, `alpha · (eˣ − 1)` elsewhere. Clevert et al., "Fast and Accurate Deep Network
    /// Learning by Exponential Linear Units", 2015.
    ELU { alpha: f32 = 1.0 } => |g, x| g.elu(x, alpha);

    /// `1.0507 · ELU(x)` with `alpha = 1.6733`, which preserves mean 0 and variance 1 from layer to layer.
    /// Klambauer et al., "Self-Normalizing Neural Networks", 2017.
    SELU [] => |g, x| g.selu(x);

    /// `x` where positive, `alpha · (exp(x / alpha) − 1)` elsewhere. Barron, "Continuously Differentiable
    /// Exponential Linear Units", 2017.
    CELU { alpha: f32 = 1.0 } => |g, x| g.celu(x, alpha);

    /// `x · Φ(x)` with Φ the distribution function of the standard normal, computed with the exact error
    /// function or approximately. Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
    GELU { approximate: Approximate = Approximate::None } => |g, x| match approximate {
        Approximate::None => g.gelu(x),
        Approximate::Tanh => g.gelu_tanh(x),
    };

    /// `x · σ(x)`, also called swish. Elfwing, Uchibe and Doya, "Sigmoid-Weighted Linear Units", 2018.
    SiLU [] => |g, x| g.silu(x);

    /// `x · tanh(ln(1 + eˣ))`. Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019.
    Mish [] => |g, x| g.mish(x);

    /// `ln(1 + exp(beta · x)) / beta` if `beta · x` is at most `threshold`, `x` above.
    Softplus { beta: f32 = 1.0, threshold: f32 = 20.0 } => |g, x| g.softplus(x, beta, threshold);

    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid [] => |g, x| g.sigmoid(x);

    /// `ln σ(x)`, without overflow.
    LogSigmoid [] => |g, x| g.log_sigmoid(x);

    /// `(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)`.
    Tanh [] => |g, x| g.tanh(x);

    /// `x` clamped to `[min_val, max_val]`.
    Hardtanh { min_val: f32 = -1.0, max_val: f32 = 1.0 } => |g, x| g.hardtanh(x, min_val, max_val);

    /// `x / 6 + ½` clamped to [0, 1].
    Hardsigmoid [] => |g, x| g.hardsigmoid(x);

    /// `x · hardsigmoid(x)`. Howard et al., "Searching for MobileNetV3", 2019.
    Hardswish [] => |g, x| g.hardswish(x);

    /// `a · σ(b)`, where `a` and `b` are the halves of the last axis: `[.., 2n]` to `[.., n]`. Dauphin et
    /// al., "Language Modeling with Gated Convolutional Networks", 2017.
    GLU [dim = -1] => |g, x| g.glu(x);

    /// `eˣ / Σ eˣ` over the last axis, for images the channels.
    Softmax [dim = -1] => |g, x| g.softmax(x);

    /// `x − ln Σ eˣ` over the last axis, for images the channels.
    LogSoftmax [dim = -1] => |g, x| g.log_softmax(x);

    /// `x`: a placeholder for another layer.
    Identity [] => |_g, x| x;
}

/// How [`GELU`] computes Φ(x).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Approximate {
    /// With the error function.
    #[default]
    None,
    /// As ½ · (1 + tanh(√(2/π) · (x + 0.044715 · x³))).
    Tanh,
}

impl GELU {
    /// The same, for ops with a fused activation.
    pub(crate) fn as_activation(self) -> Activation {
        match self.approximate {
            Approximate::None => Activation::Gelu,
            Approximate::Tanh => Activation::GeluTanh,
        }
    }
}

/// `x` where positive, `weight · x` elsewhere: a leaky ReLU that learns its slope.
///
/// The parameter `weight` has one number, or one for each channel (the last axis), initially 0.25. He et al.,
/// "Delving Deep into Rectifiers", 2015.
#[derive(Clone)]
#[must_use]
pub struct PReLU {
    num_parameters: usize,
    init: f32,
    weight: Handle,
}

impl PReLU {
    /// Creates a layer with 1 slope, or one for each of `num_parameters` channels.
    pub fn new(num_parameters: usize) -> Self {
        Self { num_parameters, init: 0.25, weight: Handle::default() }
    }

    /// Sets the initial value of the slopes; the default is 0.25.
    pub fn init(mut self, init: f32) -> Self {
        self.init = init;
        self
    }
}

impl Default for PReLU {
    fn default() -> Self {
        Self::new(1)
    }
}

impl Layer for PReLU {
    fn register(&mut self, scope: &mut Scope<'_>) {
        let init = self.init;
        self.weight =
            scope.param("weight", [self.num_parameters], Role::Trainable, |values, _| values.fill(init));
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.prelu(x, g.param(self.weight.id(self)))
    }
}

impl Value for Approximate {
    const EXPECTED: &str = "'none' or 'tanh'";

    fn write(&self) -> String {
        if *self == Self::None { "'none'" } else { "'tanh'" }.to_owned()
    }

    fn read(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "tanh" => Some(Self::Tanh),
            _ => None,
        }
    }
}

impl Describe for PReLU {
    const NAME: &str = "PReLU";

    fn blank() -> Self {
        Self::default()
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.shown("num_parameters", &mut self.num_parameters, 1);
        args.hidden("init", &mut self.init, 0.25);
    }
}

described!(PReLU);
