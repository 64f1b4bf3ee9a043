//! burn with its `flex` backend, at the same work as every other driver.

mod network;

use std::path::PathBuf;

use anyhow::Result;
use bench_protocol::{Batches, Driver, Hello, Network, Ran, Timer, Work, Worker, cifar_folder, serve};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, decay::WeightDecayConfig};
use burn::prelude::*;

use network::Net;

struct Burn {
    cifar: PathBuf,
}

impl Driver for Burn {
    fn hello(&self) -> Hello {
        Hello { peer: "burn".to_owned(), version: "0.22.1".to_owned(), threads: rayon::current_num_threads() }
    }

    fn open(&mut self, work: Work, size: usize) -> Result<Option<Box<dyn Worker>>> {
        let Some(spec) = Network::of(work).filter(|_| work != Work::CnnEpoch) else { return Ok(None) };
        let feed = Feed::open(&self.cifar, &spec, size)?;
        Ok(Some(match work {
            Work::CnnInfer => {
                let device = Device::flex();
                Box::new(Infer { net: Net::new(&spec, &device), device, feed })
            }
            _ => {
                let device = Device::flex().autodiff();
                let decay =
                    (spec.weight_decay > 0.0).then(|| WeightDecayConfig::new(spec.weight_decay as f32));
                let optimizer = AdamConfig::new().with_epsilon(1e-8).with_weight_decay(decay).init();
                Box::new(Train { net: Net::new(&spec, &device), optimizer, lr: spec.lr, device, feed })
            }
        }))
    }
}

/// The next batch as burn's tensors.
struct Feed {
    batches: Batches,
    n_inputs: usize,
    n_images: usize,
}

impl Feed {
    fn open(cifar: &std::path::Path, spec: &Network, n_images: usize) -> Result<Self> {
        Ok(Self { batches: Batches::open(cifar)?, n_inputs: spec.n_inputs(), n_images })
    }

    fn next(&mut self, device: &Device) -> Result<(Tensor<2>, Tensor<1, Int>)> {
        let mut inputs = vec![0.0; self.n_images * self.n_inputs];
        let mut labels = vec![0; self.n_images];
        self.batches.next(self.n_inputs, &mut inputs, &mut labels)?;
        let labels: Vec<i64> = labels.into_iter().map(i64::from).collect();
        let inputs = TensorData::new(inputs, [self.n_images, self.n_inputs]);
        Ok((
            Tensor::from_data(inputs, device),
            Tensor::from_data(TensorData::new(labels, [self.n_images]), device),
        ))
    }
}

struct Train {
    net: Net,
    optimizer: ModuleOptimizer,
    lr: f64,
    device: Device,
    feed: Feed,
}

impl Worker for Train {
    fn run(&mut self, n_steps: usize, timer: &mut Timer) -> Result<Ran> {
        let mut loss = None;
        for _ in 0..n_steps {
            let (images, labels) = self.feed.next(&self.device)?;
            loss = Some(timer.time(|| {
                let loss = self.net.loss(images, labels);
                let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
                self.net = self.optimizer.step(self.lr, self.net.clone(), gradients);
                loss.into_scalar::<f32>()
            }));
        }
        Ok(Ran { loss: loss.map(f64::from), ..Ran::default() })
    }
}

struct Infer {
    net: Net,
    device: Device,
    feed: Feed,
}

impl Worker for Infer {
    fn run(&mut self, n_steps: usize, timer: &mut Timer) -> Result<Ran> {
        for _ in 0..n_steps {
            let (images, _) = self.feed.next(&self.device)?;
            timer.time(|| std::hint::black_box(self.net.forward(images).into_data()));
        }
        Ok(Ran::default())
    }
}

fn main() -> Result<()> {
    serve(&mut Burn { cifar: cifar_folder()? }, std::io::stdin().lock(), std::io::stdout().lock())
}
