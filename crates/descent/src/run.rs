//! One training run: the network, its recipe, what was measured so far, and the folder for the results.

mod resume;

use std::mem;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use autograd::{Graph, Mode, Params, Tape, Var};
use classifier::model::About;
use classifier::output::warn;
use classifier::{Evaluation, Images, model};
use data::{Augment, Batch, Dataset, Loader, Normalize};
use foreign_text::shown_path;
use nn::{Layer, Sequential, models};
use optim::{EarlyStopping, Stopper, Verdict, check_finite};

use crate::checkpoint::{Config, Folder, Start, State, Sums, Timer};
use crate::cli::TrainArgs;
use crate::history::{self, Epoch};
use crate::non_finite::{NonFinite, OnNan};
use crate::progress::EpochBar;
use crate::recipe::Recipe;

/// The pixels that `--augment` shifts an image by at most.
const CROP_PADDING: usize = 4;

/// One training run.
pub struct Run<'a> {
    args: &'a TrainArgs,
    config: &'a Config,
    folder: Folder,
    timer: Timer,
    about: About,
    normalize: Option<Normalize>,
    net: Sequential,
    params: Params,
    tape: Tape,
    /// The batch of the last step.
    batch: Batch,
    /// Evaluation has buffers of its own, so that those of training stay as they are.
    eval_tape: Tape,
    recipe: Recipe,
    stopper: Stopper<f32>,
    state: State,
    /// The step of the last checkpoint.
    saved_step: Option<u64>,
    /// The step after which it was last found out whether all that would be saved is finite, and whether it was.
    looked_at: Option<(u64, bool)>,
}

impl<'a> Run<'a> {
    /// Builds the network and its recipe; nothing is written yet.
    ///
    /// # Errors
    /// When the optimizer does not know a name or a hyperparameter.
    pub fn new(start: &'a Start, folder: Folder, images: &Images, n_steps: u64) -> Result<Self> {
        let args = &start.args;
        let net = models::lecture_cnn(args.settings.dropout as f32).fuse(!args.settings.no_fusion);
        let (net, params) = nn::build(net, args.settings.seed);
        let normalize = args.settings.normalize.then(|| images.normalize());
        let patience = args.settings.patience.unwrap_or(usize::MAX) as u64;
        Ok(Self {
            args,
            config: &start.config,
            folder,
            timer: Timer::new(args.session.checkpoint_every),
            about: About::new(images.train.class_names(), normalize.as_ref()),
            normalize,
            recipe: Recipe::new(&args.settings, &params, n_steps, images.adam_lr)?,
            net,
            params,
            tape: Tape::new(),
            batch: Batch::new(),
            eval_tape: Tape::new(),
            stopper: Stopper::new(EarlyStopping { patience, ..EarlyStopping::default() })?,
            state: State::default(),
            saved_step: None,
            looked_at: None,
        })
    }

    /// The network as a table, and how it is trained.
    pub fn introduction(&self) -> String {
        format!("{}\n{}", self.net.summary(&self.params, [1, 32, 32, 3]), self.recipe)
    }

