//! Losses and gradients have the same bits on 1, 2, 3 and 16 threads.

#[path = "common/activations.rs"]
mod activations;
#[path = "common/cnn.rs"]
mod cnn;
#[path = "common/losses.rs"]
mod losses;
#[path = "common/numbers.rs"]
mod numbers;
#[path = "common/unary.rs"]
mod unary;
#[path = "common/weights.rs"]
mod weights;

use activations::ACTIVATIONS;
use autograd::{
    AttentionOptions, BatchNormOptions, Conv2dOptions, ConvTranspose2dOptions, Graph, Interpolation,
    LocalResponseNormOptions, Mode, PadMode, Params, Pool2dOptions, QueryKeyValue, RecurrentOptions,
    Reduction, ResizeTo, RnnNonlinearity, Role, RotaryOptions, StochasticDepthMode, Tape, Var,
};
use cnn::Cnn;
use losses::LOSSES;
use numbers::numbers;
use unary::UNARY;
use weights::weight;

/// Records a step up to its loss.
type Record = dyn Fn(&Graph<'_>) -> Var + Sync;

/// The bits of the loss, of all gradients and of all values after two steps on a pool of `n_threads`.
fn bits(n_threads: usize, build: impl FnOnce(&mut Params) -> Box<Record>) -> Vec<u32> {
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("threads can be started");
    let mut params = Params::new();
    let record = build(&mut params);
    let mut tape = Tape::new();
    pool.install(|| {
        let mut all = Vec::new();
        for step in 0..2 {
            let mut g = tape.begin(&mut params, Mode::train(7, step));
            let loss = record(&g);
            g.backward(loss);
            all.push(g.scalar(loss));
            drop(g);
            let (values, grads) = params.values_mut_and_grads();
            values.iter_mut().zip(grads).for_each(|(value, grad)| *value -= 0.01 * grad);
            all.extend(params.grads());
        }
        all.extend(params.values());
        assert!(all.iter().all(|v| v.is_finite()));
        all.iter().map(|v| v.to_bits()).collect()
    })
}

fn check(build: impl Fn(&mut Params) -> Box<Record>) {
    let one = bits(1, &build);
    for n_threads in [2, 3, 16] {
        assert!(one == bits(n_threads, &build), "1 and {n_threads} threads");
    }
}

/// The network on a batch that does not divide into equal groups.
fn network(params: &mut Params, fused: bool) -> Box<Record> {
    let cnn = Cnn::new(params);
    Box::new(move |g| {
        let x = g.input([21, 32, 32, 3], &numbers(21 * 32 * 32 * 3, 1));
        let logits = cnn.logits(g, x, fused);
        let labels = g.indices(&(0..21).map(|i| i % 10).collect::<Vec<_>>());
        g.cross_entropy(logits, labels)
    })
}

#[test]
fn of_a_network() {
    check(|params| network(params, true));
}

#[test]
fn of_the_network_one_op_at_a_time() {
    check(|params| network(params, false));
}

/// Tokens that look at each other, with dropout, and at others: few heads with many keys, and many heads.
#[test]
fn of_tokens() {
    const FEATURES: usize = 24;
    for [n, t] in [[2, 600], [12, 70]] {
        check(|params| {
            let table = weight(params, "table", &[50, 3 * FEATURES]);
            Box::new(move |g| {
                let tokens = (0..(n * t) as u32).map(|i| i * i % 47).collect::<Vec<_>>();
                let x = g.embedding(g.tokens([n, t], &tokens), g.param(table), Some(3));
                let options = AttentionOptions { is_causal: true, dropout_p: 0.1, ..Default::default() };
                let rotary =
                    RotaryOptions { head_dim: Some(FEATURES / 2), n_rotated: Some(4), ..Default::default() };
                let x = g.rotary_positions(g.sinusoidal_positions(x), rotary);
                let y = g.multi_head_attention(QueryKeyValue::Packed(x), 2, options);
                let y = g.scaled_dot_product_attention(y, y, y, AttentionOptions::default());
                g.mean(y)
            })
        });
    }
}

/// Batched products, choices, sorting and borders of images [n, h, w, c].
fn rearranged(g: &Graph<'_>, x: Var) -> Var {
    let x = g.tanh(x);
    let rows = g.einsum("nhwc,nhvc->nhwv", &[x, x]);
    let noisy = g.add(g.cumsum(x, 3), g.randn_like(x));
    let (sorted, order) = g.sort(noisy, 3, true);
    let back = g.scatter_add(x, 3, order, sorted);
    let chosen = g.where_cond(g.relu(back), g.maximum(x, noisy), g.clamp(sorted, -0.5, 0.5));
    let padded = g.pad(chosen, &[[0, 0], [2, 1], [1, 2], [0, 0]], PadMode::Reflect);
    let norms = g.norm(padded, 3.0, [1, 2], false);
    let means = [g.mean(g.logsumexp(rows, 3, false)), g.mean(norms), g.mean(g.amax(padded, [1, 3], true))];
    g.sum(g.stack(&means, 0))
}

/// The other ops, on sizes for which work is split.
#[test]
fn of_all_other_ops() {
    const ROWS: usize = 3000;
    const COLS: usize = 70;
    check(|params| {
        let w = weight(params, "w", &[COLS, COLS]);
        let scale = weight(params, "scale", &[COLS]);
        let running = ["mean", "var"].map(|name| params.add(name, [COLS], Role::Statistic));
        Box::new(move |g| {
            let x = g.variable([ROWS, COLS], &numbers(ROWS * COLS, 3));
            let (w, scale, running) = (g.param(w), g.param(scale), running.map(|id| g.param(id)));
            let product = g.matmul_transposed(x, w, [false, true]);
            let product = ACTIVATIONS
                .into_iter()
                .fold(product, |x, activation| g.linear_activation(x, w, Some(scale), activation));
            let affine = [Some(scale), Some(scale)];
            let normal = g.batch_norm(product, &running, affine, BatchNormOptions::default());
            let options = BatchNormOptions::default();
            let normal = ACTIVATIONS.into_iter().fold(normal, |x, activation| {
                g.batch_norm_activation(x, &running, affine, options, activation)
            });
            let normal = g.layer_norm(normal, [COLS], affine, 1e-5);
            let normal = g.rms_norm(normal, [COLS], Some(scale), 1e-5);
            let of_groups = g.reshape(normal, [30, 10, 10, COLS]);
            let of_groups = g.group_norm(of_groups, 5, affine, 1e-5);
            let of_groups = g.instance_norm(of_groups, Some(running), affine, BatchNormOptions::default());
            let of_groups = g.local_response_norm(of_groups, LocalResponseNormOptions::new(5));
            let of_groups = g.stochastic_depth(g.dropout2d(of_groups, 0.2), 0.2, StochasticDepthMode::Row);
            let normal = g.add(normal, g.reshape(of_groups, [ROWS, COLS]));
            let normal = g.add_relu(normal, g.mul(normal, scale));
            let positive = g.add_scalar(g.sigmoid(normal), 1.0);
            let terms = UNARY.iter().map(|op| op(g, positive));
            let leaky = g.prelu(normal, g.slice(scale, 0, 0..1));
            let ratio = g.div(g.gelu(leaky), positive);
            let gated = g.glu(g.concat(&[ratio, normal], 1));
            let sum = g.scale(terms.fold(gated, |sum, term| g.add(sum, term)), 0.05);
            let images = g.reshape(sum, [30, 10, 10, COLS]);
            let windows = Pool2dOptions { stride: [2, 2], padding: [1, 1], ..Pool2dOptions::new([3, 3]) };
            let (avg, max) = (g.avg_pool2d(images, windows), g.max_pool2d(images, windows));
            let both = g.concat(&[avg, max], 0);
            let permuted = g.permute(both, &[0, 3, 1, 2]);
            let means = g.mean_axes(permuted, [0, 2], false);
            let global = g.global_avg_pool2d(images);
            let centred = g.mean_axes(global, 0, false);
            let exp = g.exp(centred);
            let rearranged = rearranged(g, images);
            let target = g.input([ROWS, COLS], &numbers(ROWS * COLS, 4));
            let (a, b) = (g.sigmoid(sum), g.sigmoid(target));
            let labels = g.indices(&(0..ROWS as u32).map(|row| row % COLS as u32).collect::<Vec<_>>());
            let losses = LOSSES.iter().flat_map(|loss| {
                [Reduction::None, Reduction::Mean].map(|r| g.sum(loss(g, [a, b], labels, r)))
            });
            losses.fold(g.add(rearranged, g.add(g.mean(means), g.sum(exp))), |sum, loss| g.add(sum, loss))
        })
    });
}

#[test]
fn of_recurrent_layers() {
    const N: usize = 40;
    const T: usize = 6;
    const H: usize = 64;
    check(|params| {
        let weights = [("rnn", 1), ("gru", 3), ("lstm", 4)].map(|(name, n_gates)| {
            let [input, state] = ["ih", "hh"].map(|what| format!("{name}.weight_{what}"));
            [weight(params, &input, &[n_gates * H, H]), weight(params, &state, &[n_gates * H, H])]
        });
        Box::new(move |g| {
            let mut x = g.variable([N, T, H], &numbers(N * T * H, 3));
            let lengths = g.indices(&(0..N as u32).map(|i| 1 + i % T as u32).collect::<Vec<_>>());
            for (i, [input, state]) in weights.into_iter().enumerate() {
                let (gates, weight) = (g.linear(x, g.param(input), None), g.param(state));
                let options = RecurrentOptions { reverse: i == 1, lengths: (i > 0).then_some(lengths) };
                let all = match i {
                    0 => g.rnn(gates, weight, None, None, RnnNonlinearity::Tanh, options),
                    1 => g.gru(gates, weight, None, None, options),
                    _ => g.lstm(gates, weight, None, None, options),
                };
                x = g.slice(all, 1, 0..T);
            }
            g.mean(g.mul(x, x))
        })
    });
}

/// Ops between images of different sizes, and a kernel for each channel.
#[test]
fn of_ops_that_resize_images() {
    check(|params| {
        let (up, depthwise) = (weight(params, "up", &[24, 24, 3, 3]), weight(params, "dw", &[24, 1, 3, 3]));
        Box::new(move |g| {
            let x = g.variable([21, 14, 14, 24], &numbers(21 * 14 * 14 * 24, 3));
            let (up, depthwise) = (g.param(up), g.param(depthwise));
            let groups = Conv2dOptions { groups: 24, padding: [1, 1], ..Default::default() };
            let y = g.conv2d(x, depthwise, None, groups);
            let twice =
                ConvTranspose2dOptions { stride: [2, 2], output_padding: [1, 1], ..Default::default() };
            let y = g.conv_transpose2d(y, up, None, twice);
            let y =
                g.interpolate(y, ResizeTo::Size([19, 18]), Interpolation::Bilinear { align_corners: true });
            let (avg, max) = (g.adaptive_avg_pool2d(y, [8, 8]), g.adaptive_max_pool2d(y, [8, 8]));
            let y = g.conv2d(g.add(avg, max), depthwise, None, Conv2dOptions { stride: [2, 2], ..groups });
            g.mean(g.mul(y, y))
        })
    });
}
