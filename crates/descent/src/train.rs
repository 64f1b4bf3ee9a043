//! `descent train`: from the images to the saved model.

use std::fmt;
use std::mem::replace;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Error, Result, ensure};
use classifier::output::{self, Verbosity, detail, event, say, warn};
use classifier::{Images, Kind, Score};
use data::{Dataset, Loader, Subset};
use foreign_text::{Foreign, shown_path};
use serde_json::json;
use tensor::{SIMD_VARIABLE, SimdLevel};

use crate::checkpoint::{Checkpoint, Folder, Start, Sums};
use crate::cli::{Settings, TrainArgs, find_images};
use crate::curves::{self, Curves};
use crate::history::Epoch;
use crate::limit::limited;
use crate::machine;
use crate::outside::check_outside;
use crate::progress::Work;
use crate::ranks::{self, Ranks};
use crate::recipe::{Length, check};
use crate::report;
use crate::run::Run;
use crate::signals::{self, Stopped};

/// Trains a network and writes weights, history, figures, settings and checkpoints to the run's folder.
///
/// # Errors
/// When data cannot be read, the folder cannot be written, the loss, the weights or the final outputs are not
/// finite, or a signal asks to stop ([`Stopped`]).
pub fn train(flags: &TrainArgs, ranks: &Ranks) -> Result<()> {
    check(flags)?;
    signals::stop_gracefully();
    let session = &flags.session;
    if session.json {
        output::limit_verbosity(Verbosity::Quiet);
    }
    let started = Instant::now();
    let mut folder = match &session.out {
        Some(out) => Folder::new(out),
        None => Folder::new_like(&default_out()),
    };
    if !session.resume {
        check_outside(folder.path(), session.data.data.as_deref())?;
    }
    let images = find_images(&session.data.source(session.size.shape()))?;
    report::tell_warnings(&images, session.json)?;
    let start = Start::choose(flags, &mut folder, &images)?;
    let settings = &start.args.settings;
    let first = limited(settings, &images);
    let sets = Sets::choose(settings, &images, &first)?;
    let watches_test = sets.watches_test(session.watch_test)?;
    let epochs = settings.epochs.unwrap_or(images.default_epochs);
    let state = start.checkpoint.as_ref().map(|checkpoint| &checkpoint.state);
    let length = Length::of(settings, epochs, sets.training.len(), state)?;

    let run = Run::new(&start, folder, &images, &sets.training, length, sets.validates(), ranks.clone())?;
    let mut run = run.since(started).watching(watches_test);
    let mut loaders = Loaders::new(&run, &sets, watches_test);
    if let Some(checkpoint) = &start.checkpoint {
        run.resume(checkpoint, &mut loaders.training)
            .with_context(|| format!("cannot resume in {}", shown_path(run.out())))?;
    }
    run.compare_with_record();
    run.prepare()?;
    announce(&run, &start, &sets, length)?;
    train_epochs(&mut run, &mut loaders, &start, length, ranks)
        .inspect_err(|error| draw_what_is_done(&run, ranks, error))?;
    conclude(&mut run, &start, &sets, ranks)
}

/// The images of a run.
struct Sets<'a> {
    images: &'a Images,
    /// Those to train on.
    training: Subset<'a>,
    /// Those of the training part that are held out for validation.
    held_out: Subset<'a>,
}

impl<'a> Sets<'a> {
    /// Splits `first`, the training images within `--limit`, as the flags ask for.
    ///
    /// # Errors
    /// When none would be left to train on, or validation images are requested twice or missing.
    fn choose(settings: &Settings, images: &'a Images, first: &'a Subset<'a>) -> Result<Self> {
        let n_images = first.len();
        let val = settings.val.map_or(0, |val| val.of(n_images));
        ensure!(val < n_images, "--val {val}: expected fewer than the {n_images} training images");
        ensure!(
            images.validation.is_empty() || val == 0,
            "--val {val}: there is a validation part in {} already; leave out --val",
            images.name
        );
        let (training, held_out) = Subset::split(first, val, settings.seed);
        let sets = Self { images, training, held_out };
        ensure!(
            settings.patience.is_none() || sets.validates(),
            "--patience needs --val: early stopping needs a validation set"
        );
        Ok(sets)
    }

    /// The images to choose the best weights by: the data's own, or those that are held out.
    fn validation(&self) -> &dyn Dataset {
        if self.images.validation.is_empty() { &self.held_out } else { &self.images.validation }
    }

    fn validates(&self) -> bool {
        !self.validation().is_empty()
    }

    /// Whether there are too few training images to hold out a tenth of them, as is the default.
    fn is_too_small_to_hold_out(&self) -> bool {
        self.images.kind != Kind::Cifar10 && self.images.default_validation(self.training.len()) == 0
    }

