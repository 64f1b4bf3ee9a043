//! The documents of the whole project: every link leads somewhere, and every path that is named exists.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Endings by which a word in backticks is known as the name of a file of this project.
const ENDINGS: [&str; 6] = [".rs", ".md", ".toml", ".py", ".css", ".svg"];

/// What a document tells its reader to make.
const TO_BE_MADE: [&str; 1] = ["src/neon.rs"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// All files of the project, seen from its root, without what is built, downloaded or hidden.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let is_ours = name == ".ci" || name == ".cargo" || !name.starts_with('.');
        if !is_ours
            || ["target", "datasets", "runs"].contains(&name.as_str()) && folder.as_os_str().is_empty()
        {
            continue;
        }
        let path = folder.join(&name);
        if !entry.file_type().unwrap().is_dir() {
            found.push(path);
        } else if name != "target" {
            files(&path, found);
        }
    }
}

/// What a test asks of a document.
#[derive(Default)]
struct Document {
    /// Where its links and images lead.
    links: Vec<String>,
    /// What stands in backticks.
    codes: Vec<String>,
    /// What its headings are called in links, as GitHub makes it.
    anchors: Vec<String>,
}

impl Document {
    fn parse(markdown: &str) -> Self {
        let (mut document, mut heading) = (Self::default(), None::<String>);
        for event in Parser::new_ext(markdown, Options::all()) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    document.links.push(dest_url.to_string());
                }
                Event::Start(Tag::Heading {
                    level: HeadingLevel::H1 | HeadingLevel::H2 | HeadingLevel::H3 | HeadingLevel::H4,
                    ..
                }) => {
                    heading = Some(String::new());
                }
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = anchor(&heading.take().unwrap_or_default());
                    let n_before = document.anchors.iter().filter(|found| **found == anchor).count();
                    document.anchors.push(if n_before == 0 {
                        anchor
                    } else {
                        format!("{anchor}-{n_before}")
                    });
                }
                Event::Code(text) => {
                    document.codes.push(text.to_string());
                    heading.iter_mut().for_each(|heading| heading.push_str(&text));
                }
                Event::Text(text) => heading.iter_mut().for_each(|heading| heading.push_str(&text)),
                _ => {}
            }
        }
        document
    }
}

/// Lower case, without punctuation, with dashes for spaces.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// All documents, by their path from the root.
fn documents() -> (Vec<PathBuf>, BTreeMap<PathBuf, Document>) {
    let mut all = Vec::new();
    files(Path::new(""), &mut all);
    all.push("datasets/README.md".into());
    let is_document = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "md");
    let parsed =
        |path: &PathBuf| (path.clone(), Document::parse(&fs::read_to_string(root().join(path)).unwrap()));
    let documents: BTreeMap<_, _> = all.iter().filter(is_document).map(parsed).collect();
    assert!(documents.len() > 30, "only {} documents were found", documents.len());
    (all, documents)
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let (_, documents) = documents();
    let mut broken = Vec::new();
    for (path, document) in &documents {
        // What is on the web is not asked for; names of items (`crate::Tensor`) are checked by rustdoc.
        let is_elsewhere = |link: &str| ["://", "mailto:", "::"].iter().any(|mark| link.contains(mark));
        for link in document.links.iter().filter(|link| !is_elsewhere(link)) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let here = root().join(path);
            let target = if file.is_empty() { here } else { here.with_file_name("").join(file) };
            let target = target.canonicalize().unwrap_or_default();
            let has_heading = || {
                let document = documents.get(target.strip_prefix(root()).ok()?)?;
                Some(document.anchors.iter().any(|anchor| anchor == heading))
            };
            let is_there = target.exists() && (heading.is_empty() || has_heading() == Some(true));
            if !is_there {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_path_that_is_named_exists() {
    let (all, documents) = documents();
    let top: Vec<String> =
        all.iter().filter_map(|path| Some(path.iter().next()?.to_str()?.to_owned())).collect();
    // What was changed or measured once is told in the names of that day.
    let is_of_its_day = |path: &Path| path.ends_with("CHANGELOG.md") || path.starts_with("docs/results");
    let mut missing = Vec::new();
    for (path, document) in documents.iter().filter(|(path, _)| !is_of_its_day(path)) {
        for code in &document.codes {
            let named = code.split([':', '#']).next().unwrap_or_default().trim_end_matches('/');
            let is_path = named.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
                && (named.split_once('/').is_some_and(|(first, _)| top.iter().any(|name| name == first))
                    || ENDINGS.iter().any(|ending| named.ends_with(ending) && named.len() > ending.len()));
            if !is_path || TO_BE_MADE.contains(&named) {
                continue;
            }
            // A path from the root or from the document, or the end of a path: `rules/adam.rs`.
            let ends_so = |found: &PathBuf| found.ancestors().any(|found| found.ends_with(named));
            let is_beside = root().join(path).parent().unwrap().join(named).exists();
            if !is_beside && !all.iter().any(ends_so) && !root().join(named).exists() {
                missing.push(format!("{}: `{code}`", path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "paths that do not exist:\n{}", missing.join("\n"));
}

#[test]
fn anchors_are_those_of_github() {
    let document = Document::parse("# A `b.rs` (c), d\n\n## E — f\n\n## E — f\n\n[x](y#z) ![p](q) `r/s`\n");
    assert_eq!(document.anchors, ["a-brs-c-d", "e--f", "e--f-1"]);
    assert_eq!(
        (document.links, document.codes),
        (vec!["y#z".into(), "q".into()], vec!["b.rs".into(), "r/s".into()])
    );
}
