//! The kernels against numbers recorded from PyTorch 2.15 by `tests/pytorch/record.py`.
//!
//! The f64 reference holds the kernels to their error bounds; these few numbers hold both to PyTorch's
//! conventions: layouts, padding, what a gradient is taken of.

use std::collections::HashMap;

use tensor::activation::*;
use tensor::conv::{Algorithm, Conv2dShape, conv2d_backward_input, conv2d_backward_weight, conv2d_forward};
use tensor::loss::{Expected, cross_entropy_backward, cross_entropy_forward};
use tensor::norm::{
    BatchNormSaved, BatchNormShape, Statistics, batch_norm_backward, batch_norm_forward_train,
};
use tensor::parallel::Shards;
use tensor::pool::{
    Pool2dShape, avg_pool2d_backward, avg_pool2d_forward, max_pool2d_backward, max_pool2d_forward,
};
use tensor::reduce::{Reduction, reduce_rows};
use tensor::{Beta, Tensor};

struct Recorded(HashMap<&'static str, Vec<f32>>);

impl Recorded {
    fn load() -> Self {
        let lines = include_str!("../pytorch/recorded.txt").lines().filter(|line| !line.starts_with('#'));
        Self(
            lines
                .map(|line| {
                    let mut words = line.split(' ');
                    (words.next().unwrap(), words.map(|word| word.parse().unwrap()).collect())
                })
                .collect(),
        )
    }

    /// Runs `kernel` on an output of the recorded length and compares to 1e-5.
    #[track_caller]
    fn check(&self, name: &str, kernel: impl FnOnce(&mut [f32])) -> Vec<f32> {
        let expected = Tensor::from_fn([self.0[name].len()], |i| self.0[name][i[0]]);
        let mut actual = Tensor::full(*expected.shape(), f32::NAN);
        kernel(actual.as_mut_slice());
        assert!(actual.allclose(&expected, 1e-5, 1e-5), "{name}: {actual:?} instead of {expected:?}");
        actual.into_vec()
    }
}

/// The inputs, by the formula of the script.
fn numbers(len: usize, salt: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919 + salt * 104_729) % 2001) as f32 - 1000.0).map(|v| v / 1000.0).collect()
}

#[test]
fn convolution() {
    let recorded = Recorded::load();
    let plain = Conv2dShape::same(2, [5, 4], [2, 3], 3);
    let general = Conv2dShape {
        batch: 1,
        height: 8,
        width: 7,
        in_channels: 4,
        out_channels: 6,
        kernel_size: [3, 2],
        stride: [2, 1],
        padding: [2, 1],
        dilation: [1, 2],
        groups: 2,
    };
    for (name, s) in [("conv_plain", plain), ("conv_general", general)] {
        let key = |suffix: &str| format!("{name}.{suffix}");
        let (x, w) = (numbers(s.input_len(), 1), numbers(s.weight_len(), 2));
        let (bias, dy) = (numbers(s.out_channels, 3), numbers(s.output_len(), 9));
        let auto = Algorithm::Auto;
        recorded.check(&key("y"), |y| conv2d_forward(y, &x, &w, Some(&bias), &s, auto));
        recorded.check(&key("dx"), |dx| conv2d_backward_input(dx, &dy, &w, &s, Beta::Zero, auto));
        let shards = Shards::whole(s.batch);
        recorded.check(&key("dw"), |dw| conv2d_backward_weight(dw, &dy, &x, &s, &shards, Beta::Zero, auto));
        let rows = dy.len() / s.out_channels;
        recorded.check(&key("db"), |db| {
            reduce_rows(db, &dy, rows, s.out_channels, Reduction::Sum, &shards, Beta::Zero);
        });
    }
}

