//! Training and inference of the networks.

use std::path::Path;

use anyhow::Result;
use bench_protocol::{Batches, Model, Network, Pass, Ran, Timer, Work, Worker};
use benches::{Inference, Inputs, Kind, Training, mean_cross_entropy, nhwc};
use data::{Batch, Cifar, CifarKind, Loader, Part};

/// Prepares the work of one of the first networks.
pub(crate) fn of_network(
    cifar: &Path,
    work: Work,
    spec: &Network,
    n_images: usize,
) -> Result<Box<dyn Worker>> {
    let feed = Feed::open(cifar, spec.into(), n_images)?;
    Ok(match work {
        Work::CnnEpoch => Box::new(Epoch::open(cifar, spec, n_images)?),
        Work::CnnInfer => Box::new(Infer { net: Inference::new(spec), feed }),
        _ => Box::new(Train { training: Training::new(spec)?, feed }),
    })
}

/// Prepares the work of a larger network.
pub(crate) fn of_model(cifar: &Path, model: Model, pass: Pass, n_items: usize) -> Result<Box<dyn Worker>> {
    let feed = Feed::open(cifar, model.into(), n_items)?;
    Ok(match pass {
        Pass::Train => Box::new(Train { training: Training::of_model(model)?, feed }),
        Pass::Infer => Box::new(Infer { net: Inference::of_model(model), feed }),
    })
}

/// The next batch in this project's layout.
struct Feed {
    batches: Batches,
    kind: Kind,
    n_items: usize,
    values: Vec<f32>,
    bytes: Vec<u8>,
    tokens: Vec<u32>,
    labels: Vec<u32>,
}

impl Feed {
    fn open(cifar: &Path, kind: Kind, n_items: usize) -> Result<Self> {
        Ok(Self {
            batches: Batches::open(cifar)?,
            kind,
            n_items,
            values: Vec::new(),
            bytes: vec![0; n_items],
            tokens: Vec::new(),
            labels: Vec::new(),
        })
    }

    fn next(&mut self) -> Result<()> {
        self.values.resize(self.n_items * self.kind.n_bytes(), 0.0);
        self.batches.next(self.kind.n_bytes(), &mut self.values, &mut self.bytes)?;
        if self.kind == Kind::Images {
            self.values = nhwc(&self.values);
        }
        self.tokens.clear();
        self.labels.clear();
        if self.kind == Kind::Text {
            for window in self.values.chunks_exact(Model::WINDOW) {
                let token = |value: &f32| (value * 255.0).round() as u32;
                self.tokens.extend(window[..Model::WINDOW - 1].iter().map(token));
                self.labels.extend(window[1..].iter().map(token));
            }
        } else {
            self.labels.extend(self.bytes.iter().map(|&label| u32::from(label)));
        }
        Ok(())
    }

    fn inputs(&self) -> Inputs<'_> {
        if self.kind == Kind::Text { Inputs::Tokens(&self.tokens) } else { Inputs::Values(&self.values) }
    }
}

/// Training steps.
struct Train {
    training: Training,
    feed: Feed,
}

impl Worker for Train {
    fn run(&mut self, n_steps: usize, timer: &mut Timer) -> Result<Ran> {
        let mut loss = None;
        for _ in 0..n_steps {
            self.feed.next()?;
            loss = Some(timer.time(|| self.training.step(self.feed.inputs(), &self.feed.labels)));
        }
        Ok(Ran { loss: loss.map(f64::from), ..Ran::default() })
    }
}

/// Predictions.
struct Infer {
    net: Inference,
    feed: Feed,
}

impl Worker for Infer {
    fn run(&mut self, n_steps: usize, timer: &mut Timer) -> Result<Ran> {
        let mut logits = Vec::new();
        for _ in 0..n_steps {
            self.feed.next()?;
            let n_labels = self.feed.labels.len();
            timer.time(|| {
                self.net.predict(self.feed.inputs(), n_labels, |found| {
                    logits.clear();
                    logits.extend_from_slice(found);
                });
            });
        }
        let loss = (n_steps > 0).then(|| f64::from(mean_cross_entropy(&logits, &self.feed.labels)));
        Ok(Ran { loss, ..Ran::default() })
    }
}

/// An epoch of shuffled images from the memory-mapped files.
struct Epoch {
    training: Training,
    cifar: Cifar,
    n_images: usize,
}

impl Epoch {
    fn open(cifar: &Path, spec: &Network, n_images: usize) -> Result<Self> {
        // SAFETY: the files are not modified during the measurement.
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
