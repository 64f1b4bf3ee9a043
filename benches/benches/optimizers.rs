//! Every update rule over the CNN's 620,362 parameters and over 25 million: GB/s of parameters, gradients and state.
//!
//! Muon is a matter of products and not of memory; over 25 million a step of it takes seconds, and is left out.

use bench_protocol::uniform;
use benches::{AgainstPeak, Peak, criterion_against};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use optim::{AnyRule, Group, Optimizer, Param, RULE_NAMES, rule_named};

/// The tensors of the lecture's CNN; its biases are columns, for Muon takes no vectors.
const CNN: [&[usize]; 10] = [
    &[32, 3, 3, 3],
    &[32, 1],
    &[64, 32, 3, 3],
    &[64, 1],
    &[128, 64, 3, 3],
    &[128, 1],
    &[256, 2048],
    &[256, 1],
    &[10, 256],
    &[10, 1],
];

/// 25 million in matrices of a usual size.
const LARGE: [&[usize]; 25] = [&[1000, 1000]; 25];

/// Every rule with its defaults but SGD, which has momentum.
fn rules() -> Vec<(&'static str, AnyRule<f32>)> {
    let mut rules: Vec<_> = RULE_NAMES
        .iter()
        .map(|&name| (name, rule_named(name).expect("the registry knows its names")))
        .collect();
    let sgd = rules.iter_mut().find(|(name, _)| *name == "sgd").expect("there is SGD");
    sgd.1.set("momentum", 0.9).expect("SGD has momentum");
    rules
}

/// Parameters of these shapes, one after the other.
fn params(shapes: &[&[usize]]) -> Vec<Param> {
    let mut end = 0;
    let mut next = |(idx, shape): (usize, &&[usize])| {
        let start = end;
        end += shape.iter().product::<usize>();
        Param::new(idx.to_string(), start..end).with_shape(*shape)
    };
    shapes.iter().enumerate().map(&mut next).collect()
}

fn optimizers(c: &mut Criterion<AgainstPeak>) {
    let mut group = c.benchmark_group("optimizers");
    for (shapes, n_samples) in [(&CNN[..], 50), (&LARGE[..], 10)] {
        group.sample_size(n_samples);
        let params = params(shapes);
        let n = params.last().expect("there are some").range.end;
        let (mut values, grads) = (uniform(0, n, 1.0), uniform(1, n, 1e-3));
        for (name, rule) in rules().into_iter().filter(|(name, _)| n < 1_000_000 || *name != "muon") {
            let mut optimizer = Optimizer::for_slices([Group::new(rule, params.clone())])
                .expect("defaults are in their ranges");
            let n_state: usize = optimizer.state().map(|(_, slot)| slot.len()).sum();
            // Gradients are read; values and state are read and written.
            group.throughput(Throughput::Bytes((4 * (3 * n + 2 * n_state)) as u64));
            group.bench_function(BenchmarkId::new(name, n), |b| {
                b.iter(|| optimizer.step_slices(&mut values, &grads))
            });
        }
    }
}

criterion_group! { name = benches; config = criterion_against(Peak::copy()); targets = optimizers }
criterion_main!(benches);
