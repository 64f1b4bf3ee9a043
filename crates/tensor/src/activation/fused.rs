//! Activations that another kernel applies to its results before writing them.

use super::{gelu, gelu_backward, gelu_slope, gelu_tanh, gelu_tanh_slope, relu_backward, silu, silu_slope};
use crate::Beta;
use crate::elementwise::zip;

/// An activation computed in one pass with the preceding op.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Activation {
    /// max(z, 0); propagates NaN.
    Relu,
    /// z · Φ(z): [`gelu`].
    Gelu,
    /// GELU in its tanh form: [`gelu_tanh`].
    GeluTanh,
    /// z · σ(z): [`silu`].
    Silu,
}

impl Activation {
    /// Whether the gradient can be computed from the output instead of z.
    pub fn is_known_by_output(self) -> bool {
        self == Self::Relu
    }

    /// The gradient from z: dz = β·dz + dy · f′(z), as that of the activation alone.
    ///
    /// # Panics
    /// When the lengths differ.
    #[track_caller]
    pub fn backward(self, dz: &mut [f32], dy: &[f32], z: &[f32], beta: Beta) {
        match self {
            Self::Relu => relu_backward(dz, dy, z, beta),
            Self::Gelu => gelu_backward(dz, dy, z, beta),
            Self::GeluTanh => zip(dz, dy, z, beta, |dy, z| dy * gelu_tanh_slope(z)),
            Self::Silu => zip(dz, dy, z, beta, |dy, z| dy * silu_slope(z)),
        }
    }
}

/// An activation as a type, for which a kernel is compiled; values and gradients are those of the activation
/// alone.
pub(crate) trait Function: Copy + Send + Sync {
    /// y = f(z).
    fn value(self, z: f32) -> f32;

    /// dz = dy · f′(z).
    fn gradient(self, dy: f32, z: f32) -> f32;
}

macro_rules! functions {
    ($($(#[$doc:meta])* $Name:ident => |$dy:ident, $z:ident| $value:expr, $gradient:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $Name;

        impl Function for $Name {
            #[inline(always)]
            fn value(self, $z: f32) -> f32 {
                $value
            }

            #[inline(always)]
            fn gradient(self, $dy: f32, $z: f32) -> f32 {
                $gradient
            }
        }
    )*};
}

functions! {
    /// No activation.
    Identity => |dy, z| z, { let _ = z; dy };
    Relu => |dy, z| if z < 0.0 { 0.0 } else { z }, if z <= 0.0 { 0.0 } else { dy };
    Gelu => |dy, z| gelu(z), dy * gelu_slope(z);
    GeluTanh => |dy, z| gelu_tanh(z), dy * gelu_tanh_slope(z);
    Silu => |dy, z| silu(z), dy * silu_slope(z);
}

/// Evaluates an expression with the type of an optional activation.
macro_rules! with_function {
    ($activation:expr, |$f:ident| $body:expr) => {{
        use $crate::activation::{Activation, fused};
        match $activation {
            None => {
                let $f = fused::Identity;
                $body
            }
            Some(Activation::Relu) => {
                let $f = fused::Relu;
                $body
            }
            Some(Activation::Gelu) => {
                let $f = fused::Gelu;
                $body
            }
            Some(Activation::GeluTanh) => {
                let $f = fused::GeluTanh;
                $body
            }
            Some(Activation::Silu) => {
                let $f = fused::Silu;
                $body
            }
        }
    }};
}
pub(crate) use with_function;
