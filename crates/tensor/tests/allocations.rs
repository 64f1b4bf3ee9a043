//! After a first pass, kernels allocate nothing, whichever threads take the work; and the scratch memory of attention
//! does not grow with the number of keys.

// The one test of this file: another running beside it would be counted too.

mod common;

use common::random;
use counting::Allocator;
use tensor::attention::{
    AttentionSaved, AttentionShape, HeadLayout, QueryKeyValue, Scoring, attention_backward, attention_forward,
};
use tensor::conv::{Algorithm, Conv2dShape, conv2d_backward_input, conv2d_backward_weight, conv2d_forward};
use tensor::linear::{LinearShape, linear_backward_input, linear_backward_weight, linear_forward};
use tensor::norm::{
    BatchNormSaved, BatchNormShape, Statistics, batch_norm_backward, batch_norm_forward_train,
};
use tensor::parallel::Shards;
use tensor::pool::{Pool2dShape, max_pool2d_backward, max_pool2d_forward};
use tensor::reduce::Reduction;
use tensor::{Beta, Shape, broadcast, dropout, layout, loss, reduce};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator::below_alignment(32);

/// One pass through kernels that use scratch or split their work.
struct Step {
    conv: Conv2dShape,
    x: Vec<f32>,
    w: Vec<f32>,
    y: Vec<f32>,
    dx: Vec<f32>,
    dw: Vec<f32>,
    indices: Vec<u32>,
    pooled: Vec<f32>,
    channels: [Vec<f32>; 4],
    targets: Vec<u32>,
}

impl Step {
    fn new() -> Self {
        let conv = Conv2dShape::same(40, [16, 16], [16, 16], 3);
        let len = conv.input_len();
        Self {
            conv,
            x: random(len, 1),
            w: random(conv.weight_len(), 2),
            y: vec![0.0; len],
            dx: vec![0.0; len],
            dw: vec![0.0; conv.weight_len()],
            indices: vec![0; len / 4],
            pooled: vec![0.0; len / 4],
            channels: [(); 4].map(|()| vec![0.0; 16]),
            targets: vec![3; len / 16],
        }
    }

    fn run(&mut self) {
        let Self { conv, x, w, y, dx, dw, indices, pooled, channels: [mean, rest, var, std], targets } = self;
        let shards = Shards::whole(40);
        for algorithm in [Algorithm::Im2col, Algorithm::Auto] {
            conv2d_forward(y, &*x, w, None, conv, algorithm);
            conv2d_backward_input(dx, y, w, conv, Beta::Zero, algorithm);
            conv2d_backward_weight(dw, y, &*x, conv, &shards, Beta::Zero, algorithm);
        }
        let pool = Pool2dShape::new([40, 16, 16, 16], [2; 2], [2; 2], [0; 2]);
        max_pool2d_forward(pooled, indices, y, &pool);
        max_pool2d_backward(dx, pooled, indices, &pool, Beta::One);
        let norm = BatchNormShape { rows: y.len() / 16, channels: 16, eps: 1e-5, activation: None };
        batch_norm_forward_train(y, [mean, rest], [var, std], x, None, None, &norm, &shards);
        let (mean_rest, std) = (Some(&rest[..]), Some(&std[..]));
        let saved = BatchNormSaved { x, mean, mean_rest, var, std, weight: None, bias: None };
        batch_norm_backward(Some((dx, Beta::One)), None, None, y, &saved, Statistics::Batch, &norm, &shards);
        let expected = loss::Expected { label_smoothing: 0.1, ..loss::Expected::labels(targets, 16) };
        loss::cross_entropy_forward(&mut pooled[..targets.len()], dx, y, &expected);
        dropout::dropout_forward(y, x, 0.5, 1);
        let images = Shape::new(&[40, 256, 16]);
        layout::permute(dx, y, &images, &[0, 2, 1], Beta::Zero);
        let (sums, pixels, batch) = (&mut pooled[..256], Shape::new(&[1, 256, 1]), Some(&shards));
        broadcast::reduce_to_shape(sums, dx, &pixels, &images, Reduction::Sum, batch, Beta::Zero);
        reduce::reduce_rows(mean, y, y.len() / 16, 16, Reduction::Mean, &shards, Beta::Zero);
        let linear = LinearShape { batch: 40, in_features: 4096, out_features: 16 };
        let (pooled, w) = (&mut pooled[..640], &x[..65_536]);
        linear_forward(pooled, x, w, None, &linear, &shards);
        linear_backward_input(dx, pooled, w, &linear, &shards, Beta::One);
        linear_backward_weight(&mut y[..65_536], pooled, x, &linear, &shards, Beta::Zero);
    }
}

#[test]
fn kernels_allocate_once_and_attention_takes_no_more_for_more_keys() {
    // First, while the stock of scratch memory has nothing larger.
    more_keys_take_no_more_scratch();
    a_steady_pass_allocates_nothing();
}

/// Few heads, whose chunks of keys are computed in parallel.
fn more_keys_take_no_more_scratch() {
    const HEAD_DIM: usize = 64;
    const QUERIES: usize = 128;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    // Twice, until the stock at every depth is as long as the longest request.
    let peaks = [4096, 4096, 16_384].map(|keys| {
        let shape = AttentionShape {
            batch: 1,
            heads: 1,
            queries: QUERIES,
            keys,
            head_dim: HEAD_DIM,
            value_dim: HEAD_DIM,
            layout: HeadLayout::First,
        };
        let scoring = Scoring { scale: 0.125, is_causal: false, masks: [None, None], dropout: None };
        let inputs = [QUERIES, keys, keys].map(|n| random(n * HEAD_DIM, n as u64));
        let mut grads = inputs.clone();
        let (mut y, mut log_sums) = (vec![0.0; QUERIES * HEAD_DIM], vec![0.0; QUERIES]);
        let inputs = QueryKeyValue::Separate(inputs.each_ref().map(|x| &x[..]));
        pool.install(|| {
            ALLOCATOR.peak_of(|| {
                attention_forward(&mut y, &mut log_sums, inputs, &scoring, &shape);
                let saved = AttentionSaved { dy: &y, y: &y, log_sums: &log_sums };
                let grads = grads.each_mut().map(|dx| (&mut dx[..], Beta::Zero));
                attention_backward(QueryKeyValue::Separate(grads), None, &saved, inputs, &scoring, &shape);
            })
        })
    });
    let share = size_of::<f32>() * QUERIES * HEAD_DIM;
    assert!(peaks[0] > 8 * share && peaks[2] < share, "{peaks:?} bytes, a share is {share}");
}

fn a_steady_pass_allocates_nothing() {
    let mut step = Step::new();
    for n_threads in [1, 2, 16] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            (0..3).for_each(|_| step.run());
            let n_allocations = ALLOCATOR.usual_allocations(|| (0..3).for_each(|_| step.run()));
            assert_eq!(n_allocations, 0, "on {n_threads} threads");
        });
    }
}
