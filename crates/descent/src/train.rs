//! `descent train`: from the images to the saved model.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use classifier::Images;
use classifier::output::{say, warn};
use data::{Dataset, Subset};
use foreign_text::{Foreign, shown_path};
use tensor::{SIMD_VARIABLE, SimdLevel};

use crate::checkpoint::{Folder, Start};
use crate::cli::{Settings, TrainArgs};
use crate::history::Epoch;
use crate::report;
use crate::run::Run;
use crate::signals;

/// Trains the lecture's network and leaves weights, history, figures, settings and checkpoints in the run's
/// folder.
///
/// # Errors
/// When data cannot be read, the folder cannot be written, the loss, the weights or the final answers are not finite,
/// or a signal asks to stop ([`Stopped`](signals::Stopped)).
pub fn train(flags: &TrainArgs) -> Result<()> {
    flags.settings.check()?;
    signals::stop_gracefully();
    let images = Images::open(flags.session.data.as_deref())?;
    let mut folder = match &flags.session.out {
        Some(out) => Folder::new(out),
        None => Folder::new_like(&default_out()),
    };
    let start = Start::choose(flags, &mut folder, &images)?;
    let Settings { limit, val, seed, epochs, batch_size, patience, .. } = start.args.settings;

    let first = Subset::first(&images.train, limit.unwrap_or(usize::MAX));
    let n_images = first.len();
    ensure!(val < n_images, "--val {val}: expected fewer than the {n_images} training images");
    let (training, validation) = Subset::split(&first, val, seed);
    let epochs = epochs.unwrap_or(images.default_epochs);
    let n_steps = epochs * training.len().div_ceil(batch_size) as u64;

    let mut run = Run::new(&start, folder, &images, n_steps)?;
    let mut train_loader = run.training_loader(&training);
    let mut validation_loader = run.loader(&validation);
    let mut test_loader = run.loader(&images.test);
    if let Some(checkpoint) = &start.checkpoint {
        run.resume(checkpoint, &mut train_loader)
            .with_context(|| format!("cannot resume in {}", shown_path(run.out())))?;
    }
    run.prepare()?;
    say(format_args!("{}\n\n{}", images.describe(training.len(), validation.len()), run.introduction()))?;
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

    while !run.is_over(epochs) {
        let trained = run.train_epoch(epochs, &mut train_loader)?;
        let measured = Epoch {
            epoch: run.history().len() as u64 + 1,
            train_loss: trained.mean_of_batches(),
            train_loss_per_sample: trained.mean_of_images(),
            validation: match val {
                0 => None,
                _ => Some(run.evaluate(&mut validation_loader)?.score()),
            },
            test: run.evaluate(&mut test_loader)?.score(),
            learning_rate: trained.learning_rate,
            seconds: trained.seconds,
            images_per_second: training.len() as f64 / trained.seconds,
        };
        say(measured.line(epochs))?;
        run.finish_epoch(measured, epochs)?;
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
    let test = run.evaluate(&mut test_loader)?;
    let classes = images.test.class_names();
    report::draw(run.out(), run.history(), &test, classes)?;
    let has_model = run.weights_are_finite();
    say(report::summary(run.out(), &test, classes, run.history(), has_model).trim_end())?;
    run.check_end(&test)
}

/// `runs/<date-time>`, in universal time.
fn default_out() -> PathBuf {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    Path::new("runs").join(now.replace('T', "-").replace([':', 'Z'], ""))
}
