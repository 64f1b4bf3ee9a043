//! Every rule, with the options that change its course.

#![allow(dead_code, reason = "each test file takes what it needs")]

use optim::*;

/// A name for messages, and the rule.
pub(crate) fn variants<F: Real>() -> Vec<(String, AnyRule<F>)> {
    let mut variants: Vec<(String, AnyRule<F>)> =
        RULE_NAMES.iter().map(|name| (name.to_string(), rule_named(name).unwrap())).collect();
    let mut add = |name: &str, rule: AnyRule<F>| variants.push((name.into(), rule));
    let sgd = Sgd { lr: 0.01, momentum: 0.9, ..Sgd::default() };
    add("sgd with momentum", sgd.into());
    add("sgd with dampening and decay", Sgd { dampening: 0.5, weight_decay: 0.1, ..sgd }.into());
    add("sgd with Nesterov's momentum", Sgd { nesterov: true, ..sgd }.into());
    add("sgd averaged", Sgd { averaged: true, ..sgd }.into());
    add("asgd that averages", Asgd { t0: 1.0, ..Asgd::default() }.into());
    let rmsprop = RmsProp::default();
    add("rmsprop with momentum", RmsProp { momentum: 0.9, ..rmsprop }.into());
    add("rmsprop centered", RmsProp { centered: true, ..rmsprop }.into());
    add("rmsprop centered with momentum", RmsProp { centered: true, momentum: 0.9, ..rmsprop }.into());
    let adam = Adam { lr: 0.01, ..Adam::default() };
    add("amsgrad", Adam { amsgrad: true, ..adam }.into());
    add("adam with L2", Adam { weight_decay: 0.1, ..adam }.into());
    add("adam raw", Adam { bias_correction: false, ..adam }.into());
    add(
        "nadam decoupled",
        NAdam { weight_decay: 0.1, decoupled_weight_decay: true, ..NAdam::default() }.into(),
    );
    add("radam that rectifies soon", RAdam { betas: (0.9, 0.9), ..RAdam::default() }.into());
    add("lion with decay", Lion { weight_decay: 0.1, ..Lion::default() }.into());
    add("muon with 3 steps", Muon { ns_steps: 3, nesterov: false, ..Muon::default() }.into());
    variants
}

/// The same rule without any decay of the weights.
pub(crate) fn without_decay<F: Real>(mut rule: AnyRule<F>) -> AnyRule<F> {
    for name in ["weight_decay", "lambd"] {
        match rule.set(name, 0.0) {
            Ok(()) | Err(Error::NoHyperparameter { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    rule
}

/// An optimizer of one parameter, of the shape n/2 × 2.
pub(crate) fn optimizer<F: Real>(rule: AnyRule<F>, n: usize) -> Optimizer<F> {
    Optimizer::for_slices([Group::new(rule, [Param::new("w", 0..n).with_shape([n / 2, 2])])]).unwrap()
}

/// Pseudo-random numbers in (−1, 1) that need no generator.
pub(crate) fn noise<F: Real>(seed: u64, n: usize) -> Vec<F> {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..n)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            F::of((x >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
        })
        .collect()
}
