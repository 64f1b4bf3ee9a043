//! A folder of image files: by class, or by part and class.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use data::{Dataset, ImageFolder, ImageShape, InMemory};
use foreign_text::{Foreign, shown_path};

use super::cache::{self, BrokenFile, ImageFile};
use super::{Images, Kind, MAX_CLASSES, Part, empty};

/// The only parts that a folder may have.
const PARTS: [&str; 3] = ["train", "val", "test"];

/// The name of a folder's images if it has no parts.
const ALL: &str = "all";

/// Reads the images in `dir` as `shape`; unreadable files are skipped if `skip_broken`.
pub(super) fn open(dir: &Path, shape: ImageShape, skip_broken: bool) -> Result<Images> {
    let mut notes = Vec::new();
    let mut parts = Vec::new();
    let mut read = |name: &'static str, folder: ImageFolder| -> Result<Box<dyn Dataset>> {
        let decoded = cache::decoded(&folder, dir, name, shape)?;
        notes.extend(decoded.note);
        check_broken(&decoded.broken, skip_broken)?;
        if decoded.labels.is_empty() {
            let part = if name == ALL { dir.to_owned() } else { dir.join(name) };
            bail!(no_image(&part, &decoded.broken));
        }
        let passed_over = folder.passed_over().iter().map(|path| relative(path, dir)).collect();
        parts.push(Part { name, files: decoded.files, broken: decoded.broken, passed_over });
        let classes = folder.class_names().to_vec();
        Ok(Box::new(InMemory::new(shape, decoded.pixels, decoded.labels, classes)))
    };
    let (train, validation, test) = if has_parts(dir)? {
        let folder = ImageFolder::open(dir.join("train"))?;
        let classes = folder.class_names().to_vec();
        let train = read("train", folder)?;
        let mut other = |name| -> Result<Box<dyn Dataset>> {
            let path = dir.join(name);
            if path.is_dir() {
                read(name, ImageFolder::open_part(path, &classes)?)
            } else {
                Ok(empty(&*train))
            }
        };
        let (validation, test) = (other("val")?, other("test")?);
        (train, validation, test)
    } else {
        let folder = ImageFolder::open(dir)?;
        let classes = folder.class_names().to_vec();
        ensure!(
            classes.len() <= MAX_CLASSES,
            "{}: {} folders of classes, expected at most {MAX_CLASSES}",
            shown_path(dir),
            classes.len()
        );
        let train = read(ALL, folder)?;
        let are_parts: Vec<&str> =
            PARTS.into_iter().filter(|part| classes.iter().any(|name| name == part)).collect();
        if are_parts.len() > 1 {
            notes.push(format!(
                "{}: the folders {} are read as classes; as parts they must hold folders of classes, with nothing \
                 else beside them",
                shown_path(dir),
                are_parts.join(" and ")
            ));
        }
        let (validation, test) = (empty(&*train), empty(&*train));
        (train, validation, test)
    };
    ensure!(train.class_names().len() > 1, "{}: expected two classes or more, found one", shown_path(dir));
    Ok(Images {
        name: format!("the images in {}", shown_path(dir)),
        kind: Kind::Folder,
        train,
        validation,
        test,
        default_epochs: 30,
        adam_lr: 1e-3,
        parts,
        notes,
    })
}

/// Whether the folder has a training part and another one, nothing else, and all hold folders of classes.
fn has_parts(dir: &Path) -> Result<bool> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| shown_path(dir))? {
        let entry = entry.with_context(|| shown_path(dir))?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let Some(part) = PARTS.iter().find(|part| name == **part) else { return Ok(false) };
        if !holds_folders(&entry.path()) {
            return Ok(false);
        }
        found.push(*part);
    }
    Ok(found.len() > 1 && found.contains(&"train"))
}

fn holds_folders(dir: &Path) -> bool {
    let is_class = |entry: std::io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| {
            !entry.file_name().as_encoded_bytes().starts_with(b".") && entry.path().is_dir()
        })
    };
    fs::read_dir(dir).is_ok_and(|mut entries| entries.any(is_class))
}

/// Returns an error that names the first unreadable file, unless such files are skipped.
fn check_broken(broken: &[BrokenFile], skip_broken: bool) -> Result<()> {
    match broken {
        [first, rest @ ..] if !skip_broken => {
            let more = match rest.len() {
                0 => String::new(),
                1 => "; 1 more file cannot be read".to_owned(),
                n => format!("; {n} more files cannot be read"),
            };
            bail!("{}{more} (--skip-broken leaves out what cannot be read)", first.problem)
        }
        _ => Ok(()),
    }
}

/// Why there is no image in `dir`: its first broken files.
fn no_image(dir: &Path, broken: &[BrokenFile]) -> String {
    const N_SHOWN: usize = 3;
    let named = shown_path(dir);
    if broken.is_empty() {
        return format!("{named}: there is no image in its folders");
    }
    let mut problems: Vec<String> = broken.iter().take(N_SHOWN).map(|file| file.problem.clone()).collect();
    if broken.len() > N_SHOWN {
        problems.push(format!("and {} more", broken.len() - N_SHOWN));
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
