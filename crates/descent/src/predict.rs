//! `descent predict`: classifies images.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use autograd::{Params, Tape};
use classifier::model::About;
use classifier::output::{self, answer, cut, message, say_json, width};
use classifier::{Asking, are_finite, model, shown, softmax};
use data::{ImageShape, InMemory, Picture};
use foreign_text::{Foreign, shown_path};
use nn::Sequential;
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::cli::PredictArgs;

/// Images per batch.
const BATCH_SIZE: usize = 64;

/// The most bytes read from standard input.
const MAX_BYTES: u64 = 256 << 20;

/// File endings that count as images in a folder.
const ENDINGS: [&str; 6] = ["png", "jpg", "jpeg", "webp", "bmp", "gif"];

/// Prints the most probable classes of images: as bars for one image, a line each for several, an object each
/// with `--json`.
///
/// # Errors
/// When the weights or an image cannot be read (of several images, the others are classified first), or an
/// output is NaN or infinite.
pub fn predict(args: &PredictArgs) -> Result<()> {
    let (net, params, about) = model::load(&args.model)?;
    let ImageShape { height, width, channels } = about.image_shape();
    ensure!(
        [height, width] != [1, 1],
        "the network in {} takes rows of {channels} numbers, not images",
        shown_path(&args.model)
    );
    args.tta.check_shape(about.image_shape())?;
    let (files, left_out) = files(&args.images)?;
    let asking = Asking { views: args.tta.views(), least_certain: None, normalize: Some(about.normalize()) };
    let mut network = Network { model: &args.model, net, params, tape: Tape::new(), asking, about };
    let mut n_failed = 0;
    for chunk in files.chunks(BATCH_SIZE) {
        let answers = network.answer(chunk)?;
        for (file, answer) in chunk.iter().zip(answers) {
            match answer {
                Ok(probabilities) => network.print(args, file, &probabilities, files.len())?,
                Err(error) if files.len() == 1 => return Err(error),
                Err(error) => {
                    n_failed += 1;
                    if args.json {
                        let (file, error) = (name(file), message(&error));
                        say_json(&json!({ "file": file, "error": error }))?;
                    } else {
                        output::error(message(&error));
                    }
                }
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
    ensure!(n_failed == 0, "{n_failed} of {} images could not be classified", files.len());
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
        let logits = asking.logits(net, params, tape, &images, BATCH_SIZE)?;
        let mut rows = logits.chunks_exact(self.about.classes.len());
        let answer = |read: Result<Vec<u8>>| {
            read?;
            let row = rows.next().expect("an answer for each image");
            ensure!(
                are_finite(row),
                "the network's output is NaN or infinite: the weights in {} are unusable",
                shown_path(self.model)
            );
            Ok(softmax(row))
        };
        Ok(read.into_iter().map(answer).collect())
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
        let named =
            |&class: &usize| format!("{} {:.1} %", shown(&classes[class]), 100.0 * probabilities[class]);
        let answers: Vec<String> = ranked.iter().map(named).collect();
        answer(format_args!("{}: {}", shown_path(file), answers.join(", ")))
    }
}

/// The files to classify: the arguments, and the files of folders and patterns, sorted by name. And what else
/// the folders hold.
fn files(args: &[PathBuf]) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut files, mut left_out) = (Vec::new(), Vec::new());
    for arg in args {
        let pattern = arg.to_str().filter(|text| text.contains(['*', '?', '[']) && !arg.exists());
        if arg.is_dir() {
            let n_before = files.len();
            add_images_of(arg, &mut files, &mut left_out).with_context(|| shown_path(arg))?;
            ensure!(files.len() > n_before, "{}: there are no images in this folder", shown_path(arg));
        } else if let Some(pattern) = pattern {
            let found = glob::glob(pattern).with_context(|| shown(pattern))?;
            let n_before = files.len();
            for path in found {
                let path = path?;
                if path.is_file() {
                    files.push(path);
                }
            }
            ensure!(files.len() > n_before, "{}: no file matches this pattern", shown(pattern));
        } else {
            files.push(arg.clone());
        }
    }
    Ok((files, left_out))
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
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if ENDINGS.contains(&&*ending) && !path.is_dir() {
            files.push(path);
        } else {
            left_out.push(path);
        }
    }
    Ok(())
}

fn open(file: &Path) -> Result<Picture> {
    if file != Path::new("-") {
        return Ok(Picture::open(file)?);
    }
    let mut bytes = Vec::new();
    io::stdin().take(MAX_BYTES + 1).read_to_end(&mut bytes).context("standard input")?;
    if bytes.len() as u64 > MAX_BYTES {
        bail!("standard input has more than {MAX_BYTES} bytes");
    }
    Ok(Picture::from_bytes("standard input", &bytes)?)
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
