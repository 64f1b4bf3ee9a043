//! The kernels of `tensor` on plain slices: products and convolutions in GFLOP/s, the rest in GB/s.

use bench_protocol::{ConvSize, uniform};
use benches::{AgainstPeak, Peak, criterion_against};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tensor::Beta;
use tensor::activation::{gelu_forward, relu_backward, relu_forward, sigmoid_forward, tanh_forward};
use tensor::conv::block::{Block, PooledGradient, conv_pool_backward, conv_pool_forward};
use tensor::conv::{Algorithm, Conv2dShape, conv2d_backward_input, conv2d_backward_weight, conv2d_forward};
use tensor::dropout::dropout_forward;
use tensor::linear::{LinearShape, linear_backward_input, linear_backward_weight, linear_forward};
use tensor::loss::softmax_forward;
use tensor::matmul::{MatmulShape, matmul};
use tensor::parallel::Shards;
use tensor::pool::{Pool2dShape, max_pool2d_backward, max_pool2d_forward};
use tensor::reduce::{Reduction, reduce_rows, sum};

/// The products behind the CNN's layers, an image or a batch of 64 (m, n, k), and a large square one.
const PRODUCTS: [(&str, [usize; 3]); 5] = [
    ("conv1 forward, an image", [32, 1024, 27]),
    ("conv2 forward, an image", [64, 256, 288]),
    ("conv3 weight gradient, an image", [128, 576, 64]),
    ("fc1 forward, a batch", [64, 256, 2048]),
    ("square", [1024, 1024, 1024]),
];

/// The CNN's convolutions.
const LECTURE: [ConvSize; 3] =
    [ConvSize::new(32, 3, 32), ConvSize::new(16, 32, 64), ConvSize::new(8, 64, 128)];

fn values(len: usize) -> Vec<f32> {
    uniform(len as u64, len, 1.0)
}

fn products(c: &mut Criterion<AgainstPeak>) {
    let mut group = c.benchmark_group("kernels/matmul");
    for (name, [m, n, k]) in PRODUCTS {
        let shape = MatmulShape { m, k, n, transpose_a: false, transpose_b: false };
        let (a, b, mut y) = (values(m * k), values(k * n), values(m * n));
        group.throughput(Throughput::Elements((2 * m * n * k) as u64));
        group.bench_function(name, |bench| bench.iter(|| matmul(&mut y, &a, &b, &shape, Beta::Zero)));
    }
    group.finish();

    let mut group = c.benchmark_group("kernels/linear");
    let shape = LinearShape { batch: 64, in_features: 2048, out_features: 256 };
    let shards = Shards::whole(64);
    let (mut x, mut w, mut y) = (values(64 * 2048), values(256 * 2048), values(64 * 256));
    group.throughput(Throughput::Elements(2 * 64 * 2048 * 256));
    group.bench_function("forward", |b| b.iter(|| linear_forward(&mut y, &x, &w, None, &shape, &shards)));
    group.bench_function("input gradient", |b| {
        b.iter(|| linear_backward_input(&mut x, &y, &w, &shape, &shards, Beta::Zero));
    });
    group.bench_function("weight gradient", |b| {
        b.iter(|| linear_backward_weight(&mut w, &y, &x, &shape, &shards, Beta::Zero));
    });
}

/// A 3×3 convolution with padding 1.
fn conv_shape(size: ConvSize, batch: usize) -> Conv2dShape {
    Conv2dShape::same(batch, [size.side; 2], [size.in_channels, size.out_channels], 3)
}

fn convolutions(c: &mut Criterion<AgainstPeak>) {
    let mut group = c.benchmark_group("kernels/conv2d");
    for (size, batch) in
        LECTURE.map(|size| (size, 64)).into_iter().chain(ConvSize::AIRBENCH[..4].iter().map(|&s| (s, 32)))
    {
        let shape = conv_shape(size, batch);
        let (mut x, mut w) = (values(shape.input_len()), values(shape.weight_len()));
        let mut y = values(shape.output_len());
        group.throughput(Throughput::Elements(shape.flops() as u64));
        let algorithms = [Algorithm::Im2col, Algorithm::Direct, Algorithm::Winograd];
        for algorithm in algorithms {
            let name = |pass| {
                format!("{}²·{}·{} {pass} {algorithm:?}", size.side, size.in_channels, size.out_channels)
            };
            group.bench_function(name("forward"), |b| {
                b.iter(|| conv2d_forward(&mut y, &x, &w, None, &shape, algorithm));
            });
            group.bench_function(name("input gradient"), |b| {
                b.iter(|| conv2d_backward_input(&mut x, &y, &w, &shape, Beta::Zero, algorithm));
            });
            group.bench_function(name("weight gradient"), |b| {
                b.iter(|| {
                    conv2d_backward_weight(
                        &mut w,
                        &y,
                        &x,
                        &shape,
                        &Shards::whole(batch),
                        Beta::Zero,
                        algorithm,
                    )
                });
            });
        }
    }
}

