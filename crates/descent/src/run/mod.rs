//! One training run: the network, its recipe, the measurements so far, and the folder for the results.

mod results;
mod resume;
mod step;

use std::path::Path;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use autograd::{Params, Tape};
use classifier::model::{self, About};
use classifier::output::{self, say};
use classifier::{Images, Kind, Parts, normalized};
use data::{Batch, Dataset, ImageShape, Loader, Normalize, Subset};
use nn::{Layer, Sequential};
use optim::{EarlyStopping, Stopper};
use serde_json::Value;
use tensor::SimdLevel;

use crate::beginning;
use crate::checkpoint::{Config, Folder, Start, State, Timer, sha256_of_file};
use crate::cli::{LossesFlag, Settings, TrainArgs};
use crate::history::Epoch;
use crate::last_losses::LastLosses;
use crate::objective::Objective;
use crate::ranks::{Agreed, Ranks, digest_of_program};
use crate::recipe::{Length, Recipe, check_reach};
use crate::report;
use crate::sizes::Sizes;
use crate::statistics::check_batches;

/// The flags that each rank may have its own value of: the places of files on its machine, whose contents are
/// compared, and its threads.
const OF_A_MACHINE: [&str; 5] = ["config", "data", "out", "threads", "weights"];

/// One training run.
pub struct Run<'a> {
    args: &'a TrainArgs,
    config: &'a Config,
    ranks: Ranks,
    /// The ranks' agreement after the last step.
    agreed: Agreed,
    /// Whether there are images for choosing the best weights.
    validates: bool,
    /// Whether the test images are evaluated after every epoch.
    watches_test: bool,
    /// The recipe that the flags are added to; on CIFAR-10 it is the lecture's if none is given.
    recipe_name: Option<String>,
    /// The SHA-256 of the file with the weights that the run begins with, if it begins with some.
    weights_sha256: Option<String>,
    /// The requested epochs; `length` may have fewer.
    epochs: u64,
    length: Length,
    adam_lr: f64,
    started: SystemTime,
    /// Start of the run's clock, without the seconds before a resumed run's last checkpoint.
    began: Instant,
    /// Seconds of earlier sessions.
    seconds_before: f64,
    folder: Folder,
    timer: Timer,
    about: About,
    normalize: Option<Normalize>,
    net: Sequential,
    params: Params,
    /// The values before the step, if it may be skipped.
    values_before: Vec<f32>,
    /// The losses of a whole batch, if several processes compute them or they are the last ones.
    whole_losses: Vec<f32>,
    /// With `--hardest-by last`.
    last_losses: Option<LastLosses>,
    tape: Tape,
    /// The batch of the last step.
    batch: Batch,
    /// Evaluation has separate buffers, so that those of training are not changed.
    eval_tape: Tape,
    recipe: Recipe,
    objective: Objective,
    sizes: Sizes,
    stopper: Stopper<f32>,
    state: State,
    /// The step of the last checkpoint.
    saved_step: Option<u64>,
    /// The step after which it was last checked whether everything to be saved is finite, and the result.
    looked_at: Option<(u64, bool)>,
}

