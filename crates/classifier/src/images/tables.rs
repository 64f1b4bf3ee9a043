//! A CSV file of numbers: with a column of classes, or rows to be classified.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use data::{Csv, Dataset, Records, ValuesMut};
use foreign_text::{Foreign, shown_path};

use super::{FEATURES, Images, Kind, MAX_CLASSES, shown};

/// The beginning of a file that is looked at to tell what it is.
const START_LEN: u64 = 1 << 16;

/// Reads the table `path`, whose column `label_column` has the classes; the others in the order of `columns`, if
/// there are any.
pub(super) fn open(path: &Path, label_column: &str, columns: &[String]) -> Result<Images> {
    let start = start_of(path)?;
    if let Some(kind) = kind_of(&start) {
        bail!("{}: {kind}; expected a folder of images, or a CSV file of numbers", shown_path(path));
    }
    let header = Header::of(&start);
    if !header.has(label_column) && !header.is_quoted() {
        bail!("{}: {}", shown_path(path), header.without(label_column));
    }
    let table = Csv::new().label(label_column).read(path).map_err(in_words)?;
    let n_features = table.fields().first().map_or(0, |field| field.len());
    ensure!(n_features > 0, "{}: there is no column of numbers", shown_path(path));
    let n_classes = table.class_names().len();
    ensure!(n_classes > 1, "{}: expected two classes or more", shown_path(path));
    ensure!(
        n_classes <= MAX_CLASSES,
        "{}: the column \"{}\" has {n_classes} different values, expected at most {MAX_CLASSES} classes \
         (--label-column)",
        shown_path(path),
        shown(label_column)
    );
    let name = format!("the table {}", shown_path(path));
    let order = order_of(path, table.columns(), columns)?;
    let found = table.columns();
    let names = order.iter().map(|at| found[*at].clone()).collect();
    let warnings =
        table.warnings().iter().map(|warning| format!("{}: {warning}", shown_path(path))).collect();
    let labels = (0..table.len()).map(|idx| table.label(idx)).collect();
    let ordered = in_order(&table, &order).with_labels(labels, table.class_names().to_vec());
    let images = Images::new(name, Kind::Table, Box::new(ordered), None, 100);
    Ok(Images { columns: names, warnings, ..images })
}

/// Where each of the columns `wanted` is among those that were `found`; the same order if none are wanted.
///
/// # Errors
/// When other columns were found.
fn order_of(path: &Path, found: &[String], wanted: &[String]) -> Result<Vec<usize>> {
    if wanted.is_empty() {
        return Ok((0..found.len()).collect());
    }
    // Columns of the same name keep their order.
    let mut left: Vec<usize> = (0..found.len()).collect();
    let mut take = |name: &String| {
        let at = left.iter().position(|at| found[*at] == *name)?;
        Some(left.remove(at))
    };
    let order: Option<Vec<usize>> = wanted.iter().map(&mut take).collect();
    let listed = |names: &[String]| {
        let shown: Vec<String> = names.iter().take(20).map(|name| shown(name)).collect();
        shown.join(", ") + if names.len() > shown.len() { ", …" } else { "" }
    };
    order.filter(|_| left.is_empty()).with_context(|| {
        format!(
            "{}: the network takes the columns {}, found {}",
            shown_path(path),
            listed(wanted),
            listed(found)
        )
    })
}

/// The numbers of a table with its columns in this order, without classes.
fn in_order(table: &Records, order: &[usize]) -> Records {
    let mut row = vec![0.0; order.len()];
    let mut values = Vec::with_capacity(table.len() * order.len());
    for idx in 0..table.len() {
        table.read_field(0, idx, ValuesMut::F32(&mut row));
        values.extend(order.iter().map(|at| row[*at]));
    }
    Records::new().with_f32(FEATURES, &[order.len()], values)
}

/// The rows of a CSV file in `bytes`, each of `n_features` numbers, as examples of these classes. A column
/// `label_column` is left out; the others are put in the order of `columns`, if there are any. Errors refer to the
/// file as `name`.
///
/// # Errors
/// When a line is no row of so many numbers, with the name of the line; when the columns have other names.
pub fn read_rows(
    name: &Path,
    bytes: &[u8],
    label_column: &str,
    n_features: usize,
    columns: &[String],
    classes: &[String],
) -> Result<Records> {
    if let Some(kind) = kind_of(bytes) {
        let row = counted(n_features, "number");
        bail!("{}: {kind}; the network takes rows of {row}, not images", shown_path(name));
    }
    let header = Header::of(&bytes[..bytes.len().min(START_LEN as usize)]);
    let has_label = header.has(label_column);
    let check = |n_columns: usize| {
        ensure!(
            n_columns == n_features,
            "{}: the network takes rows of {}, found {}{}{}",
            shown_path(name),
            counted(n_features, "number"),
            counted(n_columns, "column"),
            if has_label { " besides that of the classes" } else { "" },
            header.separator_hint()
        );
        Ok(())
    };
    if !header.is_quoted() {
        check(header.names.len() - usize::from(has_label))?;
    }
    ensure!(
        !header.is_of_numbers(),
        "{}: the first line has numbers, expected the names of the columns",
        shown_path(name)
    );
    let options = if has_label { Csv::new().leave_out([label_column]) } else { Csv::new() };
    let table = options.read_from(name, bytes).map_err(in_words)?;
    check(table.fields().first().map_or(0, |field| field.len()))?;
    let order = order_of(name, table.columns(), columns)?;
    Ok(in_order(&table, &order).with_labels(vec![0; table.len()], classes.to_vec()))
}

