//! The tables of README.md and docs/PERFORMANCE.md, generated from a results file.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::networks::Group;
use super::results::Results;
use super::{chart, networks, operations};

/// A part of a document that is generated from a results file, between `<!-- bench:NAME:begin -->` and
/// `<!-- bench:NAME:end -->`.
pub struct Section {
    /// The document, relative to the workspace's root.
    pub document: &'static str,
    name: &'static str,
    /// The text, if the results contain its subject.
    body: fn(&Results, &Path) -> Option<String>,
}

/// All of them. Networks that were measured on a processor with AMX, or without AVX-512, have sections of their own:
/// PyTorch's bfloat16 is a different competitor there.
pub const SECTIONS: [Section; 9] = [
    Section {
        document: "README.md",
        name: "networks",
        body: |results, file| in_readme(on(Processor::Avx512, results)?, file),
    },
    Section {
        document: "README.md",
        name: "larger-networks",
        body: |results, _| networks::short(on(Processor::Avx512, results)?, Group::Larger),
    },
    Section {
        document: "docs/PERFORMANCE.md",
        name: "all-networks",
        body: |results, _| networks::markdown(on(Processor::Avx512, results)?, Group::First),
    },
    Section {
        document: "docs/PERFORMANCE.md",
        name: "all-larger-networks",
        body: |results, _| networks::markdown(on(Processor::Avx512, results)?, Group::Larger),
    },
    Section {
        document: "docs/PERFORMANCE.md",
        name: "networks-with-amx",
        body: |results, _| {
            let intro =
                "On a processor with AMX, PyTorch's bfloat16 runs in the tile units, which f32 cannot use:";
            networks_on(Processor::Amx, intro, results)
        },
    },
    Section {
        document: "docs/PERFORMANCE.md",
        name: "networks-with-avx2",
        body: |results, _| {
            let intro = "On a processor without AVX-512, PyTorch emulates bfloat16; its modes in bf16 were measured in one \
                round only:";
            networks_on(Processor::Avx2, intro, results)
        },
    },
    Section {
        document: "docs/PERFORMANCE.md",
        name: "convolutions",
        body: |results, _| operations::convolutions(results),
    },
    Section {
        document: "docs/PERFORMANCE.md",
        name: "optimizers",
        body: |results, _| operations::optimizers(results),
    },
    Section {
        document: "docs/PERFORMANCE.md",
        name: "tensor",
        body: |results, _| operations::tensor_ops(results),
    },
];

/// Writes the results of `file` into the documents, and redraws the chart beside it.
///
/// # Errors
/// If the file cannot be read or is not in the workspace, or a document has no marks.
pub(super) fn update(root: &Path, file: &Path) -> Result<()> {
    let results = Results::read(file)?;
    let (root, file) = (fs::canonicalize(root)?, fs::canonicalize(file)?);
    let inside = file.strip_prefix(&root);
    let inside = inside.with_context(|| format!("{} does not lie in {}", file.display(), root.display()))?;
    chart::write(&results, &file.with_extension("svg"))?;
    for section in &SECTIONS {
        let Some(text) = section.text(&results, inside) else { continue };
        let path = root.join(section.document);
        let document =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        atomic_file::write(&path, section.replaced(&document, &text)?.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        // An older file may replace the table of a newer one: who does not want that must be able to see it.
        let [before, now] = [section.shown(&document)?, text.as_str()].map(source);
        if before != now {
            let before = before.map_or_else(|| "new".to_owned(), |before| format!("it was from {before}"));
            println!("{}, {}: from {} ({before})", section.document, section.name, inside.display());
        }
    }
    Ok(())
}

impl Section {
    /// The text between the marks for the results of `file`, a path relative to the workspace's root; `None`
    /// if they contain nothing for it.
    pub fn text(&self, results: &Results, file: &Path) -> Option<String> {
        let body = (self.body)(results, file)?;
        Some(format!("<!-- cargo xtask bench --readme {} -->\n{body}", file.display()))
    }

    /// The text between the marks in `document`.
    ///
    /// # Errors
    /// If there are no marks.
    pub fn shown<'a>(&self, document: &'a str) -> Result<&'a str> {
        Ok(self.split(document)?[1])
    }

    /// `document` with `text` between the marks.
    fn replaced(&self, document: &str, text: &str) -> Result<String> {
        let [before, _, after] = self.split(document)?;
        Ok(format!("{before}{text}{after}"))
    }

    /// The document before, between and after the marks.
    fn split<'a>(&self, document: &'a str) -> Result<[&'a str; 3]> {
        let mark = |place| format!("<!-- bench:{}:{place} -->", self.name);
        let find = |from: usize, mark: String| {
            let found = document[from..].find(&mark).map(|at| from + at..from + at + mark.len());
            found.with_context(|| format!("{} has no {mark} in its place", self.document))
        };
        let begin = find(0, mark("begin") + "\n")?;
        let end = find(begin.end, mark("end"))?;
        Ok([&document[..begin.end], &document[begin.end..end.start], &document[end.start..]])
    }
}

