//! CSV tables of numbers.

mod columns;
mod quotes;
mod rows;

use std::io;
use std::path::Path;

use crate::files::open_regular;
use crate::{Error, Records};
use rows::Table;

/// How to read a CSV file: which column is the class and which are targets. The rest are features.
///
/// The set has an f32 field `features` with the remaining columns, a field `targets` if
/// [`targets`](Self::targets) are named, and classes if a [`label`](Self::label) is. Quotes, and line breaks
/// within them, follow RFC 4180. Blanks around a number are ignored, and so are empty lines.
///
/// ```
/// use data::{Csv, Dataset};
/// let text = "width,height,kind\n1.5,2,tall\n3,1,wide\n0.5,4,tall\n";
/// let set = Csv::new().label("kind").read_from("shapes.csv", text.as_bytes())?;
/// assert_eq!((set.len(), set.class_names()), (3, &["tall".to_string(), "wide".to_string()][..]));
/// assert_eq!((set.fields()[0].name.as_str(), set.fields()[0].shape.as_slice()), ("features", &[2][..]));
///
/// let damaged = "width,height,kind\n1.5,2,tall\n3,broad,wide\n";
/// let error = Csv::new().label("kind").read_from("shapes.csv", damaged.as_bytes()).unwrap_err();
/// assert_eq!(error.to_string(), "shapes.csv: line 3, column 2 (height): expected a number, found \"broad\"");
/// # Ok::<(), data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Csv {
    delimiter: u8,
    has_header: bool,
    label: Option<CsvColumn>,
    class_names: Option<Vec<String>>,
    targets: Vec<CsvColumn>,
    left_out: Vec<CsvColumn>,
    missing: Option<f32>,
}

/// A column of a CSV file: its name in the header, or its index from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CsvColumn {
    /// The name in the header.
    Name(String),
    /// The index, from 0.
    Index(usize),
}

impl From<&str> for CsvColumn {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl From<usize> for CsvColumn {
    fn from(idx: usize) -> Self {
        Self::Index(idx)
    }
}

impl Default for Csv {
    fn default() -> Self {
        Self::new()
    }
}

impl Csv {
    /// Comma-separated columns, a header with their names, all columns features; a missing number is an
    /// error.
    pub fn new() -> Self {
        Self {
            delimiter: b',',
            has_header: true,
            label: None,
            class_names: None,
            targets: Vec::new(),
            left_out: Vec::new(),
            missing: None,
        }
    }

    /// The separator between columns, for example `b';'` or `b'\t'`.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Treats the first line as a row; columns are identified by index.
    pub fn without_header(mut self) -> Self {
        self.has_header = false;
        self
    }

    /// The column of the classes. Its values are the class names: numbers in numerical order, other text in
    /// lexicographic order.
    pub fn label(mut self, column: impl Into<CsvColumn>) -> Self {
        self.label = Some(column.into());
        self
    }

    /// The known classes, so that several files number them alike; any other class is an error.
    pub fn classes<S: Into<String>>(mut self, class_names: impl IntoIterator<Item = S>) -> Self {
        self.class_names = Some(class_names.into_iter().map(Into::into).collect());
        self
    }

    /// The columns of the field `targets`, which a regression predicts.
    pub fn targets<C: Into<CsvColumn>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.targets.extend(columns.into_iter().map(Into::into));
        self
    }

    /// Columns to skip, such as a row number or a name.
    pub fn leave_out<C: Into<CsvColumn>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.left_out.extend(columns.into_iter().map(Into::into));
        self
    }

    /// The value to use for a missing number, which is an empty column, `NA`, `NaN`, `nan`, `null` or `?`. A
    /// missing class is still an error.
    pub fn missing(mut self, value: f32) -> Self {
        self.missing = Some(value);
        self
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When the file cannot be read or has no rows, a column is missing or chosen twice, every column is
    /// left out, a row has more or fewer columns than the first, a value is not a finite f32, a class is
    /// missing or unknown, or a quoted cell has no closing quote or is followed by more text, even in a column
    /// that is left out. The error names the file, the line and the column, the latter two counted from 1.
    /// Also when two of the known [classes](Self::classes) have the same name.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Records, Error> {
        let path = path.as_ref();
        self.read_from(path, open_regular(path)?)
    }

    /// Reads from `reader`; errors refer to it as `name`.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_from(&self, name: impl AsRef<Path>, reader: impl io::Read) -> Result<Records, Error> {
        Table::read(self, name.as_ref(), reader)?.into_records(self)
    }
}
