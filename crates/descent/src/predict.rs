//! `descent predict`: classifies images.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, ensure};
use autograd::{Params, Tape};
use classifier::model::About;
use classifier::output::{self, answer, cut, message, say_json, width};
use classifier::{Asking, Whole, are_finite, model, read_rows, shown, softmax};
use data::{ImageShape, InMemory, Picture, is_image_name};
use foreign_text::{Foreign, shown_path};
use nn::Sequential;
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::cli::{LABEL_COLUMN, PredictArgs};
use crate::flags::ViewsFlag;

/// Images per batch.
const BATCH_SIZE: usize = 64;

/// The most bytes read from standard input or a table.
const MAX_BYTES: u64 = 256 << 20;

/// The argument that stands for standard input.
const STDIN: &str = "-";

/// Prints the most probable classes of images, or of the rows of tables: as bars for one image, a line each for
/// several and for rows, an object each with `--json`.
///
/// # Errors
/// When the weights or an image cannot be read (of several images, the others are classified first), or an
/// output is NaN or infinite.
pub fn predict(args: &PredictArgs) -> Result<()> {
    let (net, params, about) = model::load(&args.model)?;
    let ImageShape { height, width, .. } = about.image_shape();
    let is_for_rows = [height, width] == [1, 1];
    ensure!(
        !is_for_rows || args.tta == ViewsFlag::None,
        "--tta needs images, but the network in {} takes rows of numbers",
        shown_path(&args.model)
    );
    ensure!(
        is_for_rows || args.label_column.is_none(),
        "--label-column needs rows of numbers, but the network in {} takes images",
        shown_path(&args.model)
    );
    args.tta.check_shape(about.image_shape())?;
    let Found { files, left_out, failures } = Found::by(&args.images);
    let n_asked = files.len() + failures.len();
    let asking = Asking { views: args.tta.views(), least_certain: None, normalize: Some(about.normalize()) };
    let mut network = Network { model: &args.model, net, params, tape: Tape::new(), asking, about };
    let mut n_failed = 0;
    let mut fail = |file: &Path, error: Error| {
        if n_asked == 1 {
            return Err(error);
        }
        n_failed += 1;
        let text = message(&error);
        match args.json {
            true => say_json(&json!({ "file": name(file), "error": text })),
            false => {
                output::error(text);
                Ok(())
            }
        }
    };
    for (asked, error) in failures {
        fail(&asked, error)?;
    }
    let (tables, images) = if is_for_rows { (&files[..], &[][..]) } else { (&[][..], &files[..]) };
    for file in tables {
        match network.answer_rows(file, args.label_column.as_deref().unwrap_or(LABEL_COLUMN)) {
            Ok(rows) => network.print_rows(args, file, &rows)?,
            Err(error) => fail(file, error)?,
        }
    }
    for chunk in images.chunks(BATCH_SIZE) {
        for (file, answer) in chunk.iter().zip(network.answer(chunk)?) {
            match answer {
                Ok(probabilities) => network.print(args, file, &probabilities, n_asked)?,
                Err(error) => fail(file, error)?,
            }
        }
    }
    match &left_out[..] {
        [] => {}
        [only] => output::warn(format_args!("left out: {}, not an image by its name", shown_path(only))),
        [first, rest @ ..] => output::warn(format_args!(
            "left out: {} and {} more, not images by their names",
            shown_path(first),
            rest.len()
        )),
    }
    let what = if is_for_rows { "files" } else { "images" };
    ensure!(n_failed == 0, "{n_failed} of {n_asked} {what} could not be classified");
    Ok(())
}

struct Network<'a> {
    model: &'a Path,
    net: Sequential,
    params: Params,
    tape: Tape,
    asking: Asking,
    about: About,
}

