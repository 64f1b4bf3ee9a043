//! What layers promise beyond the ops they record: sizes, options and parameters in the right places,
//! training and evaluation, initialisation by name.

use crate::common::uniform;
use autograd::{Mode, Params, StochasticDepthMode, Tape};
use nn::{
    AvgPool2d, BatchNorm1d, BatchNorm2d, Conv2d, Dropout, Dropout2d, GroupNorm, Init, InstanceNorm2d, Layer,
    LayerNorm, Linear, MaxPool2d, ReLU, Residual, Sequential, StochasticDepth, models,
};
use proptest::prelude::*;
use tensor::conv::Conv2dShape;
use tensor::pool::Pool2dShape;
use tensor::reference;

fn run(net: &impl Layer, params: &mut Params, mode: Mode, shape: &[usize], x: &[f32]) -> Vec<f32> {
    let mut tape = Tape::new();
    let g = tape.begin(params, mode);
    let x = g.input(shape, x);
    let y = net.forward(&g, x);
    g.value(y).to_vec()
}

fn value<'p>(params: &'p Params, name: &str) -> &'p [f32] {
    params.value(params.find(name).unwrap_or_else(|| panic!("no parameter {name}")))
}

fn assert_close(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (x, y)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*x) - y).abs() <= tolerance * (1.0 + y.abs()), "number {i}: {x}, expected {y}");
    }
}

