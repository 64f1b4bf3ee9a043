//! Moments, bounds and patterns against torch.nn.init of PyTorch 2.15.
//!
//! `tests/pytorch/record_init.py` made the record and says how to make it again. Two samples of n draws with
//! standard deviation σ may differ by 5·σ·√(2/n) in the mean and by 5·σ/√n in the standard deviation.

use init::*;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde_json::Value;

fn record() -> Value {
    serde_json::from_str(include_str!("../pytorch/init.json")).unwrap()
}

fn shape_of(case: &Value) -> Vec<usize> {
    serde_json::from_value(case["shape"].clone()).unwrap()
}

fn nonlinearity(name: &str) -> Nonlinearity {
    match name {
        "linear" => Nonlinearity::Linear,
        "sigmoid" => Nonlinearity::Sigmoid,
        "tanh" => Nonlinearity::Tanh,
        "relu" => Nonlinearity::Relu,
        "leaky_relu" => Nonlinearity::LeakyRelu(0.2),
        "selu" => Nonlinearity::Selu,
        _ => panic!("no nonlinearity {name}"),
    }
}

/// Draws what the script draws under this name.
fn draw(name: &str, shape: &[usize], rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut weights = vec![f32::NAN; shape.iter().product()];
    let w = &mut weights[..];
    match name {
        "uniform" => uniform(w, -0.3, 1.2, rng),
        "normal" => normal(w, 0.7, 1.9, rng),
        "truncated normal" => truncated_normal(w, 0.0, 1.0, -2.0, 2.0, rng),
        "truncated normal, lopsided" => truncated_normal(w, 1.0, 2.0, 0.5, 3.0, rng),
        "truncated normal, far tail" => truncated_normal(w, 0.0, 1.0, 4.0, 6.0, rng),
        "truncated normal, narrow" => truncated_normal(w, 0.0, 3.0, -0.1, 0.2, rng),
        "xavier uniform" => xavier_uniform(w, shape, 1.5, rng),
        "xavier normal" => xavier_normal(w, shape, Nonlinearity::Tanh.gain(), rng),
        "sparse" => sparse(w, shape, 0.31, 0.5, rng),
        "orthogonal, wide" => orthogonal(w, shape, 2.0, rng),
        "orthogonal, tall" => orthogonal(w, shape, 1.0, rng),
        "default linear weight" | "default conv weight" => default_weight(w, shape, rng),
        "default linear bias" => default_bias(w, &[500, 200], rng),
        _ => {
            let words: Vec<&str> = name.split(' ').collect();
            let ["kaiming", distribution, function, mode] = words[..] else { panic!("no draw {name}") };
            let mode = if mode == "fan_in" { FanMode::FanIn } else { FanMode::FanOut };
            if distribution == "uniform" {
                kaiming_uniform(w, shape, mode, nonlinearity(function), rng);
            } else {
                kaiming_normal(w, shape, mode, nonlinearity(function), rng);
            }
        }
    }
    weights
}

#[test]
fn what_is_drawn_has_pytorchs_moments_and_bounds() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for case in record()["drawn"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let weights = draw(name, &shape_of(case), &mut rng);
        let n = weights.len() as f64;
        let wide = || weights.iter().map(|&w| f64::from(w));
        let mean = wide().sum::<f64>() / n;
        let std = (wide().map(|w| (w - mean).powi(2)).sum::<f64>() / n).sqrt();
        let (min, max) = (wide().fold(f64::INFINITY, f64::min), wide().fold(f64::NEG_INFINITY, f64::max));
        let zeros = wide().filter(|&w| w == 0.0).count() as f64 / n;
        let number = |field: &str| case[field].as_f64().unwrap();

        let sigma = number("std");
        assert!((mean - number("mean")).abs() <= 5.0 * sigma * (2.0 / n).sqrt(), "{name}: mean {mean}");
        assert!((std - sigma).abs() <= 5.0 * sigma / n.sqrt(), "{name}: std {std} should be {sigma}");
        assert_eq!(zeros, number("zeros"), "{name}: zeros");
        // Normal draws have no bounds: their extremes wander by a good part of σ.
        let is_bounded = ["uniform", "truncated", "default"].iter().any(|word| name.contains(word));
        let slack = if is_bounded { 30.0 / n * (max - min) } else { 1.5 * sigma };
        let is_tail = name.contains("tail");
        assert!((min - number("min")).abs() <= slack, "{name}: min {min}");
        assert!(is_tail || (max - number("max")).abs() <= slack, "{name}: max {max}");
    }
}

#[test]
fn what_is_set_is_what_pytorch_sets() {
    for case in record()["set"].as_array().unwrap() {
        let (name, shape) = (case["name"].as_str().unwrap(), shape_of(case));
        let expected: Vec<f32> = serde_json::from_value(case["values"].clone()).unwrap();
        let mut weights = vec![7.0; expected.len()];
        match name {
            "eye" | "eye, tall" => eye(&mut weights, &shape),
            "dirac" | "dirac, volumetric" => dirac(&mut weights, &shape, 1),
            "dirac, groups" => dirac(&mut weights, &shape, 3),
            "dirac, temporal" => dirac(&mut weights, &shape, 2),
            "constant" => constant(&mut weights, 0.3),
            _ => panic!("no pattern {name}"),
        }
        assert_eq!(weights, expected, "{name}");
    }
}

#[test]
fn gains_are_pytorchs() {
    for (name, gain) in record()["gains"].as_object().unwrap() {
        assert!((nonlinearity(name).gain() - gain.as_f64().unwrap()).abs() < 1e-15, "{name}");
    }
}
