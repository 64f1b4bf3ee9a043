//! Every rule that PyTorch has, with each option and each pair of options, against PyTorch 2.15.
//!
//! 200 steps on recorded gradients; `tests/pytorch/record_rules.py` made the record and says how to make
//! it again. f64 must agree to 1e-12 and f32 to 1e-6, relative to the largest parameter. PyTorch's Muon
//! rounds to bfloat16, so it is held to a looser bound here and to a reference of its own in `papers.rs`.

use optim::{
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, AnyRule, Asgd, Group, LrAdjustment, Muon, NAdam,
    Optimizer, Param, RAdam, Real, RmsProp, Rprop, Sgd,
};
use serde_json::Value;

const N: usize = 8;
const N_STEPS: usize = 200;

/// Measured: 2.3e-4 at worst.
const MUON_BOUND: f64 = 5e-4;

struct Record {
    index: Value,
    blob: &'static [u8],
}

impl Record {
    fn read() -> Self {
        let index = serde_json::from_str(include_str!("../pytorch/rules.json")).unwrap();
        Self { index, blob: include_bytes!("../pytorch/rules.bin") }
    }

    fn take_f64(&mut self, n: usize) -> Vec<f64> {
        let (taken, rest) = self.blob.split_at(8 * n);
        self.blob = rest;
        taken.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    }

    fn take_f32(&mut self, n: usize) -> Vec<f64> {
        let (taken, rest) = self.blob.split_at(4 * n);
        self.blob = rest;
        taken.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes).into()).collect()
    }
}

/// The rule with options named as PyTorch names them.
fn rule<F: Real>(name: &str, options: &serde_json::Map<String, Value>) -> AnyRule<F> {
    let flag = |name: &str| options.get(name).is_some_and(|value| value == true);
    let maximize = flag("maximize");
    let mut rule: AnyRule<F> = match name {
        "sgd" => {
            let momentum = options.get("momentum").map_or(0.0, |momentum| momentum.as_f64().unwrap());
            Sgd { momentum, nesterov: flag("nesterov"), maximize, ..Sgd::default() }.into()
        }
        "asgd" => Asgd { maximize, ..Asgd::default() }.into(),
        "rprop" => Rprop { maximize, ..Rprop::default() }.into(),
        "adagrad" => Adagrad { maximize, ..Adagrad::default() }.into(),
        "adadelta" => Adadelta { maximize, ..Adadelta::default() }.into(),
        "rmsprop" => RmsProp { centered: flag("centered"), maximize, ..RmsProp::default() }.into(),
        "adam" => {
            let (amsgrad, decoupled_weight_decay) = (flag("amsgrad"), flag("decoupled_weight_decay"));
            Adam { amsgrad, decoupled_weight_decay, maximize, ..Adam::default() }.into()
        }
        "adamw" => AdamW { amsgrad: flag("amsgrad"), maximize, ..AdamW::default() }.into(),
        "adamax" => Adamax { maximize, ..Adamax::default() }.into(),
        "nadam" => {
            let decoupled_weight_decay = flag("decoupled_weight_decay");
            NAdam { decoupled_weight_decay, maximize, ..NAdam::default() }.into()
        }
        "radam" => {
            let decoupled_weight_decay = flag("decoupled_weight_decay");
            RAdam { decoupled_weight_decay, maximize, ..RAdam::default() }.into()
        }
        "adafactor" => {
            let eps = options.get("eps").map_or(Adafactor::default().eps, |eps| (eps[0].as_f64(), 0.0));
            let eps = (eps.0, Adafactor::default().eps.1);
            Adafactor { eps, maximize, ..Adafactor::default() }.into()
        }
        "muon" => {
            let default = Muon::default();
            let ns_steps = options.get("ns_steps").map_or(default.ns_steps, |n| n.as_u64().unwrap() as usize);
            let adjust_lr = match options.get("adjust_lr_fn").and_then(Value::as_str) {
                None | Some("original") => LrAdjustment::Original,
                Some("match_rms_adamw") => LrAdjustment::MatchRmsAdamw,
                Some(_) => LrAdjustment::SpectralUnclamped,
            };
            let nesterov = !options.contains_key("nesterov");
            Muon { ns_steps, adjust_lr, nesterov, ..default }.into()
        }
        _ => panic!("no rule {name}"),
    };
    for (option, value) in options {
        let parts: &[&str] = match (name, option.as_str()) {
            (_, "betas") => &["beta1", "beta2"],
            (_, "etas") => &["eta_minus", "eta_plus"],
            (_, "step_sizes") => &["step_size_min", "step_size_max"],
            (_, "ns_coefficients") => &["ns_coefficient_a", "ns_coefficient_b", "ns_coefficient_c"],
            ("adafactor", "eps") => &["", "eps2"],
            (_, option) => &[option],
        };
        for (idx, part) in parts.iter().enumerate() {
            let value = if value.is_array() { &value[idx] } else { value };
            if let (Some(number), false) = (value.as_f64(), part.is_empty() || *part == "ns_steps") {
                rule.set(part, number).unwrap();
            }
        }
    }
    rule
}

/// The largest error at any checkpoint, relative to the largest parameter there.
fn replay<F: Real>(
    rule: AnyRule<F>,
    shape: &[usize],
    start: &[f64],
    grads: &[f64],
    record: &[f64],
    at: &[usize],
) -> f64 {
    let mut values: Vec<F> = start.iter().map(|&x| F::of(x)).collect();
    let param = Param::new("w", 0..N).with_shape(shape);
    let mut optimizer = Optimizer::for_slices([Group::new(rule, [param])]).unwrap();
    let mut worst = 0f64;
    for (idx, grads) in grads.chunks(N).enumerate() {
        let grads: Vec<F> = grads.iter().map(|&x| F::of(x)).collect();
        optimizer.step_slices(&mut values, &grads);
        if let Some(place) = at.iter().position(|&step| step == idx + 1) {
            let expected = &record[place * N..][..N];
            let scale = expected.iter().fold(0f64, |max, x| max.max(x.abs()));
            for (value, expected) in values.iter().zip(expected) {
                let error = (value.to_f64() - expected).abs() / scale;
                worst = if error > worst || error.is_nan() { error } else { worst };
            }
        }
    }
    worst
}

#[test]
fn every_rule_repeats_pytorch() {
    let mut record = Record::read();
    let checkpoints: Vec<usize> = record.index["recorded"]["checkpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_u64().unwrap() as usize)
        .collect();
    let start = record.take_f64(N);
    let grads = record.take_f64(N_STEPS * N);
    let cases = record.index["cases"].as_array().unwrap().clone();
    let mut failures = Vec::new();
    for case in &cases {
        let (name, options) = (case["rule"].as_str().unwrap(), case["options"].as_object().unwrap());
        let shape: Vec<usize> =
            case["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
        let (in_f64, in_f32) =
            (record.take_f64(checkpoints.len() * N), record.take_f32(checkpoints.len() * N));
        let error64 = replay::<f64>(rule(name, options), &shape, &start, &grads, &in_f64, &checkpoints);
        let error32 = replay::<f32>(rule(name, options), &shape, &start, &grads, &in_f32, &checkpoints);
        let (bound64, bound32) = if name == "muon" { (MUON_BOUND, MUON_BOUND) } else { (1e-12, 1e-6) };
        if error64.is_nan() || error64 > bound64 || error32.is_nan() || error32 > bound32 {
            failures.push(format!("{case}: {error64:.1e} in f64, {error32:.1e} in f32"));
        }
    }
    assert!(record.blob.is_empty(), "the record holds more than the index lists");
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