    /// Whether the test images are evaluated after every epoch: as `asked`, or as is usual for the data.
    ///
    /// # Errors
    /// When there are none.
    fn watches_test(&self, asked: Option<bool>) -> Result<bool> {
        let watches_test = asked.unwrap_or(self.images.watches_test());
        ensure!(
            !(watches_test && self.images.test.is_empty()),
            "--watch-test: there are no test images in {}",
            self.images.name
        );
        Ok(watches_test)
    }

    /// The set that the final weights are evaluated on, and its name: one that was not trained on, if any.
    fn last(&self) -> (&'static str, &dyn Dataset) {
        match (self.images.test.is_empty(), self.validates()) {
            (false, _) => ("test", &self.images.test),
            (true, true) => ("validation", self.validation()),
            (true, false) => ("training", &self.training),
        }
    }
}

/// The batches of an epoch: those to train on, and those of the sets to evaluate.
struct Loaders<'a> {
    training: Loader<'a>,
    /// The number of images to train on.
    n_training: usize,
    validation: Option<Loader<'a>>,
    test: Option<Loader<'a>>,
}

impl<'a> Loaders<'a> {
    fn new(run: &Run<'_>, sets: &'a Sets<'a>, watches_test: bool) -> Self {
        Self {
            training: run.training_loader(&sets.training),
            n_training: sets.training.len(),
            validation: sets.validates().then(|| run.loader(sets.validation())),
            test: watches_test.then(|| run.loader(&*sets.images.test)),
        }
    }
}

/// Tells what the run does, and from where it starts.
fn announce(run: &Run<'_>, start: &Start, sets: &Sets<'_>, length: Length) -> Result<()> {
    let session = &start.args.session;
    session.tell_left_out()?;
    sets.images.notes.iter().try_for_each(say)?;
    let (n_training, n_validation) = (sets.training.len(), sets.validation().len());
    if session.json {
        event(&json!({
            "event": "start", "out": run.out().to_string_lossy(), "training": n_training,
            "validation": n_validation, "test": sets.images.test.len(), "epochs": length.epochs,
            "steps": length.last_step(),
        }))?;
    }
    say(format_args!("{}\n\n{}", sets.images.describe(n_training, n_validation), run.introduction()))?;
    say(format_args!("\nResults go to {}", shown_path(run.out())))?;
    if n_validation == 0 && sets.is_too_small_to_hold_out() {
        say(
            "No image is held out to choose the best weights by: there are fewer than 10 to train on (see --val).",
        )?;
    }
    detail(machine::in_use())?;
    detail(serde_json::to_string_pretty(&start.args).expect("flags are JSON"))?;
    match &start.checkpoint {
        Some(checkpoint) => announce_resuming(checkpoint),
        None if session.resume => say("No checkpoint yet: starting from scratch."),
        None => Ok(()),
    }
}

fn announce_resuming(checkpoint: &Checkpoint) -> Result<()> {
    say(format_args!("Resuming from step {}.", checkpoint.state.step))?;
    if let Some(name) = checkpoint.other_instruction_set() {
        warn(format_args!(
            "warning: the checkpoint was computed with {}, and this run resumes with {}: the results will not be \
             bit-identical to those of an uninterrupted run ({SIMD_VARIABLE} sets the instruction set)",
            Foreign::new(name),
            SimdLevel::current().name()
        ));
    }
    Ok(())
}

/// Trains and evaluates, epoch by epoch, to the end of the run.
fn train_epochs(
    run: &mut Run<'_>,
    loaders: &mut Loaders<'_>,
    start: &Start,
    length: Length,
    ranks: &Ranks,
) -> Result<()> {
    let mut time = TimeLeft::new(run);
    let mut curves = Curves::new();
    let mut traffic = ranks.traffic();
    while !run.is_over() {
        let began = Instant::now();
        let trained = run.train_epoch(&mut loaders.training, time.evaluations)?;
        time.training += began.elapsed().as_secs_f64();
        let measured = measure(run, loaders, &trained, start.args.settings.batch_size)?;
        time.evaluated(run, length.epochs.saturating_sub(measured.epoch));
        say(measured.line(length.epochs, run.unit(), &time.to_string(), output::width()))?;
        let before = replace(&mut traffic, ranks.traffic());
        let exchanged = (ranks.size() > 1).then(|| traffic.since(before));
        if start.args.session.json {
            event(&measured.event(exchanged))?;
        }
        if let Some(exchanged) = exchanged {
            say(ranks::in_words(exchanged))?;
        }
        run.finish_epoch(measured)?;
        // At the end they are drawn anyway.
        if ranks.is_first() && !run.is_over() {
            curves.follow(run.out(), run.history());
        }
    }
    Ok(())
}

