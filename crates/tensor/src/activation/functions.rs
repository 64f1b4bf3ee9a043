//! Activation functions of one number, and their slopes; loops over them, as in [`crate::elementwise`], are
//! kernels.
//!
//! At kinks they use the same slope as PyTorch. All of them propagate NaN. [`elu`] with its three factors is
//! ELU, SELU and CELU; [`hard_tanh`] from 0 to 6 is ReLU6.

use super::sigmoid;
use crate::elementwise::{exp, exp_m1, ln_1p};

/// SiLU: x · σ(x). Elfwing, Uchibe and Doya 2018. Relative error 6 ε.
#[inline]
pub fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

/// The slope of [`silu`]: σ(x) · (1 + x · (1 − σ(x))).
#[inline]
pub fn silu_slope(x: f32) -> f32 {
    let y = sigmoid(x);
    y * (1.0 + x * (1.0 - y))
}

/// ln(1 + eˣ), without overflow. Relative error 4 ε.
#[inline]
pub fn ln_1p_exp(x: f32) -> f32 {
    // Not `max`, which would turn NaN into 0.
    (if x < 0.0 { 0.0 } else { x }) + ln_1p(exp(-x.abs()))
}

/// Softplus: ln(1 + exp(β·x)) / β where β·x is at most the threshold, x above.
#[inline]
pub fn softplus(x: f32, beta: f32, threshold: f32) -> f32 {
    if beta * x > threshold { x } else { ln_1p_exp(beta * x) / beta }
}

/// The slope of [`softplus`]: σ(β·x), and 1 above the threshold.
#[inline]
pub fn softplus_slope(x: f32, beta: f32, threshold: f32) -> f32 {
    if beta * x > threshold { 1.0 } else { sigmoid(beta * x) }
}

/// ln σ(x). Relative error 4 ε.
#[inline]
pub fn log_sigmoid(x: f32) -> f32 {
    -ln_1p_exp(-x)
}

/// The slope of [`log_sigmoid`]: σ(−x).
#[inline]
pub fn log_sigmoid_slope(x: f32) -> f32 {
    sigmoid(-x)
}

/// Mish: x · tanh(ln(1 + eˣ)). Misra 2019. Relative error 8 ε.
#[inline]
pub fn mish(x: f32) -> f32 {
    x * tanh_softplus(x)
}

/// The slope of [`mish`]: t + x · (1 − t²) · σ(x), with t = tanh(ln(1 + eˣ)).
#[inline]
pub fn mish_slope(x: f32) -> f32 {
    let t = tanh_softplus(x);
    t + x * (1.0 - t * t) * sigmoid(x)
}

/// tanh(ln(1 + eˣ)) = ((1 + eˣ)² − 1) / ((1 + eˣ)² + 1).
#[inline]
fn tanh_softplus(x: f32) -> f32 {
    // Numerator and denominator, divided by e²ˣ for positive x: no power overflows, no difference cancels.
    let e = exp(-x.abs());
    let numerator = if x < 0.0 { e * (e + 2.0) } else { 1.0 + 2.0 * e };
    let more = if x < 0.0 { 2.0 } else { 2.0 * e * e };
    numerator / (numerator + more)
}

/// GELU in its tanh form: ½ · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))). Hendrycks and Gimpel 2016.
#[inline]
pub fn gelu_tanh(x: f32) -> f32 {
    // ½ · (1 + tanh(u)) = σ(2u), which does not cancel.
    x * sigmoid(gelu_tanh_argument(x))
}

/// The slope of [`gelu_tanh`].
#[inline]
pub fn gelu_tanh_slope(x: f32) -> f32 {
    let y = sigmoid(gelu_tanh_argument(x));
    y + x * y * (1.0 - y) * (TWICE_ROOT * (1.0 + 3.0 * CUBIC * x * x))
}

/// 2 · √(2/π).
const TWICE_ROOT: f32 = 1.595_769;
const CUBIC: f32 = 0.044_715;

#[inline]
fn gelu_tanh_argument(x: f32) -> f32 {
    TWICE_ROOT * (x + CUBIC * x * x * x)
}

/// The factors of [`elu`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EluFactors {
    /// The factor α of the exponential side.
    pub alpha: f32,
    /// The factor of the result.
    pub scale: f32,
    /// The factor of x in the exponential.
    pub input_scale: f32,
}

/// scale · x where x is positive, scale · α · (exp(input_scale · x) − 1) elsewhere. Clevert et al. 2015.
/// Relative error 4 ε plus the error from rounding the exponent.
#[inline]
pub fn elu(x: f32, by: EluFactors) -> f32 {
    if x > 0.0 { by.scale * x } else { by.scale * by.alpha * exp_m1(by.input_scale * x) }
}

/// The slope of [`elu`]; at 0, that of the exponential side.
#[inline]
pub fn elu_slope(x: f32, by: EluFactors) -> f32 {
    if x > 0.0 { by.scale } else { by.scale * by.alpha * by.input_scale * exp(by.input_scale * x) }
}

/// Hardtanh: x clamped to `min` and `max`.
#[inline]
pub fn hard_tanh(x: f32, min: f32, max: f32) -> f32 {
    let x = if x < min { min } else { x };
    if x > max { max } else { x }
}

/// The slope of [`hard_tanh`]: 1 between the bounds, 0 at the bounds and beyond.
#[inline]
pub fn hard_tanh_slope(x: f32, min: f32, max: f32) -> f32 {
    if x <= min || x >= max { 0.0 } else { 1.0 }
}

/// Hardsigmoid: x / 6 + ½ clamped to 0 and 1. Courbariaux et al. 2015.
#[inline]
pub fn hard_sigmoid(x: f32) -> f32 {
    hard_tanh(x + 3.0, 0.0, 6.0) / 6.0
}

/// The slope of [`hard_sigmoid`]: 1/6 between −3 and 3, 0 at these bounds and beyond.
#[inline]
pub fn hard_sigmoid_slope(x: f32) -> f32 {
    hard_tanh_slope(x, -3.0, 3.0) / 6.0
}

/// Hardswish: x · hardsigmoid(x). Howard et al. 2019.
#[inline]
pub fn hard_swish(x: f32) -> f32 {
    x * hard_sigmoid(x)
}

/// The slope of [`hard_swish`]: x / 3 + ½ between −3 and 3; 0 below, 1 above.
#[inline]
pub fn hard_swish_slope(x: f32) -> f32 {
    let slope = x / 3.0 + 0.5;
    let slope = if x <= -3.0 { 0.0 } else { slope };
    if x >= 3.0 { 1.0 } else { slope }
}
