//! `descent find-lr`: the learning-rate range test on your own data and network.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, bail, ensure};
use classifier::output::{self, Verbosity, answer, detail, say, say_json};
use data::{Dataset, Subset};
use foreign_text::shown_path;
use optim::{LrRangeTest, RangeTest};
use serde_json::json;
use viz::Figure;

use crate::checkpoint::{Folder, Start};
use crate::cli::{FindLrArgs, TrainArgs, find_images, given_without_meaning};
use crate::flags::GroupFlag;
use crate::limit::limited;
use crate::outside::check_outside;
use crate::progress::{EpochBar, Work};
use crate::ranks::Ranks;
use crate::recipe::{Length, check};
use crate::report;
use crate::run::Run;
use crate::sizes::Costs;

/// Trains for a number of steps at increasing learning rates, plots the loss over them, and suggests one.
///
/// # Errors
/// When data cannot be read, flags are incompatible, or the figure cannot be written.
pub fn find_lr(args: &FindLrArgs) -> Result<()> {
    let (from, to) = (args.from, args.to);
    ensure!(from < to, "--to {to}: expected a learning rate above that of --from, {from}");
    let course = RangeTest { start_lr: from, end_lr: to, n_steps: args.steps, ..RangeTest::default() };
    let mut test = LrRangeTest::new(course).context("--from, --to")?;
    check_effect(&args.train)?;
    check(&args.train)?;
    let session = &args.train.session;
    if session.json {
        output::limit_verbosity(Verbosity::Quiet);
    }
    let out = session.out.clone().unwrap_or_else(|| PathBuf::from("runs/find-lr"));
    check_outside(&out, session.data.data.as_deref())?;
    let images = find_images(&session.data.source(session.size.shape()))?;
    report::tell_warnings(&images, session.json)?;
    session.tell_left_out()?;
    images.notes.iter().try_for_each(say)?;
    fs::create_dir_all(&out).with_context(|| {
        format!("cannot write into {} (choose another folder with --out)", shown_path(&out))
    })?;
    let start = Start::afresh(&args.train, &images);
    let settings = &start.args.settings;
    let first = limited(settings, &images);
    let val = settings.val.map_or(0, |val| val.of(first.len()));
    ensure!(val < first.len(), "--val {val}: expected fewer than the {} training images", first.len());
    let (training, _) = Subset::split(&first, val, settings.seed);
    // The run is as long as the test; this checks that there is at least one batch.
    Length::of(settings, 1, training.len(), None)?;
    let length = Length::new(1, args.steps as u64);
    let mut run = Run::new(&start, Folder::new(&out), &images, &training, length, false, Ranks::alone())?;
    let mut loader = run.training_loader(&training);
    let introduction = run.introduction_to_test(from, to);
    say(format_args!("{}\n\n{introduction}", images.describe(training.len(), 0)))?;
    say(format_args!("\nResults go to {}", shown_path(&out)))?;
    detail(serde_json::to_string_pretty(&start.args).expect("flags are JSON"))?;
    let n_steps = args.steps;
    let work = Work::new(Costs::new([]), 0, n_steps as u64);
    let mut bar = EpochBar::new("range test".into(), (n_steps, 0), work, 0.0, output::width()).of(run.unit());
    while let Some(lr) = test.next_lr() {
        let loss = f64::from(run.step_at(lr, &mut loader)?);
        test.observe(loss);
        bar.step(settings.batch_size, loss);
    }
    drop(bar);
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

/// Rejects flags that do not apply to the test.
fn check_effect(train: &TrainArgs) -> Result<()> {
    let mut flags: Vec<String> =
        given_without_meaning(train).iter().map(|name| format!("--{}", name.replace('_', "-"))).collect();
    for group in GroupFlag::all(&train.settings.group).map_err(Error::msg).context("--group")? {
        let text = group.to_string();
        let names = text.split_whitespace().filter_map(|setting| Some(setting.split_once('=')?.0));
        let found = names.filter(|name| GroupFlag::COURSE.contains(name));
        flags.extend(found.map(|name| format!("--group {}: {name}", group.selector)));
    }
    match flags.first() {
        Some(flag) => bail!(
            "{flag} does not apply to find-lr, which takes --steps steps at rates from --from to --to; leave \
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Command;
    use crate::config_file::parse;
    use crate::flags::RECIPES;

    fn train_args(line: &[&str]) -> TrainArgs {
        let words = ["descent", "find-lr"].iter().chain(line).map(Into::into);
        match parse(words, |_| None).unwrap().command() {
            Command::FindLr(args) => args.train,
            _ => unreachable!("the line says find-lr"),
        }
    }

    /// Those of a recipe are left out, and its other flags stay.
    #[test]
    fn a_recipe_is_tested_without_its_course() {
        for (name, _) in RECIPES {
            let args = train_args(&["--recipe", name]);
            check_effect(&args).unwrap_or_else(|error| panic!("{name}: {error}"));
            check(&args).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(args.settings.recipe.as_deref(), Some(name));
            assert!(
                args.settings.lr.is_none() && args.session.left_out.contains(&"--lr".to_owned()),
                "{name}"
            );
        }
        let args = train_args(&["--recipe", "airbench94"]);
        assert_eq!((args.settings.momentum, args.settings.whiten), (Some(0.85), Some(5000)));
        assert_eq!(
            args.settings.group[1],
            "filters: rule=muon momentum=0.6 ns_steps=3 rescale_every=1 weight_decay=0"
        );
        let left_out = args.session.left_out.join("; ");
        assert!(left_out.contains("--group whiten.bias: schedule_epochs, freeze_after"), "{left_out}");
        for (line, flag) in [
            (&["--recipe", "airbench94", "--lr", "0.1"][..], "--lr"),
            (&["--gamma", "0.5"], "--gamma"),
            (&["--detect-anomaly"], "--detect-anomaly"),
            (&["--group", "head: lr=1"], "--group head: lr"),
        ] {
            let error = check_effect(&train_args(line)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{flag} does not apply to find-lr")), "{error}");
        }
    }
}
