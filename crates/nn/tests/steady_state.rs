//! A steady training step allocates nothing, whatever the layer: neither paths, nor patterns, nor layers. In
//! a binary of its own, because the allocator counts for all.
//!
//! Not counted is the buffer that `matrixmultiply` takes and gives back within a product; its alignment
//! tells it from everything of ours.

#[path = "common/mod.rs"]
mod common;
#[path = "common/layers.rs"]
mod every_layer;

use autograd::{Mode, Tape};
use common::uniform;
use counting::Allocator;
use every_layer::{MOST_IMAGES, layers};
use nn::{
    CarriedState, Embedding, GRU, LSTM, Layer, Masks, RNN, Recurrent, RecurrentCell, Sequences, Sequential,
    SinusoidalPositions, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder,
    TransformerEncoderLayer, models,
};
use optim::{Adam, Norm, Optimizer, clip_norm};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator::below_alignment(16);

/// Allocations of five steps, after four to warm up, all within one pool.
fn allocations_of(net: Sequential) -> usize {
    let (net, mut params) = nn::build(net, 0);
    let images: Vec<f32> = (0..16 * 3072).map(|i| (i as f32).sin()).collect();
    let mut optimizer = Optimizer::new(Adam::default(), &params).expect("Adam takes every shape");
    let mut tape = Tape::new();
    let mut step = |step| {
        tape.step(&mut params, Mode::train(0, step), |g| {
            let logits = net.forward(g, g.input([16, 32, 32, 3], &images));
            g.cross_entropy(logits, g.indices(&[3; 16]))
        });
        clip_norm(&mut params, 1.0, Norm::L2);
        optimizer.step(&mut params);
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads can be started");
    pool.install(|| {
        (0..4).for_each(&mut step);
        ALLOCATOR.usual_allocations(|| (4..9).for_each(&mut step))
    })
}

/// The same for a recurrent layer and a projection of its steps, whose state goes on from step to step.
fn allocations_of_sequences<C: RecurrentCell>(layer: Recurrent<C>) -> usize {
    let (net, mut params) = nn::build(layer.num_layers(2).bidirectional(true).dropout(0.5), 0);
    let x: Vec<f32> = (0..20 * 7 * 5).map(|i| (i as f32).sin()).collect();
    let lengths: Vec<u32> = (0..20).map(|i| 1 + i % 7).collect();
    let (mut tape, mut carried) = (Tape::new(), CarriedState::new());
    let mut step = |step| {
        tape.step(&mut params, Mode::train(0, step), |g| {
            let (x, lengths) = (g.input([20, 7, 5], &x), Some(g.indices(&lengths)));
            let (y, state) = g.scope("rnn", |g| net.run(g, x, Sequences { lengths, state: carried.get(g) }));
            carried.set(g, state);
            g.mean(g.mul(y, y))
        });
    };
    // The first step has no state yet, which the second has.
    (0..5).for_each(&mut step);
    ALLOCATOR.usual_allocations(|| (5..9).for_each(&mut step))
}

/// The same for an encoder of tokens and a decoder that looks at it, with dropout and masks.
fn allocations_of_a_transformer(recompute: bool) -> usize {
    let layer = TransformerEncoderLayer::new(16, 2).dim_feedforward(32).norm_first(true);
    let layers = TransformerEncoder::new(layer, 2).recompute(recompute);
    let encoder =
        Sequential::over(Embedding::new(20, 16).padding_idx(0)).add(SinusoidalPositions).add(layers);
    let (encoder, mut params) = nn::build(encoder, 0);
    let layer = TransformerDecoderLayer::new(16, 2).dim_feedforward(32);
    let (decoder, mut others) = nn::build(TransformerDecoder::new(layer, 2).recompute(recompute), 1);
    let (tokens, x) = ([3; 4 * 70], [0.5; 4 * 30 * 16]);
    let (mut tape, mut second) = (Tape::new(), Tape::new());
    let mut step = |step| {
        tape.step(&mut params, Mode::train(0, step), |g| {
            let y = encoder.forward(g, g.tokens([4, 70], &tokens));
            g.mean(g.mul(y, y))
        });
        second.step(&mut others, Mode::train(0, step), |g| {
            let (x, memory) = (g.input([4, 30, 16], &x), g.input([4, 15, 16], &x[..4 * 15 * 16]));
            let padding = Some(g.attention_mask([4, 15], &[false; 4 * 15]));
            let causal = Masks { is_causal: true, ..Masks::default() };
            let y =
                decoder.run(g, x, memory, causal, Masks { key_padding_mask: padding, ..Masks::default() });
            g.mean(g.mul(y, y))
        });
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads can be started");
    pool.install(|| {
        (0..4).for_each(&mut step);
        ALLOCATOR.usual_allocations(|| (4..9).for_each(&mut step))
    })
}

/// The same for each layer on its own, with the gradient of its input, on a batch that one thread computes and on one
/// that is split.
fn every_layer_allocates_nothing() {
    let both = |(net, image): (Sequential, _)| [(net.clone(), image, 16, 5), (net, image, MOST_IMAGES, 1)];
    for (net, image, n_images, n_steps) in layers().into_iter().flat_map(both) {
        let what = format!("{net:?} on a batch of {n_images}");
        let (net, mut params) = nn::build(net, 0);
        let dims = [&[n_images], image].concat();
        let x = uniform(1, dims.iter().product());
        let mut tape = Tape::new();
        let mut step = |step| {
            tape.step(&mut params, Mode::train(0, step), |g| {
                let y = net.forward(g, g.variable(&dims[..], &x));
                g.mean(g.mul(y, y))
            });
        };
        (0..4).for_each(&mut step);
        let n = ALLOCATOR.usual_allocations(|| (4..4 + n_steps).for_each(&mut step));
        assert_eq!(n, 0, "{what}");
    }
}

/// One test, so that nothing else runs beside it.
#[test]
fn a_steady_step_allocates_nothing() {
    let boxed = || drop(std::hint::black_box(Box::new(0_u8)));
    assert_eq!(ALLOCATOR.usual_allocations(boxed), 1, "the counter sees an allocation");

    assert_eq!(allocations_of_a_transformer(false), 0, "a transformer");
    assert_eq!(allocations_of_a_transformer(true), 0, "a transformer whose layers are recomputed");

    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads can be started");
    pool.install(every_layer_allocates_nothing);
    assert_eq!(allocations_of(models::lecture_cnn(0.5)), 0, "the convolutional network");
    assert_eq!(allocations_of(models::lecture_cnn(0.5).fuse(false)), 0, "the convolutional network, unfused");
    assert_eq!(allocations_of(models::resnet20([32, 32, 3], 10)), 0, "a residual network");
    assert_eq!(allocations_of_sequences(RNN::new(5, 6)), 0, "an RNN");
    assert_eq!(allocations_of_sequences(GRU::new(5, 6)), 0, "a GRU");
    assert_eq!(allocations_of_sequences(LSTM::new(5, 6)), 0, "an LSTM");
}
