//! ResNet-18 trained on CIFAR-10; its parameters have torchvision's names, so weights are interchangeable.
//!
//!     cargo run --release -p nn --example resnet18 -- --quick
//!
//! `twins/resnet18.py` is the same program in PyTorch.

use std::error::Error;

use autograd::{Graph, Mode, Params, Tape, Var};
use data::{Augment, Batch, Cifar, CifarKind, Loader, Normalize, Part, Subset, shapes};
use metrics::Accuracy;
use nn::{BatchNorm2d, Conv2d, GlobalAvgPool2d, Layer, Linear, MaxPool2d, Sequential, sequential};
use optim::schedule::CosineAnnealingLr;
use optim::{Optimizer, Sgd};

fn conv3x3(in_channels: usize, out_channels: usize, stride: usize) -> Conv2d {
    Conv2d::new(in_channels, out_channels, 3).stride(stride).padding(1).bias(false)
}

fn downsample(in_channels: usize, out_channels: usize, stride: usize) -> Sequential {
    if stride == 1 && in_channels == out_channels {
        return sequential![];
    }
    let conv = Conv2d::new(in_channels, out_channels, 1).stride(stride).bias(false);
    sequential![conv, BatchNorm2d::new(out_channels)]
}

nn::layer! {
    /// Two convolutions and a shortcut.
    pub struct BasicBlock(in_channels: usize, out_channels: usize, stride: usize) {
        conv1: Conv2d = conv3x3(in_channels, out_channels, stride),
        bn1: BatchNorm2d = BatchNorm2d::new(out_channels),
        conv2: Conv2d = conv3x3(out_channels, out_channels, 1),
        bn2: BatchNorm2d = BatchNorm2d::new(out_channels),
        downsample: Sequential = downsample(in_channels, out_channels, stride),
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let y = g.relu(self.bn1.forward(g, self.conv1.forward(g, x)));
        let y = self.bn2.forward(g, self.conv2.forward(g, y));
        g.relu(g.add(y, self.downsample.forward(g, x)))
    }
}

fn stage(in_channels: usize, out_channels: usize, stride: usize) -> Sequential {
    let first = BasicBlock::new(in_channels, out_channels, stride);
    sequential![first, BasicBlock::new(out_channels, out_channels, 1)]
}

nn::layer! {
    /// Maps images to logits; the width is 64 in torchvision.
    pub struct ResNet18(width: usize, n_classes: usize) {
        conv1: Conv2d = Conv2d::new(3, width, 7).stride(2).padding(3).bias(false),
        bn1: BatchNorm2d = BatchNorm2d::new(width),
        layer1: Sequential = stage(width, width, 1),
        layer2: Sequential = stage(width, 2 * width, 2),
        layer3: Sequential = stage(2 * width, 4 * width, 2),
        layer4: Sequential = stage(4 * width, 8 * width, 2),
        fc: Linear = Linear::new(8 * width, n_classes),
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let x = g.relu(self.bn1.forward(g, self.conv1.forward(g, x)));
        let x = MaxPool2d::new(3).stride(2).padding(1).forward(g, x);
        let x = self.layer2.forward(g, self.layer1.forward(g, x));
        let x = self.layer4.forward(g, self.layer3.forward(g, x));
        self.fc.forward(g, GlobalAvgPool2d.forward(g, x))
    }
}

/// Trains for `n_epochs` epochs, with the learning rate falling to 0.
pub fn train(
    net: &ResNet18,
    params: &mut Params,
    mut batches: Loader<'_>,
    n_epochs: usize,
    lr: f64,
    weight_decay: f64,
) -> Result<Vec<f32>, Box<dyn Error>> {
    let sgd = Sgd { lr, momentum: 0.9, nesterov: true, weight_decay, ..Sgd::default() };
    let mut optimizer = Optimizer::new(sgd, params)?;
    let schedule = CosineAnnealingLr { lr, t_max: (n_epochs * batches.n_batches()) as u64, eta_min: 0.0 };
    let (mut tape, mut batch, mut losses) = (Tape::new(), Batch::new(), Vec::new());
    for epoch in 0..n_epochs {
        while batches.next_into(&mut batch)? {
            let step = optimizer.n_steps();
            optimizer.follow(&schedule, step);
            losses.push(tape.step(params, Mode::train(0, step), |g| {
                g.cross_entropy(net.forward(g, g.images(&batch)), g.labels(&batch))
            }));
            optimizer.step(params);
        }
        println!("epoch {epoch}: loss {:.3}", losses[losses.len() - 1]);
    }
    Ok(losses)
}

fn accuracy(net: &ResNet18, params: &Params, mut batches: Loader<'_>) -> Result<f64, Box<dyn Error>> {
    let (mut tape, mut batch, mut accuracy) = (Tape::new(), Batch::new(), Accuracy::new());
    while batches.next_into(&mut batch)? {
        let g = tape.evaluate(params);
        accuracy.update(g.value(net.forward(&g, g.images(&batch))), batch.labels())?;
    }
    Ok(accuracy.value().unwrap_or_default())
}

fn images(part: Part, quick: bool) -> Result<Cifar, data::Error> {
    if quick {
        return Ok(shapes::generate(part, 0));
    }
    Cifar::open("datasets/cifar-10-batches-bin", CifarKind::Cifar10, part)
}

/// The whole program; returns the number in its last line.
pub fn run(quick: bool) -> Result<f64, Box<dyn Error>> {
    let (training, test) = (images(Part::Train, quick)?, images(Part::Test, quick)?);
    let training = Subset::first(&training, if quick { 100 } else { 50_000 });
    let test = Subset::first(&test, if quick { 50 } else { 10_000 });
    let (net, mut params) = nn::build(ResNet18::new(64, 10), 0);
    let scale = Normalize::cifar10();
    let batches =
        Loader::new(&training, 50).shuffle(0).augment(Augment::flip_and_crop(4), 0).normalize(&scale);
    train(&net, &mut params, batches, if quick { 2 } else { 30 }, 0.05, 5e-4)?;
    accuracy(&net, &params, Loader::new(&test, 100).normalize(&scale))
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("score {}", run(std::env::args().any(|arg| arg == "--quick"))?);
    Ok(())
}
