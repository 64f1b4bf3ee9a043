//! `descent train`: from the images to the saved model.

use std::mem::replace;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use classifier::Images;
use classifier::output::{self, Verbosity, detail, event, say, warn};
use data::{Dataset, Subset};
use foreign_text::{Foreign, shown_path};
use serde_json::json;
use tensor::{SIMD_VARIABLE, SimdLevel};

use crate::checkpoint::{Folder, Start};
use crate::cli::{Settings, TrainArgs};
use crate::config_file;
use crate::history::Epoch;
use crate::ranks::{self, Ranks};
use crate::recipe::Length;
use crate::report;
use crate::run::Run;
use crate::shell;
use crate::signals;

/// Trains a network and writes weights, history, figures, settings and checkpoints to the run's folder.
///
/// # Errors
/// When data cannot be read, the folder cannot be written, the loss, the weights or the final outputs are not
/// finite, or a signal asks to stop ([`Stopped`](signals::Stopped)).
pub fn train(flags: &TrainArgs, ranks: &Ranks) -> Result<()> {
    flags.check()?;
    signals::stop_gracefully();
    let session = &flags.session;
    if session.json {
        output::limit_verbosity(Verbosity::Quiet);
    }
    let started = Instant::now();
    let images = Images::find(&session.data.source(session.size.shape()))?;
    let mut folder = match &flags.session.out {
        Some(out) => Folder::new(out),
        None => Folder::new_like(&default_out()),
    };
    let start = Start::choose(flags, &mut folder, &images)?;
    let Settings { limit, val, seed, epochs, patience, .. } = start.args.settings;

    let first = Subset::first(&images.train, limit.unwrap_or(usize::MAX));
    let n_images = first.len();
    let val = val.unwrap_or(0);
    ensure!(val < n_images, "--val {val}: expected fewer than the {n_images} training images");
    let (training, held_out) = Subset::split(&first, val, seed);
    let has_own = !images.validation.is_empty();
    ensure!(
        !(has_own && val > 0),
        "--val {val}: {} already have a validation part; leave out --val",
        images.name
    );
    let validation: &dyn Dataset = if has_own { &images.validation } else { &held_out };
    let validates = !validation.is_empty();
    ensure!(patience.is_none() || validates, "--patience needs --val: early stopping needs a validation set");
    let epochs = epochs.unwrap_or(images.default_epochs);
    let watches_test = session.watch_test.unwrap_or(images.watches_test());
    ensure!(!(watches_test && images.test.is_empty()), "--watch-test: {} have no test images", images.name);
    let state = start.checkpoint.as_ref().map(|checkpoint| &checkpoint.state);
    let length = Length::of(&start.args.settings, epochs, training.len(), state)?;
    let epochs = length.epochs;

    let mut run =
        Run::new(&start, folder, &images, &training, length, validates, ranks.clone())?.since(started);
    let mut train_loader = run.training_loader(&training);
    let mut validation_loader = run.loader(validation);
    let mut test_loader = run.loader(&images.test);
    if let Some(checkpoint) = &start.checkpoint {
        run.resume(checkpoint, &mut train_loader)
            .with_context(|| format!("cannot resume in {}", shown_path(run.out())))?;
    }
    run.prepare()?;
    session.tell_left_out()?;
    images.notes.iter().try_for_each(say)?;
    if let Some(record) = &session.config
        && let Some(data) = config_file::data_of(record)
        && data != start.config.data()
    {
        warn("warning: the images are not those of the run being repeated");
    }
    if session.json {
        event(&json!({
            "event": "start", "out": run.out().to_string_lossy(), "training": training.len(),
            "validation": validation.len(), "test": images.test.len(), "epochs": epochs,
            "steps": length.last_step(),
        }))?;
    }
    say(format_args!("{}\n\n{}", images.describe(training.len(), validation.len()), run.introduction()))?;
    say(format_args!("\nResults go to {}", shown_path(run.out())))?;
    detail(format_args!("{}, {} threads", shell::processor(), rayon::current_num_threads()))?;
    detail(serde_json::to_string_pretty(&start.args).expect("flags are JSON"))?;
    match &start.checkpoint {
        Some(checkpoint) => {
            say(format_args!("Resuming from step {}.", checkpoint.state.step))?;
            if let Some(name) = checkpoint.other_instruction_set() {
                warn(format_args!(
                    "warning: the checkpoint was computed with {}, and this run resumes with {}: the results will not be \
                     bit-identical to those of an uninterrupted run ({SIMD_VARIABLE} sets the instruction set)",
                    Foreign::new(name),
                    SimdLevel::current().name()
                ));
            }
        }
        None if flags.session.resume => say("No checkpoint yet: starting from scratch.")?,
        None => {}
    }

    let mut traffic = ranks.traffic();
    let n_before = run.history().len();
    let in_epochs = Instant::now();
    let (mut work, mut training_seconds) = (run.work(), 0.0);
    while !run.is_over() {
        let began = Instant::now();
        let trained = run.train_epoch(&mut train_loader)?;
        training_seconds += began.elapsed().as_secs_f64();
        work.reach(run.place());
        let n_seen = training.len().min(trained.n_steps() as usize * start.args.settings.batch_size);
        let measured = Epoch {
            epoch: run.history().len() as u64 + 1,
            train_loss: trained.mean_of_batches(),
            train_loss_per_sample: trained.mean_of_images(),
            validation: match validates {
                false => None,
                true => Some(run.evaluate(&mut validation_loader)?.score()),
            },
            test: match watches_test {
                false => None,
                true => Some(run.evaluate(&mut test_loader)?.score()),
            },
            train_accuracy: trained.accuracy(),
            learning_rate: trained.learning_rate,
            seconds: trained.seconds,
            images_per_second: n_seen as f64 / trained.seconds,
        };
        let n_done = (run.history().len() + 1 - n_before) as f64;
        let n_left = epochs.saturating_sub(measured.epoch) as f64;
        // Besides its steps each epoch has its evaluation, on images of their own size.
        let per_epoch = (in_epochs.elapsed().as_secs_f64() - training_seconds) / n_done;
        let left = match work.seconds_left(training_seconds).filter(|_| n_left > 0.0) {
            Some(seconds) => format!("  {} left", report::duration(seconds + per_epoch * n_left)),
            None => String::new(),
        };
        say(measured.line(epochs, &left, output::width()))?;
        let before = replace(&mut traffic, ranks.traffic());
        let exchanged = (ranks.size() > 1).then(|| traffic.since(before));
        if session.json {
            event(&measured.event(exchanged))?;
        }
        if let Some(exchanged) = exchanged {
            say(ranks::in_words(exchanged))?;
        }
        run.finish_epoch(measured)?;
    }
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
    // The images that were not trained on, if any.
    let (part, judged): (_, &dyn Dataset) = match (images.test.is_empty(), validates) {
        (false, _) => ("test", &images.test),
        (true, true) => ("validation", validation),
        (true, false) => ("training", &training),
    };
    let judged = run.evaluate_in_views(judged)?;
    let mut result = run.result(&judged, part);
    run.save_result(&result)?;
    let classes = images.train.class_names();
    if ranks.is_first() {
        report::draw(run.out(), run.history(), &judged, classes, part)?;
    }
    let seconds = run.total_seconds();
    run.save_config(Some(seconds))?;
    if session.json {
        result["event"] = "end".into();
        result["seconds"] = seconds.into();
        result["out"] = run.out().to_string_lossy().into();
        event(&result)?;
    }
    let has_model = run.weights_are_finite();
    let times = [run.training_seconds(), seconds];
    say(report::summary(run.out(), &judged, classes, times, part, has_model).trim_end())?;
    run.check_end(&judged)
}

/// `runs/<date-time>`, in UTC.
fn default_out() -> PathBuf {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    Path::new("runs").join(now.replace('T', "-").replace([':', 'Z'], ""))
}
