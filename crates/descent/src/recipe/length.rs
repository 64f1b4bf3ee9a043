//! The length of a run, in epochs and in steps.

use anyhow::{Result, ensure};

use crate::checkpoint::State;
use crate::cli::Settings;

/// The length of a run.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Passes over the training images, the last of which may be cut short.
    pub epochs: u64,
    /// Steps in each full epoch.
    pub steps_per_epoch: u64,
    /// Total steps, counted as if each epoch so far had had as many as the next will. Schedules count so.
    pub n_steps: u64,
    /// How far that count is ahead of the run's steps: 0 unless a resumed run had epochs of another length.
    ahead: i64,
}

impl Length {
    /// This many full epochs.
    pub const fn new(epochs: u64, steps_per_epoch: u64) -> Self {
        Self { epochs, steps_per_epoch, n_steps: epochs * steps_per_epoch, ahead: 0 }
    }

    /// The length of a run with these settings and this many images: `epochs`, or `--max-steps` if that is
    /// shorter. A resumed run is at `state`.
    ///
    /// # Errors
    /// When they do not fill one batch and short batches are dropped.
    pub fn of(settings: &Settings, epochs: u64, n_images: usize, state: Option<&State>) -> Result<Self> {
        let batch_size = settings.batch_size;
        let n_batches =
            if settings.drop_last { n_images / batch_size } else { n_images.div_ceil(batch_size) };
        ensure!(
            n_batches > 0,
            "{}: the {n_images} training images do not fill one batch of {batch_size}; use a smaller --batch-size",
            match &settings.recipe {
                Some(recipe) =>
                    format!("--recipe {recipe} leaves out batches that are not full (--drop-last)"),
                None => "--drop-last".to_owned(),
            }
        );
        let whole = Self::new(epochs, n_batches as u64);
        let ahead = state.map_or(0, |state| {
            let place = state.epoch as u64 * whole.steps_per_epoch + state.batch as u64;
            place as i64 - state.step as i64
        });
        let max_steps = settings.max_steps.unwrap_or(u64::MAX).saturating_add_signed(ahead);
        let n_steps = max_steps.min(whole.n_steps);
        Ok(Self { epochs: n_steps.div_ceil(whole.steps_per_epoch), n_steps, ahead, ..whole })
    }

    /// The place of a step of the run in its schedules, whose length is [`n_steps`](Self::n_steps).
    pub fn place(self, step: u64) -> u64 {
        step.saturating_add_signed(self.ahead)
    }

    /// The step after which the run is over.
    pub fn last_step(self) -> u64 {
        self.n_steps.saturating_add_signed(-self.ahead)
    }

    /// The first [place](Self::place) that is at least this many epochs after the start.
    pub fn step_after(self, epochs: f64) -> u64 {
        (epochs * self.steps_per_epoch as f64).ceil() as u64
    }
}

/// A number of steps in words.
pub(super) fn steps(n: u64) -> String {
    if n == 1 { "1 step".to_owned() } else { format!("{n} steps") }
}
