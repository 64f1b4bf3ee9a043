//! Activation functions and their gradients.
//!
//! `x_forward(y, x)` writes y = f(x); `x_backward(dx, dy, …, β)` writes dx = β·dx + dy · f′, from the output
//! if that is enough, otherwise from the input. All of them propagate NaN, and panic when the lengths differ.
//!
//! Relative errors of the forwards, with ε = 2⁻²⁴: sigmoid 5 ε, tanh 4 ε, GELU 8 ε, leaky ReLU ε, ReLU none.
//!
//! The others are functions of one number with their slopes, which [`crate::elementwise`] turns into loops.

mod functions;
pub(crate) mod fused;
mod gelu;
mod glu;
pub(crate) mod reference;

use crate::Beta;
use crate::elementwise::{exp, map, zip};
pub use functions::{
    EluFactors, elu, elu_slope, gelu_tanh, gelu_tanh_slope, hard_sigmoid, hard_sigmoid_slope, hard_swish,
    hard_swish_slope, hard_tanh, hard_tanh_slope, ln_1p_exp, log_sigmoid, log_sigmoid_slope, mish,
    mish_slope, silu, silu_slope, softplus, softplus_slope,
};
pub use fused::Activation;
pub(crate) use fused::{Function, with_function};
pub use gelu::{gelu, gelu_slope};
pub use glu::{glu_backward, glu_forward};

/// ReLU: y = max(x, 0).
#[track_caller]
pub fn relu_forward(y: &mut [f32], x: &[f32]) {
    // Not `max`, which would turn NaN into 0.
    map(y, x, Beta::Zero, |x| if x < 0.0 { 0.0 } else { x });
}

/// The gradient of ReLU from its output (or its input, which gives the same): dx = β·dx + (dy where y > 0).
/// At 0 it is 0.
#[track_caller]
pub fn relu_backward(dx: &mut [f32], dy: &[f32], y: &[f32], beta: Beta) {
    zip(dx, dy, y, beta, |dy, y| if y <= 0.0 { 0.0 } else { dy });
}

/// Leaky ReLU: y = x where x > 0, slope · x elsewhere.
#[track_caller]
pub fn leaky_relu_forward(y: &mut [f32], x: &[f32], slope: f32) {
    map(y, x, Beta::Zero, |x| if x > 0.0 { x } else { slope * x });
}

/// The gradient of leaky ReLU from its input; at 0 it is the slope.
#[track_caller]
pub fn leaky_relu_backward(dx: &mut [f32], dy: &[f32], x: &[f32], slope: f32, beta: Beta) {
    zip(dx, dy, x, beta, |dy, x| if x > 0.0 { dy } else { slope * dy });
}

/// The logistic function: y = 1 / (1 + exp(−x)).
#[track_caller]
pub fn sigmoid_forward(y: &mut [f32], x: &[f32]) {
    map(y, x, Beta::Zero, sigmoid);
}

/// The gradient of the logistic function from its output: dx = β·dx + dy · y · (1 − y).
#[track_caller]
pub fn sigmoid_backward(dx: &mut [f32], dy: &[f32], y: &[f32], beta: Beta) {
    zip(dx, dy, y, beta, |dy, y| dy * y * (1.0 - y));
}

/// The logistic function of one number, without overflow at either end.
#[inline]
pub fn sigmoid(x: f32) -> f32 {
    // exp of a negative number only, so it cannot overflow and small results keep their relative accuracy.
    let e = exp(-x.abs());
    if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
}

/// The hyperbolic tangent.
#[track_caller]
pub fn tanh_forward(y: &mut [f32], x: &[f32]) {
    map(y, x, Beta::Zero, tanh);
}

/// The hyperbolic tangent of one number, to within 2 ulp; several times faster than the C library's.
#[inline]
pub(crate) fn tanh(x: f32) -> f32 {
    // Near 0, where 1 − exp(−2x) cancels, a Chebyshev fit of tanh(x) / x in x² up to 0.625.
    const FIT: [f32; 5] = [-0.006_096_714, 0.020_997_18, -0.053_850_91, 0.133_327_7, -0.333_333_3];
    let square = x * x;
    let near_zero = x + x * square * FIT.iter().fold(0.0, |sum, c| sum * square + c);
    let e = exp(-2.0 * x.abs());
    let elsewhere = ((1.0 - e) / (1.0 + e)).copysign(x);
    if x.abs() < 0.625 { near_zero } else { elsewhere }
}

/// The gradient of the hyperbolic tangent from its output: dx = β·dx + dy · (1 − y²).
#[track_caller]
pub fn tanh_backward(dx: &mut [f32], dy: &[f32], y: &[f32], beta: Beta) {
    zip(dx, dy, y, beta, |dy, y| dy * (1.0 - y * y));
}

/// GELU in its exact form: y = x · Φ(x), with Φ the normal distribution function (Hendrycks and Gimpel 2016).
#[track_caller]
pub fn gelu_forward(y: &mut [f32], x: &[f32]) {
    map(y, x, Beta::Zero, gelu);
}

/// The gradient of GELU from its input: dx = β·dx + dy · (Φ(x) + x · φ(x)), with φ the normal density.
#[track_caller]
pub fn gelu_backward(dx: &mut [f32], dy: &[f32], x: &[f32], beta: Beta) {
    zip(dx, dy, x, beta, |dy, x| dy * gelu_slope(x));
}