/// `1 column`, `2 columns`.
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The error without what it says to the users of the library.
fn in_words(error: data::Error) -> anyhow::Error {
    match error {
        data::Error::Csv { path, place, problem, .. } => {
            data::Error::Csv { path, place, problem, remedy: None }.into()
        }
        error => error.into(),
    }
}

fn start_of(path: &Path) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    let io = |source| data::Error::Io { path: path.to_owned(), source };
    File::open(path).map_err(io)?.take(START_LEN).read_to_end(&mut start).map_err(io)?;
    Ok(start)
}

/// What a file is that cannot be a table, by its first bytes.
fn kind_of(start: &[u8]) -> Option<&'static str> {
    Some(match start {
        [0x89, b'P', b'N', b'G', ..] => "this is a PNG image",
        [0xff, 0xd8, 0xff, ..] => "this is a JPEG image",
        [b'G', b'I', b'F', b'8', ..] => "this is a GIF image",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "this is a WebP image",
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => "this is a TIFF image",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "this is an HEIC or AVIF image, or a film",
        [b'B', b'M', _, _, _, _, 0, 0, ..] => "this is a BMP image",
        [0, 0, 8..=14, 1..=4, ..] => "this is one of MNIST's files: give their folder",
        [0x1f, 0x8b, ..] => "this is a gzip archive",
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => "this is a NumPy file",
        [b'P', b'A', b'R', b'1', ..] => "this is a Parquet file",
        [b'P', b'K', 3, 4, ..] => "this is a zip archive (or a spreadsheet: export it as CSV)",
        start if start.contains(&0) => "this is no text in UTF-8",
        _ => return None,
    })
}

/// The first line of a table.
struct Header {
    line: String,
    names: Vec<String>,
}

impl Header {
    /// The first line that is not empty.
    fn of(start: &[u8]) -> Self {
        let text = String::from_utf8_lossy(start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start));
        let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
        let names = line.split(',').map(|name| name.trim().trim_matches('"').to_owned()).collect();
        Self { line, names }
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// Whether a name may hold commas, which only the reader takes apart.
    fn is_quoted(&self) -> bool {
        self.line.contains('"')
    }

    fn is_of_numbers(&self) -> bool {
        self.names.iter().all(|name| name.parse::<f64>().is_ok())
    }

