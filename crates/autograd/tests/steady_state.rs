//! A steady training step allocates nothing. In a binary of its own, because the allocator counts for all.
//!
//! One thing is not counted: `matrixmultiply` packs its operands into a buffer that it takes and gives back
//! within each product. It can be told by its alignment, which nothing of ours asks for.

#[path = "common/cnn.rs"]
mod cnn;
#[path = "common/losses.rs"]
mod losses;
#[path = "common/numbers.rs"]
mod numbers;
#[expect(dead_code, reason = "what only the gradient check reads")]
#[path = "gradcheck/rows.rs"]
mod rows;
#[path = "common/unary.rs"]
mod unary;
#[path = "common/weights.rs"]
mod weights;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use autograd::{
    AttentionOptions, BatchNormOptions, Conv1dOptions, Conv2dOptions, ConvTranspose1dOptions,
    ConvTranspose2dOptions, Interpolation, LocalResponseNormOptions, Mode, PadMode, ParamId, Params,
    Pool1dOptions, QueryKeyValue, Reduction, ResizeTo, Role, StochasticDepthMode, Tape,
};
use cnn::Cnn;
use counting::Allocator;
use losses::LOSSES;
use numbers::numbers;
use rows::activations::ACTIVATIONS;
use rows::case::{Kind, Rng};
use rows::rows;
use tensor::activation::Activation;
use tensor::parallel::{Exchange, Overlap, Shards};
use unary::UNARY;
use weights::weight;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator::below_alignment(16);

/// Allocations of five steps, after four to warm up, all within one pool.
fn allocations_of(n_threads: usize, step: impl FnMut(u64) + Send) -> usize {
    pool(n_threads).install(|| allocations_here(step))
}

fn pool(n_threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("threads can be started")
}

fn allocations_here(mut step: impl FnMut(u64)) -> usize {
    (0..4).for_each(&mut step);
    ALLOCATOR.usual_allocations(|| (4..9).for_each(&mut step))
}

/// Every op, in the cases of its rows of the gradient check.
fn every_op_allocates_nothing() {
    for row in rows() {
        let case = (row.sample)(&mut Rng::part(1, 20, 0..20));
        let mut params = Params::new();
        let ids: Vec<ParamId> = case
            .inputs
            .iter()
            .enumerate()
            .map(|(i, input)| {
                let role = if input.kind == Kind::Variable { Role::Trainable } else { Role::Statistic };
                let id = params.add(i.to_string(), input.shape, role);
                params.value_mut(id).copy_from_slice(&input.values);
                id
            })
            .collect();
        let mut tape = Tape::new();
        let mut vars = Vec::new();
        let n = allocations_here(|step| {
            let mode = if case.training { Mode::train(7, step) } else { Mode::eval().with_grad(true) };
            let mut g = tape.begin(&mut params, mode);
            vars.clear();
            vars.extend(ids.iter().map(|&id| g.param(id)));
            let loss = g.sum((case.record)(&g, &vars));
            g.backward(loss);
        });
        assert_eq!(n, 0, "{}", row.op);
    }
}

const REDUCTIONS: [Reduction; 4] = [Reduction::None, Reduction::Mean, Reduction::Sum, Reduction::BatchMean];

/// The first of two processes, while the other has only zeros.
#[derive(Debug, Default)]
struct Echo(Mutex<VecDeque<Vec<f32>>>);

impl Exchange for Echo {
    fn part(&self) -> usize {
        0
    }

    fn n_parts(&self) -> usize {
        2
    }

