//! Every update rule over the CNN's 620,362 parameters and over 25 million: GB/s of parameters, gradients and state.

use bench_protocol::uniform;
use benches::{AgainstPeak, Peak, criterion_against};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use optim::{Optimizer, Param, RULE_NAMES, rule_named};

/// How many parameters, and the matrix that they are for the rules that want one.
const SIZES: [(usize, [usize; 2]); 2] = [(620_362, [2, 310_181]), (25_000_000, [5000, 5000])];

/// Rules of whole matrices whose step is a product and not a stream: at 25 million they take minutes.
const DENSE: [&str; 1] = ["muon"];

fn rules(c: &mut Criterion<AgainstPeak>) {
    let mut group = c.benchmark_group("optimizers");
    for (n, shape) in SIZES {
        let (mut values, grads) = (uniform(0, n, 1.0), uniform(1, n, 1e-3));
        for name in RULE_NAMES.iter().filter(|name| n < 1_000_000 || !DENSE.contains(name)) {
            let rule = rule_named(name).expect("the registry knows its names");
            let params = [Param::new("weight", 0..n).with_shape(shape)];
            let mut optimizer = Optimizer::new(rule, params).expect("defaults are in their ranges");
            optimizer.step(&mut values, &grads);
            let n_state: usize = optimizer.state().map(|(_, slot)| slot.len()).sum();
            // Gradients are read; values and state are read and written.
            group.throughput(Throughput::Bytes((4 * (3 * n + 2 * n_state)) as u64));
            group.bench_function(BenchmarkId::new(*name, n), |b| {
                b.iter(|| optimizer.step(&mut values, &grads))
            });
        }
    }
}

criterion_group! { name = benches; config = criterion_against(Peak::copy()); targets = rules }
criterion_main!(benches);