    /// Says that the columns are separated by something else than commas, if they seem to be.
    fn separator_hint(&self) -> &'static str {
        match self.names.len() {
            1 if self.line.contains(';') => ": the columns are separated by semicolons, expected commas",
            1 if self.line.contains('\t') => ": the columns are separated by tabs, expected commas",
            _ => "",
        }
    }

    /// Why it has no column of this name.
    fn without(&self, label_column: &str) -> String {
        let expected = format!("line 1: expected a column \"{}\" with the classes", shown(label_column));
        let names: Vec<String> = self.names.iter().take(20).map(|name| shown(name)).collect();
        let more = if names.len() < self.names.len() { ", …" } else { "" };
        let is_like = |name: &&String| name.to_lowercase() == label_column.to_lowercase();
        if !self.separator_hint().is_empty() {
            format!("{expected}{}", self.separator_hint())
        } else if self.line.is_empty() {
            format!("{expected}, found an empty file")
        } else if let Some(name) = self.names.iter().find(is_like) {
            format!("{expected}, found {} (--label-column {})", Foreign::new(name), Foreign::new(name))
        } else if self.is_of_numbers() {
            format!("{expected}, found numbers: the first line must name the columns")
        } else {
            format!("{expected}, found {}{more} (--label-column chooses one)", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_table_is_told_without_what_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        for (text, expected) in [
            (
                "a,b\n1,2\n",
                "line 1: expected a column \"label\" with the classes, found a, b (--label-column chooses one)",
            ),
            ("a,Label\n1,2\n", "found Label (--label-column Label)"),
            ("a;label\n1;x\n", "with the classes: the columns are separated by semicolons, expected commas"),
            ("a\tlabel\n1\tx\n", "with the classes: the columns are separated by tabs, expected commas"),
            ("1,2\n3,4\n", "found numbers: the first line must name the columns"),
            ("", "found an empty file"),
            ("a,label\n1,x\n,y\n", "line 3, column 1 (a): expected a number, found nothing"),
            ("a,label\n1,x\nword,y\n", "line 3, column 1 (a): expected a number, found \"word\""),
            ("a,label\n1,x\n2,x\n", "t.csv: expected two classes or more"),
            ("label\nx\ny\n", "t.csv: there is no column of numbers"),
            ("\u{0}\u{0}\u{8}\u{3}abc", "this is one of MNIST's files: give their folder"),
            ("PK\u{3}\u{4}abc", "export it as CSV"),
        ] {
            fs::write(&path, text).unwrap();
            let error = format!("{:#}", open(&path, "label", &[]).err().unwrap());
            assert!(error.contains(expected) && error.contains("t.csv: "), "{text:?}: {error}");
            assert!(!error.contains("Csv::"), "{text:?}: {error}");
        }
        fs::write(&path, [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n']).unwrap();
        let error = open(&path, "label", &[]).err().unwrap().to_string();
        assert!(
            error.ends_with("this is a PNG image; expected a folder of images, or a CSV file of numbers"),
            "{error}"
        );
        fs::write(&path, "a,\"the label\"\n1,x\n2,y\n").unwrap();
        assert_eq!(open(&path, "the label", &[]).ok().unwrap().train.len(), 2);
    }

    #[test]
    fn rows_are_read_with_and_without_their_classes() {
        let classes = ["x", "y"].map(String::from);
        let read = |text: &str| read_rows(Path::new("t.csv"), text.as_bytes(), "label", 2, &[], &classes);
        for text in ["a,b\n1,2\n3,4\n", "a,label,b\n1,z,2\n3,x,4\n", "label,a,b\n,1,2\n?,3,4\n"] {
            let rows = read(text).unwrap();
            let mut row = [0.0; 2];
            rows.read_field(0, 1, ValuesMut::F32(&mut row));
            assert_eq!((rows.len(), row, rows.class_names()), (2, [3.0, 4.0], &classes[..]), "{text}");
        }
        for (text, expected) in [
            ("a,b,c\n1,2,3\n", "takes rows of 2 numbers, found 3 columns"),
            ("a;b\n1;2\n", "found 1 column: the columns are separated by semicolons"),
            ("1,2\n3,4\n", "the first line has numbers"),
            ("a,b\n1,x\n", "line 2, column 2 (b): expected a number, found \"x\""),
            (
                "BM\u{1}\u{1}\u{1}\u{1}\0\0",
                "this is a BMP image; the network takes rows of 2 numbers, not images",
            ),
        ] {
            let error = read(text).err().unwrap().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
    /// A network knows its columns by name.
    #[test]
    fn columns_are_put_in_the_order_of_the_network() {
        let dir = tempfile::tempdir().unwrap();
        let (path, classes) = (dir.path().join("t.csv"), ["x", "y"].map(String::from));
        for (text, columns, expected) in [
            ("b,label,a\n1,x,2\n3,y,4\n", &["a", "b"][..], Ok(([4.0, 3.0], ["a", "b"]))),
            ("b,label,a\n1,x,2\n3,y,4\n", &[], Ok(([3.0, 4.0], ["b", "a"]))),
            ("a,a,label\n1,2,x\n3,4,y\n", &["a", "a"], Ok(([3.0, 4.0], ["a", "a"]))),
            (
                "a,c,label\n1,2,x\n3,4,y\n",
                &["a", "b"],
                Err("t.csv: the network takes the columns a, b, found a, c"),
            ),
            ("a,b,label\n1,2,x\n3,4,y\n", &["a", "a"], Err("takes the columns a, a, found a, b")),
        ] {
            fs::write(&path, text).unwrap();
            let columns: Vec<String> = columns.iter().copied().map(String::from).collect();
            let images = open(&path, "label", &columns);
            let rows = read_rows(&path, text.as_bytes(), "label", 2, &columns, &classes);
            match expected {
                Ok((second, names)) => {
                    let images = images.unwrap();
                    assert_eq!(
                        (images.columns, images.train.label(1)),
                        (names.map(String::from).to_vec(), 1)
                    );
                    for set in [images.train, Box::new(rows.unwrap())] {
                        let mut row = [0.0; 2];
                        set.read_field(0, 1, ValuesMut::F32(&mut row));
                        assert_eq!(row, second, "{text}");
                    }
                }
                Err(expected) => {
                    for error in [images.err(), rows.err()] {
                        let error = error.unwrap().to_string();
                        assert!(error.contains(expected), "{text}: {error}");
                    }
                }
            }
        }
    }
}
