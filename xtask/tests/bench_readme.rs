//! README's numbers are those of a committed run, to the letter.

use std::fs;
use std::path::{Path, PathBuf};

use xtask::bench::{chart_svg, results::Results, section};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").into()
}

/// What stands between the marks in README.md.
fn shown() -> String {
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md can be read");
    let (_, rest) = readme.split_once("<!-- bench:begin -->\n").expect("README.md has the first mark");
    let (shown, _) = rest.split_once("<!-- bench:end -->").expect("README.md has the second mark");
    shown.to_owned()
}

/// The committed runs, as paths from the root.
fn committed() -> Vec<PathBuf> {
    let Ok(folder) = fs::read_dir(root().join("benches/results")) else { return Vec::new() };
    let paths = folder.map(|entry| entry.expect("benches/results can be read").path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.map(|path| Path::new("benches/results").join(path.file_name().expect("a file"))).collect()
}

#[test]
fn readme_shows_a_committed_run_or_none() {
    let files = committed();
    let read = |file: &PathBuf| Results::read(&root().join(file)).unwrap_or_else(|error| panic!("{error:#}"));
    if files.is_empty() {
        assert_eq!(shown(), "", "README.md shows benchmarks, and benches/results holds none");
        return;
    }
    let Some(file) = files.iter().find(|&file| section(&read(file), file) == shown()) else {
        panic!("README.md shows none of {files:?}: run `cargo xtask bench --readme FILE`");
    };
    let chart = fs::read_to_string(root().join(file.with_extension("svg"))).ok();
    assert!(
        chart == chart_svg(&read(file)).expect("it can be drawn"),
        "the chart beside {file:?} is another run's"
    );
}