/// The file that the text of a section was made from.
fn source(text: &str) -> Option<&str> {
    text.lines().next()?.strip_prefix("<!-- cargo xtask bench --readme ")?.strip_suffix(" -->")
}

fn in_readme(results: &Results, file: &Path) -> Option<String> {
    let chart = file.with_extension("svg");
    let table = networks::short(results, Group::First)?;
    Some(format!("{table}\n![Training throughput of the CNN]({})\n", chart.display()))
}

/// The processors that differ in how PyTorch computes in bfloat16.
#[derive(Clone, Copy, PartialEq)]
enum Processor {
    /// Without instructions for it.
    Avx2,
    /// With vectors.
    Avx512,
    /// In tiles.
    Amx,
}

/// The results, if they are from such a processor.
fn on(processor: Processor, results: &Results) -> Option<&Results> {
    let theirs = if results.machine.has("amx_bf16") {
        Processor::Amx
    } else if results.machine.has("avx512f") {
        Processor::Avx512
    } else {
        Processor::Avx2
    };
    (theirs == processor).then_some(results)
}

/// The tables of all networks under a sentence, if they were measured on such a processor.
fn networks_on(processor: Processor, intro: &str, results: &Results) -> Option<String> {
    let results = on(processor, results)?;
    let tables = [Group::First, Group::Larger].map(|group| networks::markdown(results, group));
    let tables: Vec<_> = tables.into_iter().flatten().collect();
    (!tables.is_empty()).then(|| format!("{intro}\n\n{}", tables.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::sample;
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_changes() -> Result<()> {
        let [networks, ..] = SECTIONS;
        let document = "# A\n<!-- bench:networks:begin -->\nold\n<!-- bench:networks:end -->\nB\n";
        let once = networks.replaced(document, "new\n")?;
        assert_eq!(once, "# A\n<!-- bench:networks:begin -->\nnew\n<!-- bench:networks:end -->\nB\n");
        assert_eq!(networks.replaced(&once, "new\n")?, once);
        assert_eq!(networks.shown(&once)?, "new\n");
        let no_begin = networks.replaced("# A\n", "new\n").unwrap_err().to_string();
        assert!(no_begin.contains("README.md has no <!-- bench:networks:begin -->"), "{no_begin}");
        let no_end = networks.shown("<!-- bench:networks:begin -->\n").unwrap_err().to_string();
        assert!(no_end.contains("bench:networks:end"), "{no_end}");
        Ok(())
    }

    #[test]
    fn the_documents_and_the_chart_come_from_the_file() -> Result<()> {
        let root = tempfile::tempdir()?;
        let results = sample([400.0, 320.0, 360.0]);
        let file = root.path().join("benches/results/x.json");
        results.write(&file)?;
        let readme = root.path().join("README.md");
        fs::write(&readme, "<!-- bench:networks:begin -->\n<!-- bench:networks:end -->")?;
        let performance = root.path().join("docs/PERFORMANCE.md");
        fs::create_dir_all(root.path().join("docs"))?;
        // Its other sections were not measured, so their markers need not exist.
        fs::write(&performance, "<!-- bench:all-networks:begin -->\n<!-- bench:all-networks:end -->")?;
        update(root.path(), &file)?;
        let readme = fs::read_to_string(readme)?;
        let [networks, _, all_networks, ..] = SECTIONS;
        assert!(all_networks.shown(&fs::read_to_string(performance)?)?.contains("(3.00–4.00)"));
        let expected = networks.text(&results, Path::new("benches/results/x.json"));
        assert_eq!(Some(networks.shown(&readme)?), expected.as_deref());
        assert_eq!(source(networks.shown(&readme)?), Some("benches/results/x.json"));
        let svg = fs::read_to_string(file.with_extension("svg"))?;
        assert!(svg.contains("Descent") && svg.contains("PyTorch"));
        Ok(())
    }
}
