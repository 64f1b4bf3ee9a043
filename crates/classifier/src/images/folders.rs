//! A folder of image files: by class, or by part and class.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use data::{Dataset, ImageFolder, InMemory};
use foreign_text::{Foreign, shown_path};

use super::cache::{self, BrokenFile, ImageFile};
use super::layout::{Layout, layout};
use super::ours::is_ours;
use super::{Images, Kind, MAX_CLASSES, Part, Source, empty};

/// The name of a folder's images if it has no parts.
const ALL: &str = "all";

/// The most broken files that an error or a line about the data names.
const N_NAMED: usize = 3;

/// Reads the images in `dir` as `source` asks for.
pub(super) fn open(dir: &Path, source: &Source<'_>) -> Result<Images> {
    let mut reader = Reader { dir, source, parts: Vec::new(), notes: Vec::new(), lacks: Vec::new() };
    let (warning, [train, validation, test]) = match layout(dir)? {
        Layout::Parts => (None, reader.read_parts()?),
        Layout::Classes(warning) => {
            let sets = reader.read_classes(warning.as_deref())?;
            (warning, sets)
        }
    };
    let warnings = warning.into_iter().chain(reader.lacks).collect();
    Ok(Images {
        name: format!("the images in {}", shown_path(dir)),
        kind: Kind::Folder,
        train,
        validation,
        test,
        default_epochs: 30,
        adam_lr: 1e-3,
        columns: Vec::new(),
        parts: reader.parts,
        notes: reader.notes,
        warnings,
    })
}

/// Reads the images of a folder, and notes what it finds.
struct Reader<'a> {
    dir: &'a Path,
    source: &'a Source<'a>,
    parts: Vec<Part>,
    notes: Vec<String>,
    /// What training needs and is not there, if the source only looks.
    lacks: Vec<String>,
}

impl Reader<'_> {
    /// The images for training, validation and test of a folder with parts.
    fn read_parts(&mut self) -> Result<[Box<dyn Dataset>; 3]> {
        let folder = ImageFolder::open_except(self.dir.join("train"), is_ours)?;
        let classes = folder.class_names().to_vec();
        self.check_classes(&folder, None)?;
        let train = self.read("train", folder)?;
        let mut other = |name| -> Result<Box<dyn Dataset>> {
            let path = self.dir.join(name);
            if path.is_dir() {
                self.read(name, ImageFolder::open_part(path, &classes)?)
            } else {
                Ok(empty(&*train))
            }
        };
        let (validation, test) = (other("val")?, other("test")?);
        Ok([train, validation, test])
    }

    /// The images of a folder without parts, all for training; `warning` says why it has none.
    fn read_classes(&mut self, warning: Option<&str>) -> Result<[Box<dyn Dataset>; 3]> {
        let folder = ImageFolder::open_except(self.dir, is_ours)?;
        let classes = folder.class_names().to_vec();
        self.check_classes(&folder, warning)?;
        ensure!(
            classes.len() <= MAX_CLASSES,
            "{}: {} folders of classes, expected at most {MAX_CLASSES}",
            shown_path(self.dir),
            classes.len()
        );
        let train = self.read(ALL, folder)?;
        let (validation, test) = (empty(&*train), empty(&*train));
        Ok([train, validation, test])
    }

    /// Checks that there are classes to tell apart, each with images; what looks like parts and is none has a
    /// `warning`, which says why there are too few.
    fn check_classes(&mut self, folder: &ImageFolder, warning: Option<&str>) -> Result<()> {
        let [one] = folder.class_names() else { return self.check_images(folder) };
        let too_few = format!("{}: expected two classes or more, found one", shown_path(self.dir));
        ensure!(self.source.only_looks, warning.map_or(too_few, str::to_owned));
        self.lacks.push(format!(
            "{}: training needs two classes or more, and {} is the only one",
            shown_path(self.dir),
            shown(one)
        ));
        self.check_images(folder)
    }

    fn check_images(&mut self, folder: &ImageFolder) -> Result<()> {
        if !self.source.only_looks {
            return Ok(folder.check_classes()?);
        }
        let empty = folder.classes_without_images();
        let mut names: Vec<String> =
            empty.iter().take(N_NAMED).map(|&class| shown(&folder.class_names()[class])).collect();
        if empty.len() > N_NAMED {
            names.push(format!("{} more", empty.len() - N_NAMED));
        }
        let (first, last) = match names.split_last() {
            None => return Ok(()),
            Some((last, [])) => (String::new(), last),
            Some((last, first)) => (first.join(", ") + " and ", last),
        };
        let (classes, have) = if empty.len() == 1 { ("class", "has") } else { ("classes", "have") };
        self.lacks.push(format!(
            "{}: training needs images of each class, and the {classes} {first}{last} {have} none",
            shown_path(self.dir)
        ));
        Ok(())
    }

    /// A part without images, which is listed all the same.
    fn empty_part(&mut self, name: &'static str, folder: &ImageFolder) -> Box<dyn Dataset> {
        self.lacks.push(format!("{}: there is no image in its folders", shown_path(&self.dir.join(name))));
        let passed_over = folder.passed_over().iter().map(|path| relative(path, self.dir)).collect();
        self.parts.push(Part { name, files: Vec::new(), broken: Vec::new(), passed_over });
        let classes = folder.class_names().to_vec();
        Box::new(InMemory::new(self.source.shape, Vec::new(), Vec::new(), classes))
    }

    fn read(&mut self, name: &'static str, folder: ImageFolder) -> Result<Box<dyn Dataset>> {
        let Source { shape, skip_broken, only_looks, watch, .. } = *self.source;
        if only_looks && name != ALL && name != "train" && folder.images().is_empty() {
            return Ok(self.empty_part(name, &folder));
        }
        let decoded = cache::decoded(&folder, self.dir, name, shape, watch)?;
        self.notes.extend(decoded.note);
        let is_our_folder = |path: &&PathBuf| path.is_dir() && is_ours(path);
        let ours: Vec<String> =
            folder.passed_over().iter().filter(is_our_folder).map(|path| shown_path(path)).collect();
        if !ours.is_empty() {
            self.notes.push(format!("results of this program, no class: {}", ours.join(", ")));
        }
        check_broken(&decoded.broken, skip_broken, self.dir)?;
        if decoded.labels.is_empty() {
            let part = if name == ALL { self.dir.to_owned() } else { self.dir.join(name) };
            bail!(no_image(&part, &decoded.broken));
        }
        let passed_over = folder.passed_over().iter().filter(|path| !is_our_folder(path));
        let passed_over = passed_over.map(|path| relative(path, self.dir)).collect();
        self.parts.push(Part { name, files: decoded.files, broken: decoded.broken, passed_over });
        let classes = folder.class_names().to_vec();
        Ok(Box::new(InMemory::new(shape, decoded.pixels, decoded.labels, classes)))
    }
}