/// Convolution, bias, ReLU and max-pool in one; the rate is that of the dense count of operations, so the sparse
/// backward may go past the peak.
fn blocks(c: &mut Criterion<AgainstPeak>) {
    let mut group = c.benchmark_group("kernels/conv_relu_pool");
    for size in LECTURE {
        let shape = conv_shape(size, 64);
        let block = Block::plan(&shape).expect("a block");
        let (mut dx, x) = (values(shape.input_len()), values(shape.input_len()));
        let (mut dw, w) = (values(shape.weight_len()), uniform(1, shape.weight_len(), 0.1));
        let (mut db, bias) = (values(size.out_channels), values(size.out_channels));
        let (mut y, dy) = (values(shape.output_len() / 4), values(shape.output_len() / 4));
        let mut argmax = vec![0; y.len()];
        let name = |pass| format!("{}²·{}·{} {pass}", size.side, size.in_channels, size.out_channels);
        group.throughput(Throughput::Elements(shape.flops() as u64));
        group.bench_function(name("forward"), |b| {
            b.iter(|| conv_pool_forward(&mut y, &mut argmax, &x, &w, Some(&bias), &block));
        });
        group.throughput(Throughput::Elements(2 * shape.flops() as u64));
        group.bench_function(name("backward"), |b| {
            b.iter(|| {
                let (dx, dw, db) =
                    ((&mut dx[..], Beta::Zero), (&mut dw[..], Beta::Zero), (&mut db[..], Beta::Zero));
                let pooled = PooledGradient { dy: &dy, y: &y, argmax: &argmax };
                conv_pool_backward(Some(dx), dw, Some(db), pooled, &x, &w, &block, &Shards::whole(64));
            });
        });
    }
}

/// Kernels whose time is memory's; each byte that is read or written is counted once.
fn streams(c: &mut Criterion<AgainstPeak>) {
    const ROWS: usize = 64 * 1024;
    const COLS: usize = 32;
    let n = ROWS * COLS;
    let (x, dy, mut y) = (values(n), values(n), values(n));
    let mut group = c.benchmark_group("kernels/streams");
    group.throughput(Throughput::Bytes(8 * n as u64));
    group.bench_function("relu forward", |b| b.iter(|| relu_forward(&mut y, &x)));
    group.bench_function("sigmoid forward", |b| b.iter(|| sigmoid_forward(&mut y, &x)));
    group.bench_function("tanh forward", |b| b.iter(|| tanh_forward(&mut y, &x)));
    group.bench_function("gelu forward", |b| b.iter(|| gelu_forward(&mut y, &x)));
    group.bench_function("dropout forward", |b| b.iter(|| dropout_forward(&mut y, &x, 0.5, 1)));
    group.bench_function("softmax forward", |b| b.iter(|| softmax_forward(&mut y, &x, ROWS, COLS)));
    group.throughput(Throughput::Bytes(12 * n as u64));
    group.bench_function("relu backward", |b| b.iter(|| relu_backward(&mut y, &dy, &x, Beta::Zero)));
    group.throughput(Throughput::Bytes(4 * n as u64));
    group.bench_function("sum", |b| b.iter(|| sum(&x)));
    let mut db = values(COLS);
    let shards = Shards::whole(64);
    group.bench_function("sum of rows", |b| {
        b.iter(|| reduce_rows(&mut db, &dy, ROWS, COLS, Reduction::Sum, &shards, Beta::Zero));
    });

    let shape = Pool2dShape::new([64, 32, 32, COLS], [2, 2], [2, 2], [0, 0]);
    let (mut pooled, mut indices) = (values(n / 4), vec![0; n / 4]);
    group.throughput(Throughput::Bytes((4 * n + 8 * n / 4) as u64));
    group.bench_function("max-pool forward", |b| {
        b.iter(|| max_pool2d_forward(&mut pooled, &mut indices, &x, &shape));
    });
    group.bench_function("max-pool backward", |b| {
        b.iter(|| max_pool2d_backward(&mut y, &pooled, &indices, &shape, Beta::Zero));
    });
}

criterion_group! {
    name = compute; config = criterion_against(Peak::flops()); targets = products, convolutions, blocks
}
criterion_group! { name = memory; config = criterion_against(Peak::copy()); targets = streams }
criterion_main!(compute, memory);