    /// Batches in their order, as evaluation takes them.
    pub fn loader<'d>(&self, images: &'d dyn Dataset) -> Loader<'d> {
        let loader = Loader::new(images, self.args.settings.batch_size);
        match &self.normalize {
            Some(normalize) => loader.normalize(normalize),
            None => loader,
        }
    }

    /// Batches in a new order for each epoch, augmented with `--augment`.
    pub fn training_loader<'d>(&self, images: &'d dyn Dataset) -> Loader<'d> {
        let loader = self.loader(images).shuffle(self.args.settings.seed);
        if self.args.settings.augment {
            loader.augment(Augment::flip_and_crop(CROP_PADDING), self.args.settings.seed)
        } else {
            loader
        }
    }

    /// Makes the run's folder and writes the settings into it, before any long work is done.
    ///
    /// # Errors
    /// When the folder cannot be written, is in use, or holds another run.
    pub fn prepare(&mut self) -> Result<()> {
        self.folder.prepare(self.args.session.resume)?;
        let settings = serde_json::to_string_pretty(self.args).expect("flags are JSON");
        let path = self.folder.path().join("config.json");
        atomic_file::write(&path, settings.as_bytes())
            .with_context(|| format!("cannot write {}", shown_path(&path)))
    }

    /// Trains to the end of the current epoch.
    ///
    /// # Errors
    /// When the data can no longer be read, a checkpoint cannot be written, loss or gradient is not finite,
    /// or a signal asks to stop.
    pub fn train_epoch(&mut self, epochs: u64, loader: &mut Loader<'_>) -> Result<Sums> {
        let epoch = self.state.epoch + 1;
        let label = format!("epoch {epoch:>2}/{epochs}");
        let mut bar = EpochBar::new(label, loader.n_batches(), self.state.batch);
        let mut started = Instant::now();
        while loader.next_into(&mut self.batch)? {
            let (loss, anomaly) = self.train_step();
            self.update(loss, anomaly)?;
            self.state.set_position(loader.position());
            bar.step(self.batch.len(), self.state.sums.mean_of_batches());
            if self.is_checkpoint_due(false) {
                self.state.sums.seconds += started.elapsed().as_secs_f64();
                self.save_checkpoint()?;
                started = Instant::now();
            }
        }
        self.state.set_position(loader.position());
        self.state.sums.seconds += started.elapsed().as_secs_f64();
        let sums = mem::take(&mut self.state.sums);
        ensure!(!sums.is_empty(), "every step of epoch {epoch} was skipped. Try a smaller --lr");
        if sums.n_non_finite > 1 {
            warn(format_args!("warning: {} steps of epoch {epoch} had NaN or infinity", sums.n_non_finite));
        }
        Ok(sums)
    }

    /// Forward and backward: the gradient of the batch's mean loss lands in the parameters. Returns the
    /// loss, and with `--detect-anomaly` the op at which NaN or infinity first appeared.
    fn train_step(&mut self) -> (f32, Option<String>) {
        let mode = Mode::train(self.args.settings.seed, self.state.step);
        let mode = if self.args.session.detect_anomaly { mode.detect_anomaly() } else { mode };
        let mut g = self.tape.begin(&mut self.params, mode);
        let loss = mean_loss(&self.net, &g, &self.batch);
        g.backward(loss);
        (g.scalar(loss), g.anomaly().map(String::from))
    }

    /// Moves the parameters along the gradient, or does what `--on-nan` says.
    fn update(&mut self, loss: f32, anomaly: Option<String>) -> Result<()> {
        self.state.extend_trace(&self.batch, loss);
        let non_finite = NonFinite::find(loss, check_finite(&self.params), anomaly);
        if let Some(non_finite) = &non_finite {
            self.report(non_finite)?;
        }
        if non_finite.is_none() || self.args.session.on_nan == OnNan::Continue {
            let learning_rate = self.recipe.update(&mut self.params, self.state.step);
            self.state.sums.add(loss.into(), self.batch.len(), learning_rate);
        }
        self.state.step += 1;
        Ok(())
    }

    /// Ends the run because of NaN or infinity, or warns of the first time in an epoch.
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

    /// The network on a set of images, in evaluation mode, with the averaged weights where there are any.
    ///
    /// # Errors
    /// When the data can no longer be read.
    pub fn evaluate(&mut self, loader: &mut Loader<'_>) -> Result<Evaluation> {
        let n_classes = self.about.classes.len();
        self.with_average(|run| {
            Evaluation::run(&run.net, &mut run.params, &mut run.eval_tape, loader, n_classes)
        })
    }

    /// Records what an epoch measured, and writes weights, history and, if one is due, a checkpoint.
    ///
    /// # Errors
    /// When a file cannot be written, the weights are not finite, or a signal asks to stop.
    pub fn finish_epoch(&mut self, measured: Epoch, epochs: u64) -> Result<()> {
        self.state.history.push(measured);
        // The history is kept of a run, too, that ends here because its weights are not finite.
        let is_finite = self.is_finite();
        if matches!(is_finite, Ok(true)) {
            self.with_average(|run| run.save_model())?;
        }
        self.save_history()?;
        is_finite?;
        let mut is_best = false;
        if let Some(score) = measured.validation {
            let verdict = self.with_average(|run| run.stopper.observe(score.loss, run.params.values()));
            is_best = verdict == Verdict::Improved;
        }
        if is_best {
            self.state.best_step = Some(self.state.step);
        }
        if is_best || self.is_over(epochs) || self.is_checkpoint_due(true) {
            self.save_checkpoint()
        } else {
            Ok(())
        }
    }

    /// Whether all epochs are done, or the patience is used up.
    pub fn is_over(&self, epochs: u64) -> bool {
        self.state.epoch as u64 >= epochs || self.has_stopped_early()
    }

    /// Whether the patience is used up.
    pub fn has_stopped_early(&self) -> bool {
        self.stopper.is_out_of_patience()
    }

    /// Leaves the final weights: the best by the validation split, else the average, else the last. Writes them where
    /// the last epoch has written others, and model and history where a resumed run finds them missing. Returns the
    /// epoch of the best, from 1.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn take_final_weights(&mut self) -> Result<Option<u64>> {
        self.recipe.take_average(&mut self.params);
        let best = self.stopper.best_epoch();
        if best.is_some() {
            self.stopper.restore_best(self.params.values_mut());
        }
        let is_missing = |name| !self.folder.path().join(name).exists();
        if (best.is_some() || is_missing(MODEL)) && self.weights_are_finite() {
            self.save_model()?;
        }
        if is_missing(HISTORY) {
            self.save_history()?;
        }
        Ok(best.map(|best| best + 1))
    }

    /// Whether the run has come to a network that can be used.
    ///
    /// # Errors
    /// When its final weights, or its answers in their evaluation, are NaN or infinite.
    pub fn check_end(&self, test: &Evaluation) -> Result<()> {
        ensure!(
            self.weights_are_finite(),
            "the run has ended with weights that are NaN or infinite and were not saved; {}",
            self.way_on()
        );
        test.check_finite().with_context(|| format!("the run has ended, but {}", self.way_on()))
    }

    /// Whether no weight is NaN or infinite.
    pub fn weights_are_finite(&self) -> bool {
        self.params.values().iter().all(|value| value.is_finite())
    }

    /// The run's folder.
    pub fn out(&self) -> &Path {
        self.folder.path()
    }

    /// What was measured, epoch by epoch.
    pub fn history(&self) -> &[Epoch] {
        &self.state.history
    }

    fn save_model(&self) -> Result<()> {
        model::save(&self.folder.path().join(MODEL), &self.params, &self.about)
    }

    fn save_history(&self) -> Result<()> {
        history::write_csv(&self.folder.path().join(HISTORY), &self.state.history)
    }

    /// Does `work` with the averaged weights in place of the current ones.
    fn with_average<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let Some(weights) = self.recipe.write_average(&mut self.params) else { return work(self) };
        let result = work(self);
        self.params.values_mut().copy_from_slice(&weights);
        result
    }
}

const MODEL: &str = "model.safetensors";

const HISTORY: &str = "history.csv";

/// Records the mean loss of a batch.
fn mean_loss(net: &Sequential, g: &Graph<'_>, batch: &Batch) -> Var {
    g.cross_entropy(net.forward(g, g.images(batch)), g.labels(batch))
}
