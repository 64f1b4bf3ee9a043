//! Whole steps: training and inference of the lecture's CNN and of two perceptrons, images a second.

use std::hint::black_box;

use bench_protocol::{Network, Work, uniform};
use benches::{Inference, Training, criterion, nhwc};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn batch(spec: &Network, n: usize) -> (Vec<f32>, Vec<u32>) {
    let inputs = uniform(0, n * spec.n_inputs(), 1.0);
    let inputs = if spec.n_inputs() == bench_protocol::IMAGE_BYTES { nhwc(&inputs) } else { inputs };
    (inputs, (0..n as u32).map(|i| i % 10).collect())
}

fn training(c: &mut Criterion) {
    let mut group = c.benchmark_group("networks/training");
    let cases = [
        (Work::CnnTrain, 16),
        (Work::CnnTrain, 64),
        (Work::CnnTrain, 256),
        (Work::MlpTrain, 64),
        (Work::TinyTrain, 1),
    ];
    for (work, n) in cases {
        let spec = Network::of(work).expect("a network");
        let (inputs, labels) = batch(&spec, n);
        let mut training = Training::new(&spec).expect("the plan's hyperparameters are in their ranges");
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new(work.to_string(), n), |b| {
            b.iter(|| training.step(&inputs, &labels));
        });
    }
}

fn inference(c: &mut Criterion) {
    let mut group = c.benchmark_group("networks/inference");
    let spec = Network::cnn();
    let mut net = Inference::new(&spec);
    for n in [1, 64] {
        let (inputs, _) = batch(&spec, n);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("cnn-infer", n), |b| {
            b.iter(|| net.predict(&inputs, n, |logits| _ = black_box(logits)));
        });
    }
}

criterion_group! { name = benches; config = criterion(); targets = training, inference }
criterion_main!(benches);
