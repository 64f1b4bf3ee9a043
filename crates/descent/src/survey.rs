//! `descent data`: lists the images, and problems with them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use classifier::output::{self, Verbosity, answer, say, say_json};
use classifier::{Images, Kind, Part, Source, clear_cache, duplicates, shown, size_in_words};
use data::{Dataset, ImageShape, ValuesMut};
use foreign_text::shown_path;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use viz::{ImageGrid, Tile};

use crate::cli::{DataCommand, check_kind};
use crate::outside::{check_outside, is_inside};
use crate::reading::read_images;
use crate::report::{self, capitalized};

/// The most files or groups of a kind that are listed.
const MAX_NAMED: usize = 10;

/// The most images per class that are drawn, and the most classes.
const PER_CLASS: usize = 5;
const MAX_CLASSES: usize = 40;

/// Prints a summary of the data, and draws a sample.
///
/// # Errors
/// When no known data is found, or the figure cannot be written.
pub fn data(args: &DataCommand) -> Result<()> {
    if args.clear_cache {
        ensure!(args.path.exists(), "there is no file or folder {}", shown_path(&args.path));
        return answer(match clear_cache(&args.path)? {
            Some(n_bytes) => format!("removed {} of decoded images", size_in_words(n_bytes)),
            None => "no decoded images are cached there".to_owned(),
        });
    }
    let source = Source {
        data: Some(&args.path),
        coarse: args.classes.are_coarse(),
        shape: args.size.shape(),
        label_column: args.classes.label_column(),
        columns: &[],
        skip_broken: true,
        only_looks: true,
        watch: None,
    };
    let out = args.out.clone().unwrap_or_else(|| default_out(&args.path));
    let make_folder = || {
        fs::create_dir_all(&out)
            .with_context(|| format!("cannot make the folder {} (--out)", shown_path(&out)))
    };
    if args.out.is_some() {
        ensure!(
            !args.path.is_file(),
            "--out: the figure shows samples of images, and {} is a file of numbers; leave it out",
            shown_path(&args.path)
        );
        check_outside(&out, source.data)?;
        make_folder()?;
    }
    if args.json {
        output::limit_verbosity(Verbosity::Quiet);
    }
    let images = read_images(&source)?;
    // That it skips broken files is its own affair.
    check_kind(&Source { skip_broken: false, ..source }, &images)?;
    report::tell_warnings(&images, args.json)?;
    images.notes.iter().try_for_each(say)?;
    match args.json {
        true => objects(&images).iter().try_for_each(say_json)?,
        false => answer(survey(&images).trim_end())?,
    }
    if images.kind == Kind::Table {
        return Ok(());
    }
    if images.kind == Kind::Folder && is_inside(&out, &args.path) {
        return say(format_args!(
            "\nno samples are drawn: {} would be among the images; choose a folder with --out",
            shown_path(&out)
        ));
    }
    make_folder()?;
    report::save(&samples(&images), &out, "samples")?;
    say(format_args!("\nsamples of each class: {} and .png", shown_path(&out.join("samples.svg"))))
}

/// `runs/data-NAME`.
fn default_out(path: &Path) -> PathBuf {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = full.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Path::new("runs").join(format!("data-{name}"))
}

