//! Layers that are computed again in backward: the same bits as layers that are kept.

use crate::common::uniform;
use autograd::{Graph, Mode, Tape, Var};
use nn::{
    BatchNorm2d, Conv2d, Dropout, GlobalAvgPool2d, Layer, LayerNorm, Linear, Masks, MaxPool2d, ReLU,
    Recompute, Residual, Sequential, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder,
    TransformerEncoderLayer,
};

/// A network of blocks that `wrap` may wrap.
fn network(wrap: impl Fn(Sequential) -> Sequential) -> Sequential {
    let conv = |i, o| Conv2d::new(i, o, 3).padding(1);
    let stem = Sequential::new().add(conv(3, 8)).add(ReLU).add(MaxPool2d::new(2));
    let body = Sequential::new()
        .add(conv(8, 8).bias(false))
        .add(BatchNorm2d::new(8))
        .add(ReLU)
        .add(Dropout::new(0.3));
    let head =
        Sequential::new().add(GlobalAvgPool2d).add(Linear::new(8, 16)).add(ReLU).add(Dropout::new(0.2));
    let block = Residual::new(wrap(body));
    Sequential::new().add(wrap(stem)).add(block.clone()).add(block).add(wrap(head)).add(Linear::new(16, 4))
}

/// Losses and parameters of three steps of training, statistics among them.
fn train(net: Sequential) -> (Vec<String>, Vec<u32>) {
    train_by(net, |net, g, step| {
        let images: Vec<f32> = (0..6 * 12 * 12 * 3).map(|i| (i as f32 * 0.37 + step as f32).sin()).collect();
        let logits = net.forward(g, g.input([6, 12, 12, 3], &images));
        g.cross_entropy(logits, g.indices(&[0, 1, 2, 3, 0, 1]))
    })
}

/// The same with any loss of a step.
fn train_by<X, L: Layer<X>>(net: L, loss: impl Fn(&L, &Graph<'_>, u64) -> Var) -> (Vec<String>, Vec<u32>) {
    let (net, mut params) = nn::build(net, 3);
    let mut tape = Tape::new();
    let mut all = Vec::new();
    for step in 0..3 {
        all.push(tape.step(&mut params, Mode::train(5, step), |g| loss(&net, g, step)));
        let (values, grads) = params.values_mut_and_grads();
        values.iter_mut().zip(grads).for_each(|(value, grad)| *value -= 0.05 * grad);
    }
    all.extend(params.values());
    assert!(all.iter().all(|v| v.is_finite()));
    let names = params.entries().iter().map(|entry| entry.name.clone()).collect();
    (names, all.iter().map(|v| v.to_bits()).collect())
}

#[test]
fn names_losses_weights_and_statistics_are_the_same() {
    let plain = train(network(|block| block));
    // A wrapped layer keeps its name: in a Sequential of its own it would not.
    let wrapped = train(network(|block| Sequential::new().add(Recompute::new(block))));
    let in_a_sequential = train(network(|block| Sequential::new().add(block)));
    assert_eq!(wrapped, in_a_sequential);
    assert_eq!(wrapped.0.len(), plain.0.len());
}

/// Two tensors of tokens, and the same way to a loss for each layer over both.
fn tokens(g: &Graph<'_>, step: u64) -> [Var; 2] {
    let tensor = |stream, n: usize| g.input([2, n, 8], &uniform(stream + step as u32, 2 * n * 8));
    [tensor(0, 5), tensor(10, 4)]
}

#[test]
fn a_wrapped_layer_over_two_tensors_computes_the_same() {
    let layer = || TransformerDecoderLayer::new(8, 2).dim_feedforward(16).causal(true);
    let loss = |g: &Graph<'_>, y: Var| g.mean(g.mul(y, y));
    let plain = train_by(layer(), |net, g, step| {
        let [x, memory] = tokens(g, step);
        loss(g, net.forward(g, (x, memory)))
    });
    let wrapped = train_by(Recompute::new(layer()), |net, g, step| {
        let [x, memory] = tokens(g, step);
        loss(g, net.forward(g, (x, memory)))
    });
    assert_eq!(wrapped, plain);
}

/// An encoder whose output a decoder looks at: as layers, or with masks of every kind.
#[test]
fn stacks_of_recomputed_layers_compute_the_same() {
    let stacks = |with_masks: bool, recompute: bool| {
        let encoder = TransformerEncoderLayer::new(8, 2).dim_feedforward(16).causal(!with_masks);
        let encoder = TransformerEncoder::new(encoder, 2).norm(LayerNorm::new([8])).recompute(recompute);
        let decoder = TransformerDecoderLayer::new(8, 2).dim_feedforward(16).causal(true);
        let decoder = TransformerDecoder::new(decoder, 2).recompute(recompute);
        train_by(Stacks::new(encoder, decoder), |net, g, step| {
            let [x, memory] = tokens(g, step);
            let y = if with_masks { net.masked(g, x, memory) } else { net.forward(g, (x, memory)) };
            g.mean(g.mul(y, y))
        })
    };
    for with_masks in [false, true] {
        assert_eq!(stacks(with_masks, true), stacks(with_masks, false), "with masks: {with_masks}");
    }
}

nn::layer! {
    struct Stacks(encoder: TransformerEncoder, decoder: TransformerDecoder) {
        encoder: TransformerEncoder = encoder,
        decoder: TransformerDecoder = decoder,
    }

    fn forward(&self, g: &Graph<'_>, (x, memory): (Var, Var)) -> Var {
        self.decoder.forward(g, (x, self.encoder.forward(g, memory)))
    }
}

impl Stacks {
    fn masked(&self, g: &Graph<'_>, x: Var, memory: Var) -> Var {
        let padding = Some(g.attention_mask([2, 4], &[false, false, false, true, false, false, true, true]));
        let bias = |dims: [usize; 2]| Some(g.input(dims, &uniform(20, dims[0] * dims[1])));
        let of_memory = Masks { is_causal: true, key_padding_mask: padding, attn_mask: bias([4, 4]) };
        let of_keys = Masks { is_causal: false, attn_mask: bias([5, 4]), ..of_memory };
        let of_x = Masks { is_causal: true, ..Masks::default() };
        let memory = self.encoder.run(g, |encoder, g| encoder.run(g, memory, of_memory));
        self.decoder.run(g, |decoder, g| decoder.run(g, x, memory, of_x, of_keys))
    }
}

#[test]
fn a_wrapped_layer_shows_its_children_and_its_summary() {
    let body = Sequential::new().add(Linear::new(3, 4)).add(ReLU);
    let net = Sequential::new().add(Recompute::new(body.clone()));
    assert!(net.get("0.1").is_some());
    let table = |net: Sequential| {
        let (net, params) = nn::build(net, 0);
        net.summary(&params, [2, 3]).rows
    };
    assert_eq!(table(net), table(Sequential::new().add(body)));
}
