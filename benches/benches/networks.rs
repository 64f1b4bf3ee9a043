//! Whole steps: training and inference of the lecture's CNN, of two MLPs and of the larger networks, images a second.

use std::hint::black_box;

use bench_protocol::{Model, Network, Work, uniform};
use benches::{Inference, Inputs, Kind, Training, criterion, nhwc};
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
            b.iter(|| training.step(&inputs[..], &labels));
        });
    }
}

fn larger(c: &mut Criterion) {
    let mut group = c.benchmark_group("networks/larger");
    group.sample_size(10);
    for (model, n) in
        [(Model::Airbench94, 500), (Model::ResNet18, 64), (Model::Depthwise, 64), (Model::Transformer, 16)]
    {
        let is_text = Kind::from(model) == Kind::Text;
        let images = nhwc(&uniform(0, if is_text { 0 } else { n * 3072 }, 1.0));
        let n_labels = if is_text { n * (Model::WINDOW - 1) } else { n };
        let labels: Vec<u32> = (0..n_labels as u32).map(|i| i % 10).collect();
        let inputs = if is_text { Inputs::Tokens(&labels) } else { Inputs::Values(&images) };
        let mut training = Training::of_model(model).expect("the plan's hyperparameters are in their ranges");
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new(format!("{model:?} training"), n), |b| {
            b.iter(|| training.step(inputs, &labels));
        });
        let mut net = Inference::of_model(model);
        group.bench_function(BenchmarkId::new(format!("{model:?} inference"), n), |b| {
            b.iter(|| net.predict(inputs, n_labels, |logits| _ = black_box(logits)));
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
            b.iter(|| net.predict(&inputs[..], n, |logits| _ = black_box(logits)));
        });
    }
}

criterion_group! { name = benches; config = criterion(); targets = training, inference, larger }
criterion_main!(benches);
