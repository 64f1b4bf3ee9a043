//! Activation functions against their f64 reference.

mod common;

use common::{check_betas, random};
use proptest::prelude::*;
use tensor::activation::*;
use tensor::elementwise::{exp, exp_m1, ln, ln_1p};
use tensor::reference::{self, assert_within, to_f64};

/// Numbers of every size, signs mixed, and the special points.
fn inputs(seed: u64) -> Vec<f32> {
    let exponents = random(200, seed ^ 1);
    let mut x: Vec<f32> =
        random(200, seed).iter().zip(exponents).map(|(v, e)| v * (6.0 * e).exp2()).collect();
    x.extend([0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 88.0, -88.0, 200.0, -200.0, 1e-30, -1e-30]);
    x
}

fn absolute(x: &[f64]) -> Vec<f64> {
    x.iter().map(|v| v.abs()).collect()
}

type Forward = fn(&mut [f32], &[f32]);
type Reference = fn(&[f64]) -> Vec<f64>;

/// A function of one number with its slope, its specification, and the error allowed in units of ε.
struct Function {
    name: &'static str,
    f: fn(f32) -> f32,
    slope: fn(f32) -> f32,
    reference: fn(f64) -> f64,
    c: f64,
}

const fn function(
    name: &'static str,
    f: fn(f32) -> f32,
    slope: fn(f32) -> f32,
    reference: fn(f64) -> f64,
    c: f64,
) -> Function {
    Function { name, f, slope, reference, c }
}

const SELU: EluFactors = EluFactors { alpha: 1.5, scale: 1.25, input_scale: 0.5 };

#[rustfmt::skip]
const FUNCTIONS: &[Function] = &[
    function("silu", silu, silu_slope, reference::silu, 6.0),
    function("softplus", |x| softplus(x, 2.0, 15.0), |x| softplus_slope(x, 2.0, 15.0), |x| reference::softplus(x, 2.0, 15.0), 6.0),
    function("log_sigmoid", log_sigmoid, log_sigmoid_slope, reference::log_sigmoid, 5.0),
    function("mish", mish, mish_slope, reference::mish, 8.0),
    function("gelu_tanh", gelu_tanh, gelu_tanh_slope, reference::gelu_tanh, 10.0),
    function("elu", |x| elu(x, SELU), |x| elu_slope(x, SELU), |x| reference::elu(x, 1.5, 1.25, 0.5), 6.0),
    function("hard_tanh", |x| hard_tanh(x, -1.5, 2.0), |x| hard_tanh_slope(x, -1.5, 2.0), |x| reference::hard_tanh(x, -1.5, 2.0), 1.0),
    function("hard_sigmoid", hard_sigmoid, hard_sigmoid_slope, reference::hard_sigmoid, 40.0),
    function("hard_swish", hard_swish, hard_swish_slope, reference::hard_swish, 40.0),
];

