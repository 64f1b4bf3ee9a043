//! Which types implement `Op`, read from the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// The types with an `impl Op for` under a folder beside this crate's manifest; none if there is no such
/// folder. Examples in comments do not count.
pub(crate) fn implementors(folder: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let sources =
        rust_files(&root).into_iter().map(|path| fs::read_to_string(path).expect("a source is text"));
    let implementor = |line: &str| {
        let rest = line.trim_start().strip_prefix("impl ")?;
        let (op, rest) = rest.split_once(" for ")?;
        let name = rest.split(|c: char| !c.is_alphanumeric()).next()?;
        (op == "Op" || op.ends_with("::Op")).then(|| name.to_owned())
    };
    sources.flat_map(|text| text.lines().filter_map(implementor).collect::<Vec<_>>()).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("a folder can be listed").path());
    paths
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}
