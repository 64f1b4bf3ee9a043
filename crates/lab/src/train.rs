//! `descent train`: from the images to the saved model.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use data::{Dataset, Subset};
use optim::{EarlyStopping, Stopper, Verdict};

use crate::cli::TrainArgs;
use crate::dataset::Images;
use crate::history::{Epoch, write_whole};
use crate::report;
use crate::run::Run;

/// Trains the lecture's network and leaves weights, history, figures and settings in the run's folder.
///
/// # Errors
/// When data cannot be read, the folder cannot be written, or the loss is no longer a number.
pub fn train(args: &TrainArgs) -> Result<()> {
    let images = Images::open(args.data.as_deref())?;
    let first = Subset::first(&images.train, args.limit.unwrap_or(usize::MAX));
    let n_images = first.len();
    ensure!(args.val < n_images, "--val {}: expected fewer than the {n_images} training images", args.val);
    let (training, validation) = Subset::split(&first, args.val, args.seed);
    let epochs = args.epochs.unwrap_or(images.default_epochs);
    let n_steps = epochs * training.len().div_ceil(args.batch_size) as u64;

    let out = args.out.clone().unwrap_or_else(default_out);
    let mut run = Run::new(args, &out, &images, n_steps)?;
    prepare(&out, args)?;
    println!("{}\n\n{}", images.describe(training.len(), validation.len()), run.introduction());

    let mut train_loader = run.training_loader(&training);
    let mut validation_loader = run.loader(&validation);
    let mut test_loader = run.loader(&images.test);
    let mut stopper = Stopper::new(EarlyStopping {
        patience: args.patience.unwrap_or(usize::MAX) as u64,
        ..EarlyStopping::default()
    })?;
    for epoch in 1..=epochs {
        let started = Instant::now();
        let loss = run.train_epoch(epoch, epochs, &mut train_loader)?;
        let seconds = started.elapsed().as_secs_f64();
        let measured = Epoch {
            epoch,
            train_loss: loss.of_batches,
            train_loss_per_sample: loss.of_images,
            validation: match args.val {
                0 => None,
                _ => Some(run.evaluate(&mut validation_loader)?.score()),
            },
            test: run.evaluate(&mut test_loader)?.score(),
            learning_rate: loss.learning_rate,
            seconds,
            images_per_second: training.len() as f64 / seconds,
        };
        println!("{}", measured.line(epochs));
        run.history.push(measured);
        run.save()?;
        let verdict = measured.validation.map(|score| stopper.observe(score.loss, run.weights()));
        if verdict == Some(Verdict::Stop) {
            println!(
                "Stopping early: {} epochs without a better validation loss.",
                args.patience.unwrap_or(0)
            );
            break;
        }
    }
    if let Some(best) = stopper.best_epoch() {
        println!("Keeping the weights of epoch {}, the best by validation loss.", best + 1);
        run.restore(stopper.best_values());
        run.save()?;
    }
    let test = run.evaluate(&mut test_loader)?;
    report::draw(&out, &run.history, &test, images.test.class_names())?;
    print!("{}", report::summary(&out, &test, images.test.class_names(), &run.history));
    Ok(())
}

/// `runs/<date-time>`, in universal time.
fn default_out() -> PathBuf {
    Path::new("runs").join(jiff::Timestamp::now().strftime("%Y-%m-%d-%H%M%S").to_string())
}

/// Makes the run's folder and writes the settings into it, before any long work is done.
fn prepare(out: &Path, args: &TrainArgs) -> Result<()> {
    let settings = serde_json::to_string_pretty(args).expect("flags are JSON");
    let path = out.join("config.json");
    fs::create_dir_all(out)
        .and_then(|()| write_whole(&path, settings.as_bytes()))
        .with_context(|| format!("cannot write into {} (choose another folder with --out)", out.display()))
}
