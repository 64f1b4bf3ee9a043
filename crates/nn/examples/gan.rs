//! A convolutional GAN: one network generates small images, the other tells them from real ones.
//!
//!     cargo run --release -p nn --example gan -- --quick
//!
//! `twins/gan.py` is the same program in PyTorch.

use std::array;
use std::error::Error;

use autograd::{Graph, Mode, Params, Reduction, Tape, Var};
use nn::{
    BatchNorm2d, Conv2d, ConvTranspose2d, Flatten, Layer, LeakyReLU, Linear, ReLU, Sequential, Sigmoid,
    Unflatten, sequential,
};
use optim::{Adam, Groups, Optimizer};

/// Rows and columns.
pub const SIZE: usize = 12;

nn::layer! {
    /// Maps noise, `[n, 16]`, to images.
    pub struct Gan(width: usize) {
        generator: Sequential = sequential![
            Linear::new(16, 2 * width * 9),
            Unflatten::new(1, &[3, 3, 2 * width]),
            BatchNorm2d::new(2 * width),
            ReLU,
            ConvTranspose2d::new(2 * width, width, 4).stride(2).padding(1),
            BatchNorm2d::new(width),
            ReLU,
            ConvTranspose2d::new(width, 1, 4).stride(2).padding(1),
            Sigmoid,
        ],
        discriminator: Sequential = sequential![
            Conv2d::new(1, width, 4).stride(2).padding(1),
            LeakyReLU::new(0.2),
            Conv2d::new(width, 2 * width, 4).stride(2).padding(1),
            LeakyReLU::new(0.2),
            Flatten,
            Linear::new(2 * width * 9, 1),
        ],
    }

    fn forward(&self, g: &Graph<'_>, noise: Var) -> Var {
        self.generator.forward(g, noise)
    }
}

impl Gan {
    /// The discriminator's loss on images that are all real (1) or all generated (0).
    fn error(&self, g: &Graph<'_>, images: Var, is_real: f32) -> Var {
        let logits = self.discriminator.forward(g, images);
        g.bce_with_logits(logits, g.full(g.shape(logits), is_real), Reduction::Mean)
    }
}

/// Images with one blob of light each.
fn blobs(g: &Graph<'_>, n: usize) -> Var {
    let at = g.input([SIZE], &array::from_fn::<_, SIZE, _>(|i| i as f32 - 2.0));
    let [rows, cols] = [(); 2].map(|()| {
        let distance = g.sub(at, g.scale(g.rand([n, 1]), SIZE as f32 - 5.0));
        g.exp(g.scale(g.mul(distance, distance), -0.25))
    });
    g.reshape(g.einsum("nh,nw->nhw", &[rows, cols]), [n, SIZE, SIZE, 1])
}

/// Trains the discriminator and then the generator for one step on each batch (images, noise) that `batch`
/// records.
pub fn train(
    gan: &Gan,
    params: &mut Params,
    n_steps: u64,
    batch: impl Fn(&Graph<'_>) -> (Var, Var),
) -> Result<Vec<f32>, Box<dyn Error>> {
    let adam = Adam { lr: 1e-3, betas: (0.5, 0.999), ..Adam::default() };
    let mut generator = Optimizer::with_groups(Groups::new(adam, params).only("generator"))?;
    let mut discriminator = Optimizer::with_groups(Groups::new(adam, params).only("discriminator"))?;
    let (mut tape, mut losses) = (Tape::new(), Vec::new());
    for step in 0..n_steps {
        let mode = Mode::train(0, step);
        // Without a backward pass: the running statistics are updated once, in the generator's step.
        let drawn = {
            let g = tape.begin(params, mode);
            g.value(gan.forward(&g, batch(&g).1)).to_vec()
        };
        losses.push(tape.step(params, mode, |g| {
            let (real, _) = batch(g);
            let drawn = g.input(g.shape(real), &drawn);
            g.add(gan.error(g, real, 1.0), gan.error(g, drawn, 0.0))
        }));
        discriminator.step(params);
        losses.push(tape.step(params, mode, |g| {
            let (_, noise) = batch(g);
            gan.error(g, gan.forward(g, noise), 1.0)
        }));
        generator.step(params);
    }
    Ok(losses)
}

/// The whole program; returns the number in its last line.
pub fn run(quick: bool) -> Result<f32, Box<dyn Error>> {
    let (gan, mut params) = nn::build(Gan::new(16), 0);
    let batch = |g: &Graph<'_>| (blobs(g, 32), g.randn([32, 16]));
    let losses = train(&gan, &mut params, if quick { 150 } else { 3000 }, batch)?;
    let mut tape = Tape::new();
    let g = tape.evaluate(&params);
    for row in g.value(gan.forward(&g, g.randn([2, 16]))).chunks(SIZE) {
        println!(
            "{}",
            row.iter().map(|light| char::from(b" .:*#"[(light * 4.99) as usize])).collect::<String>()
        );
    }
    Ok(losses[losses.len() - 1])
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("loss {}", run(std::env::args().any(|arg| arg == "--quick"))?);
    Ok(())
}
