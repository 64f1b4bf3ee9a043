//! How long a run is, in epochs and in steps.

use anyhow::{Result, ensure};

use crate::cli::Settings;

/// How long a run is.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Passes over the training images, the last of which may be cut short.
    pub epochs: u64,
    /// Steps in each that is whole.
    pub steps_per_epoch: u64,
    /// Steps in all.
    pub n_steps: u64,
}

impl Length {
    /// So many whole epochs.
    pub fn new(epochs: u64, steps_per_epoch: u64) -> Self {
        Self { epochs, steps_per_epoch, n_steps: epochs * steps_per_epoch }
    }

    /// That of a run with these settings on so many images: `epochs`, or `--max-steps` if that is less.
    ///
    /// # Errors
    /// When they do not fill one batch, and short ones are left out.
    pub fn of(settings: &Settings, epochs: u64, n_images: usize) -> Result<Self> {
        let batch_size = settings.batch_size;
        let n_batches =
            if settings.drop_last { n_images / batch_size } else { n_images.div_ceil(batch_size) };
        ensure!(
            n_batches > 0,
            "--drop-last: the {n_images} training images do not fill one batch of {batch_size}; a smaller --batch-size does"
        );
        let whole = Self::new(epochs, n_batches as u64);
        let n_steps = settings.max_steps.unwrap_or(u64::MAX).min(whole.n_steps);
        Ok(Self { epochs: n_steps.div_ceil(whole.steps_per_epoch), n_steps, ..whole })
    }

    /// The first step that lies this many epochs behind the start.
    pub fn step_after(self, epochs: f64) -> u64 {
        (epochs * self.steps_per_epoch as f64).ceil() as u64
    }
}
