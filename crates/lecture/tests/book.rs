//! The book in `docs/`: everything it quotes, links and shows exists, and its figures are those that the
//! lecture draws.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lecture::AnyExperiment;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A figure of the book and the README: its file in `docs/figures`, the experiment that draws it, its name there, and
/// how much of it is the same on every processor.
const FIGURES: &[(&str, &str, &str, Same)] = &[
    ("early-stopping.svg", "early-stopping", "losses", Same::Words),
    ("activations.svg", "activations", "functions", Same::WithinAPixel),
    ("gradient-norms.svg", "gradient-norms", "norms", Same::WithinAPixel),
    ("minima.svg", "minima", "curves", Same::Bytes),
    ("saddle.svg", "minima", "saddle", Same::Bytes),
    ("learning-rate.svg", "learning-rate", "paths", Same::Bytes),
    ("valleys.svg", "valleys", "from-10", Same::Bytes),
    ("momentum.svg", "momentum", "paths", Same::Bytes),
    ("rmsprop.svg", "rmsprop", "paths", Same::Bytes),
    ("adam-correction.svg", "adam", "correction", Same::Bytes),
    ("adam-raw.svg", "adam", "raw", Same::Bytes),
    ("adam-corrected.svg", "adam", "corrected", Same::Bytes),
    ("rosenbrock.svg", "surfaces", "rosenbrock", Same::Bytes),
    ("dropout.svg", "dropout", "uncertainty", Same::Words),
    ("relu-stack.svg", "relu-stack", "variance", Same::Words),
    ("samples.svg", "samples", "images", Same::Bytes),
    ("tuning.svg", "tuning", "trials", Same::Words),
    ("weight-decay.svg", "weight-decay", "losses", Same::Words),
];

/// What two drawings of a figure have in common.
#[derive(Clone, Copy, PartialEq)]
enum Same {
    /// Everything.
    Bytes,
    /// Everything up to rounding: each line is within a pixel of the other drawing's.
    WithinAPixel,
    /// Title, axes and legend; results of training differ between processors.
    Words,
}

impl Same {
    fn holds(self, kept: &str, drawn: &str) -> bool {
        match self {
            Self::Bytes => kept == drawn,
            Self::WithinAPixel => {
                let ((kept, kept_paths), (drawn, drawn_paths)) = (paths(kept), paths(drawn));
                let is_close = |(a, b): (&Vec<[i64; 2]>, &Vec<[i64; 2]>)| {
                    let apart =
                        |(a, b): (&[i64; 2], &[i64; 2])| (0..2).all(|axis| (a[axis] - b[axis]).abs() <= 20);
                    a.len() == b.len() && a.iter().zip(b).all(apart)
                };
                let ((kept_frame, kept_places), (drawn_frame, drawn_places)) =
                    (numbers(&kept), numbers(&drawn));
                words(&kept) == words(&drawn)
                    && kept_frame == drawn_frame
                    && kept_places.iter().zip(&drawn_places).all(|(a, b)| (a - b).abs() <= 20.0)
                    && kept_paths.len() == drawn_paths.len()
                    && kept_paths.iter().zip(&drawn_paths).all(is_close)
            }
            Self::Words => words(kept) == words(drawn),
        }
    }
}

/// An SVG of `viz` without its stroked lines, and the points of each of those, in twentieths of a pixel.
fn paths(svg: &str) -> (String, Vec<Vec<[i64; 2]>>) {
    let (mut rest, mut paths) = (String::new(), Vec::new());
    for line in svg.lines() {
        let data = line.strip_prefix("<path d=\"M").and_then(|line| line.split_once("\" stroke="));
        let Some((data, style)) = data.filter(|(data, _)| !data.contains(['h', 'z'])) else {
            rest += line;
            continue;
        };
        rest += style;
        let (mut at, mut points) = ([0, 0], Vec::new());
        for segment in data.split('l') {
            let numbers = segment.replace('-', " -");
            let mut numbers = numbers.split_whitespace().map(|number| number.parse::<i64>().unwrap());
            at = at.map(|x| x + numbers.next().unwrap());
            points.push(at);
        }
        paths.push(points);
    }
    (rest, paths)
}

