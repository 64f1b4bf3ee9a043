//! Layers that are computed again in backward: the same bits as layers that are kept.

use autograd::{Mode, Tape};
use nn::{
    BatchNorm2d, Conv2d, Dropout, GlobalAvgPool2d, Layer, Linear, MaxPool2d, ReLU, Recompute, Residual,
    Sequential,
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
    let (net, mut params) = nn::build(net, 3);
    let mut tape = Tape::new();
    let mut all = Vec::new();
    for step in 0..3 {
        let images: Vec<f32> = (0..6 * 12 * 12 * 3).map(|i| (i as f32 * 0.37 + step as f32).sin()).collect();
        all.push(tape.step(&mut params, Mode::train(5, step), |g| {
            let logits = net.forward(g, g.input([6, 12, 12, 3], &images));
            g.cross_entropy(logits, g.indices(&[0, 1, 2, 3, 0, 1]))
        }));
        let (values, grads) = params.values_and_grads();
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
