//! Layers on a batch of 64: forward and backward, images a second.

use autograd::{Mode, Tape};
use bench_protocol::uniform;
use benches::criterion;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nn::{
    AvgPool2d, BatchNorm2d, Conv2d, Dropout, Flatten, GELU, GlobalAvgPool2d, Layer, Linear, MaxPool2d, ReLU,
    Sequential,
};

const BATCH: usize = 64;

/// A name, what it is made of, and the shape of an image before it.
type Case = (&'static str, Sequential, Vec<usize>);

fn cases() -> Vec<Case> {
    let image = || vec![16, 16, 32];
    let conv = || Conv2d::new(32, 64, 3).padding(1);
    let one = |layer| Sequential::new().add(layer);
    vec![
        ("conv2d 3x3", Sequential::new().add(conv()), image()),
        ("conv2d 1x1", Sequential::new().add(Conv2d::new(32, 64, 1)), image()),
        ("conv2d 3x3 stride 2", Sequential::new().add(conv().stride(2)), image()),
        ("conv2d 3x3 groups 4", Sequential::new().add(conv().groups(4)), image()),
        ("conv2d, relu, max-pool fused", block(conv()), image()),
        ("conv2d, relu, max-pool apart", block(conv()).fuse(false), image()),
        ("linear 2048-256", Sequential::new().add(Linear::new(2048, 256)), vec![2048]),
        ("linear, relu fused", Sequential::new().add(Linear::new(2048, 256)).add(ReLU), vec![2048]),
        ("batch-norm", Sequential::new().add(BatchNorm2d::new(32)), image()),
        ("relu", one(ReLU), image()),
        ("gelu", Sequential::new().add(GELU::default()), image()),
        ("max-pool", Sequential::new().add(MaxPool2d::new(2)), image()),
        ("avg-pool", Sequential::new().add(AvgPool2d::new(2)), image()),
        ("global avg-pool", Sequential::new().add(GlobalAvgPool2d), image()),
        ("dropout", Sequential::new().add(Dropout::new(0.5)), image()),
        ("flatten", Sequential::new().add(Flatten), image()),
    ]
}

fn block(conv: Conv2d) -> Sequential {
    Sequential::new().add(conv).add(ReLU).add(MaxPool2d::new(2))
}

fn layers(c: &mut Criterion) {
    let mut group = c.benchmark_group("layers");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, net, image) in cases() {
        let (net, mut params) = nn::build(net, 0);
        let mut tape = Tape::new();
        let shape = tensor::Shape::new(&[&[BATCH], &image[..]].concat());
        let values = uniform(0, shape.numel(), 1.0);
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut g = tape.begin(&mut params, Mode::train(0, 0));
                let x = g.variable(shape, &values);
                let y = net.forward(&g, x);
                let sum = g.sum(y);
                g.backward(sum);
            });
        });
    }
}

criterion_group! { name = benches; config = criterion(); targets = layers }
criterion_main!(benches);