#[test]
fn pooling() {
    let recorded = Recorded::load();
    let shape = Pool2dShape::new([2, 7, 6, 3], [3, 2], [2, 2], [1, 1]);
    let (x, dy) = (numbers(shape.input_len(), 1), numbers(shape.output_len(), 9));
    let mut indices = vec![0; shape.output_len()];
    recorded.check("max_pool.y", |y| max_pool2d_forward(y, &mut indices, &x, &shape));
    assert!(indices.iter().zip(&recorded.0["max_pool.indices"]).all(|(&a, &b)| a as f32 == b));
    recorded.check("max_pool.dx", |dx| max_pool2d_backward(dx, &dy, &indices, &shape, Beta::Zero));
    recorded.check("avg_pool.y", |y| avg_pool2d_forward(y, &x, &shape, true));
    recorded.check("avg_pool.dx", |dx| avg_pool2d_backward(dx, &dy, &shape, true, Beta::Zero));
}

#[test]
fn activations() {
    let recorded = Recorded::load();
    let (x, dy): (Vec<f32>, _) = (numbers(41, 1).iter().map(|v| 4.0 * v).collect(), numbers(41, 9));
    recorded.check("gelu.y", |y| gelu_forward(y, &x));
    recorded.check("gelu.dx", |dx| gelu_backward(dx, &dy, &x, Beta::Zero));
    let y = recorded.check("sigmoid.y", |y| sigmoid_forward(y, &x));
    recorded.check("sigmoid.dx", |dx| sigmoid_backward(dx, &dy, &y, Beta::Zero));
    let y = recorded.check("tanh.y", |y| tanh_forward(y, &x));
    recorded.check("tanh.dx", |dx| tanh_backward(dx, &dy, &y, Beta::Zero));
}

#[test]
fn cross_entropy_with_label_smoothing() {
    let recorded = Recorded::load();
    let logits: Vec<f32> = numbers(15, 1).iter().map(|v| 4.0 * v).collect();
    let (targets, mut log_probs) = ([4, 0, 2], [0.0; 15]);
    let expected = Expected { label_smoothing: 0.1, ..Expected::labels(&targets, 5) };
    recorded.check("cross_entropy.y", |losses| {
        cross_entropy_forward(losses, &mut log_probs, &logits, &expected);
    });
    recorded.check("cross_entropy.dx", |dx| {
        cross_entropy_backward(dx, |_| 1.0 / 3.0, &log_probs, &expected, Beta::Zero);
    });
}

#[test]
fn batch_normalisation() {
    let recorded = Recorded::load();
    let shape = BatchNormShape { rows: 6, channels: 3, eps: 1e-5, activation: None };
    let (x, weight, bias, dy) = (numbers(18, 1), numbers(3, 2), numbers(3, 3), numbers(18, 9));
    let ([mut mean, mut rest, mut var, mut std], shards) = ([[0.0; 3]; 4], Shards::whole(6));
    recorded.check("batch_norm.y", |y| {
        let (mean, var) = ([&mut mean[..], &mut rest], [&mut var[..], &mut std]);
        batch_norm_forward_train(y, mean, var, &x, Some(&weight), Some(&bias), &shape, &shards);
    });
    let saved = BatchNormSaved {
        x: &x,
        mean: &mean,
        mean_rest: Some(&rest),
        var: &var,
        std: Some(&std),
        weight: Some(&weight),
        bias: Some(&bias),
    };
    let (mut dw, mut db) = ([0.0; 3], [0.0; 3]);
    recorded.check("batch_norm.dx", |dx| {
        let (dw, db) = ((&mut dw[..], Beta::Zero), (&mut db[..], Beta::Zero));
        batch_norm_backward(
            Some((dx, Beta::Zero)),
            Some(dw),
            Some(db),
            &dy,
            &saved,
            Statistics::Batch,
            &shape,
            &shards,
        );
    });
    recorded.check("batch_norm.dw", |out| out.copy_from_slice(&dw));
    recorded.check("batch_norm.db", |out| out.copy_from_slice(&db));
}