impl Network<'_> {
    /// The probabilities of each file, or the error.
    fn answer(&mut self, files: &[PathBuf]) -> Result<Vec<Result<Vec<f64>>>> {
        let shape = self.about.image_shape();
        let read: Vec<Result<Vec<u8>>> =
            files.par_iter().map(|file| Ok(open(file)?.to_shape(shape))).collect();
        let planes: Vec<u8> = read.iter().flatten().flatten().copied().collect();
        let n_images = planes.len() / shape.len();
        let images = InMemory::new(shape, planes, vec![0; n_images], self.about.classes.clone());
        let Self { asking, net, params, tape, .. } = self;
        let logits = asking.logits(net, params, tape, &images, BATCH_SIZE, &Whole)?;
        let mut rows = logits.chunks_exact(self.about.classes.len());
        let answer = |read: Result<Vec<u8>>| {
            read?;
            self.probabilities(rows.next().expect("an answer for each image"))
        };
        Ok(read.into_iter().map(answer).collect())
    }

    /// The probabilities for each row of a CSV file.
    fn answer_rows(&mut self, file: &Path, label_column: &str) -> Result<Vec<Vec<f64>>> {
        let About { classes, columns, .. } = &self.about;
        let n_features = self.about.image_shape().channels;
        let (name, bytes) = bytes_of(file)?;
        let rows = read_rows(name, &bytes, label_column, n_features, columns, classes)?;
        let Self { asking, net, params, tape, .. } = self;
        let logits = asking.logits(net, params, tape, &rows, BATCH_SIZE, &Whole)?;
        logits.chunks_exact(self.about.classes.len()).map(|row| self.probabilities(row)).collect()
    }

    fn probabilities(&self, logits: &[f32]) -> Result<Vec<f64>> {
        ensure!(
            are_finite(logits),
            "the network's output is NaN or infinite: the weights in {} are unusable",
            shown_path(self.model)
        );
        Ok(softmax(logits))
    }

    /// Prints the answers for the rows of a file, a line or an object each.
    fn print_rows(&self, args: &PredictArgs, file: &Path, rows: &[Vec<f64>]) -> Result<()> {
        for (number, probabilities) in (1..).zip(rows) {
            let ranked: Vec<usize> = ranked(probabilities).into_iter().take(args.top).collect();
            if args.json {
                let mut object = object(file, &self.about.classes, probabilities, &ranked);
                object["row"] = number.into();
                say_json(&object)?;
            } else {
                let answers = listed(&self.about.classes, probabilities, &ranked);
                answer(format_args!("{} row {number}: {answers}", shown_path(file)))?;
            }
        }
        Ok(())
    }

    fn print(&self, args: &PredictArgs, file: &Path, probabilities: &[f64], n_files: usize) -> Result<()> {
        let classes = &self.about.classes;
        let ranked: Vec<usize> = ranked(probabilities).into_iter().take(args.top).collect();
        if args.json {
            return say_json(&object(file, classes, probabilities, &ranked));
        }
        if n_files == 1 {
            return answer(bars(classes, probabilities, &ranked, width()).trim_end());
        }
        answer(format_args!("{}: {}", shown_path(file), listed(classes, probabilities, &ranked)))
    }
}

/// The most probable classes, in a line.
fn listed(classes: &[String], probabilities: &[f64], ranked: &[usize]) -> String {
    let named = |&class: &usize| format!("{} {:.1} %", shown(&classes[class]), 100.0 * probabilities[class]);
    ranked.iter().map(named).collect::<Vec<String>>().join(", ")
}

/// What the arguments stand for.
#[derive(Default)]
struct Found {
    /// The files to classify: the arguments, and the files of folders and patterns, sorted by name.
    files: Vec<PathBuf>,
    /// What else the folders hold.
    left_out: Vec<PathBuf>,
    /// The arguments that stand for no file, and why.
    failures: Vec<(PathBuf, Error)>,
}

impl Found {
    fn by(args: &[PathBuf]) -> Self {
        let mut found = Self::default();
        for arg in args {
            if let Err(error) = found.add(arg) {
                found.failures.push((arg.clone(), error));
            }
        }
        found
    }

    fn add(&mut self, arg: &Path) -> Result<()> {
        let pattern = arg.to_str().filter(|text| text.contains(['*', '?', '[']) && !arg.exists());
        let n_before = self.files.len();
        if arg.is_dir() {
            let Self { files, left_out, .. } = self;
            add_images_of(arg, files, left_out).with_context(|| shown_path(arg))?;
            ensure!(self.files.len() > n_before, "{}: there are no images in this folder", shown_path(arg));
        } else if let Some(pattern) = pattern {
            for path in glob::glob(pattern).with_context(|| shown(pattern))? {
                let path = path?;
                if path.is_file() {
                    self.files.push(path);
                }
            }
            ensure!(self.files.len() > n_before, "{}: no file matches this pattern", shown(pattern));
        } else {
            self.files.push(arg.to_owned());
        }
        Ok(())
    }
}