    fn join(&self, _: &Shards<'_>, _: &mut [f32]) {}

    fn join_f64(&self, _: &Shards<'_>, _: &mut [f64], _: &dyn Fn(&mut [f64], &[f64])) {}

    fn overlap(&self) -> Option<&dyn Overlap> {
        Some(self)
    }
}

impl Overlap for Echo {
    fn is_enough(&self, n_values: usize) -> bool {
        n_values > 1000
    }

    fn start(&self, _: &Shards<'_>, sum: Vec<f32>) {
        self.0.lock().unwrap().push_back(sum);
    }

    fn finish(&self) -> Vec<f32> {
        self.0.lock().unwrap().pop_front().expect("a sum was started")
    }
}

/// One test, so that nothing else runs beside it.
///
/// The first assertion makes sure that the counter sees what it should.
#[test]
fn a_steady_step_allocates_nothing() {
    assert_eq!(allocations_of(1, |step| drop(std::hint::black_box(Box::new(step)))), 5);
    pool(2).install(every_op_allocates_nothing);
    let (images, labels) = (numbers(20 * 32 * 32 * 3, 1), [3; 20]);
    for (n_threads, fused) in [(1, true), (2, true), (2, false)] {
        let mut params = Params::new();
        let cnn = Cnn::new(&mut params);
        let mut tape = Tape::new();
        let n = allocations_of(n_threads, |step| {
            let mut g = tape.begin(&mut params, Mode::train(7, step));
            let x = g.input([20, 32, 32, 3], &images);
            let logits = cnn.logits(&g, x, fused);
            let labels = g.indices(&labels);
            let loss = g.cross_entropy(logits, labels);
            g.backward(loss);
        });
        assert_eq!(n, 0, "the network, {n_threads} threads, fused: {fused}");
    }

    let echo = Arc::new(Echo::default());
    let here = Shards::whole(20).exchanging(&*echo).images();
    let mut params = Params::new();
    let cnn = Cnn::new(&mut params);
    let mut tape = Tape::new().exchange(echo.clone());
    let n = allocations_of(2, |step| {
        let mut g = tape.begin(&mut params, Mode::train(7, step).of_images(20));
        let x = g.input([here.len(), 32, 32, 3], &images[..here.len() * 32 * 32 * 3]);
        let logits = cnn.logits(&g, x, false);
        let labels = g.indices(&labels[here.clone()]);
        let loss = g.cross_entropy(logits, labels);
        g.backward(loss);
    });
    assert_eq!(n, 0, "sums that overlap");

    let mut params = Params::new();
    let w = weight(&mut params, "w", &[16, 16]);
    let running = ["mean", "var"].map(|name| params.add(name, [16], Role::Statistic));
    let values = numbers(256 * 16, 2);
    let mut tape = Tape::new();
    let n = allocations_of(2, |step| {
        let mut g = tape.begin(&mut params, Mode::train(7, step));
        let (x, w) = (g.variable([256, 16], &values), g.param(w));
        let running = running.map(|id| g.param(id));
        let rows = g.indices(&[1, 0, 255, 1]);
        let y = g.matmul_transposed(x, w, [false, true]);
        let y = ACTIVATIONS.into_iter().fold(y, |x, activation| g.linear_activation(x, w, None, activation));
        let y = g.batch_norm(y, &running, [None, None], BatchNormOptions::default());
        let options = BatchNormOptions::default();
        let y = ACTIVATIONS
            .into_iter()
            .fold(y, |x, activation| g.batch_norm_activation(x, &running, [None, None], options, activation));
        let y = g.layer_norm(y, [16], [None, None], 1e-5);
        let y = g.rms_norm(y, [16], None, 1e-5);
        let images = g.reshape(y, [16, 4, 4, 16]);
        let images = g.group_norm(images, 4, [None, None], 1e-5);
        let images = g.instance_norm(images, Some(running), [None, None], BatchNormOptions::default());
        let images = g.local_response_norm(images, LocalResponseNormOptions::new(5));
        let images = g.stochastic_depth(g.dropout2d(images, 0.5), 0.5, StochasticDepthMode::Row);
        let y = g.reshape(images, [256, 16]);
        let halves = UNARY.iter().map(|op| op(&g, g.sigmoid(y)));
        let y = halves.fold(y, |sum, y| g.add(sum, y));
        let y = g.prelu(g.concat(&[y, g.glu(y), g.glu(y)], 1), g.input([1], &[0.25]));
        let y = g.slice(y, 1, 8..24);
        let mean = g.mean_axes(y, 0, true);
        let y = g.sub(y, mean);
        let y = g.softmax(y);
        let picked = g.index_select(y, rows);
        let part = g.slice(y, 0, 3..7);
        let y = g.concat(&[picked, part, picked], 0);
        let y = g.transpose(y, 0, 1);
        let y = g.div(y, y);
        let heads = g.reshape(y, [4, 4, 12]);
        let products = g.matmul_transposed(heads, heads, [false, true]);
        let mixed = g.einsum("nij,njk->nki", &[products, heads]);
        let mask = g.sign(mixed);
        let chosen = g.where_cond(mask, g.cumsum(mixed, 2), g.randn(g.shape(mixed)));
        let chosen = g.gather(chosen, 1, g.argsort(chosen, 1, false));
        let [least, most] = [g.argmin(chosen, 2), g.argmax(chosen, 2)].map(|at| g.gather(chosen, 2, at));
        let chosen = g.sub(chosen, g.add(least, most));
        let [head, tail] = g.chunk(chosen, 1);
        let (sorted, order) = g.sort(g.stack(&[head, tail], 2), 3, true);
        let added = g.scatter_add(sorted, 3, order, g.maximum(sorted, g.roll(sorted, 1, 3)));
        let padded = g.pad(added, &[[0, 0], [1, 1], [0, 0], [2, 0]], PadMode::Replicate);
        let norms = g.norm(padded, 2.0, [2, 3], false);
        let largest = g.max(g.clamp(g.amax(norms, 0, true), -1.0, 1.0), 1, true).0;
        let y = g.add(g.sum(y), g.sum(g.logsumexp(largest, 1, false)));
        let loss = g.sum(y);
        let (a, b) = (g.sigmoid(x), g.sigmoid(g.neg(x)));
        let labels = g.indices(&[3; 256]);
        let losses = LOSSES.iter().flat_map(|loss| REDUCTIONS.map(|r| g.sum(loss(&g, [a, b], labels, r))));
        let loss = losses.fold(loss, |sum, loss| g.add(sum, loss));
        g.backward(loss);
    });
    assert_eq!(n, 0, "assorted ops");

    let mut params = Params::new();
    let (table, bias) = (weight(&mut params, "table", &[50, 48]), weight(&mut params, "bias", &[600, 600]));
    let mut tape = Tape::new();
    let n = allocations_of(2, |step| {
        let mut g = tape.begin(&mut params, Mode::train(7, step));
        let x = g.embedding(g.tokens([3, 600], &[7; 3 * 600]), g.param(table), Some(1));
        let key_padding_mask = Some(g.attention_mask([3, 600], &[false; 3 * 600]));
        let options =
            AttentionOptions { is_causal: true, dropout_p: 0.1, key_padding_mask, ..Default::default() };
        let y = g.multi_head_attention(QueryKeyValue::Packed(x), 2, options);
        let biased = AttentionOptions { attn_mask: Some(g.param(bias)), ..Default::default() };
        let y = g.scaled_dot_product_attention(y, y, y, biased);
        let y = g.einsum("...ti,...si->...ts", &[y, y]);
        let loss = g.mean(y);
        g.backward(loss);
    });
    assert_eq!(n, 0, "tokens");

    let mut params = Params::new();
    let (up, depthwise) =
        (weight(&mut params, "up", &[18, 18, 3, 3]), weight(&mut params, "depthwise", &[18, 1, 3, 3]));
    let sequence = weight(&mut params, "sequence", &[18, 18, 3]);
    let values = numbers(20 * 8 * 8 * 18, 3);
    let mut tape = Tape::new();
    let n = allocations_of(2, |step| {
        let mut g = tape.begin(&mut params, Mode::train(7, step));
        let x = g.variable([20, 8, 8, 18], &values);
        let (up, depthwise, sequence) = (g.param(up), g.param(depthwise), g.param(sequence));
        let twice = ConvTranspose2dOptions { stride: [2, 2], output_padding: [1, 1], ..Default::default() };
        let y = g.conv_transpose2d(x, up, None, twice);
        let groups = Conv2dOptions { groups: 18, padding: [1, 1], ..Default::default() };
        let y = g.conv2d(y, depthwise, None, groups);
        let y = g.interpolate(y, ResizeTo::Size([9, 6]), Interpolation::Bilinear { align_corners: false });
        let y = g.add_relu(g.adaptive_avg_pool2d(y, [4, 4]), g.adaptive_max_pool2d(y, [4, 4]));
        let options = BatchNormOptions::default();
        let y = g.batch_norm_activation(y, &[], [None, None], options, Activation::Gelu);
        let y = g.conv2d(y, up, None, Conv2dOptions { padding: [1, 1], ..Default::default() });
        let y = g.pixel_unshuffle(g.conv2d(y, depthwise, None, groups), 2);
        let y = g.reshape(g.silu(g.pixel_shuffle(y, 2)), [20, 16, 18]);
        let y = g.conv1d(y, sequence, None, Conv1dOptions::default());
        let y = g.max_pool1d(y, Pool1dOptions::new([2]));
        let y = g.conv_transpose1d(y, sequence, None, ConvTranspose1dOptions::default());
        let loss = g.sum(g.mul(y, y));
        g.backward(loss);
    });
    assert_eq!(n, 0, "ops of images and sequences");
}
