//! Stopping and resuming: saving a run to a checkpoint if it is worth it, and restoring it.

use anyhow::{Context, Result, bail};
use classifier::output::{detail, warn};
use data::Loader;
use foreign_text::shown_path;

use super::Run;
use crate::checkpoint::Checkpoint;
use crate::non_finite::OnNan;
use crate::ranks::Agreed;
use crate::shell::quoted;
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
        if let Some(last) = &mut self.last_losses {
            last.resume(&checkpoint.tensors)?;
        }
        if self.validates {
            let best = match checkpoint.stopper.best_epoch {
                Some(_) => checkpoint.tensors.model(BEST, &self.params)?,
                None => Vec::new(),
            };
            // It counts the epochs that it sees, and may have been added later.
            let n_epochs = checkpoint.state.epoch as u64;
            self.stopper.resume(optim::Progress { n_epochs, ..checkpoint.stopper }, &best);
        }
        self.state = checkpoint.state.clone();
        self.seconds_before = self.state.total_seconds;
        self.saved_step = Some(self.state.step);
        // The average does not replace what the last step found frozen.
        self.recipe.before_step(&mut self.params, self.length.place(self.state.step).saturating_sub(1));
        loader.seek(self.state.position()).context("the position in the epoch")
    }

    pub(super) fn is_checkpoint_due(&mut self, ends_epoch: bool) -> bool {
        let is_due = self.timer.is_due(self.state.step, ends_epoch);
        self.agreed = self.ranks.agree(Agreed { signal: signals::received(), is_due });
        self.agreed.signal.is_some() || self.agreed.is_due
    }

    /// Writes a checkpoint if all its values are finite, and ends the run if a signal asked for it.
    pub(super) fn save_checkpoint(&mut self) -> Result<()> {
        if self.is_finite()? {
            self.state.total_seconds = self.total_seconds();
            if self.ranks.is_first() {
                self.folder.save(&self.checkpoint(), self.args.session.keep)?;
            }
            let path = self.folder.checkpoint_path(self.state.step);
            detail(format_args!("checkpoint written: {}", shown_path(&path)))?;
            self.timer.restart();
            self.saved_step = Some(self.state.step);
        }
        match self.agreed.signal {
            Some(signal) => {
                let out = self.folder.path().to_owned();
                Err(Stopped { signal, kept: Some((self.state.step, out)) }.into())
            }
            None => Ok(()),
        }
    }

    /// The current state of the run.
    fn checkpoint(&self) -> Checkpoint {
        let mut checkpoint =
            Checkpoint::new(self.config.clone(), self.state.clone(), self.stopper.progress());
        checkpoint.tensors.add_model(MODEL, &self.params, self.params.values());
        if self.stopper.best_epoch().is_some() {
            checkpoint.tensors.add_model(BEST, &self.params, self.stopper.best_values());
        }
        if let Some(last) = &self.last_losses {
            last.save(&mut checkpoint.tensors);
        }
        self.recipe.save(&mut checkpoint, &self.params);
        checkpoint
    }

    /// Whether the run is worth saving: loss and gradient were checked before the last step, not its result.
    ///
    /// # Errors
    /// When it is not; with `--on-nan continue` there is only a warning.
    pub(super) fn is_finite(&mut self) -> Result<bool> {
        if let Some((step, is_finite)) = self.looked_at
            && step == self.state.step
        {
            return Ok(is_finite);
        }
        let fault = self.fault();
        let was_finite = self.looked_at.is_none_or(|(_, is_finite)| is_finite);
        self.looked_at = Some((self.state.step, fault.is_none()));
        let Some(fault) = fault else { return Ok(true) };
        let said = format!("after step {}: {fault}; {}", self.state.step, self.way_on());
        match self.args.session.on_nan {
            OnNan::Stop | OnNan::Skip => bail!("training stopped {said}"),
            OnNan::Continue if was_finite => warn(format_args!("warning: nothing is saved {said}")),
            OnNan::Continue => {}
        }
        Ok(false)
    }

    /// The first NaN or infinite value of the run: in a checkpoint's contents, or the loss of the last batch
    /// with the current weights, which may be finite and yet too large for any finite loss.
    fn fault(&mut self) -> Option<String> {
        if let Err(error) = self.checkpoint().tensors.check_finite() {
            return Some(error.to_string());
        }
        // If steps may be skipped, one batch proves nothing.
        if self.n_images() == 0 || self.args.session.on_nan == OnNan::Skip {
            return None;
        }
        // In training mode the tape reuses its buffers from the last step.
        let (mode, micro_batch) = (self.mode(0), self.micro_batch(0));
        let g = self.tape.begin(&mut self.params, mode);
        let place = self.length.place(self.state.step).saturating_sub(1);
        let network = self.sizes.at(place, &self.net);
        let loss = g.scalar(self.objective.record(network, &g, &self.batch, &micro_batch).1);
        (!loss.is_finite()).then(|| format!("with the new weights the loss is {loss}"))
    }

    /// What remains of a run that NaN or infinity has stopped, and suggestions.
    pub(super) fn way_on(&self) -> String {
        match self.saved_step {
            Some(step) => format!(
                "the last checkpoint is {}. Resume from it with a smaller --lr: descent train --config {out} --out {out} \
                 --resume --resume-with flags --lr {:.1e}",
                shown_path(&self.folder.checkpoint_path(step)),
                0.3 * self.args.settings.learning_rate(self.adam_lr),
                out = quoted(self.folder.path())
            ),
            None => "there is no checkpoint yet. Try a smaller --lr".to_owned(),
        }
    }
}
