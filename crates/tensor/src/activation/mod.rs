//! Activation functions and their gradients.
//!
//! `x_forward(y, x)` writes y = f(x); `x_backward(dx, dy, …, β)` writes dx = β·dx + dy · f′, from the output
//! where that is enough and from the input elsewhere. NaN passes through all of them. All panic when the
//! lengths differ.
//!
//! Relative errors of the forwards, with ε = 2⁻²⁴: sigmoid 5 ε, tanh 4 ε, GELU 3 ε, leaky ReLU ε, ReLU none.
//!
//! The others are functions of one number with their slopes, of which [`crate::elementwise`] makes loops.

mod functions;
mod glu;
pub(crate) mod reference;

use std::f32::consts::PI;
use std::f64::consts::{FRAC_1_SQRT_2, LOG2_E};

use crate::Beta;
use crate::elementwise::{exp, map, zip};
pub use functions::{
    EluFactors, elu, elu_slope, gelu_tanh, gelu_tanh_slope, hard_sigmoid, hard_sigmoid_slope, hard_swish,
    hard_swish_slope, hard_tanh, hard_tanh_slope, ln_1p_exp, log_sigmoid, log_sigmoid_slope, mish,
    mish_slope, silu, silu_slope, softplus, softplus_slope,
};
pub use glu::{glu_backward, glu_forward};

/// ReLU: y = max(x, 0).
#[track_caller]
pub fn relu_forward(y: &mut [f32], x: &[f32]) {
    // Not `max`, which would turn NaN into 0.
    map(y, x, Beta::Zero, |x| if x < 0.0 { 0.0 } else { x });
}

/// The gradient of ReLU from its output (or its input, they agree): dx = β·dx + (dy where y > 0). At 0 it is 0.
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
    // exp of a negative number only: it cannot overflow, and small results keep their relative accuracy.
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

/// GELU, the exact form: y = x · Φ(x), Φ the normal distribution function (Hendrycks and Gimpel 2016).
#[track_caller]
pub fn gelu_forward(y: &mut [f32], x: &[f32]) {
    map(y, x, Beta::Zero, |x| x * normal_cdf(x));
}

/// The gradient of GELU from its input: dx = β·dx + dy · (Φ(x) + x · φ(x)), φ the normal density.
#[track_caller]
pub fn gelu_backward(dx: &mut [f32], dy: &[f32], x: &[f32], beta: Beta) {
    zip(dx, dy, x, beta, |dy, x| {
        let density = exp(-0.5 * x * x) / (2.0 * PI).sqrt();
        dy * (normal_cdf(x) + x * density)
    });
}

/// Φ(x), the normal distribution function, to within 2 ulp also far down the left tail.
#[inline(always)]
fn normal_cdf(x: f32) -> f32 {
    // Chebyshev fit of exp(z²)·erfc(z) / t in t = 2 / (2 + z) over all z ≥ 0; its error is below 3e-10.
    const FIT: [f64; 14] = [
        0.023364277448922,
        -0.186737425244736,
        0.643111669802994,
        -1.221893853702264,
        1.346938159821804,
        -0.825584563809458,
        0.293188455520782,
        -0.155872409024209,
        0.014586739547804,
        0.08140016630552,
        0.176482873651921,
        0.246826223560393,
        0.282094894579072,
        0.282094791511911,
    ];
    let z = f64::from(x).abs() * FRAC_1_SQRT_2;
    let t = 2.0 / (2.0 + z);
    let tail = 0.5 * exp_f64(-z * z) * t * FIT.iter().fold(0.0, |sum, c| sum * t + c);
    (if x < 0.0 { tail } else { 1.0 - tail }) as f32
}

/// eˣ of x ≤ 0, of a relative error of at most 2e-15, without a call, so that loops around it are vectorised; as good
/// as 0 below −708.
#[inline(always)]
fn exp_f64(x: f64) -> f64 {
    // As `elementwise::exp`: x = n ln 2 + r, eˣ = 2ⁿ eʳ. The first part of ln 2 has few bits: its product with n is exact.
    const LN_2: [f64; 2] = [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10];
    const ROUND: f64 = 1.5 * (1_u64 << 52) as f64;
    // A minimax fit of (eʳ − 1 − r) / r² with an error of 9e-16 in eʳ.
    const FIT: [f64; 9] = [
        2.761379555451986e-07,
        2.7625102005388108e-06,
        2.4801536409064087e-05,
        0.0001984120875699232,
        0.0013888888905871347,
        0.008333333353717156,
        0.041666666666651364,
        0.16666666666648303,
        0.5,
    ];
    let x = if x < -708.0 { -708.0 } else { x };
    let rounded = x * LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let e_r = 1.0 + (r + r * r * FIT.iter().fold(0.0, |sum, c| sum * r + c));
    e_r * f64::from_bits((rounded.to_bits() + 1023) << 52)
}
