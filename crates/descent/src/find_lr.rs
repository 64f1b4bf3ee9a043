//! `descent find-lr`: the learning-rate range test on your own data and network.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use classifier::Images;
use classifier::output::{self, Verbosity, answer, say, say_json};
use data::{Dataset, Subset};
use foreign_text::shown_path;
use optim::{LrRangeTest, RangeTest};
use serde_json::json;
use viz::Figure;

use crate::checkpoint::{Folder, Start};
use crate::cli::{FindLrArgs, TrainArgs};
use crate::flags::ViewsFlag;
use crate::non_finite::OnNan;
use crate::ranks::Ranks;
use crate::recipe::Length;
use crate::report;
use crate::run::Run;

/// Trains for a number of steps at increasing learning rates, plots the loss over them, and suggests one.
///
/// # Errors
/// When data cannot be read, flags are incompatible, or the figure cannot be written.
pub fn find_lr(args: &FindLrArgs) -> Result<()> {
    let (from, to) = (args.from, args.to);
    ensure!(from < to, "--to {to}: expected a learning rate above that of --from, {from}");
    args.train.check()?;
    check_effect(&args.train)?;
    let session = &args.train.session;
    if session.json {
        output::limit_verbosity(Verbosity::Quiet);
    }
    let images = Images::find(&session.data.source(session.size.shape()))?;
    images.notes.iter().try_for_each(say)?;
    let out = session.out.clone().unwrap_or_else(|| PathBuf::from("runs/find-lr"));
    fs::create_dir_all(&out).with_context(|| {
        format!("cannot write into {} (choose another folder with --out)", shown_path(&out))
    })?;
    let start = Start::afresh(&args.train, &images);
    let settings = &start.args.settings;
    let first = Subset::first(&images.train, settings.limit.unwrap_or(usize::MAX));
    let val = settings.val.unwrap_or(0);
    ensure!(val < first.len(), "--val {val}: expected fewer than the {} training images", first.len());
    let (training, _) = Subset::split(&first, val, settings.seed);
    // The run is as long as the test; this checks that there is at least one batch.
    Length::of(settings, 1, training.len(), None)?;
    let length = Length::new(1, args.steps as u64);
    let mut run = Run::new(&start, Folder::new(&out), &images, &training, length, false, Ranks::alone())?;
    let mut loader = run.training_loader(&training);
    let course = RangeTest { start_lr: from, end_lr: to, n_steps: args.steps, ..RangeTest::default() };
    let mut test = LrRangeTest::new(course)?;
    while let Some(lr) = test.next_lr() {
        let loss = run.step_at(lr, &mut loader)?;
        test.observe(loss.into());
    }
    write(&out, &test)?;
    let suggestion = test.suggestion();
    if session.json {
        return say_json(
            &json!({ "lr": suggestion, "steps": test.history().len(), "out": out.to_string_lossy() }),
        );
    }
    say(format_args!(
        "loss over learning rate: {}, .png and .csv",
        shown_path(&out.join("learning-rate.svg"))
    ))?;
    match suggestion {
        Some(lr) => answer(format_args!(
            "suggested: --lr {lr:.2e}, where the loss falls most steeply, after {} steps",
            test.history().len()
        )),
        None => bail!("the loss never fell: try a smaller --from, or more --steps"),
    }
}

/// Rejects flags that mean nothing to the test. A recipe or a file may have brought them.
fn check_effect(train: &TrainArgs) -> Result<()> {
    let TrainArgs { settings, session } = train;
    let given = [
        ("--lr", settings.lr.is_some()),
        ("--schedule", settings.schedule != "constant"),
        ("--warmup", settings.schedule_flags.warmup.is_some()),
        ("--epochs", settings.epochs.is_some()),
        ("--resize-until", settings.resize_until.is_some()),
        ("--lookahead", settings.lookahead.is_some()),
        ("--ema", settings.ema.is_some()),
        ("--tta", settings.views.tta != ViewsFlag::None),
        ("--resume", session.resume),
        ("--on-nan", session.on_nan != OnNan::Stop),
    ];
    let found = given.into_iter().find(|(_, is_given)| *is_given && !train.has_others_flags());
    match found {
        Some((flag, _)) => bail!(
            "{flag} has no meaning in find-lr, which takes --steps steps at rates from --from to --to; leave \
             it out"
        ),
        None => Ok(()),
    }
}

fn write(out: &Path, test: &LrRangeTest) -> Result<()> {
    let (lrs, losses): (Vec<f64>, Vec<f64>) =
        test.history().iter().filter(|(_, loss)| loss.is_finite()).copied().unzip();
    let mut csv = "learning_rate,smoothed_loss\n".to_owned();
    for (lr, loss) in test.history() {
        writeln!(csv, "{lr},{loss}").expect("a string");
    }
    let path = out.join("learning-rate.csv");
    atomic_file::write(&path, csv.as_bytes())
        .with_context(|| format!("cannot write {}", shown_path(&path)))?;
    ensure!(!lrs.is_empty(), "no loss is finite: try a smaller --from");
    let figure = Figure::new("Learning-rate range test")
        .x_label("learning rate")
        .y_label("cross-entropy, smoothed")
        .x_log()
        .line("", &lrs, &losses);
    let figure = match test.suggestion() {
        Some(lr) => figure.x_rule("suggested", lr),
        None => figure,
    };
    report::save(&figure, out, "learning-rate")
}
