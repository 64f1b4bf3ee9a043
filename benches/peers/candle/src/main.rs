//! candle on the CPU, at the same work as every other driver.

mod network;

use std::path::{Path, PathBuf};

use anyhow::Result;
use bench_protocol::{Batches, Driver, Hello, Network, Ran, Timer, Work, Worker, cifar_folder, serve};
use candle_core::{Device, Tensor, Var};
use candle_nn::loss::cross_entropy;
use candle_nn::optim::{AdamW, Optimizer, ParamsAdamW};

use network::Net;

struct Candle {
    cifar: PathBuf,
}

impl Driver for Candle {
    fn hello(&self) -> Hello {
        let threads = candle_core::utils::get_num_threads();
        Hello { peer: "candle".to_owned(), version: "0.11.1".to_owned(), threads }
    }

    fn open(&mut self, work: Work, size: usize) -> Result<Option<Box<dyn Worker>>> {
        let Some(spec) = Network::of(work).filter(|_| work != Work::CnnEpoch) else { return Ok(None) };
        let feed = Feed::open(&self.cifar, &spec, size)?;
        let (net, vars) = Net::new(&spec)?;
        Ok(Some(match work {
            Work::CnnInfer => Box::new(Infer { net: net.detached(), feed }),
            _ => {
                // candle has AdamW alone: without a decay of its own it is Adam, and the coupled decay is added
                // to the gradient (see `Train::run`).
                let config = ParamsAdamW { lr: spec.lr, weight_decay: 0.0, ..ParamsAdamW::default() };
                let optimizer = AdamW::new(vars.clone(), config)?;
                Box::new(Train { net, vars, optimizer, weight_decay: spec.weight_decay, feed })
            }
        }))
    }
}

/// The next batch as candle's tensors.
struct Feed {
    batches: Batches,
    n_inputs: usize,
    n_images: usize,
}

impl Feed {
    fn open(cifar: &Path, spec: &Network, n_images: usize) -> Result<Self> {
        Ok(Self { batches: Batches::open(cifar)?, n_inputs: spec.n_inputs(), n_images })
    }

    fn next(&mut self) -> Result<(Tensor, Tensor)> {
        let mut inputs = vec![0.0; self.n_images * self.n_inputs];
        let mut labels = vec![0; self.n_images];
        self.batches.next(self.n_inputs, &mut inputs, &mut labels)?;
        let labels: Vec<u32> = labels.into_iter().map(u32::from).collect();
        let inputs = Tensor::from_vec(inputs, (self.n_images, self.n_inputs), &Device::Cpu)?;
        Ok((inputs, Tensor::from_vec(labels, self.n_images, &Device::Cpu)?))
    }
}

struct Train {
    net: Net,
    vars: Vec<Var>,
    optimizer: AdamW,
    weight_decay: f64,
    feed: Feed,
}

impl Train {
    fn step(&mut self, images: &Tensor, labels: &Tensor) -> Result<f32> {
        let loss = cross_entropy(&self.net.forward(images, true)?, labels)?;
        let mut gradients = loss.backward()?;
        if self.weight_decay > 0.0 {
            for var in &self.vars {
                if let Some(gradient) = gradients.remove(var) {
                    gradients.insert(var, (gradient + (var.as_detached_tensor() * self.weight_decay)?)?);
                }
            }
        }
        self.optimizer.step(&gradients)?;
        Ok(loss.to_scalar()?)
    }
}

impl Worker for Train {
    fn run(&mut self, n_steps: usize, timer: &mut Timer) -> Result<Ran> {
        let mut loss = None;
        for _ in 0..n_steps {
            let (images, labels) = self.feed.next()?;
            loss = Some(timer.time(|| self.step(&images, &labels))?);
        }
        Ok(Ran { loss: loss.map(f64::from), ..Ran::default() })
    }
}

struct Infer {
    net: Net,
    feed: Feed,
}

impl Worker for Infer {
    fn run(&mut self, n_steps: usize, timer: &mut Timer) -> Result<Ran> {
        for _ in 0..n_steps {
            let (images, _) = self.feed.next()?;
            timer.time(|| self.net.forward(&images, false))?;
        }
        Ok(Ran::default())
    }
}

fn main() -> Result<()> {
    serve(&mut Candle { cifar: cifar_folder()? }, std::io::stdin().lock(), std::io::stdout().lock())
}
