//! The figures in the README are those that the example makes.

#[allow(dead_code)]
#[path = "../../examples/gallery.rs"]
mod gallery;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use viz::{Plot, Theme};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/gallery");

#[test]
fn the_figures_are_those_that_the_example_makes() {
    for (name, plot) in gallery::plots() {
        let path = Path::new(DIRECTORY).join(format!("{name}.svg"));
        let kept = fs::read_to_string(&path).unwrap_or_default();
        let made = plot.svg(Theme::Auto).expect("the gallery has numbers");
        let difference = kept.lines().zip(made.lines()).enumerate().find(|(_, (kept, made))| kept != made);
        assert!(
            kept == made,
            "{} is not what the example makes; the first line that differs: {difference:?}. If that is as it \
             should be, look at the figures after `cargo run -p viz --example gallery`",
            path.display()
        );
    }
}

#[test]
fn the_readme_shows_each_figure_and_no_other() {
    let readme = include_str!("../../README.md");
    let shown: BTreeSet<&str> = readme
        .split("gallery/")
        .skip(1)
        .filter_map(|rest| rest.split_once(".svg"))
        .map(|(name, _)| name)
        .collect();
    let made: BTreeSet<&str> = gallery::plots().into_iter().map(|(name, _)| name).collect();
    assert_eq!(shown, made);
    let files = fs::read_dir(DIRECTORY).expect("the gallery is there");
    let kept: BTreeSet<String> = files
        .map(|file| file.expect("it can be listed").file_name().to_string_lossy().replace(".svg", ""))
        .collect();
    assert_eq!(kept.iter().map(String::as_str).collect::<BTreeSet<_>>(), made);
}
