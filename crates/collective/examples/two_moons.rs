//! A classifier of two half-moons, trained by any number of processes: prints the loss and a checksum of the weights, which
//! does not depend on how many they are.
//!
//! ```text
//! cargo run -p collective --example two_moons
//! cargo build -p collective --example two_moons --features mpi && mpirun -n 4 target/debug/examples/two_moons
//! ```
//!
//! Arguments: the number of steps, 40; the seconds after which a silent process is given up, 30; the bytes of
//! gradients from which they are exchanged during backward, even on one machine.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use autograd::{Mode, Tape};
use collective::{Joined, World};
use nn::{BatchNorm1d, Dropout, Layer, Linear, ReLU, Sequential};
use optim::{Adam, Optimizer};
use tensor::parallel::{Exchange, Shards};

/// Images of a batch: neither a power of two nor a multiple of eight.
const BATCH_SIZE: usize = 75;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let n_steps = arguments.next().map_or(Ok(40), |n| n.parse())?;
    let timeout = arguments.next().map_or(Ok(30), |seconds| seconds.parse())?;
    let overlap_from = arguments.next().map(|n_bytes| n_bytes.parse()).transpose()?;
    let world = World::start(Duration::from_secs(timeout))?;
    if world.size() > 1 {
        eprintln!("rank {} of {} has started", world.rank(), world.size());
    }
    let exchange = match overlap_from {
        Some(_) => Arc::new(Joined::new(world.collective().clone()).overlap_from(overlap_from)),
        None => world.exchange(),
    };
    let (loss, weights) = train(exchange, n_steps);
    if world.rank() == 0 {
        // FNV-1a, of the bits.
        let bytes = weights.iter().flat_map(|w| w.to_bits().to_le_bytes());
        let checksum = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        println!("loss {loss} checksum {checksum:016x}");
    }
    Ok(())
}

/// The last loss and the weights after `n_steps`, on the part of each batch that `exchange` leaves to this process.
pub(crate) fn train(exchange: Arc<dyn Exchange>, n_steps: u64) -> (f32, Vec<f32>) {
    let net = Sequential::new()
        .add(Linear::new(2, 24))
        .add(BatchNorm1d::new(24))
        .add(ReLU)
        .add(Dropout::new(0.1))
        .add(Linear::new(24, 2));
    let (net, mut params) = nn::build(net, 42);
    let mut optimizer =
        Optimizer::new(Adam { lr: 0.01, ..Adam::default() }, &params).expect("valid settings");
    let images = Shards::whole(BATCH_SIZE).exchanging(&*exchange).images();
    let mut tape = Tape::new().exchange(exchange.clone());
    let mut last = f32::NAN;
    for step in 0..n_steps {
        let (points, labels) = moons(step, images.clone());
        last = tape.step(&mut params, Mode::train(7, step).of_images(BATCH_SIZE), |g| {
            let logits = net.forward(g, g.input([labels.len(), 2], &points));
            g.cross_entropy(logits, g.indices(&labels))
        });
        optimizer.step(&mut params);
    }
    (last, params.values().to_vec())
}

/// Some points of the batch number `step`, each a function of its number alone.
fn moons(step: u64, images: Range<usize>) -> (Vec<f32>, Vec<u32>) {
    let labels: Vec<u32> = images.clone().map(|i| (i % 2) as u32).collect();
    let point = |i: usize| {
        let angle = ((step as usize * BATCH_SIZE + i) as f32 * 0.618).rem_euclid(std::f32::consts::PI);
        let (sin, cos) = angle.sin_cos();
        if i.is_multiple_of(2) { [cos, sin] } else { [1.0 - cos, 0.5 - sin] }
    };
    (images.flat_map(point).collect(), labels)
}