/// A text with its numbers taken out, and the numbers.
fn numbers(text: &str) -> (String, Vec<f64>) {
    let (mut rest, mut numbers, mut at) = (String::new(), Vec::new(), text);
    while let Some(start) = at.find(|c: char| c.is_ascii_digit()) {
        let after = &at[start..];
        let len = after.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(after.len());
        let is_negative = at[..start].ends_with('-');
        rest += at[..start].trim_end_matches('-');
        rest.push('#');
        let size = after[..len].trim_end_matches('.').parse().unwrap_or(f64::NAN);
        numbers.push(if is_negative { -size } else { size });
        at = &after[len..];
    }
    (rest + at, numbers)
}

/// The text of an SVG of `viz`.
fn words(svg: &str) -> Vec<&str> {
    svg.split("</text>").filter_map(|before| Some(before.rsplit_once("opacity=\"0\">")?.1)).collect()
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The Markdown files of the book, relative to `docs`.
fn chapters() -> Vec<PathBuf> {
    links(&read(&docs().join("SUMMARY.md"))).into_iter().map(PathBuf::from).collect()
}

/// The targets of a page's links and images.
fn links(markdown: &str) -> Vec<String> {
    let parser = Parser::new_ext(markdown, Options::all());
    let target = |event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.to_string()),
        _ => None,
    };
    parser.filter_map(target).collect()
}

/// The code blocks of a page: language line and text.
fn code_blocks(markdown: &str) -> Vec<(String, String)> {
    let (mut blocks, mut open) = (Vec::new(), None);
    for event in Parser::new_ext(markdown, Options::all()) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                open = Some((language.to_string(), String::new()));
            }
            Event::Text(text) => {
                if let Some((_, code)) = &mut open {
                    *code += &text;
                }
            }
            Event::End(TagEnd::CodeBlock) => blocks.extend(open.take()),
            _ => {}
        }
    }
    blocks
}

/// The lines between the marks of an anchor, without marks.
fn anchored(source: &str, name: &str) -> Option<String> {
    let is_mark = |line: &str, kind: &str| line.trim() == format!("// {kind}: {name}");
    let starts = source.lines().filter(|line| is_mark(line, "ANCHOR")).count();
    let ends = source.lines().filter(|line| is_mark(line, "ANCHOR_END")).count();
    if (starts, ends) != (1, 1) {
        return None;
    }
    let after = source.lines().skip_while(|line| !is_mark(line, "ANCHOR")).skip(1);
    let inside = after.take_while(|line| !is_mark(line, "ANCHOR_END"));
    Some(inside.map(|line| format!("{line}\n")).collect())
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let listed: BTreeSet<PathBuf> = chapters().into_iter().collect();
    let (mut folders, mut n_pages) = (vec![docs()], 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let page = path.strip_prefix(docs()).unwrap();
            let is_page = page.extension().is_some_and(|extension| extension == "md");
            if is_page && page != Path::new("SUMMARY.md") {
                assert!(listed.contains(page), "SUMMARY.md does not list {}", page.display());
                n_pages += 1;
            }
        }
    }
    assert_eq!(n_pages, listed.len());
}

#[test]
fn every_link_and_every_figure_is_there() {
    for chapter in chapters() {
        let path = docs().join(&chapter);
        for link in links(&read(&path)) {
            if link.starts_with("http") || link.starts_with('#') {
                continue;
            }
            let target = path.parent().unwrap().join(link.split('#').next().unwrap());
            assert!(target.exists(), "{}: {link} leads nowhere", chapter.display());
            // mdBook takes only what is in its folder.
            let inside = target.canonicalize().unwrap().starts_with(docs().canonicalize().unwrap());
            assert!(
                inside || chapter.parent() != Some(Path::new("book")),
                "{}: {link} leaves docs/",
                chapter.display()
            );
        }
    }
}