/// Draws the epochs of a run that a signal has stopped.
fn draw_what_is_done(run: &Run<'_>, ranks: &Ranks, error: &Error) {
    if !(error.is::<Stopped>() && ranks.is_first()) || run.history().is_empty() {
        return;
    }
    if let Err(error) = curves::draw(run.out(), run.history()) {
        warn(format_args!("warning: the figures are not up to date: {error:#}"));
    }
}

/// The measurements of the epoch that was just trained.
fn measure(run: &mut Run<'_>, loaders: &mut Loaders<'_>, trained: &Sums, batch_size: usize) -> Result<Epoch> {
    let mut score = |loader: &mut Option<Loader<'_>>| -> Result<Option<Score>> {
        loader.as_mut().map(|loader| Ok(run.evaluate(loader)?.score())).transpose()
    };
    let (validation, test) = (score(&mut loaders.validation)?, score(&mut loaders.test)?);
    let n_seen = loaders.n_training.min(trained.n_steps() as usize * batch_size);
    Ok(Epoch {
        epoch: run.history().len() as u64 + 1,
        train_loss: trained.mean_of_batches(),
        train_loss_per_sample: trained.mean_of_images(),
        validation,
        test,
        train_accuracy: trained.accuracy(),
        learning_rate: trained.learning_rate,
        seconds: trained.seconds,
        images_per_second: n_seen as f64 / trained.seconds,
    })
}

/// The time that is left of a run, from the time that its epochs have taken.
struct TimeLeft {
    work: Work,
    began: Instant,
    /// The epochs of earlier sessions.
    n_before: usize,
    /// Seconds of training so far.
    training: f64,
    /// The seconds that the evaluations to come will take: besides its steps each epoch has its evaluation, on
    /// images of their own size.
    evaluations: f64,
    /// The seconds that are left; `None` at the end.
    all: Option<f64>,
}

impl TimeLeft {
    fn new(run: &Run<'_>) -> Self {
        let (work, n_before) = (run.work(), run.history().len());
        Self { work, began: Instant::now(), n_before, training: 0.0, evaluations: 0.0, all: None }
    }

    /// Called when an epoch has been evaluated; `n_left` are left.
    fn evaluated(&mut self, run: &Run<'_>, n_left: u64) {
        let n_done = run.history().len() + 1 - self.n_before;
        let in_evaluations = self.began.elapsed().as_secs_f64() - self.training;
        self.evaluations = in_evaluations / n_done as f64 * n_left as f64;
        self.work.reach(run.place());
        let steps = self.work.seconds_left(self.training).filter(|_| n_left > 0);
        self.all = steps.map(|steps| steps + self.evaluations);
    }
}

/// The end of an epoch's line.
impl fmt::Display for TimeLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all.map_or(Ok(()), |seconds| write!(f, "  {} left", report::duration(seconds)))
    }
}

/// Restores the weights to keep, evaluates them, and writes and prints the results.
fn conclude(run: &mut Run<'_>, start: &Start, sets: &Sets<'_>, ranks: &Ranks) -> Result<()> {
    take_final_weights(run, start.args.settings.patience)?;
    let (part, last) = sets.last();
    let judged = run.evaluate_in_views(last)?;
    let mut result = run.result(&judged, part);
    run.save_result(&result)?;
    let classes = sets.images.train.class_names();
    if ranks.is_first() {
        report::draw(run.out(), run.history(), &judged, classes, part)?;
    }
    let seconds = run.total_seconds();
    run.save_config(Some(seconds))?;
    if start.args.session.json {
        result["event"] = "end".into();
        result["seconds"] = seconds.into();
        result["out"] = run.out().to_string_lossy().into();
        event(&result)?;
    }
    let (has_model, takes_images) = (run.weights_are_finite(), sets.images.kind != Kind::Table);
    let times = [run.training_seconds(), seconds];
    say(report::summary(run.out(), &judged, classes, times, part, has_model, takes_images).trim_end())?;
    run.check_end(&judged)
}

/// Restores the final weights, and tells which they are.
fn take_final_weights(run: &mut Run<'_>, patience: Option<usize>) -> Result<()> {
    if run.has_stopped_early() {
        let epochs = match patience.unwrap_or(0) {
            1 => "1 epoch".to_owned(),
            n => format!("{n} epochs"),
        };
        say(format_args!("Stopping early: {epochs} without a better validation loss."))?;
    }
    if let Some(best) = run.take_final_weights()? {
        say(format_args!("Keeping the weights of epoch {best}, the best by validation loss."))?;
    }
    Ok(())
}

/// `runs/<date-time>`, in UTC.
fn default_out() -> PathBuf {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    Path::new("runs").join(now.replace('T', "-").replace([':', 'Z'], ""))
}
