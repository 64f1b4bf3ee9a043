//! Pictures as files: which kind, whole or not at all, the same each time.

use std::error::Error as _;
use std::fs;

use viz::{Error, Figure, Plot, Theme};

fn figure() -> Figure {
    Figure::new("Loss").y_label("loss").line("train", &[0.0, 1.0, 2.0], &[3.0, 2.0, 1.0])
}

#[test]
fn the_name_decides_the_kind() {
    let directory = tempfile::tempdir().expect("a directory");
    let (svg, png) = (directory.path().join("loss.svg"), directory.path().join("loss.PNG"));
    figure().save(&svg).expect("it can be written");
    figure().save(&png).expect("it can be written");
    assert_eq!(fs::read_to_string(svg).ok(), figure().svg(Theme::Auto).ok());
    let png = fs::read(png).expect("it was written");
    assert_eq!(png, figure().png(Theme::Light).expect("it can be drawn"));
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    // Width and height stand at the head of the first chunk: two pixels for each of the SVG's.
    assert_eq!((&png[16..20], &png[20..24]), (&1280u32.to_be_bytes()[..], &800u32.to_be_bytes()[..]));
    assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 2, "nothing else is left");

    let error = figure().save(directory.path().join("loss.jpeg")).expect_err("no such kind");
    assert!(matches!(error, Error::Extension { .. }));
    assert!(error.to_string().contains("loss.jpeg") && error.to_string().contains(".svg or .png"), "{error}");
}

#[test]
fn a_picture_that_cannot_be_made_leaves_the_old_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("loss.svg");
    figure().save(&path).expect("it can be written");
    let error = Figure::new("Loss").line("train", &[], &[]).save(&path).expect_err("there is no data");
    assert_eq!(error.to_string(), r#"plot "Loss": series "train" is empty, expected at least one value"#);
    assert_eq!(fs::read_to_string(&path).ok(), figure().svg(Theme::Auto).ok());

    let nowhere = directory.path().join("missing/loss.svg");
    let error = figure().save(&nowhere).expect_err("there is no such directory");
    assert!(error.to_string().contains("missing/loss.svg"), "{error}");
    assert!(error.source().is_some(), "the system's reason is kept");
    // A directory in the file's place: the picture is written beside it and cannot be moved there.
    let taken = directory.path().join("taken.svg");
    fs::create_dir(&taken).expect("a directory");
    assert!(matches!(figure().save(&taken), Err(Error::Write { .. })));
    assert_eq!(
        fs::read_dir(directory.path()).expect("a directory").count(),
        2,
        "nothing half-written is left"
    );
}

#[test]
fn the_same_numbers_give_the_same_bytes() {
    assert_eq!(figure().svg(Theme::Auto).expect("data"), figure().svg(Theme::Auto).expect("data"));
    assert_eq!(figure().png(Theme::Dark).expect("data"), figure().png(Theme::Dark).expect("data"));
    assert_ne!(figure().png(Theme::Dark).expect("data"), figure().png(Theme::Light).expect("data"));
}

#[test]
fn a_picture_needs_nothing_from_outside() {
    let svg = figure().svg(Theme::Auto).expect("data");
    for needed in ["font-family", "url(", "@import", "<script"] {
        assert!(!svg.contains(needed), "{needed}");
    }
    assert_eq!(svg.matches("http").count(), 1, "no address but that of the namespace");
    // The text is there to be found and read aloud, though it is the outlines that are seen.
    assert!(svg.contains(">train</text>") && svg.contains("<title>Loss</title>"));
}
