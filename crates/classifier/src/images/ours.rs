//! Folders that this program made, which are no classes.

use std::fs;
use std::path::Path;

/// Whether the folder is one of results, or `runs/`: one of nothing but such folders.
pub(super) fn is_ours(dir: &Path) -> bool {
    if is_of_results(dir) {
        return true;
    }
    let Ok(entries) = fs::read_dir(dir) else { return false };
    let mut n_found = 0;
    for entry in entries {
        let Ok(entry) = entry else { return false };
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if !is_of_results(&entry.path()) {
            return false;
        }
        n_found += 1;
    }
    n_found > 0
}

/// Whether it is the folder of a run, a range test, a survey or an evaluation, by its files.
fn is_of_results(dir: &Path) -> bool {
    let has = |name: &str| dir.join(name).exists();
    [
        ["config.json", "checkpoints"],
        ["learning-rate.csv", "learning-rate.svg"],
        ["samples.svg", "samples.png"],
        ["evaluation.json", "confusion.svg"],
    ]
    .iter()
    .any(|names| names.iter().all(|name| has(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_told_from_classes_by_their_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = |path: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        ["runs/a/config.json", "runs/a/checkpoints/x", "runs/data-b/samples.svg", "runs/data-b/samples.png"]
            .into_iter()
            .for_each(file);
        ["cat/1.png", "empty/.hidden", "mixed/1.png", "mixed/a/config.json", "mixed/a/checkpoints/x"]
            .into_iter()
            .for_each(file);
        for (name, expected) in [
            ("runs", true),
            ("runs/a", true),
            ("cat", false),
            ("empty", false),
            ("mixed", false),
            ("no", false),
        ] {
            assert_eq!(is_ours(&dir.path().join(name)), expected, "{name}");
        }
    }
}