#[test]
fn every_quote_is_there_and_quotes_are_all_that_is_not_compiled() {
    let crate_root = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"));
    let mut n_quotes = 0;
    for chapter in chapters() {
        let path = docs().join(&chapter);
        if chapter.parent() != Some(Path::new("book")) {
            continue;
        }
        let text = read(&path);
        let (quoted, n_quotes_here) = quoted(&text, path.parent().unwrap());
        if write() {
            fs::write(&path, &quoted).unwrap();
        }
        assert!(
            quoted == read(&path),
            "{} does not quote what the sources have; BOOK_FIGURES=write makes it so",
            chapter.display()
        );
        let mut n_ignored = 0;
        for (language, code) in code_blocks(&text) {
            match language.as_str() {
                "rust,ignore" => n_ignored += 1,
                "rust" => {
                    let page = format!("docs/{}", chapter.display());
                    assert!(crate_root.contains(&page), "{page} has code that src/lib.rs does not compile");
                }
                "console" | "math" => {}
                _ => panic!("{}: a block of {language:?}: {code}", chapter.display()),
            }
        }
        assert_eq!(
            n_ignored,
            n_quotes_here,
            "{}: code that is neither quoted nor compiled",
            chapter.display()
        );
        n_quotes += n_quotes_here;
    }
    assert!(n_quotes > 15, "only {n_quotes} quotes were found");
}

/// A page with each block after a `<!-- quote FILE:ANCHOR -->` filled from the source, and the number of
/// blocks.
fn quoted(page: &str, folder: &Path) -> (String, usize) {
    let (mut text, mut n_quotes, mut lines) = (String::new(), 0, page.lines());
    while let Some(line) = lines.next() {
        text += &format!("{line}\n");
        let quote = line.strip_prefix("<!-- quote ").and_then(|rest| rest.strip_suffix(" -->"));
        let Some(quote) = quote else { continue };
        let (file, anchor) = quote.split_once(':').expect("quotes name an anchor");
        let source = anchored(&read(&folder.join(file)), anchor);
        let source = source.unwrap_or_else(|| panic!("{quote}: not one pair of marks"));
        assert!(source.lines().count() > 2 && !source.contains("ANCHOR"), "{quote}: {source}");
        assert_eq!(lines.next(), Some("```rust,ignore"), "{quote}");
        lines.find(|line| *line == "```").unwrap_or_else(|| panic!("{quote}: its block does not end"));
        text += &format!("```rust,ignore\n{source}```\n");
        n_quotes += 1;
    }
    (text, n_quotes)
}

/// Whether to rewrite the book.
fn write() -> bool {
    std::env::var("BOOK_FIGURES").is_ok_and(|value| value == "write")
}

#[test]
fn every_formula_is_tex_and_every_link_leads_to_a_page_of_the_book() {
    let listed: BTreeSet<PathBuf> = chapters().into_iter().collect();
    let mut n_formulas = 0;
    for chapter in chapters() {
        let page = lecture::book_page(&read(&docs().join(&chapter)), &chapter);
        assert!(!page.contains("```math"), "{}", chapter.display());
        n_formulas += page.matches("<div class=\"formula\"><math").count();
        for link in links(&page).iter().filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let target = link.split('#').next().unwrap().replace("index.md", "README.md");
            let path = docs().join(&chapter).parent().unwrap().join(&target).canonicalize();
            let path = path.unwrap_or_else(|e| panic!("{}: {link}: {e}", chapter.display()));
            let path = path.strip_prefix(docs().canonicalize().unwrap()).unwrap().to_owned();
            let is_page = path.extension().is_some_and(|ending| ending == "md");
            assert!(
                !is_page || listed.contains(&path),
                "{}: {link} is no page of the book",
                chapter.display()
            );
        }
    }
    assert!(n_formulas > 25, "{n_formulas} formulas");
}

#[test]
fn a_chapter_of_the_lecture_has_what_the_introduction_promises() {
    let summary = read(&docs().join("SUMMARY.md"));
    let lecture = summary.split("# A network that reads").next().unwrap();
    for chapter in links(lecture).iter().filter(|link| link.starts_with("book/")) {
        let text = read(&docs().join(chapter));
        let is_end_to_end = ["book/linear.md", "book/layer-norm.md"].contains(&chapter.as_str());
        assert!(text.contains("```math"), "{chapter} has no formula");
        assert!(is_end_to_end || text.contains("!["), "{chapter} has no picture");
        assert!(text.contains("<!-- quote "), "{chapter} has no code");
    }
}