fn apply(forward: Forward, x: &[f32]) -> Vec<f32> {
    let mut y = vec![f32::NAN; x.len()];
    forward(&mut y, x);
    y
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn forwards_have_a_small_relative_error(seed: u64) {
        let x = inputs(seed);
        let rows: [(Forward, Reference, f64); 5] = [
            (relu_forward, reference::relu_forward, 0.0),
            (|y, x| leaky_relu_forward(y, x, 0.25), |x| reference::leaky_relu_forward(x, 0.25), 0.0),
            (sigmoid_forward, reference::sigmoid_forward, 5.0),
            (tanh_forward, reference::tanh_forward, 4.0),
            (gelu_forward, reference::gelu_forward, 8.0),
        ];
        for (forward, reference, c) in rows {
            let expected = reference(&to_f64(&x));
            assert_within(&apply(forward, &x), &expected, &absolute(&expected), c);
        }
    }

    #[test]
    fn functions_have_a_small_relative_error_and_their_slopes(seed: u64) {
        let x = inputs(seed);
        for Function { name, f, slope, reference, c } in FUNCTIONS {
            // Of large arguments the rounding of the exponent costs its share.
            let y: Vec<f32> = x.iter().map(|&x| f(x)).collect();
            let y64: Vec<f64> = x.iter().map(|&x| reference(x.into())).collect();
            let magnitude: Vec<f64> =
                y64.iter().zip(&x).map(|(y, &x)| y.abs() * (1.0 + f64::from(x.abs().min(100.0)).powi(3) / 16.0)).collect();
            println!("{name}");
            assert_within(&y, &y64, &magnitude, *c);
            for &x in x.iter().filter(|x| x.abs() < 60.0) {
                // Off the kinks, a central difference in f64.
                let at = f64::from(x);
                let h = 1e-6 * (1.0 + at.abs());
                let [before, after] = [-h, h].map(|h| reference(at + h));
                let [left, right] = [(reference(at) - before) / h, (after - reference(at)) / h];
                let expected = (after - before) / (2.0 * h);
                prop_assert!(
                    (f64::from(slope(x)) - expected).abs() <= 2e-6 * (1.0 + expected.abs()) + (right - left).abs(),
                    "{name}: the slope at {x} is {}, not {expected}", slope(x)
                );
            }
        }
    }

    #[test]
    fn glu_gates_one_half_with_the_other(rows in 0..5usize, half in 0..70usize, seed: u64) {
        let x: Vec<f32> = random(2 * rows * half, seed).iter().map(|v| 4.0 * v).collect();
        let dy = random(rows * half, seed + 1);
        let mut y = vec![f32::NAN; rows * half];
        glu_forward(&mut y, &x, half);
        let expected = reference::glu(&to_f64(&x), half);
        assert_within(&y, &expected, &absolute(&expected), 6.0);

        let mut expected = vec![0.0; x.len()];
        for (row, dx) in expected.chunks_exact_mut((2 * half).max(1)).enumerate() {
            for i in 0..half {
                let [a, b] = [x[2 * row * half + i], x[(2 * row + 1) * half + i]].map(f64::from);
                let (dy, gate) = (f64::from(dy[row * half + i]), reference::sigmoid(b));
                (dx[i], dx[half + i]) = (dy * gate, dy * a * gate * (1.0 - gate));
            }
        }
        check_betas(&expected, &vec![4.0; x.len()], 12.0, |dx, beta| glu_backward(dx, &dy, &x, half, beta));
    }

    #[test]
    fn backwards_on_random_inputs(seed: u64) {
        let x = inputs(seed);
        let (x64, dy) = (to_f64(&x), random(x.len(), seed + 1));
        let dy64 = to_f64(&dy);
        let absolute_dy = absolute(&dy64);

        let expected = reference::relu_backward(&dy64, &x64);
        let y = apply(relu_forward, &x);
        check_betas(&expected, &absolute_dy, 0.0, |dx, beta| relu_backward(dx, &dy, &y, beta));
        check_betas(&expected, &absolute_dy, 0.0, |dx, beta| relu_backward(dx, &dy, &x, beta));

        let expected = reference::leaky_relu_backward(&dy64, &x64, 0.25);
        check_betas(&expected, &absolute_dy, 1.0, |dx, beta| leaky_relu_backward(dx, &dy, &x, 0.25, beta));

        // 1 − y and 1 − y² cancel near the ends: the error is relative to dy · y and dy.
        let (expected, y) = (reference::sigmoid_backward(&dy64, &x64), apply(sigmoid_forward, &x));
        let magnitude: Vec<f64> = absolute_dy.iter().zip(&y).map(|(dy, &y)| dy * f64::from(y)).collect();
        check_betas(&expected, &magnitude, 12.0, |dx, beta| sigmoid_backward(dx, &dy, &y, beta));

        let (expected, y) = (reference::tanh_backward(&dy64, &x64), apply(tanh_forward, &x));
        check_betas(&expected, &absolute_dy, 12.0, |dx, beta| tanh_backward(dx, &dy, &y, beta));

        let expected = reference::gelu_backward(&dy64, &x64);
        check_betas(&expected, &absolute_dy, 6.0, |dx, beta| gelu_backward(dx, &dy, &x, beta));
    }
}

/// Compares a function of f32 with its value in f64 at evenly spaced f32, from 0 to infinity and to minus infinity;
/// `EXP_STEP=1` tries each.
fn is_within(name: &str, f: fn(f32) -> f32, reference: fn(f64) -> f64, c: f64) {
    const EPSILON: f64 = f32::EPSILON as f64 / 2.0;
    let step = std::env::var("EXP_STEP").map_or(997, |step| step.parse().expect("EXP_STEP is a number"));
    let (mut worst, mut worst_x) = (0.0_f64, 0.0);
    for x in (0..=f32::INFINITY.to_bits()).step_by(step).map(f32::from_bits).flat_map(|x| [x, -x]) {
        let (y, expected) = (f(x), reference(f64::from(x)));
        if expected.is_nan() {
            assert!(y.is_nan(), "{name}({x}) = {y}");
            continue;
        }
        if expected.abs() > f64::from(f32::MAX) * (1.0 + EPSILON) {
            assert_eq!(y, f32::INFINITY.copysign(expected as f32), "{name}({x})");
            continue;
        }
        // Below the normal numbers the distance from one to the next is the same everywhere.
        let error = (f64::from(y) - expected).abs() / expected.abs().max(f64::from(f32::MIN_POSITIVE));
        assert!(error <= c * EPSILON, "{name}({x}) = {y}, not {expected}");
        if error > worst {
            (worst, worst_x) = (error, x);
        }
    }
    println!("{name}: at worst {:.2} ε, at {worst_x:e}", worst / EPSILON);
}

