//! `descent eval`: evaluates saved weights.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use autograd::Tape;
use classifier::output::{answer, cut, say, say_json, warn, width};
use classifier::{Evaluation, Images, Kind, model};
use data::Dataset;
use foreign_text::{Foreign, shown_path};
use serde_json::{Value, json};
use viz::Figure;

use crate::cli::EvalArgs;
use crate::report;

/// Prints loss, accuracy, top-5, precision and recall by class and calibration, and writes them with their
/// figures.
///
/// # Errors
/// When weights or images cannot be read or do not match, an output is NaN or infinite, or `--out` cannot be
/// written.
pub fn eval(args: &EvalArgs) -> Result<()> {
    args.views.check()?;
    let (net, mut params, about) = model::load(&args.model)?;
    let images = Images::find(&args.data.source(about.image_shape()))?;
    if !args.json {
        images.notes.iter().try_for_each(say)?;
    }
    let (part, set) = part(&images, args.part.as_deref())?;
    about.check_classes(set, &images.name)?;
    args.views.check_images(images.kind == Kind::Table, about.image_shape())?;
    if let Some(out) = &args.out {
        make_folder(out)?;
    }
    let asking = args.views.asking(Some(&about.normalize()));
    let evaluation = asking.evaluate(&net, &mut params, &mut Tape::new(), set, args.batch_size)?;
    let numbers = numbers(&evaluation, &about.classes, part, set.len());
    if args.json {
        say_json(&numbers)?;
    } else {
        answer(text(&evaluation, &about.classes, part, set.len()).trim_end())?;
    }
    evaluation.check_finite()?;
    let beside =
        if args.model.is_dir() { &*args.model } else { args.model.parent().unwrap_or(Path::new("")) };
    let out = args.out.clone().unwrap_or_else(|| beside.join("evaluation"));
    match write(&out, &evaluation, &about.classes, part, &numbers) {
        Ok(()) if args.json => Ok(()),
        Ok(()) => say(format_args!(
            "\nwritten to {}: evaluation.json, classes.csv, calibration.svg, confusion.svg (and .png)",
            shown_path(&out)
        )),
        // The folder was not requested.
        Err(error) if args.out.is_none() => {
            warn(format_args!(
                "warning: cannot write numbers and figures: {error:#}; choose a folder with --out DIR"
            ));
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// The requested images, or the first part that exists of test, validation and training.
fn part<'a>(images: &'a Images, asked: Option<&str>) -> Result<(&'static str, &'a dyn Dataset)> {
    let all: [(&str, &'static str, &dyn Dataset); 3] = [
        ("test", "test", &images.test),
        ("val", "validation", &images.validation),
        ("train", "training", &images.train),
    ];
    let mut found =
        all.into_iter().filter(|(name, _, set)| !set.is_empty() && asked.is_none_or(|asked| asked == *name));
    match (found.next(), asked) {
        (Some((_, part, set)), _) => Ok((part, set)),
        (None, asked) => {
            bail!("--part {}: there is no such part in {}", asked.unwrap_or_default(), images.name)
        }
    }
}

fn text(evaluation: &Evaluation, classes: &[String], part: &str, n_images: usize) -> String {
    let score = evaluation.score();
    let mut text = format!(
        "accuracy {:.2} %\nloss     {:.4}\ntop-5    {:.2} %\nECE      {:.2} % (expected calibration error, 15 bins)\n\
         on {n_images} of the {part} set\n\n",
        score.accuracy,
        score.loss,
        evaluation.top5(),
        100.0 * evaluation.calibration().value().unwrap_or(f64::NAN),
    );
    let room = width().saturating_sub(30).max(5);
    let names: Vec<String> = classes.iter().map(|name| cut(&Foreign::new(name).to_string(), room)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
    writeln!(text, "{:>width$}  precision  recall  images", "class").expect("a string");
    for (class, name) in names.iter().enumerate() {
        let scores = evaluation.class_scores(class);
        // There is nothing to recall of a class without images.
        let recall = match scores.support {
            0 => format!("{:>7}", "–"),
            _ => format!("{:5.1} %", 100.0 * scores.recall),
        };
        let precision = 100.0 * scores.precision;
        writeln!(text, "{name:>width$}    {precision:5.1} % {recall}  {:>6}", scores.support)
            .expect("a string");
    }
    text
}

/// All numbers as one JSON object.
fn numbers(evaluation: &Evaluation, classes: &[String], part: &str, n_images: usize) -> Value {
    let score = evaluation.score();
    let class = |(class, name): (usize, &String)| {
        let scores = evaluation.class_scores(class);
        json!({
            "class": name, "images": scores.support, "precision": scores.precision, "recall": scores.recall,
            "f1": scores.f1,
        })
    };
    let bins = evaluation.calibration().curve().into_iter().map(|bin| {
        json!({
            "lower": bin.lower, "upper": bin.upper, "images": bin.n_samples, "confidence": bin.confidence,
            "accuracy": bin.accuracy,
        })
    });
    json!({
        "part": part, "images": n_images, "loss": score.loss, "accuracy": score.accuracy / 100.0,
        "top5": evaluation.top5() / 100.0, "ece": evaluation.calibration().value(),
        "not_finite": evaluation.n_non_finite(),
        "classes": classes.iter().enumerate().map(class).collect::<Vec<_>>(),
        "calibration": bins.collect::<Vec<_>>(),
    })
}

fn write(out: &Path, evaluation: &Evaluation, classes: &[String], part: &str, numbers: &Value) -> Result<()> {
    make_folder(out)?;
    let put = |name: &str, text: &str| {
        let path: PathBuf = out.join(name);
        atomic_file::write(&path, text.as_bytes())
            .with_context(|| format!("cannot write {}", shown_path(&path)))
    };
    put("evaluation.json", &serde_json::to_string_pretty(numbers).expect("numbers and names are JSON"))?;
    let mut csv = "class,images,precision,recall,f1\n".to_owned();
    for (class, name) in classes.iter().enumerate() {
        let scores = evaluation.class_scores(class);
        let name = name.replace('"', "\"\"");
        writeln!(
            csv,
            "\"{name}\",{},{:.6},{:.6},{:.6}",
            scores.support, scores.precision, scores.recall, scores.f1
        )
        .expect("a string");
    }
    put("classes.csv", &csv)?;
    report::save(&calibration(evaluation), out, "calibration")?;
    report::save(&report::confusion(evaluation, classes, part), out, "confusion")
}

fn make_folder(out: &Path) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("cannot make the folder {} (--out)", shown_path(out)))
}

/// The reliability curve: accuracy against confidence.
fn calibration(evaluation: &Evaluation) -> Figure {
    let curve = evaluation.calibration().curve();
    let confidence: Vec<f64> = curve.iter().map(|bin| bin.confidence).collect();
    let accuracy: Vec<f64> = curve.iter().map(|bin| bin.accuracy).collect();
    let ece = 100.0 * evaluation.calibration().value().unwrap_or(f64::NAN);
    Figure::new(format!("Calibration: ECE {ece:.2} %"))
        .x_label("confidence")
        .y_label("accuracy")
        .x_range(0.0, 1.0)
        .y_range(0.0, 1.0)
        .dashed("perfect calibration", &[0.0, 1.0], &[0.0, 1.0])
        .line("this network", &confidence, &accuracy)
        .scatter("", &confidence, &accuracy)
}
