//! The fully connected layers, dropout and the loss, forward and backward.

use tensor::activation::{Activation, relu_backward};
use tensor::dropout::{dropout_backward, dropout_forward};
use tensor::layout::permute;
use tensor::linear::{
    LinearShape, linear_activation_forward, linear_backward_input, linear_backward_weight, linear_forward,
};
use tensor::loss::{Expected, cross_entropy_backward, cross_entropy_forward};
use tensor::parallel::Shards;
use tensor::reduce::{Reduction, reduce_rows};
use tensor::{Beta, Shape};

use crate::stopwatch::Stopwatch;

const CLASSES: usize = 10;
const DROPOUT: f32 = 0.5;

/// The layers 2048 → 256 → 10.
pub(crate) struct Head {
    n: usize,
    hidden: LinearShape,
    output: LinearShape,
}

impl Head {
    pub(crate) fn new(n: usize) -> Self {
        let layer = |in_features, out_features| LinearShape { batch: n, in_features, out_features };
        Self { n, hidden: layer(2048, 256), output: layer(256, CLASSES) }
    }

    /// Returns the gradient with respect to the features `x`, `[n, 4, 4, 128]`.
    pub(crate) fn step(
        &self,
        watch: &mut Stopwatch,
        x: &[f32],
        labels: &[u32],
        weights: &[&[f32]],
    ) -> Vec<f32> {
        let &Self { n, hidden, output } = self;
        let &[w1, b1, w2, b2] = weights else { panic!("two layers of weight and bias") };
        let (images, shards) = (Shape::from([n, 4, 4, 128]), Shards::whole(n));
        let flops = |shape: LinearShape| Some((2 * shape.in_features * shape.out_features) as f64);

        let mut flat = vec![1.0; x.len()];
        watch.time("flatten, forward", None, || permute(&mut flat, x, &images, &[0, 3, 1, 2], Beta::Zero));
        let mut h = vec![1.0; n * hidden.out_features];
        watch.time("fc1 + ReLU, forward", flops(hidden), || {
            linear_activation_forward(&mut h, None, &flat, w1, Some(b1), Activation::Relu, &hidden, &shards)
        });
        let mut dropped = vec![1.0; h.len()];
        watch.time("dropout, forward", None, || dropout_forward(&mut dropped, &h, DROPOUT, 0));
        let mut logits = vec![1.0; n * CLASSES];
        watch.time("fc2, forward", flops(output), || {
            linear_forward(&mut logits, &dropped, w2, Some(b2), &output, &shards)
        });

        let (mut losses, mut log_probs) = (vec![1.0; n], vec![1.0; logits.len()]);
        let mut dlogits = vec![1.0; logits.len()];
        watch.time("cross-entropy, forward and backward", None, || {
            let expected = Expected::labels(labels, CLASSES);
            cross_entropy_forward(&mut losses, &mut log_probs, &logits, &expected);
            cross_entropy_backward(&mut dlogits, |_| 1.0 / n as f32, &log_probs, &expected, Beta::Zero);
        });

        let (mut dw2, mut db2) = (vec![1.0; w2.len()], vec![1.0; b2.len()]);
        let (mut ddropped, mut dh, mut dz) = (vec![1.0; h.len()], vec![1.0; h.len()], vec![1.0; h.len()]);
        watch.time("fc2, gradients", None, || {
            linear_backward_weight(&mut dw2, &dlogits, &dropped, &output, &shards, Beta::Zero);
            reduce_rows(&mut db2, &dlogits, n, CLASSES, Reduction::Sum, &shards, Beta::Zero);
            linear_backward_input(&mut ddropped, &dlogits, w2, &output, &shards, Beta::Zero);
        });
        watch.time("dropout and ReLU, backward", None, || {
            dropout_backward(&mut dh, &ddropped, DROPOUT, 0, Beta::Zero);
            relu_backward(&mut dz, &dh, &h, Beta::Zero);
        });
        let (mut dw1, mut db1) = (vec![1.0; w1.len()], vec![1.0; b1.len()]);
        watch.time("fc1, gradient of weight and bias", flops(hidden), || {
            linear_backward_weight(&mut dw1, &dz, &flat, &hidden, &shards, Beta::Zero);
            reduce_rows(&mut db1, &dz, n, hidden.out_features, Reduction::Sum, &shards, Beta::Zero);
        });
        let mut dflat = vec![1.0; flat.len()];
        watch.time("fc1, gradient of the input", flops(hidden), || {
            linear_backward_input(&mut dflat, &dz, w1, &hidden, &shards, Beta::Zero);
        });
        let (mut dx, channels_first) = (vec![1.0; x.len()], Shape::from([n, 128, 4, 4]));
        watch.time("flatten, backward", None, || {
            permute(&mut dx, &dflat, &channels_first, &[0, 2, 3, 1], Beta::Zero)
        });
        dx
    }
}
