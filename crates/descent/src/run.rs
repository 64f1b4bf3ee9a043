//! One training run: the network, its recipe, what was measured so far, and the folder for the results.

mod resume;

use std::mem;
use std::path::Path;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use autograd::{Mode, Params, Tape};
use classifier::model::About;
use classifier::output::{self, say, warn};
use classifier::{Asking, Evaluation, Images, Kind, model, normalized};
use data::{Batch, Dataset, ImageShape, Loader, Normalize, Subset};
use foreign_text::shown_path;
use nn::{Layer, Sequential, Summary};
use optim::{EarlyStopping, Norm, Stopper, Verdict, check_finite, clip_norm};
use serde_json::json;

use crate::beginning;
use crate::checkpoint::{Config, Folder, Start, State, Sums, Timer};
use crate::cli::{ReductionFlag, Settings, TrainArgs, ViewsFlag};
use crate::config_file::RUN;
use crate::history::{self, Epoch};
use crate::non_finite::{NonFinite, OnNan};
use crate::objective::{Objective, part_of};
use crate::progress::EpochBar;
use crate::ranks::{Agreed, Ranks};
use crate::recipe::{Length, Recipe, learning_rate};
use crate::shell;

/// One training run.
pub struct Run<'a> {
    args: &'a TrainArgs,
    config: &'a Config,
    ranks: Ranks,
    /// What the ranks agreed on after the last step.
    agreed: Agreed,
    /// Whether there are images to choose the best weights by.
    validates: bool,
    epochs: u64,
    adam_lr: f64,
    started: SystemTime,
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
    objective: Objective,
    stopper: Stopper<f32>,
    state: State,
    /// The step of the last checkpoint.
    saved_step: Option<u64>,
    /// The step after which it was last found out whether all that would be saved is finite, and whether it was.
    looked_at: Option<(u64, bool)>,
}

impl<'a> Run<'a> {
    /// Builds the network and its recipe; nothing is written yet. `training` are the images to train on.
    ///
    /// # Errors
    /// When the optimizer does not know a name or a hyperparameter, or the images do not fit the network.
    pub fn new(
        start: &'a Start,
        folder: Folder,
        images: &Images,
        training: &dyn Dataset,
        length: Length,
        validates: bool,
        ranks: Ranks,
    ) -> Result<Self> {
        let args = &start.args;
        let ranks = ranks.in_shards(args.settings.shards);
        ranks.check(&args.settings)?;
        let (shape, classes) = (images.input_shape(), images.train.class_names());
        let is_table = images.kind == Kind::Table;
        ensure!(
            !is_table || args.settings.augmentation.is_none(),
            "--augment is for images, as all changes to them are, and these are rows of numbers"
        );
        ensure!(
            !is_table || args.settings.tta == ViewsFlag::None,
            "--tta is for images, and these are rows of numbers"
        );
        let net = args.settings.net.network(shape, classes.len(), args.settings.dropout as f32)?;
        let (net, mut params) = nn::build(net.fuse(!args.settings.no_fusion), args.settings.seed);
        // The columns of a table have any scale.
        let normalize = (args.settings.normalize || is_table).then(|| images.normalize());
        let begins = start.checkpoint.is_none();
        if let Some(path) = args.session.weights.as_deref().filter(|_| begins) {
            let replaced = beginning::read_weights(path, &mut params).context("--weights")?;
            replaced.map_or(Ok(()), say)?;
        }
        let first = Subset::first(training, args.settings.whiten.unwrap_or(0));
        beginning::hold_still(&args.settings, &mut params, &first, normalize.as_ref(), begins)?;
        let patience = args.settings.patience.unwrap_or(usize::MAX) as u64;
        Ok(Self {
            args,
            config: &start.config,
            tape: ranks.tape(),
            eval_tape: ranks.tape(),
            ranks,
            agreed: Agreed::default(),
            validates,
            epochs: args.settings.epochs.unwrap_or(images.default_epochs),
            adam_lr: images.adam_lr,
            started: SystemTime::now(),
            folder,
            timer: Timer::new(args.session.checkpoint_every),
            about: About::new(classes, shape, normalize.as_ref()).with_net(args.settings.net.clone()),
            normalize,
            objective: Objective::new(&args.settings, training)?,
            recipe: Recipe::new(&args.settings, &params, length, images.adam_lr)?,
            net,
            params,
            batch: Batch::new(),
            stopper: Stopper::new(EarlyStopping { patience, ..EarlyStopping::default() })?,
            state: State::default(),
            saved_step: None,
            looked_at: None,
        })
    }