impl<'a> Run<'a> {
    /// Builds the network and its recipe; nothing is written yet. `training` holds the training images.
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
        let (shape, classes) = (images.input_shape(), images.train.class_names());
        let is_table = images.kind == Kind::Table;
        ensure!(
            !is_table || args.settings.augmentation.is_none(),
            "--augment and the other augmentation flags need images, but the examples are rows of numbers"
        );
        args.settings.augmentation.check_images(shape)?;
        args.settings.views.check_images(is_table, shape)?;
        let normalize = beginning::normalization(&args.settings, images)?;
        let (net, params) = network(start, images, training, normalize.as_ref())?;
        let weights = args.session.weights.as_deref().filter(|_| start.checkpoint.is_none());
        let weights = weights.map(model::of_run);
        let of_cifar_10 = (images.kind == Kind::Cifar10).then(|| "lecture".to_owned());
        let sizes = Sizes::new(&args.settings, &params, images, length)?;
        let smaller =
            sizes.networks().map(|(net, [height, width])| (net, ImageShape { height, width, ..shape }));
        let nets = smaller.chain([(&net, shape)]);
        check_batches(&args.settings, &params, training.len(), length.n_steps, nets)?;
        if start.checkpoint.is_none() {
            check_reach(&args.settings, length)?;
        }
        let patience = args.settings.patience.unwrap_or(usize::MAX) as u64;
        Ok(Self {
            args,
            config: &start.config,
            tape: ranks.tape(),
            eval_tape: ranks.tape(),
            ranks,
            agreed: Agreed::default(),
            validates,
            watches_test: false,
            recipe_name: args.settings.recipe.clone().or(of_cifar_10),
            weights_sha256: weights.as_deref().map(sha256_of_file).transpose().context("--weights")?,
            epochs: args.settings.epochs.unwrap_or(images.default_epochs),
            length,
            adam_lr: images.adam_lr,
            started: SystemTime::now(),
            began: Instant::now(),
            seconds_before: 0.0,
            folder,
            timer: Timer::new(args.session.checkpoint_every),
            about: About::new(classes, shape, normalize.as_ref())
                .with_net(args.settings.net.clone())
                .with_columns(&images.columns),
            normalize,
            objective: Objective::new(&args.settings, training)?,
            recipe: Recipe::new(&args.settings, &params, length, images.adam_lr)?,
            sizes,
            net,
            params,
            values_before: Vec::new(),
            whole_losses: Vec::new(),
            last_losses: (args.settings.hardest_by == Some(LossesFlag::Last))
                .then(|| LastLosses::new(training.len())),
            batch: Batch::new(),
            stopper: Stopper::new(EarlyStopping { patience, ..EarlyStopping::default() })?,
            state: State::default(),
            saved_step: None,
            looked_at: None,
        })
    }

    /// The same, with seconds counted from `began`: reading the images is part of a run.
    pub fn since(self, began: Instant) -> Self {
        Self { began, ..self }
    }

    /// The same, evaluated on the test images after every epoch if it `watches_test`.
    pub fn watching(self, watches_test: bool) -> Self {
        Self { watches_test, ..self }
    }

    /// The network as a table, and the training settings.
    pub fn introduction(&self) -> String {
        self.introduced(&self.recipe.to_string())
    }

    /// The same for a range test at these learning rates.
    pub fn introduction_to_test(&self, from: f64, to: f64) -> String {
        let rules = self.recipe.rules_at_any_rate();
        self.introduced(&format!(
            "{rules}; learning rates from {from:e} to {to} over {} steps",
            self.length.n_steps
        ))
    }

    fn introduced(&self, recipe: &str) -> String {
        let ImageShape { height, width, channels } = self.about.image_shape();
        let summary = self.net.summary(&self.params, [1, height, width, channels]);
        let text =
            format!("{}\n{}{recipe}", report::fitted(&summary, output::width()), self.sizes.describe());
        let Some(share) = self.args.settings.hardest else { return text };
        let by = if self.last_losses.is_some() { ", by their last losses" } else { "" };
        let until = self.end_of_hardest().map(|end| format!(", up to step {end}")).unwrap_or_default();
        format!("{text}; each step on the hardest {} % of its batch{by}{until}", 100.0 * share)
    }

    /// Batches in order, for evaluation; this process reads its part of each.
    pub fn loader<'d>(&self, images: &'d dyn Dataset) -> Loader<'d> {
        self.normalized(self.ranks.loader(Loader::new(images, self.args.settings.batch_size)), images)
    }

    /// Batches in a new order for each epoch, with the images augmented according to the flags.
    pub fn training_loader<'d>(&self, images: &'d dyn Dataset) -> Loader<'d> {
        let settings = &self.args.settings;
        let Settings { augmentation, batch_size, seed, drop_last, .. } = settings;
        let loader = self.ranks.training_loader(Loader::new(images, *batch_size), settings).shuffle(*seed);
        let loader = match augmentation.is_none() {
            true => self.normalized(loader, images),
            false => loader.transform(augmentation.transforms(self.normalize.as_ref()), *seed),
        };
        if *drop_last { loader.drop_last() } else { loader }
    }

    fn normalized<'d>(&self, loader: Loader<'d>, images: &dyn Dataset) -> Loader<'d> {
        match &self.normalize {
            Some(normalize) => normalized(loader, images, normalize),
            None => loader,
        }
    }

    /// Creates the run's folder and writes the settings into it, before any long computation.
    ///
    /// # Errors
    /// When the folder cannot be written, is in use, or holds another run.
    pub fn prepare(&mut self) -> Result<()> {
        if self.ranks.size() > 1 {
            self.ranks.check_same(&self.of_all_ranks()?)?;
        }
        if !self.ranks.is_first() {
            return Ok(());
        }
        self.folder.prepare(self.args.session.resume)?;
        self.save_config(None)
    }

    /// What must be the same on all ranks, by name.
    fn of_all_ranks(&self) -> Result<Vec<(String, String)>> {
        let named = |name: &str, value: String| (name.to_owned(), value);
        let bits = self.params.values().iter().map(|value| value.to_bits().into());
        let weights = keyed_random::hash_words(keyed_random::HASH_START, bits);
        let mut things = vec![
            // The flags that follow are those of this build.
            named("build of the program", digest_of_program()?),
            named("instruction set", SimdLevel::current().name().to_owned()),
        ];
        if let Value::Object(flags) = serde_json::to_value(self.args)? {
            let of_all = flags.into_iter().filter(|(name, _)| !OF_A_MACHINE.contains(&name.as_str()));
            things.extend(of_all.map(|(name, value)| {
                named(&format!("value of --{}", name.replace('_', "-")), value.to_string())
            }));
        }
        things.extend([
            named("data set", self.config.data().to_owned()),
            named("checkpoint", format!("{} {}", self.state.step, self.state.trace)),
            named("set of weights", weights.to_string()),
        ]);
        Ok(things)
    }

    /// Whether all epochs or steps are done, or the patience is used up. An epoch is done once it has been
    /// evaluated: a checkpoint after its last step comes before that.
    pub fn is_over(&self) -> bool {
        let is_within_an_epoch = self.state.batch > 0;
        self.state.epoch as u64 >= self.length.epochs
            || (self.state.step >= self.length.last_step() && !is_within_an_epoch)
            || self.has_stopped_early()
    }

    /// Whether the patience is used up.
    pub fn has_stopped_early(&self) -> bool {
        self.stopper.is_out_of_patience()
    }

    /// Seconds of the run so far, including everything it does, over all sessions.
    pub fn total_seconds(&self) -> f64 {
        self.seconds_before + self.began.elapsed().as_secs_f64()
    }

    /// Whether all weights are finite.
    pub fn weights_are_finite(&self) -> bool {
        self.params.values().iter().all(|value| value.is_finite())
    }

    /// The run's folder.
    pub fn out(&self) -> &Path {
        self.folder.path()
    }

    /// What an example is called.
    pub fn unit(&self) -> &'static str {
        let ImageShape { height, width, .. } = self.about.image_shape();
        if [height, width] == [1, 1] { "rows" } else { "images" }
    }

    /// The measurements of each epoch.
    pub fn history(&self) -> &[Epoch] {
        &self.state.history
    }

    /// Runs `work` with the averaged weights in place of the current ones.
    fn with_average<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let Some(weights) = self.recipe.write_average(&mut self.params) else { return work(self) };
        let result = work(self);
        self.params.values_mut().copy_from_slice(&weights);
        result
    }
}

/// The network that the flags name, with the weights at the start of a run.
fn network(
    start: &Start,
    images: &Images,
    training: &dyn Dataset,
    normalize: Option<&Normalize>,
) -> Result<(Sequential, Params)> {
    let (TrainArgs { settings, session }, begins) = (&start.args, start.checkpoint.is_none());
    let n_classes = images.train.class_names().len();
    let net = settings.net.network(images.input_shape(), n_classes, settings.dropout as f32)?;
    let (net, mut params) = nn::build(net.fuse(!settings.no_fusion), settings.seed);
    if let Some(path) = session.weights.as_deref().filter(|_| begins) {
        let replaced = beginning::read_weights(path, &mut params).context("--weights")?;
        replaced.map_or(Ok(()), say)?;
        beginning::check_normalization(settings, path)?;
        beginning::check_columns(path, images)?;
    }
    let first = Subset::first(training, settings.whiten.unwrap_or(0));
    beginning::hold_still(settings, &mut params, &first, normalize, begins)?;
    Ok((net, params))
}
