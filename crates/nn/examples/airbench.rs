//! The network and the recipe of airbench94_muon, which reaches 94 % on CIFAR-10 in Jordan's program: 200 steps
//! of 2000 images.
//!
//!     cargo run --release -p nn --example airbench -- --quick
//!
//! Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024. `twins/airbench.py` is the same program
//! in PyTorch.

use std::error::Error;

use autograd::{CrossEntropyOptions, Graph, Mode, Params, Reduction, Tape, Var};
use data::{
    Augment, Batch, Border, Cifar, CifarKind, Crop, Dataset, Flip, Loader, Normalize, Part, Subset,
    Transform, View, shapes,
};
use metrics::Accuracy;
use nn::{BatchNorm2d, Conv2d, Flatten, Init, Layer, Linear, MaxPool2d};
use optim::{Groups, Muon, Optimizer, Param, Sgd};

fn conv(in_channels: usize, out_channels: usize) -> Conv2d {
    Conv2d::new(in_channels, out_channels, 3).padding_same().bias(false).weight_init(Init::Dirac)
}

fn norm(n_channels: usize) -> BatchNorm2d {
    BatchNorm2d::new(n_channels).scale(false).eps(1e-12).momentum(0.4)
}

nn::layer! {
    /// Two convolutions, the first with a pool.
    pub struct Block(in_channels: usize, out_channels: usize) {
        conv1: Conv2d = conv(in_channels, out_channels),
        norm1: BatchNorm2d = norm(out_channels),
        conv2: Conv2d = conv(out_channels, out_channels),
        norm2: BatchNorm2d = norm(out_channels),
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let x = MaxPool2d::new(2).forward(g, self.conv1.forward(g, x));
        let x = g.gelu(self.norm1.forward(g, x));
        g.gelu(self.norm2.forward(g, self.conv2.forward(g, x)))
    }
}

nn::layer! {
    /// Maps images to logits.
    pub struct Net(widths: [usize; 3]) {
        whiten: Conv2d = Conv2d::new(3, 24, 2),
        block1: Block = Block::new(24, widths[0]),
        block2: Block = Block::new(widths[0], widths[1]),
        block3: Block = Block::new(widths[1], widths[2]),
        head: Linear = Linear::new(widths[2], 10).bias(false).weight_init(Init::UnitVariance),
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let x = self.block1.forward(g, g.gelu(self.whiten.forward(g, x)));
        let x = self.block3.forward(g, self.block2.forward(g, x));
        let x = Flatten.forward(g, MaxPool2d::new(3).forward(g, x));
        g.scale(self.head.forward(g, x), 1.0 / g.shape(x)[1] as f32)
    }
}

fn is_filter(param: &Param) -> bool {
    param.shape.len() == 4
}

