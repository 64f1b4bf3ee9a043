//! The numeric state of a run.

use classifier::exact;
use data::{Batch, Position};
use serde::{Deserialize, Serialize};

use super::bounds;
use crate::history::Epoch;

/// The position of a run and its measurements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Batches that the run has trained on.
    pub step: u64,
    /// The current epoch, from 0.
    pub epoch: usize,
    /// Batches of it trained on so far.
    pub batch: usize,
    /// The running sums of the epoch.
    pub sums: Sums,
    /// The measurements at the end of each epoch.
    #[serde(deserialize_with = "bounds::counted")]
    pub history: Vec<Epoch>,
    /// The step of the checkpoint with the best weights on the validation set.
    pub best_step: Option<u64>,
    /// A hash over all batches and losses; see [`State::extend_trace`].
    pub trace: u64,
    /// The check for a diverging loss.
    #[serde(default)]
    pub divergence: Divergence,
    /// Seconds since the start, over all sessions; 0 in a state that predates the count.
    #[serde(default, with = "exact")]
    pub total_seconds: f64,
}

impl Default for State {
    /// The state before the first step.
    fn default() -> Self {
        Self {
            step: 0,
            epoch: 0,
            batch: 0,
            sums: Sums::default(),
            history: Vec::new(),
            best_step: None,
            trace: keyed_random::HASH_START,
            divergence: Divergence::default(),
            total_seconds: 0.0,
        }
    }
}

impl State {
    /// The position of the next batch.
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch, step: self.batch }
    }

    /// Sets the position of the next batch.
    pub fn set_position(&mut self, position: Position) {
        (self.epoch, self.batch) = (position.epoch, position.step);
    }

    /// Hashes the images of a batch, in their order, and its loss into [`trace`](Self::trace) (FNV-1a, word by
    /// word): two runs with the same trace trained on the same images in the same order, with losses equal bit
    /// for bit.
    pub fn extend_trace(&mut self, batch: &Batch, loss: f32) {
        let words = batch.whole_indices().iter().map(|&idx| idx as u64).chain([u64::from(loss.to_bits())]);
        self.trace = keyed_random::hash_words(self.trace, words);
    }
}

/// Detects a diverging loss: above three times its first value and above that of guessing, for twenty
/// consecutive steps. The first loss of a network that was trained before may be close to 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Divergence {
    /// The first finite loss; 0 before.
    #[serde(with = "exact")]
    first: f64,
    /// The number of consecutive steps with so high a loss.
    n_steps: u64,
}

impl Divergence {
    /// The factor over the first loss that counts as too high, and for how many steps.
    const FACTOR: f64 = 3.0;
    const N_STEPS: u64 = 20;

    /// Checks the loss of a step, a cross-entropy of `n_classes`. Returns the first loss when it is time to
    /// report divergence.
    pub fn observe(&mut self, loss: f32, n_classes: usize) -> Option<f64> {
        let loss = f64::from(loss);
        if self.first == 0.0 && loss.is_finite() {
            self.first = loss;
        }
        // NaN counts as too high.
        let is_fine = loss <= (Self::FACTOR * self.first).max((n_classes as f64).ln());
        self.n_steps = if is_fine { 0 } else { self.n_steps + 1 };
        (self.n_steps == Self::N_STEPS).then_some(self.first)
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
    /// The numbers of correctly classified images and of images counted: fewer than trained on if the epoch
    /// began in a version that did not count.
    #[serde(default)]
    n_right: u64,
    #[serde(default)]
    n_counted: u64,
    /// Steps with a NaN or infinite loss or gradient, whether taken or skipped.
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
    /// Adds a step on `n_images`, of which `n_right` were classified right, with this mean loss.
    pub fn add(&mut self, loss: f64, n_images: usize, n_right: usize, learning_rate: f64) {
        self.n_right += n_right as u64;
        self.n_counted += n_images as u64;
        self.of_batches += loss;
        self.of_images += loss * n_images as f64;
        self.n_batches += 1;
        self.n_images += n_images as u64;
        self.learning_rate = learning_rate;
    }

    /// The number of steps taken.
    pub fn n_steps(&self) -> u64 {
        self.n_batches
    }

    /// Whether no step was taken.
    pub fn is_empty(&self) -> bool {
        self.n_batches == 0
    }

    /// The mean of the batches' mean losses, as the lecture prints it.
    pub fn mean_of_batches(&self) -> f64 {
        self.of_batches / self.n_batches as f64
    }

    /// The accuracy in percent on the images as used in training: augmented, with dropout, each with the
    /// weights of its step.
    pub fn accuracy(&self) -> Option<f64> {
        (self.n_counted > 0).then(|| 100.0 * self.n_right as f64 / self.n_counted as f64)
    }

    /// The mean loss per image.
    pub fn mean_of_images(&self) -> f64 {
        self.of_images / self.n_images as f64
    }
}

/// The saved form of [`optim::Progress`]; `optim` itself has no file formats.
#[derive(Serialize, Deserialize)]
#[serde(remote = "optim::Progress", deny_unknown_fields)]
pub(super) struct ProgressDef {
    n_epochs: u64,
    #[serde(with = "exact")]
    best_metric: f64,
    best_epoch: Option<u64>,
    n_bad: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_from_before_accuracy_and_divergence_were_kept_is_read() {
        let old = r#"{"step":7,"epoch":1,"batch":2,"sums":{"of_batches":"3","of_images":"48","n_batches":2,
            "n_images":32,"n_bad":0,"learning_rate":"0.1","seconds":"1"},"history":[{"epoch":1,"train_loss":"1.5",
            "train_loss_per_sample":"1.5","validation":null,"test":{"loss":"2","accuracy":"10"},
            "learning_rate":"0.005","seconds":"1","images_per_second":"9"}],"best_step":null,"trace":5}"#;
        let mut state: State = serde_json::from_str(old).unwrap();
        assert_eq!(state.divergence, Divergence::default());
        assert_eq!(state.history[0].test.map(|test| test.accuracy), Some(10.0));
        assert_eq!((state.history[0].train_accuracy, state.sums.accuracy()), (None, None));
        // The accuracy covers the rest of the epoch, the loss all of it.
        state.sums.add(6.0, 16, 4, 0.1);
        assert_eq!((state.sums.accuracy(), state.sums.mean_of_batches()), (Some(25.0), 3.0));
    }

    #[test]
    fn a_loss_that_is_too_high_for_twenty_steps_is_told_once() {
        let mut divergence = Divergence::default();
        let mut told = |loss, n| (0..n).filter_map(|_| divergence.observe(loss, 2)).sum::<f64>();
        assert_eq!(told(2.0, 1), 0.0);
        assert_eq!(told(6.0, 50), 0.0);
        assert_eq!(told(6.1, 19), 0.0);
        assert_eq!(told(1.0, 1), 0.0);
        assert_eq!(told(7.0, 20), 2.0);
        assert_eq!(told(1e30, 100), 0.0);
        assert_eq!(told(2.0, 1), 0.0);
        assert_eq!(told(f32::NAN, 100), 2.0);
        // A first loss near 0 says little: 0.7 is that of guessing one of two classes.
        let mut divergence = Divergence::default();
        let mut told = |loss, n| (0..n).filter_map(|_| divergence.observe(loss, 2)).count();
        assert_eq!((told(1e-6, 1), told(0.69, 100), told(0.7, 20)), (0, 0, 1));
    }
}
