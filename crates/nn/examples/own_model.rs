//! A custom model: parallel branches, a residual block around them, and a training loop.
//!
//!     cargo run --release -p nn --example own_model

use autograd::{Graph, Mode, Tape, Var};
use nn::{Child, Conv2d, GlobalAvgPool2d, Layer, Linear, MaxPool2d, ReLU, Residual, Scope, Sequential};
use optim::{Optimizer, Sgd};

/// The outputs of 1 × 1, 3 × 3 and 5 × 5 convolutions, concatenated along the channels.
#[derive(Clone, Debug)]
struct Inception {
    branches: [Child<Sequential>; 3],
}

impl Inception {
    fn new(in_channels: usize, branch_channels: usize) -> Self {
        let branch = |size| {
            let conv = Conv2d::new(in_channels, branch_channels, size).padding(size / 2);
            Child::new(format!("branch{size}x{size}"), Sequential::new().add(conv).add(ReLU))
        };
        Self { branches: [1, 3, 5].map(branch) }
    }
}

impl Layer for Inception {
    fn register(&mut self, scope: &mut Scope<'_>) {
        self.branches.iter_mut().for_each(|branch| scope.layer(branch));
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.concat(&self.branches.each_ref().map(|branch| branch.forward(g, x)), 3)
    }
}

/// Sixteen 12 × 12 images of stripes: horizontal (class 0) or vertical (class 1), at random offsets.
fn stripes(step: u64) -> (Vec<f32>, Vec<u32>) {
    let labels: Vec<u32> = (0..16).map(|i| i % 2).collect();
    let pixel = |i: usize| {
        let (image, row, col) = (i / 144, i / 12 % 12, i % 12);
        let place = if labels[image] == 0 { row } else { col };
        ((place + image + step as usize) % 4 < 2) as u8 as f32
    };
    ((0..16 * 144).map(pixel).collect(), labels)
}

fn main() {
    let net = Sequential::new()
        .add(Conv2d::new(1, 6, 3).padding(1))
        .add(ReLU)
        .add(MaxPool2d::new(2))
        .add(Residual::new(Inception::new(6, 2)))
        .add(GlobalAvgPool2d)
        .add(Linear::new(6, 2));
    let (net, mut params) = nn::build(net, 1);
    println!("{}\n", net.summary(&params, [16, 12, 12, 1]));

    let sgd = Sgd { lr: 0.1, ..Sgd::default() };
    let mut optimizer = Optimizer::new(sgd, &params).expect("a learning rate that SGD takes");
    let mut tape = Tape::new();
    for step in 0..200 {
        let (images, labels) = stripes(step);
        let loss = tape.step(&mut params, Mode::train(1, step), |g| {
            let logits = net.forward(g, g.input([16, 12, 12, 1], &images));
            g.cross_entropy(logits, g.indices(&labels))
        });
        if step % 40 == 0 || step == 199 {
            println!("step {step:3}: loss {loss:.4}");
        }
        optimizer.step(&mut params);
    }
}