/// Trains for `n_epochs` epochs with `lr` times the recipe's learning rates, which fall to 0; that of the
/// whitening bias does so in the first three eighths.
pub fn train(
    net: &Net,
    params: &mut Params,
    mut batches: Loader<'_>,
    n_epochs: usize,
    lr: f64,
) -> Result<Vec<f32>, Box<dyn Error>> {
    params.freeze("whiten.weight")?;
    let (bias_lr, head_lr, decay) = (0.053, 0.67, 0.004);
    let sgd =
        |lr| Sgd { lr: 1.0, weight_decay: decay / lr, momentum: 0.85, nesterov: true, ..Sgd::default() };
    let muon = Muon { lr: 1.0, weight_decay: 0.0, momentum: 0.6, ns_steps: 3, ..Muon::default() };
    let groups = Groups::new(sgd(bias_lr), params).lr_scale("", bias_lr);
    let groups = groups.rule(is_filter, muon).lr_scale(is_filter, 0.24);
    let groups =
        groups.rule("head", sgd(head_lr)).lr_scale("head", head_lr).rule("whiten.bias", sgd(bias_lr));
    let mut optimizer = Optimizer::with_groups(groups)?;
    let (mut tape, mut batch, mut losses) = (Tape::new(), Batch::new(), Vec::new());
    let n_steps = (n_epochs * batches.n_batches()) as f64;
    for _ in 0..n_epochs {
        while batches.next_into(&mut batch)? {
            let progress = optimizer.n_steps() as f64 / n_steps;
            optimizer.set_lr(lr * (1.0 - progress));
            optimizer.set(0, "lr", lr * (1.0 - progress * 8.0 / 3.0).max(0.0))?; // the bias of the whitening
            losses.push(tape.step(params, Mode::train(0, optimizer.n_steps()), |g| {
                let options = CrossEntropyOptions {
                    label_smoothing: 0.2,
                    reduction: Reduction::Sum,
                    ..Default::default()
                };
                g.cross_entropy_with(net.forward(g, g.images(&batch)), g.labels(&batch), options)
            }));
            for id in params.ids().filter(|&id| params.entry(id).name.contains("conv")).collect::<Vec<_>>() {
                let size = (params.entry(id).shape[0] as f32).sqrt();
                let norm = params.value(id).iter().map(|w| w * w).sum::<f32>().sqrt();
                params.value_mut(id).iter_mut().for_each(|w| *w *= size / norm);
            }
            optimizer.step(params);
        }
    }
    Ok(losses)
}

/// Computes the weight of the first convolution from the first images.
fn whiten(params: &mut Params, training: &dyn Dataset, scale: &Normalize) -> Result<(), Box<dyn Error>> {
    let mut batch = Batch::new();
    Loader::new(training, 5000).normalize(scale).next_into(&mut batch)?;
    let id = params.find("whiten.weight").ok_or("the network has no whitening")?;
    init::whitening(params.value_mut(id), &[24, 3, 2, 2], batch.images(), batch.shape(), 5e-4);
    Ok(())
}

/// The accuracy of the mean prediction over six views of each image.
fn accuracy(
    net: &Net,
    params: &Params,
    test: &dyn Dataset,
    scale: &Normalize,
) -> Result<f64, Box<dyn Error>> {
    let (mut tape, mut batch, mut sum) = (Tape::new(), Batch::new(), vec![0.0; 10 * test.len()]);
    for (shift, share) in [(0, 0.5), (-1, 0.25), (1, 0.25)] {
        for flipped in [false, true] {
            let view = View { flipped, top: shift, left: shift, border: Border::Reflect };
            let mut batches = Loader::new(test, 500).transform([Transform::View(view)], 0).normalize(scale);
            for sum in sum.chunks_mut(5000) {
                batches.next_into(&mut batch)?;
                let g = tape.evaluate(params);
                let logits = g.value(net.forward(&g, g.images(&batch)));
                sum.iter_mut().zip(logits).for_each(|(sum, logit)| *sum += share * logit);
            }
        }
    }
    let labels: Vec<u32> = (0..test.len()).map(|i| test.label(i)).collect();
    let mut accuracy = Accuracy::new();
    accuracy.update(&sum, &labels)?;
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
    let (n, batch_size, n_epochs, widths) =
        if quick { (1000, 100, 2, [16, 32, 32]) } else { (50_000, 2000, 8, [64, 256, 256]) };
    let (training, test) = (Subset::first(&training, n), Subset::first(&test, n));
    let scale = Normalize::cifar10();
    let (net, mut params) = nn::build(Net::new(widths), 0);
    whiten(&mut params, &training, &scale)?;
    let crop = Some(Crop { padding: 2, border: Border::Reflect });
    let batches = Loader::new(&training, batch_size).shuffle(0).drop_last().normalize(&scale);
    let batches = batches.augment(Augment { flip: Flip::Alternating, crop }, 0);
    train(&net, &mut params, batches, n_epochs, 1.0)?;
    accuracy(&net, &params, &test, &scale)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("score {}", run(std::env::args().any(|arg| arg == "--quick"))?);
    Ok(())
}
