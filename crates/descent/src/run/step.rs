//! The training step and the epoch.

use std::mem;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use autograd::Mode;
use classifier::output::{self, warn};
use data::{Loader, Position};
use optim::{Norm, clip_norm};

use super::Run;
use crate::checkpoint::{State, Sums};
use crate::cli::ReductionFlag;
use crate::non_finite::{NonFinite, OnNan};
use crate::progress::{EpochBar, Work};
use crate::ranks::MicroBatch;

impl Run<'_> {
    /// The steps that are left, to be timed from here on.
    pub fn work(&self) -> Work {
        let costs = self.sizes.costs(self.about.image_shape());
        let costs = match (self.args.settings.hardest, self.end_of_hardest()) {
            (Some(share), Some(end)) => {
                // A forward pass is a third of a step.
                let to_find = if self.last_losses.is_some() { 0.0 } else { 1.0 / 3.0 };
                costs.times_until(end, to_find + share)
            }
            _ => costs,
        };
        Work::new(costs, self.place(), self.length.n_steps)
    }

    /// The place of the next step in the run's schedules.
    pub fn place(&self) -> u64 {
        self.length.place(self.state.step)
    }

    /// The first step that trains on its whole batch again, after those on its hardest images.
    pub(super) fn end_of_hardest(&self) -> Option<u64> {
        self.args.settings.hardest_until.map(|epochs| self.length.step_after(epochs))
    }

    /// The share of the next step's batch that is trained on, if it is not all of it.
    fn hardest(&self) -> Option<f64> {
        let is_over = self.end_of_hardest().is_some_and(|end| self.place() >= end);
        self.args.settings.hardest.filter(|_| !is_over)
    }

    /// Trains to the end of the current epoch, or of the run if that comes first. The progress bar counts in
    /// the seconds that the evaluations to come will take.
    ///
    /// # Errors
    /// When the data can no longer be read, a checkpoint cannot be written, loss or gradient is not finite,
    /// or a signal asks to stop.
    pub fn train_epoch(&mut self, loader: &mut Loader<'_>, evaluations: f64) -> Result<Sums> {
        let n_steps = self.length.last_step();
        let epoch = self.state.epoch + 1;
        let label = format!("epoch {epoch:>2}/{}", self.length.epochs);
        let steps = (loader.n_batches(), self.state.batch);
        let mut bar = EpochBar::new(label, steps, self.work(), evaluations, output::width()).of(self.unit());
        let mut started = Instant::now();
        while self.state.step < n_steps && loader.next_into(&mut self.batch)? {
            let (loss, n_right, anomaly) = self.train_step();
            self.update(loss, n_right, anomaly)?;
            self.state.set_position(loader.position());
            bar.step(self.batch.whole_indices().len(), self.state.sums.mean_of_batches());
            if self.is_checkpoint_due(false) {
                self.state.sums.seconds += started.elapsed().as_secs_f64();
                self.save_checkpoint()?;
                started = Instant::now();
            }
        }
        // The rest of an epoch after the run's last step is skipped.
        loader.seek(Position { epoch, step: 0 })?;
        self.state.set_position(loader.position());
        self.state.sums.seconds += started.elapsed().as_secs_f64();
        let sums = mem::take(&mut self.state.sums);
        ensure!(!sums.is_empty(), "every step of epoch {epoch} was skipped. Try a smaller --lr");
        if sums.n_non_finite > 1 {
            warn(format_args!("warning: {} steps of epoch {epoch} had NaN or infinity", sums.n_non_finite));
        }
        Ok(sums)
    }

    /// Forward and backward: the gradient of the batch's loss is written to the parameters. Returns the mean
    /// loss, the number of correctly classified images, and with `--detect-anomaly` the op at which NaN or
    /// infinity first appeared.
    fn train_step(&mut self) -> (f32, usize, Option<String>) {
        if self.args.session.on_nan == OnNan::Skip {
            self.params.values().clone_into(&mut self.values_before);
        }
        let place = self.length.place(self.state.step);
        self.recipe.before_step(&mut self.params, place);
        self.prepare_examples();
        let goes_by_losses = self.hardest().is_some();
        let (mut sum, mut right, mut anomaly) = (0.0, 0, None);
        for part in 0..self.n_parts() {
            let (mode, micro_batch) = (self.mode(part), self.micro_batch(part));
            let mode = if self.args.session.detect_anomaly { mode.detect_anomaly() } else { mode };
            let mut g = self.tape.begin(&mut self.params, mode);
            let network = self.sizes.at(place, &self.net);
            let (logits, loss) = self.objective.record(network, &g, &self.batch, &micro_batch);
            let own = n_right(g.value(logits), self.objective.labels(&self.batch, &micro_batch));
            right += self.ranks.sum(own, micro_batch.all.len());
            if let Some(last) = self.last_losses.as_mut().filter(|_| goes_by_losses) {
                let own = self.objective.losses(logits, &g, &self.batch, &micro_batch);
                let n = micro_batch.all.len();
                let losses = self.ranks.gather(g.value(own), &mut self.whole_losses, n, 1);
                let positions = self.objective.positions(&micro_batch);
                let images = positions.map(|position| self.batch.whole_indices()[position]);
                last.keep(images.zip(losses.iter().copied()));
            }
            g.backward(loss);
            sum += g.scalar(loss);
            anomaly = anomaly.or_else(|| g.anomaly().map(String::from));
        }
        if let Some(limit) = self.args.settings.clip_norm {
            clip_norm(&mut self.params, limit, Norm::L2);
        }
        if self.args.session.detect_anomaly {
            // What one rank found counts for all, which take a step together or skip it together.
            anomaly = self.ranks.first_text(anomaly);
        }
        (self.per_image(sum), right, anomaly)
    }

    /// Selects the examples of the step: those of the batch, or the hardest of them.
    fn prepare_examples(&mut self) {
        self.objective.prepare(&self.batch, self.state.step);
        let Some(share) = self.hardest() else { return };
        if let Some(last) = &self.last_losses {
            last.write(self.batch.whole_indices(), &mut self.whole_losses);
            return self.objective.keep_hardest(&self.batch, &self.whole_losses, share);
        }
        let n_images = self.n_images();
        let g = self.eval_tape.begin(&mut self.params, self.ranks.mode(Mode::eval(), n_images));
        let network = self.sizes.at(self.length.place(self.state.step), &self.net);
        let all = self.ranks.micro_batch(n_images, 0, 1);
        let logits = self.objective.logits(network, &g, &self.batch, &all);
        let own = self.objective.losses(logits, &g, &self.batch, &all);
        let losses = self.ranks.gather(g.value(own), &mut self.whole_losses, n_images, 1);
        self.objective.keep_hardest(&self.batch, losses, share);
    }

    /// The mean loss per image, from the loss that the flags define.
    fn per_image(&self, loss: f32) -> f32 {
        match self.args.settings.reduction {
            ReductionFlag::Mean => loss,
            ReductionFlag::Sum => loss / self.n_images() as f32,
        }
    }

    /// The mode for training on part `part` of the current step's batch.
    pub(super) fn mode(&self, part: usize) -> Mode {
        let mode = Mode::train(self.args.settings.seed, self.state.step);
        // If there are several parts, each is computed in turn and counts as a whole batch.
        let mode = self.ranks.mode(mode, self.micro_batch(part).all.len());
        if part == 0 { mode } else { mode.micro_batch(part as u64).accumulate() }
    }

    /// Part `part` of the current step's batch.
    pub(super) fn micro_batch(&self, part: usize) -> MicroBatch {
        self.ranks.micro_batch(self.n_images(), part, self.n_parts())
    }

    /// The number of images in the step, here and in other processes.
    pub(super) fn n_images(&self) -> usize {
        self.objective.n_examples()
    }

    /// The number of parts in which a batch is computed, one after the other.
    pub(super) fn n_parts(&self) -> usize {
        self.args.settings.accumulate.min(self.n_images())
    }

    /// Trains on the next batch at this learning rate, and returns its loss before the step.
    ///
    /// # Errors
    /// When the data can no longer be read.
    pub fn step_at(&mut self, lr: f64, loader: &mut Loader<'_>) -> Result<f32> {
        if !loader.next_into(&mut self.batch)? {
            loader.next_into(&mut self.batch)?;
        }
        let (loss, ..) = self.train_step();
        self.recipe.step_at(&mut self.params, lr);
        self.state.step += 1;
        Ok(loss)
    }

    /// Updates the parameters, or does what `--on-nan` says.
    fn update(&mut self, loss: f32, n_right: usize, anomaly: Option<String>) -> Result<()> {
        self.state.extend_trace(&self.batch, loss);
        if let Some(first) = self.state.divergence.observe(loss, self.about.classes.len()) {
            warn(format_args!(
                "warning: the run diverges: for twenty steps, up to step {}, the loss has been above three times its first \
                 value of {first:.3} (now {loss:.3}). A smaller --lr may help",
                self.state.step + 1
            ));
        }
        let non_finite = NonFinite::find(loss, &self.params, anomaly);
        if let Some(non_finite) = &non_finite {
            self.report(non_finite)?;
        }
        if non_finite.is_none() || self.args.session.on_nan == OnNan::Continue {
            let place = self.length.place(self.state.step);
            let learning_rate = self.recipe.update(&mut self.params, place);
            self.state.sums.add(loss.into(), self.n_images(), n_right, learning_rate);
        } else {
            // The step leaves no running statistics, either: they may be infinite.
            self.params.values_mut().copy_from_slice(&self.values_before);
        }
        self.state.step += 1;
        Ok(())
    }

    /// Ends the run because of NaN or infinity, or warns the first time in an epoch.
    fn report(&mut self, non_finite: &NonFinite) -> Result<()> {
        let State { step, epoch, batch, .. } = self.state;
        let place = format!("step {} (epoch {}, batch {})", step + 1, epoch + 1, batch + 1);
        self.state.sums.n_non_finite += 1;
        match self.args.session.on_nan {
            OnNan::Stop => {
                bail!("training stopped at {place}: {non_finite}; {}, or --on-nan skip", self.way_on())
            }
            OnNan::Skip if self.state.sums.n_non_finite == 1 => {
                warn(format_args!("warning: skipping {place}: {non_finite}"))
            }
            OnNan::Continue if self.state.sums.n_non_finite == 1 => {
                warn(format_args!("warning: continuing at {place}: {non_finite}"))
            }
            OnNan::Skip | OnNan::Continue => {}
        }
        Ok(())
    }
}

/// The number of outputs whose largest logit is at their label. One with NaN has none.
fn n_right(logits: &[f32], labels: &[u32]) -> usize {
    if labels.is_empty() {
        return 0;
    }
    let rows = logits.chunks_exact(logits.len() / labels.len());
    let is_right = |(row, label): &(&[f32], &u32)| {
        let (right, label) = (row[**label as usize], **label);
        (0_u32..).zip(*row).all(|(class, &z)| if class < label { z < right } else { z <= right })
    };
    rows.zip(labels).filter(is_right).count()
}
