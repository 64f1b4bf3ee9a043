//! Whether a folder of images has parts, and what keeps one that looks so from having them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use foreign_text::{Foreign, shown_path};

use super::ours::is_ours;

/// The only parts that a folder may have.
const PARTS: [&str; 3] = ["train", "val", "test"];

/// How a folder is read.
pub(super) enum Layout {
    /// As parts, each with folders of classes.
    Parts,
    /// As folders of classes; if some look like parts, with a warning.
    Classes(Option<String>),
}

/// An entry of the folder.
struct Entry {
    path: PathBuf,
    name: String,
    /// The part that its name stands for, if it is a folder.
    part: Option<&'static str>,
}

impl Entry {
    fn is_exact(&self) -> bool {
        self.part.is_some_and(|part| part == self.name)
    }
}

/// It has parts if there are a training part and another one, nothing else, and all hold folders of classes.
/// Hidden entries and [our own folders](is_ours) do not count.
pub(super) fn layout(dir: &Path) -> Result<Layout> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| shown_path(dir))? {
        let entry = entry.with_context(|| shown_path(dir))?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if !name.starts_with('.') && !is_ours(&path) {
            let part = if path.is_dir() { part_named(&name) } else { None };
            entries.push(Entry { path, name, part });
        }
    }
    entries
        .sort_by_key(|entry| (PARTS.iter().position(|part| Some(*part) == entry.part), entry.name.clone()));
    let is_part = |entry: &Entry| entry.is_exact() && holds_folders(&entry.path);
    let has_train = entries.iter().any(|entry| entry.name == PARTS[0]);
    Ok(match entries.len() > 1 && has_train && entries.iter().all(is_part) {
        true => Layout::Parts,
        false => Layout::Classes(warning(dir, &entries)),
    })
}

/// The part that a name stands for.
fn part_named(name: &str) -> Option<&'static str> {
    match &*name.to_lowercase() {
        "train" | "training" => Some(PARTS[0]),
        "val" | "valid" | "validation" => Some(PARTS[1]),
        "test" | "testing" => Some(PARTS[2]),
        _ => None,
    }
}

/// Names the folders that look like parts, and the entry that keeps them from being parts.
fn warning(dir: &Path, entries: &[Entry]) -> Option<String> {
    let alike: Vec<&Entry> = entries.iter().filter(|entry| entry.part.is_some()).collect();
    // A class may have such a name, too.
    if alike.len() < 2 && !alike.iter().any(|entry| holds_folders(&entry.path)) {
        return None;
    }
    let shown = |entry: &Entry| Foreign::new(&entry.name).to_string();
    let other = entries.iter().find(|entry| entry.part.is_none());
    let why = if let Some(entry) = alike.iter().find(|entry| !entry.is_exact()).filter(|_| entries.len() > 1)
    {
        format!("rename {} to {}", shown(entry), entry.part.unwrap_or_default())
    } else if let [only] = entries {
        let path = dir.join(&only.name);
        format!("{} alone is no part: give {}, or add val or test beside it", shown(only), shown_path(&path))
    } else if let Some(entry) = other {
        format!("{} is there, too: move it elsewhere", shown(entry))
    } else if let Some(entry) = alike.iter().find(|entry| !holds_folders(&entry.path)) {
        format!("{} holds no folders of classes", shown(entry))
    } else {
        "there is no train".to_owned()
    };
    let names: Vec<String> = alike.iter().map(|entry| shown(entry)).collect();
    let (folders, are, classes) = match names.len() {
        1 => ("folder", "is", "a class, not as a part"),
        _ => ("folders", "are", "classes, not as parts"),
    };
    Some(format!(
        "{}: the {folders} {} {are} read as {classes} of the data set: {why}",
        shown_path(dir),
        names.join(" and ")
    ))
}

fn holds_folders(dir: &Path) -> bool {
    let is_class = |entry: std::io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| {
            !entry.file_name().as_encoded_bytes().starts_with(b".") && entry.path().is_dir()
        })
    };
    fs::read_dir(dir).is_ok_and(|mut entries| entries.any(is_class))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of a folder, and the end of the warning: `None` for parts, "" for classes without a warning.
    #[test]
    fn what_looks_like_parts_and_is_none_is_told_with_the_entry_at_fault() {
        for (files, expected) in [
            (&["train/a/1", "val/a/1"][..], None),
            (&["train/a/1", "test/a/1", ".hidden"], None),
            (&["train/a/1", "test/a/1", "runs/x/config.json", "runs/x/checkpoints/1"], None),
            (&["cat/1", "dog/1", "test/1"], Some("")),
            (&["train/1", "bus/1", "car/1"], Some("")),
            (
                &["train/a/1", "valid/a/1"],
                Some("are read as classes, not as parts of the data set: rename valid to val"),
            ),
            (&["train/a/1", "val/a/1", "Test/a/1"], Some("rename Test to test")),
            (
                &["Train/a/1", "val/a/1"],
                Some(
                    "the folders Train and val are read as classes, not as parts of the data set: rename Train to train",
                ),
            ),
            (&["train/a/1", "val/a/1", "README.md"], Some("README.md is there, too: move it elsewhere")),
            (&["train/a/1", "val/1"], Some("val holds no folders of classes")),
            (&["val/a/1", "test/a/1"], Some("there is no train")),
            (&["train/a/1"], Some("train alone is no part: give DIR/train, or add val or test beside it")),
            (
                &["Training/a/1"],
                Some("Training alone is no part: give DIR/Training, or add val or test beside it"),
            ),
            (
                &["train/a/1", "other/1"],
                Some(
                    "the folder train is read as a class, not as a part of the data set: other is there, too: move it elsewhere",
                ),
            ),
        ] {
            let dir = tempfile::tempdir().unwrap();
            for file in files {
                let path = dir.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
            let found = match layout(dir.path()).unwrap() {
                Layout::Parts => None,
                Layout::Classes(warning) => {
                    Some(warning.unwrap_or_default().replace(&shown_path(dir.path()), "DIR"))
                }
            };
            match (&found, expected) {
                (Some(found), Some("")) => assert_eq!(found, "", "{files:?}"),
                (Some(found), Some(end)) => assert!(found.ends_with(end), "{files:?}: {found}"),
                (found, expected) => assert_eq!(found.as_deref(), expected, "{files:?}"),
            }
        }
    }
}