/// Adds the image files of a folder and its subfolders, except hidden ones; what else is there is `left_out`.
fn add_images_of(dir: &Path, files: &mut Vec<PathBuf>, left_out: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Links to folders are not followed: they may form a cycle.
        if entry.file_type()?.is_dir() {
            add_images_of(&path, files, left_out)?;
            continue;
        }
        if is_image_name(&path) && !path.is_dir() {
            files.push(path);
        } else {
            left_out.push(path);
        }
    }
    Ok(())
}

fn open(file: &Path) -> Result<Picture> {
    if file != Path::new(STDIN) {
        return Ok(Picture::open(file)?);
    }
    let (name, bytes) = bytes_of(file)?;
    Ok(Picture::from_bytes(name, &bytes)?)
}

/// The bytes of a file or of standard input, and its name in errors.
fn bytes_of(file: &Path) -> Result<(&Path, Vec<u8>)> {
    let (name, source): (&Path, Box<dyn Read>) = match file == Path::new(STDIN) {
        true => (Path::new("standard input"), Box::new(io::stdin())),
        false => (file, Box::new(fs::File::open(file).with_context(|| shown_path(file))?)),
    };
    let mut bytes = Vec::new();
    source.take(MAX_BYTES + 1).read_to_end(&mut bytes).with_context(|| shown_path(name))?;
    ensure!(bytes.len() as u64 <= MAX_BYTES, "{}: more than {MAX_BYTES} bytes", shown_path(name));
    Ok((name, bytes))
}

fn name(file: &Path) -> String {
    file.to_string_lossy().into_owned()
}

/// The classes, most probable first.
fn ranked(probabilities: &[f64]) -> Vec<usize> {
    let mut ranked: Vec<usize> = (0..probabilities.len()).collect();
    ranked.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    ranked
}

/// The object that `--json` prints for an image.
fn object(file: &Path, classes: &[String], probabilities: &[f64], ranked: &[usize]) -> Value {
    let answer = |&class: &usize| json!({ "class": classes[class], "probability": probabilities[class] });
    json!({
        "file": name(file),
        "class": classes[ranked[0]],
        "probability": probabilities[ranked[0]],
        "classes": ranked.iter().map(answer).collect::<Vec<_>>(),
    })
}

/// The most probable classes as bars, one per line.
fn bars(classes: &[String], probabilities: &[f64], ranked: &[usize], width: usize) -> String {
    let room = width.saturating_sub(20).max(8);
    let names: Vec<String> = classes.iter().map(|name| cut(&Foreign::new(name).to_string(), room)).collect();
    let name_width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let bar_width = width.saturating_sub(name_width + 10).min(40) as f64;
    let line = |&class: &usize| {
        let (name, p) = (&names[class], probabilities[class]);
        format!("{name:>name_width$} {:5.1} % {}\n", 100.0 * p, "█".repeat((bar_width * p).round() as usize))
    };
    ranked.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_rank_the_classes() {
        let (classes, probabilities) = (["cat", "dog", "frog"].map(String::from), [0.25, 0.7, 0.05]);
        let ranked = ranked(&probabilities);
        assert_eq!(ranked, [1, 0, 2]);
        let text = bars(&classes, &probabilities, &ranked[..2], usize::MAX);
        assert_eq!(text.lines().count(), 2);
        assert!(text.starts_with(" dog  70.0 % ████████"), "{text}");
    }

    #[test]
    fn a_strangers_names_of_classes_are_shown_as_text_and_shortened() {
        let classes = ["\u{1b}[2J".to_owned(), "x".repeat(70_000)];
        let text = bars(&classes, &[0.5, 0.5], &[0, 1], usize::MAX);
        assert!(text.contains(r" \u{1b}[2J  50.0 %") && text.len() < 500, "{text}");
    }
}
