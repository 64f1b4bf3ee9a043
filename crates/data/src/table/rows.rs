//! Reading the rows of a CSV file into fields and classes.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use foreign_text::Foreign;

use super::columns::{Columns, Problem, Use, fail, listed};
use super::options::Csv;
use super::quotes;
use crate::{Error, Records, class_names};

/// The data read from a file so far.
pub(super) struct Table<'t> {
    columns: Columns<'t>,
    n_rows: usize,
    features: Vec<f32>,
    targets: Vec<f32>,
    /// What each column loses as f32.
    losses: Vec<Loss>,
    /// The values in the class column, with their lines.
    labels: Vec<(String, u64)>,
}

impl<'t> Table<'t> {
    pub(super) fn read(options: &Csv, path: &'t Path, mut reader: impl io::Read) -> Result<Self, Error> {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).map_err(Error::io(path))?;
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text); // a byte order mark
        let mut rows = ReaderBuilder::new()
            .delimiter(options.delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(text);
        let mut lines = Lines { text, at: 0, line: 1 };
        let mut row = ByteRecord::new();
        let mut table: Option<Self> = None;
        while rows.read_byte_record(&mut row).map_err(|error| Error::io(path)(io::Error::other(error)))? {
            let line = lines.of(&row);
            let bytes = &text[lines.at..rows.position().byte() as usize];
            quotes::check(bytes, options.delimiter).map_err(|(at, problem)| {
                let names = table.as_ref().map_or(&[][..], |table| table.columns.names());
                fail(path, names, line, Some(at), problem)
            })?;
            let table = match &mut table {
                Some(table) => table,
                None => {
                    let first = table.insert(Self::new(Columns::new(options, path, &row, line)?));
                    if options.has_header {
                        continue;
                    }
                    first
                }
            };
            table.push(options, &row, line)?;
        }
        table.filter(|table| table.n_rows > 0).ok_or_else(|| Error::Csv {
            path: path.to_path_buf(),
            place: "line 1".into(),
            problem: "expected rows, found none".into(),
            remedy: None,
        })
    }

    fn new(columns: Columns<'t>) -> Self {
        let losses = vec![Loss::default(); columns.uses.len()];
        Self { columns, n_rows: 0, features: Vec::new(), targets: Vec::new(), losses, labels: Vec::new() }
    }

    fn push(&mut self, options: &Csv, row: &ByteRecord, line: u64) -> Result<(), Error> {
        let columns = &self.columns;
        let (n_expected, n_found) = (columns.uses.len(), row.len());
        if n_found != n_expected {
            let s = if n_expected == 1 { "" } else { "s" };
            let end = match n_found < n_expected {
                true => "the row ends before this column",
                false => "the surplus begins here",
            };
            let problem = format!("expected {n_expected} cell{s}, found {n_found}: {end}");
            return Err(columns.fail(line, Some(n_found.min(n_expected)), problem));
        }
        for (at, (cell, column)) in row.iter().zip(&columns.uses).enumerate() {
            let text = || {
                let text = std::str::from_utf8(cell).map(str::trim);
                text.map_err(|_| columns.fail(line, Some(at), "expected text in UTF-8"))
            };
            let losses = &mut self.losses[at];
            let mut number = || -> Result<f32, Error> {
                let number = number(text()?, options.missing);
                let number = number.map_err(|problem| columns.fail(line, Some(at), problem))?;
                let unrounded = text()?.parse().ok().filter(|x: &f64| x.is_finite());
                losses.add(unrounded.unwrap_or(number.into()), number);
                Ok(number)
            };
            match column {
                Use::Feature => self.features.push(number()?),
                Use::Target => self.targets.push(number()?),
                Use::Label if is_missing(text()?) => {
                    let problem = format!("expected a class, found {}", found(text()?));
                    return Err(columns.fail(line, Some(at), problem));
                }
                Use::Label => {
                    class_names::check(text()?).map_err(|problem| columns.fail(line, Some(at), problem))?;
                    self.labels.push((text()?.to_string(), line));
                }
                Use::None => {}
            }
        }
        self.n_rows += 1;
        Ok(())
    }

    /// The names of the features' columns; none without a header.
    fn feature_names(&self) -> Vec<String> {
        let named = self.columns.names().iter().zip(&self.columns.uses);
        named.filter(|(_, column)| **column == Use::Feature).map(|(name, _)| name.clone()).collect()
    }

    /// A sentence for each column whose numbers f32 can hardly tell apart.
    fn warnings(&self) -> Vec<String> {
        let large = self.losses.iter().enumerate().filter(|(_, loss)| loss.is_large());
        let sentence = |(at, loss): (usize, &Loss)| {
            let (place, Loss { min, max, .. }) = (self.columns.place(at), loss);
            match min.abs().max(max.abs()) < f32::MIN_POSITIVE.into() {
                true => format!(
                    "column {place}: the numbers from {min:e} to {max:e} are too small for f32; multiply all of them by \
                     a large number"
                ),
                false => format!(
                    "column {place}: the numbers from {min} to {max} are so close together that f32 can hardly tell \
                     them apart; subtract {} from all of them",
                    min.floor()
                ),
            }
        };
        large.map(sentence).collect()
    }

