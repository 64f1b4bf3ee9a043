//! `descent eval`: evaluates saved weights.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use autograd::Tape;
use classifier::output::{answer, cut, loss, say, say_json, warn, width};
use classifier::{Evaluation, Images, Kind, Source, Whole, model};
use data::{Dataset, Subset};
use foreign_text::{Foreign, shown_path};
use serde_json::{Value, json};
use viz::Figure;

use crate::checkpoint::Config;
use crate::cli::{DataArgs, EvalArgs, Settings, TrainArgs, check_kind};
use crate::config_file::{self, flags_of_run};
use crate::limit::limited;
use crate::reading::read_images;
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
    let run = TrainedRun::of(&args.model);
    let data = data_of(args, run.as_ref())?;
    let images = read_images(&Source { columns: &about.columns, ..data.source(about.image_shape()) })?;
    // The size and channels are the network's own, and the flags of the run those of its images.
    check_kind(&args.data.source(Source::default().shape), &images)?;
    report::tell_warnings(&images, false)?;
    if !args.json {
        images.notes.iter().try_for_each(say)?;
    }
    let first = run.filter(|run| wants_held_out(&images, args.part.as_deref()) && run.is_on(&images));
    let first = first.map(|run| (limited(&run.args.settings, &images), run.args.settings));
    let held_out = first.as_ref().and_then(|(first, settings)| held_out(first, settings));
    let (part, set) = match &held_out {
        Some(set) => ("validation", set as &dyn Dataset),
        None => part(&images, args.part.as_deref())?,
    };
    if held_out.is_some() && !args.json {
        say(match args.part {
            None => "On what the run held out: there is no other part to evaluate.",
            Some(_) => "On what the run held out of its training images.",
        })?;
    }
    about.check_classes(set, &images.name)?;
    if part == "training" && args.part.is_none() {
        warn(
            "warning: there are neither images to test nor any that the network is known not to have been trained on: \
             the numbers may be better than on others",
        );
    }
    args.views.check_images(images.kind == Kind::Table, about.image_shape())?;
    if let Some(out) = &args.out {
        make_folder(out)?;
    }
    let asking = args.views.asking(Some(&about.normalize()));
    let evaluation = asking.evaluate(&net, &mut params, &mut Tape::new(), set, args.batch_size, &Whole)?;
    let numbers = numbers(&evaluation, &about.classes, part, set.len());
    if args.json {
        say_json(&numbers)?;
    } else {
        answer(text(&evaluation, &about.classes, part, set.len()).trim_end())?;
    }
    evaluation.check_finite()?;
    let out = args.out.clone().unwrap_or_else(|| folder_of(&args.model).join("evaluation"));
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

/// The folder of the weights.
fn folder_of(model: &Path) -> &Path {
    if model.is_dir() { model } else { model.parent().unwrap_or(Path::new("")) }
}

/// The run that trained the network, by its record beside the weights.
struct TrainedRun {
    record: PathBuf,
    args: TrainArgs,
}

impl TrainedRun {
    fn of(model: &Path) -> Option<Self> {
        let folder = folder_of(model);
        Some(Self { record: folder.join("config.json"), args: flags_of_run(folder)? })
    }

    /// Whether these are the images of the run.
    fn is_on(&self, images: &Images) -> bool {
        let recorded = config_file::of_run(&self.record, "data_sha256");
        recorded.is_some_and(|data| data == Config::new(&self.args.settings, images).data())
    }
}

/// The images that the flags name, or else those of the run, read as it did unless the flags say otherwise.
fn data_of(args: &EvalArgs, run: Option<&TrainedRun>) -> Result<DataArgs> {
    let given = &args.data;
    let Some((run, of_run)) = run.map(|run| (run, &run.args.session.data)) else { return Ok(given.clone()) };
    let Some(path) = of_run.data.as_ref().filter(|_| given.data.is_none()) else { return Ok(given.clone()) };
    ensure!(
        path.exists(),
        "the images of the run, {} by {}, are not there: pass them with --data",
        shown_path(path),
        shown_path(&run.record)
    );
    if !args.json {
        say(format_args!("On the data of the run, {} (--data chooses others).", shown_path(path)))?;
    }
    Ok(given.or(of_run))
}

/// Whether images of the training part that a run has held out are the next best to those that are missing.
fn wants_held_out(images: &Images, asked: Option<&str>) -> bool {
    let is_asked = asked.map_or(images.test.is_empty(), |part| part == "val");
    images.validation.is_empty() && is_asked
}

/// The images that a run with these settings has held out of its `first`, if any.
fn held_out<'a>(first: &'a Subset<'a>, settings: &Settings) -> Option<Subset<'a>> {
    let n = settings.val.map_or(0, |val| val.of(first.len()));
    (0 < n && n < first.len()).then(|| Subset::split(first, n, settings.seed).1)
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
        "accuracy {:.2} %\nloss     {}\ntop-5    {:.2} %\nECE      {:.2} % (expected calibration error, 15 bins)\n\
         on {n_images} of the {part} set\n\n",
        score.accuracy,
        loss(score.loss),
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
