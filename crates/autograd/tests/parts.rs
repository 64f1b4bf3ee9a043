//! Networks trained for some steps on whole batches, and by several processes that own parts of them: the same bits.

#[path = "common/cnn.rs"]
mod cnn;
#[path = "common/numbers.rs"]
mod numbers;
#[path = "common/threads.rs"]
mod threads;
#[path = "common/weights.rs"]
mod weights;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use autograd::{BatchNormOptions, Graph, Mode, ParamId, Params, Role, Tape, Var};
use cnn::Cnn;
use numbers::numbers;
use tensor::activation::Activation;
use tensor::parallel::{Exchange, Shards};
use threads::on_parts;
use weights::weight;

/// Logits of images [n, height, width, 3].
type Network = Box<dyn Fn(&Graph<'_>, Var) -> Var>;

/// Losses and weights of two steps on a batch of `n_images`, of which a part may be here.
fn train(
    build: impl Fn(&mut Params) -> Network,
    [n_images, side]: [usize; 2],
    n_shards: Option<usize>,
    exchange: Option<Arc<dyn Exchange>>,
) -> Vec<u32> {
    let whole = n_shards.map_or(Shards::whole(n_images), |n| Shards::with_count(n_images, n));
    let here = exchange.as_ref().map_or(whole.images(), |exchange| whole.exchanging(&**exchange).images());
    let mut params = Params::new();
    let network = build(&mut params);
    let mut tape = exchange.into_iter().fold(Tape::new(), Tape::exchange);
    let (image_len, mut all) = (side * side * 3, Vec::new());
    for step in 0..2 {
        let images = numbers(n_images * image_len, step);
        let labels: Vec<u32> = (0..n_images as u32).map(|i| i % 10).collect();
        let mode = Mode { n_shards, ..Mode::train(7, step).of_images(n_images) };
        let mut g = tape.begin(&mut params, mode);
        let x = g.input([here.len(), side, side, 3], &images[here.start * image_len..here.end * image_len]);
        let labels = g.indices(&labels[here.clone()]);
        let loss = g.cross_entropy(network(&g, x), labels);
        g.backward(loss);
        all.push(g.scalar(loss));
        drop(g);
        let grads = params.grads().to_vec();
        params.values_mut().iter_mut().zip(grads).for_each(|(value, grad)| *value -= 0.01 * grad);
    }
    all.extend(params.values());
    assert!(all.iter().all(|v| v.is_finite()));
    all.iter().map(|v| v.to_bits()).collect()
}

fn check(
    build: impl Fn(&mut Params) -> Network + Sync,
    sizes: [usize; 2],
    n_shards: Option<usize>,
    n_parts: &[usize],
) {
    let whole = train(&build, sizes, n_shards, None);
    for (&n_parts, overlap) in n_parts.iter().flat_map(|n| [(n, false), (n, true)]) {
        let parts = on_parts(n_parts, overlap, |exchange| train(&build, sizes, n_shards, Some(exchange)));
        let label = || format!("{sizes:?}, {n_shards:?} shards, {n_parts} parts, overlap: {overlap}");
        assert!(parts.iter().all(|part| *part == whole), "{}", label());
    }
}

fn lecture(params: &mut Params, fused: bool) -> Network {
    let cnn = Cnn::new(params);
    Box::new(move |g, x| cnn.logits(g, x, fused))
}

/// Convolutions with batch normalisation, one of them used twice, and a batch norm of vectors.
fn batch_norms(params: &mut Params) -> Network {
    let [first, again] =
        [[16, 3, 3, 3], [16, 16, 3, 3]].map(|dims| weight(params, &format!("{dims:?}"), &dims));
    let out = weight(params, "out", &[10, 16]);
    let mut norm = |name: &str, channels: usize| -> [ParamId; 4] {
        let mut add = |what: &str, role, value| {
            let id = params.add(format!("{name}.{what}"), [channels], role);
            params.value_mut(id).fill(value);
            id
        };
        let running = [add("running_mean", Role::Statistic, 0.0), add("running_var", Role::Statistic, 1.0)];
        [running[0], running[1], add("weight", Role::Trainable, 1.0), add("bias", Role::Trainable, 0.0)]
    };
    let norms = [norm("0", 16), norm("1", 16), norm("2", 10)];
    Box::new(move |g, x| {
        let norm = |x: Var, norm: [ParamId; 4], activation: Option<Activation>| {
            let [mean, var, weight, bias] = norm.map(|id| g.param(id));
            let (running, affine, options) =
                ([mean, var], [Some(weight), Some(bias)], BatchNormOptions::default());
            match activation {
                Some(activation) => g.batch_norm_activation(x, &running, affine, options, activation),
                None => g.batch_norm(x, &running, affine, options),
            }
        };
        let options = autograd::Conv2dOptions { padding: [1, 1], ..Default::default() };
        let conv = |x: Var, id: ParamId| g.conv2d(x, g.param(id), None, options);
        let x = g.relu(norm(conv(x, first), norms[0], None));
        let x = norm(conv(x, again), norms[1], Some(Activation::Relu));
        let y = norm(conv(x, again), norms[1], Some(Activation::Gelu));
        let x = g.add_relu(norm(conv(y, again), norms[1], None), x);
        norm(g.linear(g.global_avg_pool2d(x), g.param(out), None), norms[2], None)
    })
}

#[test]
fn the_lecture_s_network() {
    check(|params| lecture(params, true), [21, 32], None, &[2, 4, 8, 16]);
    check(|params| lecture(params, false), [21, 32], None, &[3]);
}

/// The same, computed again in backward.
fn recomputed(params: &mut Params) -> Network {
    let network = batch_norms(params);
    Box::new(move |g, x| g.recompute(&[x], |g, x| network(g, x[0])))
}

#[test]
fn a_part_that_is_computed_again() {
    let kept = train(batch_norms, [21, 8], None, None);
    assert_eq!(train(recomputed, [21, 8], None, None), kept);
    check(recomputed, [21, 8], None, &[2, 4]);
}

/// One weight in two linear layers, whose sums may overlap, and in a product and a sum, whose sums do not; the product
/// gets it from a part that is recomputed.
fn tied(params: &mut Params) -> Network {
    let (w, out) = (weight(params, "w", &[3, 3]), weight(params, "out", &[10, 3]));
    Box::new(move |g, x| {
        let (same, w) = (g.recompute(&[], |g, _| g.param(w)), g.param(w));
        let x = g.linear(g.global_avg_pool2d(x), w, None);
        let x = g.linear(g.matmul(x, same), w, None);
        g.linear(g.mul(x, g.sum(w)), g.param(out), None)
    })
}

#[test]
fn a_weight_that_is_used_again() {
    check(tied, [21, 8], None, &[2, 3, 4, 8, 16]);
}

/// Noise on images, and on a weight that all parts share.
fn noisy(params: &mut Params) -> Network {
    let out = weight(params, "out", &[10, 3]);
    Box::new(move |g, x| {
        let x = g.scope("noise", |g| g.add(g.add(x, g.randn_like(x)), g.rand(g.shape(x))));
        let w = g.param(out);
        g.linear(g.global_avg_pool2d(x), g.add(w, g.randn_like(w)), None)
    })
}

#[test]
fn random_numbers_are_those_of_the_image() {
    for n_images in [2, 21] {
        check(noisy, [n_images, 8], None, &[2, 3, 4, 8, 16]);
    }
}

/// A matrix that is no parameter, with as many rows as some parts have images.
fn with_a_constant(params: &mut Params) -> Network {
    let bias = weight(params, "bias", &[10]);
    Box::new(move |g, x| {
        let matrix = g.constant([10, 3], &numbers(30, 5));
        g.linear(g.global_avg_pool2d(x), matrix, Some(g.param(bias)))
    })
}

#[test]
fn a_constant_is_the_same_in_all_parts() {
    for n_images in [1, 21, 40] {
        check(with_a_constant, [n_images, 8], None, &[2, 3, 4, 8, 16]);
    }
}

/// Equations that sum over images and other axes, in both orders.
fn with_sums(params: &mut Params) -> Network {
    let out = weight(params, "out", &[10, 3]);
    Box::new(move |g, x| {
        let means = g.global_avg_pool2d(x);
        let [n, h, w, c] = g.shape(x).dims().try_into().expect("images");
        let x = g.reshape(x, [n, h * w, c]);
        let products = g.einsum("nti,ntj->ij", &[x, x]);
        let other = g.einsum("nti,njt->ij", &[g.tanh(x), g.permute(x, &[0, 2, 1])]);
        let mixed = g.scale(g.add(products, other), 0.01);
        g.linear(g.matmul(means, mixed), g.param(out), None)
    })
}

#[test]
fn equations_that_sum_over_images() {
    for n_images in [2, 21] {
        check(with_sums, [n_images, 8], None, &[2, 3, 4, 8, 16]);
    }
}

/// What needs the whole batch in one place is told so, and what can be done instead.
#[test]
fn an_equation_that_needs_the_whole_batch_is_refused() {
    let says = |equation: &'static str, n_operands: usize| {
        let messages = on_parts(2, false, |exchange| {
            let (mut tape, mut params) = (Tape::new().exchange(exchange), Params::new());
            let g = tape.begin(&mut params, Mode::train(0, 0).of_images(16));
            let x = g.input([8, 3], &[1.0; 24]);
            let run = AssertUnwindSafe(|| g.scope("mix", |g| g.einsum(equation, &vec![x; n_operands])));
            *catch_unwind(run).expect_err("it must refuse").downcast::<String>().expect("a message")
        });
        assert_eq!(messages[0], messages[1]);
        messages[0].clone()
    };
    assert_eq!(
        says("ni->in", 1),
        "einsum at layer \"mix\": \"ni->in\": 'n' runs over the images of a batch, of which only a part is in this \
         process; put it first after the arrow, or leave it out there to sum over it"
    );
    assert_eq!(
        says("ni,nj->ijn", 2),
        "einsum at layer \"mix\": \"ni,nj->ijn\": 'n' runs over the images of a batch, of which only a part is in \
         this process; put it first after the arrow, or leave it out there to sum over it"
    );
    assert_eq!(
        says("ni,mi->nm", 2),
        "einsum at layer \"mix\": \"ni,mi->nm\": 'n' and 'm' both run over the images of a batch, of which only a part \
         is in this process; name both by one letter, or sum over one of them"
    );
}

#[test]
fn a_network_with_batch_norm() {
    for (n_images, n_shards) in [(2, None), (21, None), (40, Some(7)), (40, Some(40))] {
        check(batch_norms, [n_images, 8], n_shards, &[2, 3, 4, 8, 16]);
    }
}