/// The parts with their names: those with images, and the empty ones of a folder.
fn parts(images: &Images) -> Vec<(&'static str, &dyn Dataset)> {
    let all: [(&'static str, &dyn Dataset); 3] =
        [("train", &images.train), ("val", &images.validation), ("test", &images.test)];
    let is_there = |name: &str| images.parts.iter().any(|part| part.name == name);
    all.into_iter().filter(|(name, set)| !set.is_empty() || is_there(name)).collect()
}

/// What `--json` prints: an object for the set, for each class, and for each problem.
fn objects(images: &Images) -> Vec<Value> {
    let (sets, classes) = (parts(images), images.train.class_names());
    let (ImageShape { height, width, channels }, normalize) = (images.input_shape(), images.normalize());
    let mut all = vec![json!({
        "kind": "set", "name": images.name, "classes": classes.len(), "height": height, "width": width,
        "channels": channels, "mean": normalize.mean, "deviation": normalize.std,
    })];
    let columns: Vec<(&str, Vec<usize>)> =
        sets.iter().map(|(part, set)| (*part, count(*set, classes.len()))).collect();
    for (class, name) in classes.iter().enumerate() {
        let counts: Map<String, Value> =
            columns.iter().map(|(part, counts)| ((*part).to_owned(), counts[class].into())).collect();
        all.push(json!({ "kind": "class", "class": name, "images": counts }));
    }
    for part in &images.parts {
        all.extend(part.broken.iter().map(
            |file| json!({ "kind": "broken", "part": part.name, "file": file.path, "problem": file.problem }),
        ));
        let skipped = |file: &String| json!({ "kind": "not an image", "part": part.name, "file": file });
        all.extend(part.passed_over.iter().map(skipped));
    }
    for group in groups_of_twins(images, &sets) {
        let members: Vec<Value> =
            group.iter().map(|(part, name)| json!({ "part": part, "file": name })).collect();
        all.push(json!({ "kind": "duplicates", "of": members }));
    }
    all
}

/// The number of examples of each class.
fn count(set: &dyn Dataset, n_classes: usize) -> Vec<usize> {
    let mut counts = vec![0; n_classes];
    (0..set.len()).for_each(|idx| counts[set.label(idx) as usize] += 1);
    counts
}

fn survey(images: &Images) -> String {
    let sets = parts(images);
    let n_classes = images.train.class_names().len();
    let classes = if n_classes == 1 { "class" } else { "classes" };
    let mut text = format!("{}: {n_classes} {classes}\n\n", images.name);
    text += &counts(images.train.class_names(), &sets);
    if !images.parts.is_empty() {
        text += &sizes(&images.parts);
    }
    text += &values(images);
    text += &broken(&images.parts);
    text += &twins(images, &sets);
    text
}

/// The number of images of each class, by part.
fn counts(classes: &[String], sets: &[(&'static str, &dyn Dataset)]) -> String {
    let columns: Vec<Vec<usize>> = sets.iter().map(|(_, set)| count(*set, classes.len())).collect();
    let names: Vec<String> = classes.iter().map(|name| shown(name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
    let heads: String = sets.iter().map(|(name, _)| format!("{name:>8}")).collect();
    let mut text = format!("  {:>width$}{heads}\n", "class");
    for (class, name) in names.iter().enumerate() {
        let cells: String = columns.iter().map(|counts| format!("{:>8}", counts[class])).collect();
        writeln!(text, "  {name:>width$}{cells}").expect("a string");
    }
    let totals: String =
        columns.iter().map(|counts| format!("{:>8}", counts.iter().sum::<usize>())).collect();
    writeln!(text, "  {:>width$}{totals}", "all").expect("a string");
    text
}

/// The sizes of the image files.
fn sizes(parts: &[Part]) -> String {
    let files: Vec<_> = parts.iter().flat_map(|part| &part.files).collect();
    let range = |side: &dyn Fn(usize) -> usize| {
        let mut sides: Vec<usize> = (0..files.len()).map(side).collect();
        sides.sort_unstable();
        let median = sides.get(sides.len() / 2).copied().unwrap_or(0);
        format!("{} to {}, median {median}", sides.first().unwrap_or(&0), sides.last().unwrap_or(&0))
    };
    let n_gray = files.iter().filter(|file| file.channels == 1).count();
    format!(
        "\nwidth   {}\nheight  {}\ncolour  {}, grey {n_gray}\n",
        range(&|at| files[at].width),
        range(&|at| files[at].height),
        files.len() - n_gray
    )
}

/// Mean and standard deviation of the network's inputs.
fn values(images: &Images) -> String {
    let ImageShape { height, width, channels } = images.input_shape();
    let normalize = images.normalize();
    let listed = |values: &[f64]| {
        let shown: Vec<String> = values.iter().take(MAX_NAMED).map(|value| format!("{value:.4}")).collect();
        shown.join(", ") + if values.len() > MAX_NAMED { ", …" } else { "" }
    };
    let what = match (images.kind, channels) {
        (Kind::Table, n) => format!("{n} numbers, of each"),
        (_, 1) => format!("as {height} × {width} in grey, byte / 255"),
        _ => format!("as {height} × {width} in colour, byte / 255 by channel"),
    };
    format!("\n{what}:\nmean       {}\ndeviation  {}\n", listed(&normalize.mean), listed(&normalize.std))
}

/// The files that cannot be read, and those that are not images.
fn broken(parts: &[Part]) -> String {
    if parts.is_empty() {
        return String::new();
    }
    let all: Vec<&str> = parts.iter().flat_map(|part| &part.broken).map(|file| &*file.problem).collect();
    let mut text = match all.len() {
        0 => "\nno broken files\n".to_owned(),
        1 => "\n1 file cannot be read:\n".to_owned(),
        n => format!("\n{n} files cannot be read:\n"),
    };
    named(&mut text, all.into_iter().map(String::from));
    let passed_over: Vec<String> =
        parts.iter().flat_map(|part| &part.passed_over).map(|path| shown(path)).collect();
    if !passed_over.is_empty() {
        writeln!(text, "\nnot images, skipped ({}):", passed_over.len()).expect("a string");
        named(&mut text, passed_over.into_iter());
    }
    text
}

/// The first few, one per line.
fn named(text: &mut String, all: impl ExactSizeIterator<Item = String>) {
    let n = all.len();
    for line in all.take(MAX_NAMED) {
        writeln!(text, "  {line}").expect("a string");
    }
    if n > MAX_NAMED {
        writeln!(text, "  and {} more", n - MAX_NAMED).expect("a string");
    }
}

/// Groups of files or images that are identical byte for byte, each with its part and its name.
fn groups_of_twins(
    images: &Images,
    sets: &[(&'static str, &dyn Dataset)],
) -> Vec<Vec<(&'static str, String)>> {
    if images.parts.is_empty() {
        return same_examples(sets);
    }
    let named = |group: Vec<(&'static str, &classifier::ImageFile)>| {
        group.into_iter().map(|(part, file)| (part, file.path.clone())).collect()
    };
    duplicates(&images.parts).into_iter().map(named).collect()
}

/// Files or images that are identical byte for byte.
fn twins(images: &Images, sets: &[(&'static str, &dyn Dataset)]) -> String {
    let groups = groups_of_twins(images, sets);
    let is_across = |group: &&Vec<(&str, String)>| group.iter().any(|(part, _)| *part != group[0].0);
    let across: Vec<_> = groups.iter().filter(is_across).collect();
    let within: Vec<_> = groups.iter().filter(|group| !is_across(group)).collect();
    let mut text = String::new();
    for (what, groups) in [("within a part", within), ("across parts", across)] {
        if groups.is_empty() {
            continue;
        }
        let extra: usize = groups.iter().map(|group| group.len() - 1).sum();
        let s = if extra == 1 { "" } else { "s" };
        writeln!(text, "\n{extra} exact duplicate{s} {what}:").expect("a string");
        let line = |group: &&Vec<(&str, String)>| {
            let names: Vec<String> = group.iter().take(MAX_NAMED).map(|(_, name)| shown(name)).collect();
            names.join(" = ")
        };
        named(&mut text, groups.iter().map(line));
    }
    if text.is_empty() { "\nno exact duplicates\n".to_owned() } else { text }
}

/// Groups of identical images or rows, in files that hold many.
fn same_examples(sets: &[(&'static str, &dyn Dataset)]) -> Vec<Vec<(&'static str, String)>> {
    let mut groups: BTreeMap<[u8; 32], Vec<(&'static str, String)>> = BTreeMap::new();
    for (part, set) in sets {
        let mut rows: Vec<Vec<f32>> = set.fields().iter().map(|field| vec![0.0; field.len()]).collect();
        for idx in 0..set.len() {
            let mut hasher = Sha256::new();
            if !set.image_shape().is_empty() {
                hasher.update(set.image(idx));
            }
            for (field_idx, values) in rows.iter_mut().enumerate() {
                set.read_field(field_idx, idx, ValuesMut::F32(values));
                values.iter().for_each(|value| hasher.update(value.to_le_bytes()));
            }
            groups.entry(hasher.finalize().into()).or_default().push((part, format!("{part} {idx}")));
        }
    }
    let mut groups: Vec<_> = groups.into_values().filter(|group| group.len() > 1).collect();
    groups.sort();
    groups
}

/// The first training images of each class.
fn samples(images: &Images) -> ImageGrid {
    let (set, classes) = (&images.train, images.train.class_names());
    let ImageShape { height, width, channels } = set.image_shape();
    let n_classes = classes.len().min(MAX_CLASSES);
    let mut chosen = vec![Vec::new(); n_classes];
    for idx in 0..set.len() {
        if let Some(of_class) = chosen.get_mut(set.label(idx) as usize)
            && of_class.len() < PER_CLASS
        {
            of_class.push(idx);
        }
    }
    let title = format!("{}: the first images of each class", capitalized(&images.name));
    let tile = |idx: usize| {
        let planes = set.image(idx);
        let n = height * width;
        let pixels: Vec<u8> = (0..n)
            .flat_map(|i| (0..3).map(move |channel| planes[channel.min(channels - 1) * n + i]))
            .collect();
        Tile::rgb(height, width, &pixels).caption(&classes[set.label(idx) as usize])
    };
    chosen.into_iter().flatten().map(tile).fold(ImageGrid::new(title, 2 * PER_CLASS), ImageGrid::tile)
}
