//! The benchmarks in README.md and docs/PERFORMANCE.md are those of a committed run, to the letter.

use std::fs;
use std::path::{Path, PathBuf};

use xtask::bench::{SECTIONS, Section, chart_svg, results::Results};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").into()
}

/// The committed runs, as paths from the root.
fn committed() -> Vec<(PathBuf, Results)> {
    let folder = fs::read_dir(root().join("benches/results")).expect("there are results");
    let names = folder.map(|entry| entry.expect("benches/results can be read").file_name());
    let files = names.map(|name| Path::new("benches/results").join(name));
    let files = files.filter(|file| file.extension().is_some_and(|extension| extension == "json"));
    files
        .map(|file| match Results::read(&root().join(&file)) {
            Ok(results) => (file, results),
            Err(error) => panic!("{error:#}"),
        })
        .collect()
}

/// The run that a section shows; `None` where nothing of what it is about was measured yet, and it is empty.
fn shown_run<'a>(section: &Section, runs: &'a [(PathBuf, Results)]) -> Option<&'a (PathBuf, Results)> {
    let document = fs::read_to_string(root().join(section.document)).expect("the document can be read");
    let shown = section.shown(&document).unwrap_or_else(|error| panic!("{error:#}"));
    let about: Vec<_> = runs.iter().filter(|(file, results)| section.text(results, file).is_some()).collect();
    let run = about.iter().find(|(file, results)| section.text(results, file).as_deref() == Some(shown));
    let files: Vec<_> = about.iter().map(|(file, _)| file).collect();
    assert!(
        run.is_some() || about.is_empty() && shown.is_empty(),
        "{} shows none of {files:?}: run `cargo xtask bench --readme FILE`; it has\n{shown}",
        section.document
    );
    run.copied()
}

#[test]
fn each_section_shows_a_committed_run() {
    let runs = committed();
    let n_shown = SECTIONS.iter().filter_map(|section| shown_run(section, &runs)).count();
    assert!(n_shown >= 5, "only {n_shown} sections show anything");
}

#[test]
fn the_chart_of_the_readme_is_that_of_its_run() {
    let runs = committed();
    let [networks, ..] = &SECTIONS;
    let (file, results) = shown_run(networks, &runs).expect("the networks were measured");
    let chart = fs::read_to_string(root().join(file.with_extension("svg"))).ok();
    assert!(
        chart == chart_svg(results).expect("it can be drawn"),
        "the chart beside {file:?} is another run's"
    );
}