#[test]
fn mdbook_gets_the_book_back_with_formulas() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let run = |arguments: &[&str], input: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mdbook-formulas"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    assert!(run(&["supports", "html"], "").0 && !run(&["supports", "epub"], "").0);
    let chapter = |content: &str, within: &str| {
        format!(
            "{{\"Chapter\":{{\"name\":\"a\",\"content\":\"{content}\",\"sub_items\":[{within}],\"path\":\"book/a.md\"}}}}"
        )
    };
    let book = chapter("```math\\nx^2\\n```", &chapter("[b](../results/README.md)", ""));
    let (is_well, made) = run(&[], &format!("[{{\"root\":\"docs\"}},{{\"items\":[{book}]}}]"));
    assert!(is_well && made.contains("<msup>") && made.contains("../results/index.md"), "{made}");
    assert!(!run(&[], "{}").0);
}

#[test]
fn quotes_are_cut_out_between_their_marks() {
    let source = "a\n  // ANCHOR: x\n  b\n  c\n  // ANCHOR_END: x\nd\n// ANCHOR: y\n";
    assert_eq!(anchored(source, "x").unwrap(), "  b\n  c\n");
    assert_eq!(anchored(source, "y"), None);
    assert_eq!(anchored(source, "z"), None);
}

#[test]
fn drawings_that_differ_are_told_apart() {
    let drawing = |end: i64, name: &str| {
        format!(
            "<svg>\n<path d=\"M10 20l3-5l{end} 0\" stroke=\"red\"/>\n<text opacity=\"0\">{name}</text>\n</svg>\n"
        )
    };
    assert_eq!(paths(&drawing(-3, "x")).1, [[[10, 20], [13, 15], [10, 15]]]);
    assert_eq!(numbers("M10-5l0.5 x"), ("M##l# x".into(), vec![10.0, -5.0, 0.5]));
    for (same, end, name, holds) in [
        (Same::Bytes, 40, "x", true),
        (Same::Bytes, 41, "x", false),
        (Same::WithinAPixel, 60, "x", true),
        (Same::WithinAPixel, 61, "x", false),
        (Same::WithinAPixel, 40, "y", false),
        (Same::WithinAPixel, 40, "1", false),
        (Same::Words, 99, "x", true),
        (Same::Words, 40, "y", false),
    ] {
        assert_eq!(same.holds(&drawing(40, "x"), &drawing(end, name)), holds, "{end} {name}");
    }
}

/// Draws the figures, and compares them with those in `docs/figures`; `BOOK_FIGURES=write` puts them there.
#[test]
fn the_figures_are_those_of_the_lecture() {
    let names: BTreeSet<&str> = FIGURES.iter().map(|file| file.1).collect();
    let command = <AnyExperiment as clap::Subcommand>::augment_subcommands(clap::Command::new("lecture"));
    let all: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    for (name, experiment) in all.iter().zip(AnyExperiment::all()) {
        if !names.contains(name.as_str()) {
            continue;
        }
        let section = experiment.run().unwrap();
        for (file, _, figure, same) in FIGURES.iter().filter(|file| file.1 == name) {
            let svg = section.files().find(|(found, _)| *found == format!("{figure}.svg"));
            let (_, svg) = svg.unwrap_or_else(|| panic!("lecture {name} draws no {figure}"));
            let path = docs().join("figures").join(file);
            if write() {
                fs::write(&path, svg).unwrap();
            }
            assert!(
                same.holds(&read(&path), std::str::from_utf8(svg).unwrap()),
                "docs/figures/{file} is not what `lecture {name}` draws; BOOK_FIGURES=write makes it so"
            );
        }
    }
    for file in fs::read_dir(docs().join("figures")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(FIGURES.iter().any(|figure| figure.0 == name), "docs/figures/{name} is nobody's");
    }
}
