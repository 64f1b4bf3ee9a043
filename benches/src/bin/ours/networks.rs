//! Training and inference of the networks.

use std::hint::black_box;
use std::path::Path;

use anyhow::Result;
use bench_protocol::{Batches, Layer, Network, Ran, Timer, Worker};
use benches::{Inference, Training, nhwc};
use data::{Batch, Cifar, CifarKind, Loader, Part};

/// The next batch in this project's layout.
struct Feed {
    batches: Batches,
    n_inputs: usize,
    is_image: bool,
    inputs: Vec<f32>,
    bytes: Vec<u8>,
    labels: Vec<u32>,
}

impl Feed {
    fn open(cifar: &Path, spec: &Network, n_images: usize) -> Result<Self> {
        Ok(Self {
            batches: Batches::open(cifar)?,
            n_inputs: spec.n_inputs(),
            is_image: matches!(spec.layers[0], Layer::Conv { .. }),
            inputs: vec![0.0; n_images * spec.n_inputs()],
            bytes: vec![0; n_images],
            labels: vec![0; n_images],
        })
    }

    fn next(&mut self) -> Result<()> {
        self.batches.next(self.n_inputs, &mut self.inputs, &mut self.bytes)?;
        if self.is_image {
            self.inputs = nhwc(&self.inputs);
        }
        self.labels.clear();
        self.labels.extend(self.bytes.iter().map(|&label| u32::from(label)));
        Ok(())
    }
}

/// Training steps.
pub(crate) struct Train {
    training: Training,
    feed: Feed,
}

impl Train {
    pub(crate) fn open(cifar: &Path, spec: &Network, n_images: usize) -> Result<Self> {
        Ok(Self { training: Training::new(spec)?, feed: Feed::open(cifar, spec, n_images)? })
    }
}

impl Worker for Train {
    fn run(&mut self, n_steps: usize, timer: &mut Timer) -> Result<Ran> {
        let mut loss = None;
        for _ in 0..n_steps {
            self.feed.next()?;
            loss = Some(timer.time(|| self.training.step(&self.feed.inputs, &self.feed.labels)));
        }
        Ok(Ran { loss: loss.map(f64::from), ..Ran::default() })
    }
}

/// Predictions.
pub(crate) struct Infer {
    net: Inference,
    feed: Feed,
}

impl Infer {
    pub(crate) fn open(cifar: &Path, spec: &Network, n_images: usize) -> Result<Self> {
        Ok(Self { net: Inference::new(spec), feed: Feed::open(cifar, spec, n_images)? })
    }
}

impl Worker for Infer {
    fn run(&mut self, n_steps: usize, timer: &mut Timer) -> Result<Ran> {
        for _ in 0..n_steps {
            self.feed.next()?;
            let Feed { inputs, labels, .. } = &self.feed;
            timer.time(|| self.net.predict(inputs, labels.len(), |logits| _ = black_box(logits)));
        }
        Ok(Ran::default())
    }
}

/// An epoch from the memory-mapped files, shuffled.
pub(crate) struct Epoch {
    training: Training,
    cifar: Cifar,
    n_images: usize,
}

impl Epoch {
    pub(crate) fn open(cifar: &Path, spec: &Network, n_images: usize) -> Result<Self> {
        // SAFETY: nobody changes the files while they are measured.
        let cifar = unsafe { Cifar::open_mapped(cifar, CifarKind::Cifar10, Part::Train) }?;
        Ok(Self { training: Training::new(spec)?, cifar, n_images })
    }
}

impl Worker for Epoch {
    fn run(&mut self, n_steps: usize, timer: &mut Timer) -> Result<Ran> {
        let mut loader = Loader::new(&self.cifar, self.n_images).shuffle(0);
        let mut batch = Batch::new();
        let (mut items, mut sum, mut n_batches) = (0, 0.0, 0);
        timer.time(|| -> Result<()> {
            while n_batches < n_steps && loader.next_into(&mut batch)? {
                sum += f64::from(self.training.step(batch.images(), batch.labels()));
                items += batch.len();
                n_batches += 1;
            }
            Ok(())
        })?;
        Ok(Ran { loss: Some(sum / n_batches as f64), items: Some(items), ..Ran::default() })
    }
}
