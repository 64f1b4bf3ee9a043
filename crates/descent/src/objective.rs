//! The loss that a step minimises: cross-entropy, with optional class weights, in one or several parts.

use anyhow::{Context, Result, ensure};
use autograd::{CrossEntropyOptions, Graph, Reduction, Var};
use classifier::input;
use data::{Batch, Dataset};

use crate::cli::{ReductionFlag, Settings};
use crate::inputs::{Inputs, Part};
use crate::ranks::MicroBatch;
use crate::sizes::Network;

/// The loss of a run, and the examples it is computed on.
pub struct Objective {
    inputs: Inputs,
    n_classes: usize,
    /// One weight per class.
    weights: Option<Vec<f32>>,
    label_smoothing: f32,
    reduction: Reduction,
}

impl Objective {
    /// The loss that the settings select, for these training images.
    ///
    /// # Errors
    /// When the number of weights is not the number of classes, or an option is for images only.
    pub fn new(settings: &Settings, training: &dyn Dataset) -> Result<Self> {
        let is_table = training.image_shape().is_empty();
        ensure!(
            !(is_table && settings.cutmix().is_some()),
            "--cutmix needs images, but the examples are rows of numbers"
        );
        let n_classes = training.class_names().len();
        let weights = match settings.class_weights.as_deref() {
            None => None,
            Some("balanced") => Some(balanced(training)),
            Some(list) => Some(given(list, n_classes)?),
        };
        Ok(Self {
            inputs: Inputs::new(settings, n_classes),
            n_classes,
            weights,
            label_smoothing: settings.label_smoothing as f32,
            reduction: match settings.reduction {
                ReductionFlag::Mean => Reduction::Mean,
                ReductionFlag::Sum => Reduction::Sum,
            },
        })
    }

    /// Takes the batch of a step, with its images mixed if requested.
    pub fn prepare(&mut self, batch: &Batch, step: u64) {
        self.inputs.take(batch, step);
    }

    /// Keeps this share of the prepared examples, those with the largest [`losses`](Self::losses).
    pub fn keep_hardest(&mut self, batch: &Batch, losses: &[f32], share: f64) {
        self.inputs.keep_hardest(batch, losses, share);
    }

    /// The positions of a micro-batch's examples in the batch.
    pub fn positions(&self, micro_batch: &MicroBatch) -> impl Iterator<Item = usize> {
        micro_batch.all.clone().map(|number| self.inputs.position(number))
    }

    /// The number of examples in the step, on all ranks.
    pub fn n_examples(&self) -> usize {
        self.inputs.n_examples()
    }

    /// The classes of this rank's examples in a micro-batch.
    pub fn labels<'a>(&'a self, batch: &'a Batch, micro_batch: &MicroBatch) -> &'a [u32] {
        &self.inputs.labels(batch)[micro_batch.own.clone()]
    }

    /// Records the outputs for this rank's examples in a micro-batch, and the share of the whole micro-batch
    /// in the loss, which is a mean or a sum.
    pub fn record(
        &self,
        network: Network<'_>,
        g: &Graph<'_>,
        batch: &Batch,
        micro_batch: &MicroBatch,
    ) -> (Var, Var) {
        let is_all = micro_batch.all.len() == self.inputs.n_examples();
        if is_all && self.weights.is_none() && self.inputs.are_the_batch() {
            let logits = network.forward(g, input(g, batch));
            return (logits, g.cross_entropy_with(logits, g.labels(batch), self.options(self.reduction)));
        }
        let examples = self.inputs.part(batch, micro_batch.own.clone());
        let is_whole = is_all || self.reduction == Reduction::Sum;
        // The mean of a part is weighted by its share of the whole's divisor.
        let (reduction, share) = match &self.weights {
            Some(weights) if examples.targets.is_none() => {
                let sum = |labels: &[u32]| {
                    labels.iter().map(|&label| f64::from(weights[label as usize])).sum::<f64>()
                };
                let labels = self.inputs.labels(batch);
                let (part, whole) = (sum(&labels[micro_batch.all.clone()]), sum(labels));
                // There is no mean over weights of 0.
                if part == 0.0 { (Reduction::Sum, 1.0 / whole) } else { (self.reduction, part / whole) }
            }
            _ => (self.reduction, micro_batch.all.len() as f64 / self.inputs.n_examples() as f64),
        };
        let reduction = if is_whole { self.reduction } else { reduction };
        let logits = forward(network, g, &examples);
        let loss = self.loss(g, logits, &examples, reduction);
        (logits, if is_whole { loss } else { g.scale(loss, share as f32) })
    }

    /// Records the outputs for this rank's examples in a micro-batch.
    pub fn logits(
        &self,
        network: Network<'_>,
        g: &Graph<'_>,
        batch: &Batch,
        micro_batch: &MicroBatch,
    ) -> Var {
        forward(network, g, &self.inputs.part(batch, micro_batch.own.clone()))
    }

    /// Records the loss of each of this rank's examples in a micro-batch, from the outputs for them.
    pub fn losses(&self, logits: Var, g: &Graph<'_>, batch: &Batch, micro_batch: &MicroBatch) -> Var {
        self.loss(g, logits, &self.inputs.part(batch, micro_batch.own.clone()), Reduction::None)
    }

    fn loss(&self, g: &Graph<'_>, logits: Var, examples: &Part<'_>, reduction: Reduction) -> Var {
        let weight = self.weights.as_ref().map(|weights| g.constant([self.n_classes], weights));
        let options = CrossEntropyOptions { weight, ..self.options(reduction) };
        match examples.targets {
            Some(targets) => {
                let targets = g.input([examples.shape[0], self.n_classes], targets);
                g.cross_entropy_with(logits, targets, options)
            }
            None => g.cross_entropy_with(logits, g.labels(examples.labels), options),
        }
    }

    fn options(&self, reduction: Reduction) -> CrossEntropyOptions {
        CrossEntropyOptions {
            label_smoothing: self.label_smoothing,
            reduction,
            ..CrossEntropyOptions::default()
        }
    }
}

fn forward(network: Network<'_>, g: &Graph<'_>, examples: &Part<'_>) -> Var {
    network.forward(g, g.input(examples.shape, examples.values))
}

/// Weights inversely proportional to class frequencies: scikit-learn's `balanced`. A class without images has
/// weight zero.
fn balanced(training: &dyn Dataset) -> Vec<f32> {
    let mut counts = vec![0_usize; training.class_names().len()];
    (0..training.len()).for_each(|idx| counts[training.label(idx) as usize] += 1);
    let mean = training.len() as f64 / counts.len() as f64;
    counts.iter().map(|&n| if n == 0 { 0.0 } else { (mean / n as f64) as f32 }).collect()
}

fn given(list: &str, n_classes: usize) -> Result<Vec<f32>> {
    let weights = list.split(',').map(|text| text.trim().parse::<f32>());
    let weights = weights
        .collect::<Result<Vec<f32>, _>>()
        .context("--class-weights: expected `balanced` or numbers")?;
    ensure!(
        weights.len() == n_classes && weights.iter().all(|w| w.is_finite() && *w >= 0.0),
        "--class-weights: expected {n_classes} non-negative numbers, one per class in the order of the \
         class names, found {}",
        weights.len()
    );
    ensure!(weights.iter().any(|&w| w > 0.0), "--class-weights: expected at least one above 0");
    Ok(weights)
}
