//! Activation functions against their f64 reference.

mod common;

use common::{check_betas, random};
use proptest::prelude::*;
use tensor::activation::*;
use tensor::elementwise::exp;
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
            (gelu_forward, reference::gelu_forward, 3.0),
        ];
        for (forward, reference, c) in rows {
            let expected = reference(&to_f64(&x));
            assert_within(&apply(forward, &x), &expected, &absolute(&expected), c);
        }
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
        check_betas(&expected, &absolute_dy, 8.0, |dx, beta| gelu_backward(dx, &dy, &x, beta));
    }
}

/// Of every so many f32, from 0 to infinity and down to its opposite; `EXP_STEP=1` tries each.
#[test]
fn exp_is_within_its_bound() {
    const EPSILON: f64 = f32::EPSILON as f64 / 2.0;
    let step = std::env::var("EXP_STEP").map_or(997, |step| step.parse().expect("EXP_STEP is a number"));
    let (mut worst, mut worst_x) = (0.0_f64, 0.0);
    for x in (0..=f32::INFINITY.to_bits()).step_by(step).map(f32::from_bits).flat_map(|x| [x, -x]) {
        let (y, expected) = (exp(x), f64::from(x).exp());
        if expected > f64::from(f32::MAX) * (1.0 + EPSILON) {
            assert_eq!(y, f32::INFINITY, "exp({x})");
            continue;
        }
        // Below the normal numbers the distance from one to the next is the same everywhere.
        let error = (f64::from(y) - expected).abs() / expected.max(f64::from(f32::MIN_POSITIVE));
        assert!(error <= 1.6 * EPSILON, "exp({x}) = {y}, not {expected}");
        if error > worst {
            (worst, worst_x) = (error, x);
        }
    }
    println!("at worst {:.2} ε, at {worst_x:e}", worst / EPSILON);
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

#[test]
fn nan_and_infinity_are_not_swallowed() {
    let forwards: [Forward; 5] =
        [relu_forward, |y, x| leaky_relu_forward(y, x, 0.1), sigmoid_forward, tanh_forward, gelu_forward];
    for forward in forwards {
        assert!(apply(forward, &[f32::NAN])[0].is_nan());
    }
    assert!(exp(f32::NAN).is_nan() && exp(-f32::NAN).is_nan());
    assert_eq!([f32::INFINITY, f32::NEG_INFINITY].map(exp), [f32::INFINITY, 0.0]);
    assert_eq!(apply(relu_forward, &[f32::INFINITY, f32::NEG_INFINITY]), [f32::INFINITY, 0.0]);
    assert_eq!(apply(sigmoid_forward, &[f32::INFINITY, f32::NEG_INFINITY]), [1.0, 0.0]);
    assert_eq!(apply(tanh_forward, &[f32::INFINITY, f32::NEG_INFINITY]), [1.0, -1.0]);
    assert_eq!(apply(gelu_forward, &[f32::INFINITY]), [f32::INFINITY]);
}
