//! `descent train`: from the images to the saved model.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use classifier::Images;
use classifier::output::say;
use data::{Dataset, Subset};

use crate::checkpoint::{Folder, Start};
use crate::cli::TrainArgs;
use crate::history::Epoch;
use crate::report;
use crate::run::Run;
use crate::signals;

/// Trains the lecture's network and leaves weights, history, figures, settings and checkpoints in the run's
/// folder.
///
/// # Errors
/// When data cannot be read, the folder cannot be written, the loss is no longer a number, or a signal asks to
/// stop ([`Stopped`](signals::Stopped)).
pub fn train(flags: &TrainArgs) -> Result<()> {
    signals::stop_in_good_order();
    let images = Images::open(flags.data.as_deref())?;
    let out = flags.out.clone().unwrap_or_else(default_out);
    let mut folder = Folder::new(&out);
    let start = Start::choose(flags, &mut folder, &images)?;
    let args = &start.args;

    let first = Subset::first(&images.train, args.limit.unwrap_or(usize::MAX));
    let n_images = first.len();
    ensure!(args.val < n_images, "--val {}: expected fewer than the {n_images} training images", args.val);
    let (training, validation) = Subset::split(&first, args.val, args.seed);
    let epochs = args.epochs.unwrap_or(images.default_epochs);
    let n_steps = epochs * training.len().div_ceil(args.batch_size) as u64;

    let mut run = Run::new(&start, folder, &images, n_steps)?;
    let mut train_loader = run.training_loader(&training);
    let mut validation_loader = run.loader(&validation);
    let mut test_loader = run.loader(&images.test);
    if let Some(checkpoint) = &start.checkpoint {
        run.resume(checkpoint, &mut train_loader)
            .with_context(|| format!("cannot go on in {}", out.display()))?;
    }
    run.prepare()?;
    say(format_args!("{}\n\n{}", images.describe(training.len(), validation.len()), run.introduction()))?;
    match &start.checkpoint {
        Some(checkpoint) => say(format_args!("Going on after step {}.", checkpoint.state.step))?,
        None if args.resume => say("No checkpoint yet: starting.")?,
        None => {}
    }

    while !run.is_over(epochs) {
        let trained = run.train_epoch(epochs, &mut train_loader)?;
        let measured = Epoch {
            epoch: run.history().len() as u64 + 1,
            train_loss: trained.mean_of_batches(),
            train_loss_per_sample: trained.mean_of_images(),
            validation: match args.val {
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
        let patience = args.patience.unwrap_or(0);
        say(format_args!("Stopping early: {patience} epochs without a better validation loss."))?;
    }
    if let Some(best) = run.take_final_weights()? {
        say(format_args!("Keeping the weights of epoch {best}, the best by validation loss."))?;
    }
    let test = run.evaluate(&mut test_loader)?;
    report::draw(&out, run.history(), &test, images.test.class_names())?;
    say(report::summary(&out, &test, images.test.class_names(), run.history()).trim_end())
}

/// `runs/<date-time>`, in universal time.
fn default_out() -> PathBuf {
    Path::new("runs").join(jiff::Timestamp::now().strftime("%Y-%m-%d-%H%M%S").to_string())
}
