//! Every update rule over the CNN's 620,362 parameters and over 25 million: GB/s of parameters, gradients and state.
//!
//! Muon is a matter of products and not of memory; over 25 million a step of it takes seconds, and is left out. Its steps
//! on airbench94's filters stand beside the same products by `tensor::matmul`, in GFLOP/s of these products.

use bench_protocol::uniform;
use benches::{AgainstPeak, Peak, criterion_against};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use optim::{AnyRule, Group, Muon, Optimizer, Param, RULE_NAMES, rule_named};
use tensor::Beta;
use tensor::matmul::{MatmulShape, matmul};

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

/// airbench94's filters as matrices.
const FILTERS: [[usize; 2]; 6] = [[64, 216], [64, 576], [256, 576], [256, 2304], [256, 2304], [256, 2304]];

/// airbench94's number of Newton–Schulz iterations.
const NS_STEPS: usize = 3;

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

/// The three products of an iteration: A = X·Xᵀ, A·A and P·X, of `rows` × `cols`.
fn products([rows, cols]: [usize; 2]) -> [MatmulShape; 3] {
    let shape = |k, n, transpose_b| MatmulShape { m: rows, k, n, transpose_a: false, transpose_b };
    [shape(cols, rows, true), shape(rows, rows, false), shape(rows, cols, false)]
}

fn muon(c: &mut Criterion<AgainstPeak>) {
    let mut group = c.benchmark_group("muon");
    for (name, filters) in [("airbench94", &FILTERS[..]), ("256·2304", &FILTERS[5..])] {
        let shapes: Vec<&[usize]> = filters.iter().map(|shape| &shape[..]).collect();
        let params = params(&shapes);
        let n = params.last().expect("there are some").range.end;
        let (mut values, grads) = (uniform(0, n, 1.0), uniform(1, n, 1e-3));
        let n_flops: usize =
            filters.iter().flat_map(|&shape| products(shape)).map(|p| 2 * p.m * p.k * p.n).sum();
        group.throughput(Throughput::Elements((NS_STEPS * n_flops) as u64));

        let rule = Muon { ns_steps: NS_STEPS, ..Muon::default() };
        let mut optimizer =
            Optimizer::for_slices([Group::new(rule, params)]).expect("defaults are in their ranges");
        group.bench_function(BenchmarkId::new("a step", name), |b| {
            b.iter(|| optimizer.step_slices(&mut values, &grads))
        });

        let (mut next, mut square, mut cube) =
            (vec![0.0; 256 * 2304], vec![0.0; 256 * 256], vec![0.0; 256 * 256]);
        group.bench_function(BenchmarkId::new("its products by tensor::matmul", name), |b| {
            b.iter(|| {
                for &[rows, cols] in filters {
                    let [gram, polynomial, product] = products([rows, cols]);
                    let x = &grads[..rows * cols];
                    let (square, cube) = (&mut square[..rows * rows], &mut cube[..rows * rows]);
                    for _ in 0..NS_STEPS {
                        matmul(square, x, x, &gram, Beta::Zero);
                        matmul(cube, square, square, &polynomial, Beta::Zero);
                        matmul(&mut next[..rows * cols], cube, x, &product, Beta::Zero);
                    }
                }
            })
        });
    }
}

criterion_group! { name = products_benches; config = criterion_against(Peak::flops()); targets = muon }
criterion_group! { name = benches; config = criterion_against(Peak::copy()); targets = optimizers }
criterion_main!(benches, products_benches);
