//! Where a training step of the lecture's CNN spends its time: its kernels, one by one, on the values of a
//! real step.
//!
//! ```text
//! RAYON_NUM_THREADS=1 cargo run --release -p benches --bin phases
//! ```
//!
//! Two columns: the framework's kernels, and the general path (im2col with matrixmultiply, activation and
//! pool as separate passes). Values are microseconds per image, the median of the rounds, with GFLOP/s in
//! brackets. The latter count dense operations, so a sparse or Winograd kernel may exceed the machine's peak.

mod block;
mod head;
mod stopwatch;

use anyhow::{Result, ensure};
use autograd::Params;
use bench_protocol::{Batches, IMAGE_BYTES, Network, cifar_folder, uniform};
use benches::{Training, nhwc, probe};
use optim::{Adam, Elementwise};

use block::Block;
use head::Head;
use stopwatch::Stopwatch;

/// Images per step.
const BATCH: usize = 64;

/// Steps before the measurement, after which about as many units are active as later in training.
const WARM_UP: usize = 100;

/// How many times each phase is measured.
const ROUNDS: usize = 60;

fn main() -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().build()?;
    pool.install(measure)
}

fn measure() -> Result<()> {
    let spec = Network::cnn();
    let mut training = Training::new(&spec)?;
    let mut batch = Source::open()?;
    for _ in 0..WARM_UP {
        let (images, labels) = batch.next()?;
        training.step(&images[..], &labels);
    }

    // Measured separately first: the general path below evicts its data from the caches.
    let mut watch = Stopwatch::new(BATCH);
    for _ in 0..ROUNDS {
        let (images, labels) = batch.next()?;
        watch.time("a whole step through the public API", None, || training.step(&images[..], &labels));
    }
    for _ in 0..ROUNDS {
        let (images, labels) = batch.next()?;
        round(&mut watch, training.params(), &images, &labels)?;
    }
    println!(
        "{} threads, {:.0} GFLOP/s peak, batch {BATCH}, {ROUNDS} rounds\n",
        rayon::current_num_threads(),
        probe::peak_flops() / 1e9
    );
    print!("{}", watch.table());
    Ok(())
}

/// One training step, kernel by kernel, with the fast kernels and on the general path.
fn round(watch: &mut Stopwatch, params: &Params, images: &[f32], labels: &[u32]) -> Result<()> {
    let weights: Vec<&[f32]> = params.ids().map(|id| params.value(id)).collect();
    ensure!(weights.len() == 10, "the network has five layers of weight and bias");
    let mut blocks =
        [(32, 3, 32), (16, 32, 64), (8, 64, 128)].map(|(side, ins, outs)| Block::new(BATCH, side, ins, outs));
    let mut x = images.to_vec();
    for (idx, block) in blocks.iter_mut().enumerate() {
        x = block.forward(watch, idx + 1, x, weights[2 * idx], weights[2 * idx + 1]);
    }
    let mut dy = Head::new(BATCH).step(watch, &x, labels, &weights[6..]);
    for (idx, block) in blocks.iter_mut().enumerate().rev() {
        dy = block.backward(watch, idx + 1, &dy, weights[2 * idx]);
    }
    let mut values = params.values().to_vec();
    let adam = Adam::default();
    let mut state = adam.state(values.len())?;
    watch.time("Adam", None, || adam.update(&mut values, params.grads(), &mut state));
    Ok(())
}

/// Batches of CIFAR-10, or of noise if its folder is not given.
struct Source(Option<Batches>);

impl Source {
    fn open() -> Result<Self> {
        let folder = if std::env::args().len() > 1 { Some(cifar_folder()?) } else { None };
        Ok(Self(folder.map(|folder| Batches::open(&folder)).transpose()?))
    }

    fn next(&mut self) -> Result<(Vec<f32>, Vec<u32>)> {
        let Some(batches) = &mut self.0 else {
            return Ok((uniform(0, BATCH * IMAGE_BYTES, 1.0), (0..BATCH as u32).map(|i| i % 10).collect()));
        };
        let (mut planes, mut labels) = (vec![0.0; BATCH * IMAGE_BYTES], vec![0; BATCH]);
        batches.next(IMAGE_BYTES, &mut planes, &mut labels)?;
        Ok((nhwc(&planes), labels.into_iter().map(u32::from).collect()))
    }
}