/// Size, step, border and distance of a window along one axis, and an extent that it fits.
fn axis() -> impl Strategy<Value = [usize; 5]> {
    (1_usize..4, 1_usize..4, 0_usize..3, 1_usize..3, 0_usize..4).prop_map(
        |(kernel, stride, padding, dilation, more)| {
            let reach = dilation * (kernel - 1) + 1;
            [kernel, stride, padding, dilation, reach.saturating_sub(2 * padding).max(1) + more]
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn conv2d_computes_the_convolution_of_its_options(
        [rows, cols] in [axis(), axis()],
        [n, groups, i, o] in [1_usize..3, 1_usize..3, 1_usize..4, 1_usize..4],
        bias in any::<bool>(),
    ) {
        let [kh, sh, ph, dh, height] = rows;
        let [kw, sw, pw, dw, width] = cols;
        let (in_channels, out_channels) = (i * groups, o * groups);
        let conv = Conv2d::new(in_channels, out_channels, [kh, kw])
            .stride([sh, sw]).padding([ph, pw]).dilation([dh, dw]).groups(groups).bias(bias);
        let (conv, mut params) = nn::build(conv, 1);
        let x = uniform(2, n * height * width * in_channels);
        let y = run(&conv, &mut params, Mode::eval(), &[n, height, width, in_channels], &x);
        let shape = Conv2dShape {
            batch: n, height, width, in_channels, out_channels, kernel_size: [kh, kw],
            stride: [sh, sw], padding: [ph, pw], dilation: [dh, dw], groups,
        };
        let f64s = |name| reference::to_f64(value(&params, name));
        let b = bias.then(|| f64s("bias"));
        let expected = reference::conv2d_forward(&reference::to_f64(&x), &f64s("weight"), b.as_deref(), &shape);
        assert_close(&y, &expected, 1e-5);
    }

    #[test]
    fn pools_compute_with_their_options(
        [rows, cols] in [axis(), axis()],
        [batch, channels] in [1_usize..3, 1_usize..4],
    ) {
        let ([kh, sh, ph, _, height], [kw, sw, pw, _, width]) = (rows, cols);
        let padding = [ph.min(kh / 2), pw.min(kw / 2)];
        let (height, width) = (height.max(kh), width.max(kw));
        let shape = Pool2dShape::new([batch, height, width, channels], [kh, kw], [sh, sw], padding);
        let x = uniform(3, batch * height * width * channels);
        let (f64s, dims) = (reference::to_f64(&x), [batch, height, width, channels]);
        let max = MaxPool2d::new([kh, kw]).stride([sh, sw]).padding(padding);
        let avg = AvgPool2d::new([kh, kw]).stride([sh, sw]).padding(padding);
        let none = &mut Params::new();
        assert_close(&run(&max, none, Mode::eval(), &dims, &x), &reference::max_pool2d_forward(&f64s, &shape).0, 0.0);
        assert_close(&run(&avg, none, Mode::eval(), &dims, &x), &reference::avg_pool2d_forward(&f64s, &shape, true), 1e-6);
    }

    #[test]
    fn batch_norm_normalises_by_the_batch_and_follows_it(
        [n, channels] in [2_usize..20, 1_usize..6],
        momentum in 0.0_f32..=1.0,
        n_steps in 1_usize..4,
    ) {
        let (net, mut params) = nn::build(BatchNorm1d::new(channels).momentum(momentum).eps(1e-3), 0);
        let weight = params.find("weight").unwrap();
        params.value_mut(weight).copy_from_slice(&uniform(4, channels));
        let (mut mean, mut var) = (vec![0.0; channels], vec![1.0; channels]);
        for step in 0..n_steps {
            let x: Vec<f32> = uniform(5 + step as u32, n * channels).iter().map(|u| 3.0 * u + 1.0).collect();
            let mut tape = Tape::new();
            let mut g = tape.begin(&mut params, Mode::train(0, step as u64));
            let input = g.input([n, channels], &x);
            let y = net.forward(&g, input);
            let loss = g.sum(y);
            g.backward(loss);
            let y = g.value(y).to_vec();
            drop(g);
            let x = reference::to_f64(&x);
            let (batch_mean, batch_var) = reference::batch_statistics(&x, channels);
            let w = reference::to_f64(params.value(weight));
            let zeros = vec![0.0; channels];
            assert_close(&y, &reference::batch_norm_forward(&x, &batch_mean, &batch_var, &w, &zeros, 1e-3), 1e-4);
            let (m, unbiased) = (f64::from(momentum), n as f64 / (n as f64 - 1.0));
            for c in 0..channels {
                mean[c] += m * (batch_mean[c] - mean[c]);
                var[c] += m * (batch_var[c] * unbiased - var[c]);
            }
        }
        assert_close(value(&params, "running_mean"), &mean, 1e-5);
        assert_close(value(&params, "running_var"), &var, 1e-5);
        // Evaluation takes what was learnt.
        let x = uniform(9, n * channels);
        let y = run(&net, &mut params, Mode::eval(), &[n, channels], &x);
        let w = reference::to_f64(params.value(weight));
        let zeros = vec![0.0; channels];
        assert_close(&y, &reference::batch_norm_forward(&reference::to_f64(&x), &mean, &var, &w, &zeros, 1e-3), 1e-4);
    }

    #[test]
    fn default_initialisation_fills_the_bounds_of_pytorch(
        [i, o] in [1_usize..40, 40_usize..80],
        kernel_size in 1_usize..4,
        seed in any::<u64>(),
    ) {
        let net = Sequential::new().add(Conv2d::new(i, o, kernel_size)).add(Linear::new(i, o));
        let (_net, params) = nn::build(net, seed);
        for (layer, fan_in) in [("0", i * kernel_size * kernel_size), ("1", i)] {
            let bound = 1.0 / (fan_in as f32).sqrt();
            for kind in ["weight", "bias"] {
                let values = value(&params, &format!("{layer}.{kind}"));
                prop_assert!(values.iter().all(|v| v.abs() <= bound));
                // 40 draws or more all within 60 % of the bound: once in 10⁹.
                prop_assert!(values.iter().any(|v| v.abs() > 0.6 * bound));
            }
        }
    }
}

#[test]
fn the_cnn_has_he_uniform_weights_and_zero_biases() {
    let (_net, params) = nn::build(models::lecture_cnn(0.5), 3);
    let bounds = [("0", 0.471405), ("3", 0.144338), ("6", 0.102062), ("10", 0.054127), ("13", 0.153093)];
    for (layer, bound) in bounds {
        let weight = value(&params, &format!("{layer}.weight"));
        let largest = weight.iter().fold(0.0_f32, |max, w| max.max(w.abs()));
        assert!(largest <= bound + 1e-6 && largest > 0.99 * bound, "{layer}: {largest}");
        let mean_square = weight.iter().map(|w| w * w).sum::<f32>() / weight.len() as f32;
        assert!((mean_square / (bound * bound / 3.0) - 1.0).abs() < 0.1, "{layer}: {mean_square}");
        assert!(value(&params, &format!("{layer}.bias")).iter().all(|&b| b == 0.0));
    }
    assert_eq!(params.n_trainable(), 620_362);
}

#[test]
fn every_initialisation_has_its_variance() {
    let variances = [
        (Init::Default, 1.0 / (3.0 * 300.0)),
        (Init::Constant(0.5), 0.25),
        (Init::HeUniform, 2.0 / 300.0),
        (Init::HeNormal, 2.0 / 300.0),
        (Init::XavierUniform, 2.0 / 500.0),
        (Init::XavierNormal, 2.0 / 500.0),
    ];
    for (init, variance) in variances {
        let (_net, params) = nn::build(Linear::new(300, 200).weight_init(init).bias_value(0.25), 1);
        let weight = value(&params, "weight");
        let mean_square = weight.iter().map(|w| w * w).sum::<f32>() / weight.len() as f32;
        assert!((mean_square / variance - 1.0).abs() < 0.05, "{init:?}: {mean_square}, expected {variance}");
        assert!(value(&params, "bias").iter().all(|&b| b == 0.25));
    }
}

#[test]
fn a_parameter_is_drawn_by_its_name_and_the_seed_alone() {
    let head = || Sequential::new().add(Linear::new(5, 7)).add(ReLU);
    let (_net, short) = nn::build(head(), 1);
    let (_net, long) = nn::build(head().add(Linear::new(7, 7)), 1);
    let (_net, other_seed) = nn::build(head(), 2);
    assert_eq!(value(&short, "0.weight"), value(&long, "0.weight"));
    assert_eq!(value(&short, "0.bias"), value(&long, "0.bias"));
    assert_ne!(value(&short, "0.weight"), value(&other_seed, "0.weight"));
    assert_ne!(value(&long, "0.bias"), value(&long, "2.bias"));
}

#[test]
fn dropout_drops_in_training_alone_and_anew_each_step() {
    let net = Sequential::new().add(Dropout::new(0.5)).add(Dropout::new(0.5));
    let (ones, mut params) = (vec![1.0; 4000], Params::new());
    let mut at = |mode| run(&net, &mut params, mode, &[40, 100], &ones);
    assert_eq!(at(Mode::eval()), ones);
    let first = at(Mode::train(0, 0));
    assert_eq!(first, at(Mode::train(0, 0)));
    assert_ne!(first, at(Mode::train(0, 1)));
    assert_ne!(first, at(Mode::train(1, 0)));
    // The micro-batches of a step have masks of their own; the first is the step undivided.
    assert_eq!(first, at(Mode::train(0, 0).micro_batch(0)));
    let others = [1, 2, 3].map(|k| at(Mode::train(0, 0).micro_batch(k).accumulate()));
    assert!(others.iter().all(|other| *other != first) && others[0] != others[1] && others[1] != others[2]);
    assert_eq!(others[1], at(Mode::train(0, 0).micro_batch(2)));
    // Two layers keep a quarter between them, scaled by four: they draw independently.
    assert!(first.iter().all(|&y| y == 0.0 || y == 4.0));
    let n_kept = first.iter().filter(|&&y| y == 4.0).count();
    assert!((900..1100).contains(&n_kept), "{n_kept}");
}

#[test]
fn whole_channels_and_whole_images_are_dropped() {
    let (ones, mut params) = (vec![1.0; 60 * 5 * 8], Params::new());
    let mut at = |net: &dyn Layer, mode| {
        let mut tape = Tape::new();
        let g = tape.begin(&mut params, mode);
        let y = net.forward(&g, g.input([60, 1, 5, 8], &ones));
        g.value(y).to_vec()
    };
    let n_kept = |y: &[f32]| y.iter().filter(|&&y| y == 2.0).count();
    let y = at(&Dropout2d::new(0.5), Mode::train(0, 0));
    for image in y.chunks(5 * 8) {
        assert!(image.chunks(8).all(|pixel| pixel == &image[..8]), "a channel's pixels go together");
    }
    // 480 channels: 240 of them, and five standard deviations of 11.
    assert!((5 * 185..5 * 295).contains(&n_kept(&y)));

    let row = StochasticDepth::new(0.5, StochasticDepthMode::Row);
    let y = at(&row, Mode::train(0, 0));
    assert!(
        y.chunks(5 * 8).all(|image| image.iter().all(|&y| y == image[0])),
        "an image's pixels go together"
    );
    assert!((40 * 11..40 * 49).contains(&n_kept(&y)));
    assert_eq!(at(&row, Mode::eval()), ones);

    for mode in [StochasticDepthMode::Row, StochasticDepthMode::Batch] {
        assert_eq!(at(&StochasticDepth::new(0.0, mode), Mode::train(0, 0)), ones);
        assert_eq!(at(&StochasticDepth::new(1.0, mode), Mode::train(0, 0)), [0.0; 60 * 5 * 8]);
    }

    let batch = StochasticDepth::new(0.5, StochasticDepthMode::Batch);
    let steps: Vec<f32> = (0..60)
        .map(|step| at(&batch, Mode::train(0, step)))
        .map(|y| {
            assert!(y.iter().all(|&element| element == y[0]), "all images go together");
            y[0]
        })
        .collect();
    assert!((11..49).contains(&n_kept(&steps)));
}

#[test]
fn frozen_statistics_are_used_in_training_and_stay() {
    let (net, mut params) = nn::build(Sequential::new().add(BatchNorm2d::new(3)), 0);
    let mean = params.find("0.running_mean").unwrap();
    params.value_mut(mean).copy_from_slice(&[0.5, -0.5, 1.0]);
    params.freeze("0.running_mean").unwrap();
    params.freeze("0.running_var").unwrap();
    let (x, before) = (uniform(1, 12), params.values().to_vec());
    let in_evaluation = run(&net, &mut params, Mode::eval(), &[4, 3], &x);
    let mut tape = Tape::new();
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let y = net.forward(&g, g.input([4, 3], &x));
    assert_eq!(g.value(y), in_evaluation);
    let loss = g.sum(g.mul(y, y));
    g.backward(loss);
    drop(g);
    assert_eq!(params.values(), before);
    let grad = |name| params.grad(params.find(name).unwrap());
    assert!(grad("0.weight").iter().chain(grad("0.bias")).all(|&d| d != 0.0), "scale and shift learn on");
}

/// PyTorch has a layer for each number of axes.
#[test]
fn norms_take_any_axes_before_the_channels() {
    let x = uniform(7, 2 * 12 * 3);
    for norm in [Box::new(BatchNorm2d::new(3)) as Box<dyn Layer>, Box::new(InstanceNorm2d::new(3))] {
        let (norm, mut params) = nn::build(norm, 0);
        let mut of = |shape: &[usize]| run(&norm, &mut params, Mode::train(0, 0), shape, &x);
        let images = of(&[2, 3, 4, 3]);
        assert_eq!(of(&[2, 12, 3]), images, "{norm:?} of sequences");
        assert_eq!(of(&[2, 2, 3, 2, 3]), images, "{norm:?} of volumes");
    }
}

#[test]
fn a_residual_block_adds_what_went_around() {
    let body = Sequential::new().add(Linear::new(3, 3)).add(ReLU).add(Linear::new(3, 2));
    let block = Residual::new(body).shortcut(Linear::new(3, 2).bias(false));
    let (net, mut params) = nn::build(Sequential::new().add(block), 5);
    let names: Vec<&str> = params.entries().iter().map(|entry| entry.name.as_str()).collect();
    let expected =
        ["0.body.0.weight", "0.body.0.bias", "0.body.2.weight", "0.body.2.bias", "0.shortcut.weight"];
    assert_eq!(names, expected);

    let x = uniform(1, 6);
    let y = run(&net, &mut params, Mode::eval(), &[2, 3], &x);
    let affine = |x: &[f32], layer: &str| -> Vec<f32> {
        let (w, n_in) = (value(&params, &format!("{layer}.weight")), x.len());
        let bias = params.find(&format!("{layer}.bias")).map(|id| params.value(id));
        let row = |(o, w): (usize, &[f32])| {
            w.iter().zip(x).map(|(w, x)| w * x).sum::<f32>() + bias.map_or(0.0, |b| b[o])
        };
        w.chunks(n_in).enumerate().map(row).collect()
    };
    for (x, y) in x.chunks(3).zip(y.chunks(2)) {
        let hidden: Vec<f32> = affine(x, "0.body.0").iter().map(|h| h.max(0.0)).collect();
        let (body, around) = (affine(&hidden, "0.body.2"), affine(x, "0.shortcut"));
        let expected: Vec<f64> = body.iter().zip(around).map(|(b, a)| f64::from(b + a)).collect();
        assert_close(y, &expected, 1e-6);
    }
}

#[test]
fn the_order_of_a_norms_options_does_not_matter() {
    let names = |layer: Box<dyn Layer>| -> Vec<String> {
        nn::shapes(layer).into_iter().map(|(name, _)| name).collect()
    };
    let orders: [[Box<dyn Layer>; 2]; 4] = [
        [
            Box::new(BatchNorm2d::new(4).track_running_stats(false).affine(true).bias(false)),
            Box::new(BatchNorm2d::new(4).track_running_stats(false).bias(false).affine(true)),
        ],
        [
            Box::new(GroupNorm::new(2, 4).affine(true).bias(false)),
            Box::new(GroupNorm::new(2, 4).bias(false).affine(true)),
        ],
        [
            Box::new(InstanceNorm2d::new(4).affine(true).bias(false)),
            Box::new(InstanceNorm2d::new(4).bias(false).affine(true)),
        ],
        [
            Box::new(LayerNorm::new([4]).elementwise_affine(true).bias(false)),
            Box::new(LayerNorm::new([4]).bias(false).elementwise_affine(true)),
        ],
    ];
    for [one, other] in orders {
        assert_eq!([names(one), names(other)], [["weight"], ["weight"]]);
    }
    assert!(nn::shapes(GroupNorm::new(2, 4).bias(true).affine(false)).is_empty(), "as in PyTorch");
}

#[test]
fn a_frozen_layer_stays_and_its_statistics_can_be_read() {
    let net = Sequential::new().add(Linear::new(2, 3)).add(BatchNorm2d::new(3)).add(Linear::new(3, 1));
    let (net, mut params) = nn::build(net, 0);
    let frozen = params.find("0.weight").unwrap();
    params.freeze("0").unwrap();
    let summary = net.summary(&params, [4, 2]);
    assert_eq!((summary.n_trainable, summary.n_frozen, summary.n_statistics), (6 + 4, 6 + 3, 6));
    let mut tape = Tape::new();
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let x = g.input([4, 2], &uniform(0, 8));
    let y = net.forward(&g, x);
    let squares = g.mul(y, y);
    let loss = g.sum(squares);
    g.backward(loss);
    drop(g);
    assert!(params.grad(frozen).iter().all(|&d| d == 0.0));
    assert!(params.grad(params.find("2.weight").unwrap()).iter().any(|&d| d != 0.0));
}
