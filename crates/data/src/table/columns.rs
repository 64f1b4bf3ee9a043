//! The role of each column of a CSV file.

use std::path::Path;

use csv::ByteRecord;
use foreign_text::Foreign;

use super::options::{Csv, CsvColumn};
use crate::Error;

/// The role of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Use {
    Feature,
    Target,
    Label,
    None,
}

/// The columns of a file, determined from its first line.
pub(super) struct Columns<'t> {
    pub(super) path: &'t Path,
    names: Vec<String>,
    pub(super) uses: Vec<Use>,
}

impl<'t> Columns<'t> {
    pub(super) fn new(options: &Csv, path: &'t Path, first: &ByteRecord, line: u64) -> Result<Self, Error> {
        let names: Vec<String> = if options.has_header {
            first.iter().map(|name| String::from_utf8_lossy(name).trim().to_string()).collect()
        } else {
            Vec::new()
        };
        let mut columns = Self { path, names, uses: vec![Use::Feature; first.len()] };
        let label = options.label.iter().map(|column| (column, Use::Label));
        let targets = options.targets.iter().map(|column| (column, Use::Target));
        let left_out = options.left_out.iter().map(|column| (column, Use::None));
        for (column, used) in label.chain(targets).chain(left_out) {
            let at = columns.find(column).map_err(|(at, problem)| columns.fail(line, at, problem))?;
            if columns.uses[at] != Use::Feature {
                return Err(columns.fail(line, Some(at), "a column cannot have two roles"));
            }
            columns.uses[at] = used;
        }
        if columns.uses.iter().all(|&used| used == Use::None) {
            let problem = "every column is left out: keep one as a feature, a target or the class";
            return Err(columns.fail(line, None, problem));
        }
        Ok(columns)
    }

    /// The index of a column; or what is wrong, with the column at fault, if there is one.
    fn find(&self, column: &CsvColumn) -> Result<usize, (Option<usize>, String)> {
        match column {
            CsvColumn::Index(idx) if *idx < self.uses.len() => Ok(*idx),
            CsvColumn::Index(idx) => {
                let n = self.uses.len();
                let s = if n == 1 { "" } else { "s" };
                Err((None, format!("expected a column with index {idx}, found {n} column{s}")))
            }
            CsvColumn::Name(name) => {
                let mut found = (0..self.names.len()).filter(|&at| self.names[at] == *name);
                match (found.next(), found.next()) {
                    (Some(at), None) => Ok(at),
                    (Some(first), Some(second)) => {
                        let problem = format!("column {} has the same name; expected one of them", first + 1);
                        Err((Some(second), problem))
                    }
                    (None, _) => {
                        let (name, found) = (Foreign::new(name), listed(&self.names));
                        Err((None, format!("expected a column {name}, found {found}")))
                    }
                }
            }
        }
    }

    /// The names in the header; none if the file has no header.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of a column, from 1, and its name.
    pub(super) fn place(&self, at: usize) -> String {
        place(&self.names, at)
    }

    pub(super) fn fail(&self, line: u64, at: Option<usize>, problem: impl Into<Problem>) -> Error {
        fail(self.path, &self.names, line, at, problem)
    }
}

/// What is wrong, and the option of `Csv` that allows it, if there is one.
pub(super) struct Problem {
    pub(super) text: String,
    pub(super) remedy: Option<&'static str>,
}

impl<T: Into<String>> From<T> for Problem {
    fn from(text: T) -> Self {
        Self { text: text.into(), remedy: None }
    }
}

/// An error in a line and, with an index in `at`, a column.
pub(super) fn fail(
    path: &Path,
    names: &[String],
    line: u64,
    at: Option<usize>,
    problem: impl Into<Problem>,
) -> Error {
    let place = at.map_or(format!("line {line}"), |at| format!("line {line}, column {}", place(names, at)));
    let Problem { text: problem, remedy } = problem.into();
    Error::Csv { path: path.to_path_buf(), place, problem, remedy }
}

/// The number of a column, from 1, and its name.
fn place(names: &[String], at: usize) -> String {
    match names.get(at) {
        Some(name) => format!("{} ({})", at + 1, Foreign::new(name)),
        None => (at + 1).to_string(),
    }
}

/// Joins names for use in a sentence.
pub(super) fn listed(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(20).map(|name| Foreign::new(name).to_string()).collect();
    let more = if names.len() > shown.len() { ", …" } else { "" };
    shown.join(", ") + more
}
