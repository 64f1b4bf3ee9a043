//! Stopping and resuming: what goes from a run into a checkpoint, and back.

use anyhow::{Context, Result};
use data::Loader;

use super::Run;
use crate::checkpoint::Checkpoint;
use crate::signals::{self, Stopped};

/// The groups of the run's tensors in a checkpoint.
const MODEL: &str = "model";
const BEST: &str = "best";

impl Run<'_> {
    /// Resumes from a checkpoint.
    ///
    /// # Errors
    /// When it belongs to another network, another update rule, or other images.
    pub fn resume(&mut self, checkpoint: &Checkpoint, loader: &mut Loader<'_>) -> Result<()> {
        let weights = checkpoint.tensors.model(MODEL, &self.params)?;
        self.params.values_mut().copy_from_slice(&weights);
        self.recipe.resume(checkpoint, &self.params)?;
        if self.args.settings.val > 0 {
            let best = match checkpoint.stopper.best_epoch {
                Some(_) => checkpoint.tensors.model(BEST, &self.params)?,
                None => Vec::new(),
            };
            // It counts the epochs that it sees, and may not have been there from the first.
            let n_epochs = checkpoint.state.epoch as u64;
            self.stopper.resume(optim::Progress { n_epochs, ..checkpoint.stopper }, &best);
        }
        self.state = checkpoint.state.clone();
        self.saved_step = Some(self.state.step);
        loader.seek(self.state.position()).context("the position in the epoch")
    }

    pub(super) fn is_checkpoint_due(&self, ends_epoch: bool) -> bool {
        signals::received().is_some() || self.timer.is_due(self.state.step, ends_epoch)
    }

    /// Writes a checkpoint, and ends the run if a signal asked for it.
    pub(super) fn save_checkpoint(&mut self) -> Result<()> {
        let mut checkpoint =
            Checkpoint::new(self.config.clone(), self.state.clone(), self.stopper.progress());
        checkpoint.tensors.add_model(MODEL, &self.params, self.params.values());
        if self.stopper.best_epoch().is_some() {
            checkpoint.tensors.add_model(BEST, &self.params, self.stopper.best_values());
        }
        self.recipe.save(&mut checkpoint, &self.params);
        self.folder.save(&checkpoint, self.args.session.keep)?;
        self.timer.restart();
        self.saved_step = Some(self.state.step);
        match signals::received() {
            Some(signal) => {
                let out = self.folder.path().to_owned();
                Err(Stopped { signal, step: self.state.step, out }.into())
            }
            None => Ok(()),
        }
    }
}
