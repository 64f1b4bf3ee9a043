//! A steady training step of a `Sequential` allocates nothing: neither paths, nor patterns, nor layers. In
//! a binary of its own, because the allocator counts for all.
//!
//! Not counted is the buffer that `matrixmultiply` takes and gives back within a product; its alignment
//! tells it from everything of ours.

use autograd::{Mode, StochasticDepthMode, Tape};
use counting::Allocator;
use nn::{
    AdaptiveAvgPool1d, AdaptiveMaxPool1d, AvgPool1d, BatchNorm2d, CarriedState, CircularPad2d, ConstantPad2d,
    Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, Dropout, Dropout2d, Embedding, Flatten, GELU, GRU,
    GroupNorm, InstanceNorm2d, Interpolation, LSTM, Layer, LayerNorm, Linear, LocalResponseNorm, Masks,
    MaxPool1d, MaxPool2d, MultiheadAttention, PReLU, PaddingMode, Parallel, PixelShuffle, PixelUnshuffle,
    RMSNorm, RNN, ReLU, Recurrent, RecurrentCell, ReflectionPad1d, ReflectionPad2d, ReplicationPad2d,
    Residual, RotaryPositions, Sequences, Sequential, SinusoidalPositions, StochasticDepth,
    TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer, Unflatten,
    Upsample, ZeroPad2d, models,
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

/// Layers that resize and pad images, and layers of sequences, which the rows of the images become.
fn images_and_sequences() -> Sequential {
    let same =
        |channels: usize, mode: PaddingMode| Conv2d::new(channels, 8, 3).padding_same().padding_mode(mode);
    let branches = Parallel::concat(3).add(same(8, PaddingMode::Reflect)).add(same(8, PaddingMode::Circular));
    let padded = Sequential::new().add(ReplicationPad2d::new(1)).add(Conv2d::new(16, 16, 3));
    let bilinear = Interpolation::Bilinear { align_corners: false };
    Sequential::new()
        .add(Conv2d::new(3, 8, 3).stride(2).padding(1).padding_mode(PaddingMode::Replicate))
        .add(PReLU::new(8))
        .add(branches)
        .add(Parallel::sum().add(Conv2d::new(16, 16, 1)).add(padded))
        .add(ReflectionPad2d::new(1))
        .add(CircularPad2d::new(1))
        .add(ZeroPad2d::new(1))
        .add(ConstantPad2d::new(1, 0.5))
        .add(MaxPool2d::new(4))
        .add(ConvTranspose2d::new(16, 16, 3).stride(2).padding(1).output_padding(1))
        .add(PixelShuffle::new(2))
        .add(PixelUnshuffle::new(2))
        .add(Upsample::scale_factor(1.5).mode(bilinear))
        .add(Upsample::size(8))
        .add(Flatten.start_dim(1).end_dim(2))
        .add(RotaryPositions::new(4))
        .add(MultiheadAttention::new(16, 2).rotary(RotaryPositions::new(8)))
        .add(ReflectionPad1d::new(1))
        .add(Conv1d::new(16, 8, 3).padding_same().padding_mode(PaddingMode::Circular))
        .add(PReLU::default())
        .add(ConvTranspose1d::new(8, 8, 4).stride(2).padding(1))
        .add(MaxPool1d::new(2))
        .add(AvgPool1d::new(2))
        .add(Parallel::sum().add(AdaptiveAvgPool1d::new(6)).add(AdaptiveMaxPool1d::new(6)))
        .add(Unflatten::new(1, &[2, 3]))
        .add(Flatten)
        .add(Linear::new(6 * 8, 10))
}

/// One test, so that nothing else runs beside it.
#[test]
fn a_steady_step_allocates_nothing() {
    let boxed = || drop(std::hint::black_box(Box::new(0_u8)));
    assert_eq!(ALLOCATOR.usual_allocations(boxed), 1, "the counter sees an allocation");

    assert_eq!(allocations_of_a_transformer(false), 0, "a transformer");
    assert_eq!(allocations_of_a_transformer(true), 0, "a transformer whose layers are recomputed");

    let body =
        Sequential::new().add(Conv2d::new(8, 8, 3).padding(1)).add(BatchNorm2d::new(8)).add(GELU::default());
    let residual = Sequential::new()
        .add(Conv2d::new(3, 8, 3).stride(2))
        .add(Residual::new(body).shortcut(Conv2d::new(8, 8, 1)))
        .add(GroupNorm::new(2, 8))
        .add(InstanceNorm2d::new(8).affine(true).track_running_stats(true))
        .add(LocalResponseNorm::new(3))
        .add(StochasticDepth::new(0.5, StochasticDepthMode::Row))
        .add(Dropout2d::new(0.5))
        .add(BatchNorm2d::new(8).momentum(None).scale(false))
        .add(MaxPool2d::new(3).stride(2))
        .add(Flatten)
        .add(Linear::new(8 * 7 * 7, 10))
        .add(LayerNorm::new([10]))
        .add(RMSNorm::new([10]))
        .add(ReLU)
        .add(Dropout::new(0.5));
    assert_eq!(allocations_of(models::lecture_cnn(0.5)), 0, "the convolutional network");
    assert_eq!(allocations_of(models::lecture_cnn(0.5).fuse(false)), 0, "the convolutional network, unfused");
    assert_eq!(allocations_of(residual), 0, "the residual network");
    assert_eq!(allocations_of(images_and_sequences()), 0, "the network of images and sequences");
    assert_eq!(allocations_of_sequences(RNN::new(5, 6)), 0, "an RNN");
    assert_eq!(allocations_of_sequences(GRU::new(5, 6)), 0, "a GRU");
    assert_eq!(allocations_of_sequences(LSTM::new(5, 6)), 0, "an LSTM");
}