    pub(super) fn into_records(self, options: &Csv) -> Result<Records, Error> {
        let n_of = |wanted: Use| self.columns.uses.iter().filter(|&&found| found == wanted).count();
        let (n_features, n_targets, n_labels) = (n_of(Use::Feature), n_of(Use::Target), n_of(Use::Label));
        let mut records = Records::new().with_columns(self.feature_names(), self.warnings());
        if n_features > 0 {
            records = records.with_f32("features", &[n_features], self.features);
        }
        if n_targets > 0 {
            records = records.with_f32("targets", &[n_targets], self.targets);
        }
        if n_labels == 0 {
            return Ok(records);
        }
        let class_names = match &options.class_names {
            Some(known) => known.clone(),
            None => names_of(&self.labels).map_err(|(line, problem)| {
                let at = self.columns.uses.iter().position(|&column| column == Use::Label);
                self.columns.fail(line, at, problem)
            })?,
        };
        class_names::check_all(&class_names)
            .map_err(|problem| Error::ClassNames { path: self.columns.path.to_path_buf(), problem })?;
        let labels_by_name: HashMap<&str, u32> = class_names.iter().map(String::as_str).zip(0..).collect();
        let label = |(name, line): &(String, u64)| {
            labels_by_name.get(name.as_str()).copied().ok_or_else(|| {
                let at = self.columns.uses.iter().position(|&column| column == Use::Label);
                let problem =
                    format!("expected one of {}, found \"{}\"", listed(&class_names), Foreign::new(name));
                self.columns.fail(*line, at, problem)
            })
        };
        let labels = self.labels.iter().map(label).collect::<Result<Vec<u32>, _>>()?;
        Ok(records.with_labels(labels, class_names))
    }
}

/// Finds the line in which each row of a text begins.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line, from 1, of a row that follows the rows requested before.
    fn of(&mut self, row: &ByteRecord) -> u64 {
        let start = row.position().map_or(0, |position| position.byte() as usize);
        // The reader counts line breaks before a row, and empty lines, as part of the row.
        let breaks = self.text[start..].iter().take_while(|&&byte| byte == b'\n' || byte == b'\r').count();
        let passed = self.at..start + breaks;
        self.at = passed.end;
        let ends_line = |&at: &usize| match self.text[at] {
            b'\n' => true,
            b'\r' => self.text.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        self.line += passed.filter(ends_line).count() as u64;
        self.line
    }
}

/// The classes that occur, sorted.
///
/// # Errors
/// When all are numbers and two are the same one, with the line in which the second of them first occurs.
fn names_of(labels: &[(String, u64)]) -> Result<Vec<String>, (u64, String)> {
    let mut names: Vec<&str> = labels.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let numbers: Option<Vec<f64>> =
        names.iter().map(|name| name.parse().ok().filter(|n: &f64| n.is_finite())).collect();
    if let Some(numbers) = numbers {
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by(|&a, &b| numbers[a].partial_cmp(&numbers[b]).expect("they are finite"));
        if let Some(same) = order.windows(2).find(|pair| numbers[pair[0]] == numbers[pair[1]]) {
            let [one, other] = [same[0], same[1]].map(|at| names[at]);
            let line = |of: &str| labels.iter().find(|(name, _)| name == of).map_or(0, |(_, line)| *line);
            let line = line(one).max(line(other));
            let [one, other] = [one, other].map(Foreign::new);
            return Err((
                line,
                format!(
                    "the classes \"{one}\" and \"{other}\" are the same number: write a class in one way"
                ),
            ));
        }
        names = order.into_iter().map(|at| names[at]).collect();
    }
    Ok(names.into_iter().map(String::from).collect())
}

/// How much of the differences between the numbers of a column is lost as f32.
#[derive(Clone, Copy, Default)]
struct Loss {
    n: f64,
    min: f64,
    max: f64,
    mean: f64,
    /// The sum of squared distances from the mean.
    spread: f64,
    /// The sum of squared rounding errors.
    errors: f64,
}

impl Loss {
    fn add(&mut self, x: f64, rounded: f32) {
        if self.n == 0.0 {
            (self.min, self.max) = (x, x);
        }
        self.n += 1.0;
        (self.min, self.max) = (self.min.min(x), self.max.max(x));
        // Welford's mean and spread, of numbers that may be far from 0.
        let distance = x - self.mean;
        self.mean += distance / self.n;
        self.spread += distance * (x - self.mean);
        self.errors += (x - f64::from(rounded)).powi(2);
    }

    /// Whether the rounding errors are more than a hundredth of the spread.
    fn is_large(&self) -> bool {
        self.min < self.max && self.errors > 1e-4 * self.spread
    }
}

fn is_missing(text: &str) -> bool {
    matches!(text, "" | "NA" | "NaN" | "nan" | "null" | "?")
}

/// What a cell without a value holds.
fn found(text: &str) -> String {
    if text.is_empty() { "nothing".into() } else { format!("{text}, which marks a missing value") }
}

fn number(text: &str, missing: Option<f32>) -> Result<f32, Problem> {
    if is_missing(text) {
        return missing.ok_or_else(|| Problem {
            text: format!("expected a number, found {}", found(text)),
            remedy: Some("set a value for missing numbers with Csv::missing"),
        });
    }
    match text.parse::<f32>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err(format!("expected a number that f32 can hold, found \"{}\"", Foreign::new(text)).into()),
        Err(_) => Err(Problem {
            text: format!("expected a number, found \"{}\"", Foreign::new(text)),
            remedy: Some("a column of text is left out with Csv::leave_out"),
        }),
    }
}