#[test]
fn exponentials_and_logarithms_are_within_their_bounds() {
    is_within("exp", exp, f64::exp, 1.6);
    is_within("exp_m1", exp_m1, f64::exp_m1, 2.0);
    is_within("ln", ln, f64::ln, 1.4);
    is_within("ln_1p", ln_1p, f64::ln_1p, 2.5);
}

#[test]
fn gelu_and_its_slope_are_within_their_bounds() {
    is_within("gelu", gelu, |x| reference::gelu_forward(&[x])[0], 8.0);
    // The slope has a zero, near which its error is absolute.
    is_within(
        "1 + the slope of gelu",
        |x| 1.0 + gelu_slope(x),
        |x| 1.0 + reference::gelu_backward(&[1.0], &[x])[0],
        4.0,
    );
}

#[test]
fn values_of_the_lecture() {
    let mut y = [0.0; 2];
    sigmoid_forward(&mut y, &[0.0, -8.0]);
    let slopes = y.map(|y| y * (1.0 - y));
    assert!((slopes[0] - 0.25).abs() < 1e-6 && (slopes[1] - 3.352e-4).abs() < 1e-6);
    let mut dx = [f32::NAN];
    relu_backward(&mut dx, &[1.0], &[0.0], tensor::Beta::Zero);
    assert_eq!(dx, [0.0]);
    leaky_relu_backward(&mut dx, &[1.0], &[0.0], 0.2, tensor::Beta::Zero);
    assert_eq!(dx, [0.2]);
}

fn reference_at_infinity(name: &str) -> f32 {
    match name {
        "log_sigmoid" => 0.0,
        "hard_tanh" => 2.0,
        "hard_sigmoid" => 1.0,
        _ => f32::INFINITY,
    }
}

#[test]
fn nan_and_infinity_are_not_swallowed() {
    let forwards: [Forward; 5] =
        [relu_forward, |y, x| leaky_relu_forward(y, x, 0.1), sigmoid_forward, tanh_forward, gelu_forward];
    for forward in forwards {
        assert!(apply(forward, &[f32::NAN])[0].is_nan());
    }
    for Function { name, f, slope, .. } in FUNCTIONS {
        assert!(f(f32::NAN).is_nan(), "{name}");
        // Where the slope is piecewise constant, NaN is on one of the pieces; dy is NaN soon enough.
        let is_constant = ["elu", "hard_tanh", "hard_sigmoid"].contains(name);
        assert!(is_constant || slope(f32::NAN).is_nan(), "{name}");
        assert_eq!(f(f32::INFINITY), reference_at_infinity(name), "{name}");
    }
    for function in [exp, exp_m1, ln, ln_1p] {
        assert!(function(f32::NAN).is_nan() && function(-f32::NAN).is_nan());
        assert_eq!(function(f32::INFINITY), f32::INFINITY);
    }
    assert_eq!([exp, exp_m1].map(|f| f(f32::NEG_INFINITY)), [0.0, -1.0]);
    assert_eq!([ln(0.0), ln(-0.0), ln_1p(-1.0)], [f32::NEG_INFINITY; 3]);
    assert!([ln(-1e-40), ln(f32::NEG_INFINITY), ln_1p(-1.5)].iter().all(|y| y.is_nan()));
    assert_eq!(apply(relu_forward, &[f32::INFINITY, f32::NEG_INFINITY]), [f32::INFINITY, 0.0]);
    assert_eq!(apply(sigmoid_forward, &[f32::INFINITY, f32::NEG_INFINITY]), [1.0, 0.0]);
    assert_eq!(apply(tanh_forward, &[f32::INFINITY, f32::NEG_INFINITY]), [1.0, -1.0]);
    assert_eq!(apply(gelu_forward, &[f32::INFINITY]), [f32::INFINITY]);
}