/// Returns an error that names the first unreadable files, unless such files are skipped.
fn check_broken(broken: &[BrokenFile], skip_broken: bool, dir: &Path) -> Result<()> {
    if broken.is_empty() || skip_broken {
        return Ok(());
    }
    let mut problems: Vec<String> = broken.iter().take(N_NAMED).map(|file| file.problem.clone()).collect();
    let advice = "--skip-broken leaves out what cannot be read";
    let advice = match broken.len() - problems.len() {
        0 => advice.to_owned(),
        n => {
            let files = if n == 1 { "file" } else { "files" };
            problems.push(format!("{n} more {files} cannot be read"));
            format!("`descent data {}` lists them, {advice}", shown_path(dir))
        }
    };
    bail!("{} ({advice})", problems.join("; "))
}

/// Why there is no image in `dir`: its first broken files.
fn no_image(dir: &Path, broken: &[BrokenFile]) -> String {
    let named = shown_path(dir);
    if broken.is_empty() {
        return format!("{named}: there is no image in its folders");
    }
    let mut problems: Vec<String> = broken.iter().take(N_NAMED).map(|file| file.problem.clone()).collect();
    if broken.len() > N_NAMED {
        problems.push(format!("and {} more", broken.len() - N_NAMED));
    }
    format!("{named}: none of its image files can be read: {}", problems.join("; "))
}

fn relative(path: &Path, dir: &Path) -> String {
    path.strip_prefix(dir).unwrap_or(path).to_string_lossy().into_owned()
}

/// Files with identical bytes, in groups of two or more: each file with its part.
pub fn duplicates(parts: &[Part]) -> Vec<Vec<(&'static str, &ImageFile)>> {
    let mut all: Vec<(&'static str, &ImageFile)> =
        parts.iter().flat_map(|part| part.files.iter().map(|file| (part.name, file))).collect();
    all.retain(|(_, file)| !file.sha256.is_empty());
    all.sort_by(|(_, a), (_, b)| (&a.sha256, &a.path).cmp(&(&b.sha256, &b.path)));
    let mut groups: Vec<_> = all
        .chunk_by(|(_, a), (_, b)| a.sha256 == b.sha256)
        .filter(|group| group.len() > 1)
        .map(<[_]>::to_vec)
        .collect();
    groups.sort_by(|a, b| a[0].1.path.cmp(&b[0].1.path));
    groups
}

/// The name of a file, escaped for a terminal.
pub fn shown(path: &str) -> String {
    Foreign::new(path).to_string()
}