    /// The network as a table, and how it is trained.
    pub fn introduction(&self) -> String {
        let ImageShape { height, width, channels } = self.about.image_shape();
        let summary = self.net.summary(&self.params, [1, height, width, channels]);
        format!("{}\n{}", fitted(&summary, output::width()), self.recipe)
    }

    /// Batches in their order, as evaluation takes them; this process reads its part of each.
    pub fn loader<'d>(&self, images: &'d dyn Dataset) -> Loader<'d> {
        let loader = self.ranks.loader(Loader::new(images, self.args.settings.batch_size));
        match &self.normalize {
            Some(normalize) => normalized(loader, images, normalize),
            None => loader,
        }
    }

    /// Batches in a new order for each epoch, the images changed as the flags say.
    pub fn training_loader<'d>(&self, images: &'d dyn Dataset) -> Loader<'d> {
        let Settings { augmentation, batch_size, seed, drop_last, .. } = &self.args.settings;
        let loader = match augmentation.is_none() {
            true => self.loader(images),
            false => {
                let transforms = augmentation.transforms(self.normalize.as_ref());
                self.ranks.loader(Loader::new(images, *batch_size)).transform(transforms, *seed)
            }
        };
        let loader = loader.shuffle(*seed);
        if *drop_last { loader.drop_last() } else { loader }
    }

    /// Makes the run's folder and writes the settings into it, before any long work is done.
    ///
    /// # Errors
    /// When the folder cannot be written, is in use, or holds another run.
    pub fn prepare(&mut self) -> Result<()> {
        let (flags, data) = (&self.args.settings, self.config.data());
        self.ranks.check_same(&[
            ("version of the program", env!("CARGO_PKG_VERSION").to_owned()),
            ("set of flags", serde_json::to_string(flags).expect("flags are JSON")),
            ("data set", data.to_owned()),
            ("checkpoint", self.state.step.to_string()),
        ])?;
        if !self.ranks.is_first() {
            return Ok(());
        }
        self.folder.prepare(self.args.session.resume)?;
        self.save_config(None)
    }

    /// Writes what the run computes, every value that it has by default too, and where and when it does so.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_config(&self, seconds: Option<f64>) -> Result<()> {
        if !self.ranks.is_first() {
            return Ok(());
        }
        let mut args = self.args.clone();
        args.settings.epochs = Some(self.epochs);
        args.settings.lr = Some(learning_rate(&self.args.settings, self.adam_lr));
        args.session.out = Some(self.folder.path().to_owned());
        let mut record = serde_json::to_value(args).expect("flags are JSON");
        record[RUN] = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "processor": shell::processor(),
            "threads": rayon::current_num_threads(),
            "ranks": self.ranks.size(),
            "started": humantime::format_rfc3339_seconds(self.started).to_string(),
            "seconds": seconds,
            "data_sha256": self.config.data(),
        });
        let text = serde_json::to_string_pretty(&record).expect("flags are JSON");
        let path = self.folder.path().join("config.json");
        atomic_file::write(&path, text.as_bytes())
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
        let n_epochs_left = epochs.saturating_sub(epoch as u64);
        let mut bar =
            EpochBar::new(label, loader.n_batches(), self.state.batch, n_epochs_left, output::width());
        let mut started = Instant::now();
        while loader.next_into(&mut self.batch)? {
            let (loss, n_right, anomaly) = self.train_step();
            self.update(loss, n_right, anomaly)?;
            self.state.set_position(loader.position());
            bar.step(self.n_images(), self.state.sums.mean_of_batches());
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

    /// Forward and backward: the gradient of the batch's loss lands in the parameters. Returns the mean loss, how many
    /// images were classified right, and with `--detect-anomaly` the op at which NaN or infinity first appeared.
    fn train_step(&mut self) -> (f32, usize, Option<String>) {
        self.recipe.before_step(&mut self.params, self.state.step);
        self.objective.prepare(&self.batch, self.state.step);
        let n_parts = self.n_parts();
        let (mut sum, mut right, mut anomaly) = (0.0, 0, None);
        for part in 0..n_parts {
            let mode = self.mode(part);
            let mode = if self.args.session.detect_anomaly { mode.detect_anomaly() } else { mode };
            let mut g = self.tape.begin(&mut self.params, mode);
            let (logits, loss) = self.objective.record(&self.net, &g, &self.batch, part, n_parts);
            let (start, end) = part_of(self.batch.len(), part, n_parts);
            right += n_right(g.value(logits), &self.batch.labels()[start..end]);
            g.backward(loss);
            sum += g.scalar(loss);
            anomaly = anomaly.or_else(|| g.anomaly().map(String::from));
        }
        if let Some(limit) = self.args.settings.clip_norm {
            clip_norm(&mut self.params, limit, Norm::L2);
        }
        (self.per_image(sum), self.ranks.sum(right, self.n_images()), anomaly)
    }

    /// The mean loss of a batch, of what the flags make of it.
    fn per_image(&self, loss: f32) -> f32 {
        match self.args.settings.reduction {
            ReductionFlag::Mean => loss,
            ReductionFlag::Sum => loss / self.n_images() as f32,
        }
    }

    /// How part `part` of the batch of the current step is trained on.
    fn mode(&self, part: usize) -> Mode {
        let mode = Mode::train(self.args.settings.seed, self.state.step);
        // Several parts, one after the other, are batches of their own, and all is here.
        let (start, end) = part_of(self.n_images(), part, self.n_parts());
        let mode = self.ranks.mode(mode, end - start);
        if part == 0 { mode } else { mode.micro_batch(part as u64).accumulate() }
    }

    /// How many images the batch has, here and in other processes.
    fn n_images(&self) -> usize {
        self.batch.whole_indices().len()
    }

    /// The parts in which a batch is computed, one after the other.
    fn n_parts(&self) -> usize {
        self.args.settings.accumulate.min(self.n_images())
    }

    /// Trains on the next batch at this learning rate, and returns its loss from before.
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

    /// Moves the parameters along the gradient, or does what `--on-nan` says.
    fn update(&mut self, loss: f32, n_right: usize, anomaly: Option<String>) -> Result<()> {
        self.state.extend_trace(&self.batch, loss);
        if let Some(first) = self.state.divergence.observe(loss) {
            warn(format_args!(
                "warning: the run diverges: for twenty steps, up to step {}, the loss has been above three times its first \
                 value of {first:.3} (now {loss:.3}). A smaller --lr may help",
                self.state.step + 1
            ));
        }
        let non_finite = NonFinite::find(loss, check_finite(&self.params), anomaly);
        if let Some(non_finite) = &non_finite {
            self.report(non_finite)?;
        }
        if non_finite.is_none() || self.args.session.on_nan == OnNan::Continue {
            let learning_rate = self.recipe.update(&mut self.params, self.state.step);
            self.state.sums.add(loss.into(), self.n_images(), n_right, learning_rate);
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
            let Self { net, params, eval_tape, ranks, .. } = run;
            let whole = |own: &[f32], n_images| ranks.gather(own, n_images, n_classes);
            Evaluation::run_in_parts(net, params, eval_tape, loader, n_classes, &whole)
        })
    }

    /// The last evaluation, in as many views as `--tta` says.
    ///
    /// # Errors
    /// When the data can no longer be read.
    pub fn evaluate_in_views(&mut self, images: &dyn Dataset) -> Result<Evaluation> {
        let Settings { tta, tta_share, batch_size, .. } = self.args.settings;
        if tta == ViewsFlag::None {
            return self.evaluate(&mut self.loader(images));
        }
        let asking =
            Asking { views: tta.views(), least_certain: tta_share, normalize: self.normalize.clone() };
        let logits = asking.logits(&self.net, &mut self.params, &mut self.eval_tape, images, batch_size)?;
        let labels = (0..images.len()).map(|image_idx| images.label(image_idx));
        Ok(Evaluation::of(&logits, labels, self.about.classes.len()))
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
        if !self.ranks.is_first() {
            return Ok(());
        }
        model::save(&self.folder.path().join(MODEL), &self.params, &self.about)
    }

    fn save_history(&self) -> Result<()> {
        if !self.ranks.is_first() {
            return Ok(());
        }
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

/// The network as a table; where the terminal is narrower, the layers' names, shapes and parameters, as far as they fit.
fn fitted(summary: &Summary, width: usize) -> String {
    let full = summary.to_string();
    if full.lines().all(|line| line.chars().count() <= width) {
        return full;
    }
    let name = |layer: &str| layer.split('(').next().unwrap_or_default().to_owned();
    let rows: Vec<[String; 4]> = summary
        .rows
        .iter()
        .map(|row| [row.path.clone(), name(&row.layer), row.output.to_string(), row.n_params.to_string()])
        .collect();
    let widest = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let [w0, w1, w2, w3] = [0, 1, 2, 3].map(widest);
    let has_shapes = w0 + w1 + w2 + w3 + 6 <= width;
    let mut text = String::new();
    for [path, layer, output, n_params] in &rows {
        let shape = if has_shapes { format!("  {output:w2$}") } else { String::new() };
        text += &output::cut(&format!("{path:w0$}  {layer:w1$}{shape}  {n_params:>w3$}"), width);
        text.push('\n');
    }
    text + full.lines().last().unwrap_or_default()
}

/// How many answers have the largest logit at their label. One with NaN has none.
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
