//! Figures as files: which kind, all or nothing, the same each time.

use std::error::Error as _;
use std::fs;

use roxmltree::Document;
use viz::{Error, Figure, HeatMap, Plot, Theme};

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
    // A name cannot give orders to a terminal.
    let error = figure().save("\u{1b}[2J.jpeg").expect_err("no such kind");
    assert!(error.to_string().starts_with(r"\u{1b}[2J.jpeg: expected a file name"), "{error}");
    let error = figure().save("missing\u{1b}[2J/loss.svg").expect_err("no such directory");
    assert!(error.to_string().starts_with(r"missing\u{1b}[2J/loss.svg: cannot write"), "{error}");
}

#[test]
fn a_figure_that_cannot_be_made_leaves_the_old_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("loss.svg");
    figure().save(&path).expect("it can be written");
    let error = Figure::new("Loss").line("train", &[], &[]).save(&path).expect_err("there is no data");
    assert_eq!(error.to_string(), r#"plot "Loss": series "train" is empty, expected at least one value"#);
    assert_eq!(fs::read_to_string(&path).ok(), figure().svg(Theme::Auto).ok());

    let nowhere = directory.path().join("missing/loss.svg");
    let error = figure().save(&nowhere).expect_err("there is no such directory");
    assert!(error.to_string().contains("missing/loss.svg"), "{error}");
    assert!(error.source().is_some(), "the operating system's reason is kept");
    // A directory in the file's place: the figure is written beside it and cannot be moved there.
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
fn a_figure_needs_nothing_from_outside() {
    let svg = figure().svg(Theme::Auto).expect("data");
    for needed in ["font-family", "url(", "@import", "<script"] {
        assert!(!svg.contains(needed), "{needed}");
    }
    assert_eq!(svg.matches("http").count(), 1, "no address but that of the namespace");
    // The text is there to be found and read aloud, though it is the outlines that are seen.
    assert!(svg.contains(">train</text>") && svg.contains("<title>Loss</title>"));
}

/// What CairoSVG, Inkscape, librsvg, svglib and others see: they skip `@supports` or know no variables.
#[test]
fn a_reader_without_css_variables_sees_the_light_figure() {
    for theme in [Theme::Auto, Theme::Light, Theme::Dark] {
        let plots: [&dyn Plot; 2] = [&figure().y_rule("rule", 2.0), &HeatMap::new("map", 1, 2, &[0.0, 1.0])];
        for svg in plots.map(|plot| plot.svg(theme).expect("data")) {
            let document = Document::parse(&svg).expect("it is XML");
            let style = document.descendants().find(|node| node.has_tag_name("style"));
            let style = style.and_then(|style| style.text()).expect("a style element");
            let block = style.strip_prefix("@supports (--a:0){").expect("only for readers with variables");
            let mut depth = 1;
            let end = block.find(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                depth == 0
            });
            assert_eq!(end, Some(block.len() - 1), "nothing stands outside of it");
            assert!(!svg.replace(style, "").contains("var(") && !svg.contains(" style="));
            for node in document.descendants() {
                let Some(class) = node.attribute("class") else { continue };
                for (prefix, attribute) in [("f", "fill"), ("s", "stroke"), ("px", "image-rendering")] {
                    let has_class = class.strip_prefix(prefix).is_some_and(|idx| idx.parse::<u8>().is_ok())
                        || (class == prefix && prefix == "px");
                    assert!(!has_class || node.has_attribute(attribute), "{node:?}");
                }
            }
        }
    }
    let plain = |svg: String| -> Vec<String> {
        let document = Document::parse(&svg).expect("it is XML");
        let fills = document.descendants().filter_map(|node| node.attribute("fill").map(str::to_owned));
        fills.collect()
    };
    let [auto, light] = [Theme::Auto, Theme::Light].map(|theme| plain(figure().svg(theme).expect("data")));
    assert_eq!(auto, light);
}

#[test]
fn a_png_has_a_largest_size() {
    let error = figure().size(10_000, 10_000).png(Theme::Light).expect_err("it would take 1.6 GB");
    assert_eq!(
        error.to_string(),
        r#"plot "Loss": 10000 × 10000 pixels are too many for a PNG, expected at most 67108864 in all"#
    );
    assert!(figure().size(10_000, 10_000).svg(Theme::Light).is_ok());
}
