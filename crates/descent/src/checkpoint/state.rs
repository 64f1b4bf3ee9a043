//! Where a run stands, in numbers.

use classifier::exact;
use data::{Batch, Position};
use serde::{Deserialize, Serialize};

use super::bounds;
use crate::history::Epoch;

/// Where a run stands and what it has measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Batches that the run has trained on.
    pub step: u64,
    /// The current epoch, from 0.
    pub epoch: usize,
    /// Batches of it that were trained on.
    pub batch: usize,
    /// The running sums of the epoch.
    pub sums: Sums,
    /// What was measured at the end of each epoch.
    #[serde(deserialize_with = "bounds::counted")]
    pub history: Vec<Epoch>,
    /// The step of the checkpoint with the best weights by the validation split.
    pub best_step: Option<u64>,
    /// A hash over all batches and losses; see [`State::extend_trace`].
    pub trace: u64,
}

impl Default for State {
    /// Before the first step.
    fn default() -> Self {
        Self {
            step: 0,
            epoch: 0,
            batch: 0,
            sums: Sums::default(),
            history: Vec::new(),
            best_step: None,
            trace: keyed_random::HASH_START,
        }
    }
}

impl State {
    /// The place of the next batch.
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch, step: self.batch }
    }

    /// Notes the place of the next batch.
    pub fn set_position(&mut self, position: Position) {
        (self.epoch, self.batch) = (position.epoch, position.step);
    }

    /// Hashes the images of a batch, in their order, and its loss into [`trace`](Self::trace) (FNV-1a, word by
    /// word): two runs with the same trace trained on the same images in the same order, with losses equal bit
    /// for bit.
    pub fn extend_trace(&mut self, batch: &Batch, loss: f32) {
        let words = batch.indices().iter().map(|&idx| idx as u64).chain([u64::from(loss.to_bits())]);
        self.trace = keyed_random::hash_words(self.trace, words);
    }
}

/// The running sums of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    /// Sum of the batches' mean losses.
    #[serde(with = "exact")]
    of_batches: f64,
    /// Sum of the images' losses.
    #[serde(with = "exact")]
    of_images: f64,
    n_batches: u64,
    n_images: u64,
    /// Steps in which loss or gradient was NaN or infinite, whether they were taken or skipped.
    #[serde(rename = "n_bad")]
    pub n_non_finite: u64,
    /// The learning rate of the last step.
    #[serde(with = "exact")]
    pub learning_rate: f64,
    /// Seconds of training, without evaluation and checkpoints.
    #[serde(with = "exact")]
    pub seconds: f64,
}

impl Sums {
    /// Adds a step on `n_images` with this mean loss.
    pub fn add(&mut self, loss: f64, n_images: usize, learning_rate: f64) {
        self.of_batches += loss;
        self.of_images += loss * n_images as f64;
        self.n_batches += 1;
        self.n_images += n_images as u64;
        self.learning_rate = learning_rate;
    }

    /// Whether no step was taken.
    pub fn is_empty(&self) -> bool {
        self.n_batches == 0
    }

    /// The mean of the batches' mean losses, as the lecture prints it.
    pub fn mean_of_batches(&self) -> f64 {
        self.of_batches / self.n_batches as f64
    }

    /// The mean loss per image.
    pub fn mean_of_images(&self) -> f64 {
        self.of_images / self.n_images as f64
    }
}

/// How [`optim::Progress`] is saved; `optim` itself knows nothing of files.
#[derive(Serialize, Deserialize)]
#[serde(remote = "optim::Progress", deny_unknown_fields)]
pub(super) struct ProgressDef {
    n_epochs: u64,
    #[serde(with = "exact")]
    best_metric: f64,
    best_epoch: Option<u64>,
    n_bad: u64,
}
