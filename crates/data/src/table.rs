//! Tables of numbers in text: CSV.

mod columns;
mod rows;

use std::io;
use std::path::Path;

use crate::files::open_regular;
use crate::{Error, Records};
use rows::Table;

/// How a CSV file is read: which column is the class, which are targets, and the rest are features.
///
/// A set has the field `features`, f32, of as many numbers as there are columns left; the field `targets` where
/// [`targets`](Self::targets) are named; and classes where a [`label`](Self::label) is. Quotes and line breaks within
/// them are RFC 4180's. Blanks around a number do not matter, and an empty line is no row.
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
    /// The name that stands in the header.
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
    /// Commas between the columns, a header with their names, all columns features, a missing number an error.
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

    /// What stands between two columns: `b';'` or `b'\t'`, for example.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// The first line is a row already; columns go by their index.
    pub fn without_header(mut self) -> Self {
        self.has_header = false;
        self
    }

    /// The column of the classes. Their names are what stands there: numbers in their order, other texts in the order
    /// of their letters.
    pub fn label(mut self, column: impl Into<CsvColumn>) -> Self {
        self.label = Some(column.into());
        self
    }

    /// The classes that there are, so that several files number them alike; another one is an error.
    pub fn classes<S: Into<String>>(mut self, class_names: impl IntoIterator<Item = S>) -> Self {
        self.class_names = Some(class_names.into_iter().map(Into::into).collect());
        self
    }

    /// The columns of the field `targets`: what a regression is to predict.
    pub fn targets<C: Into<CsvColumn>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.targets.extend(columns.into_iter().map(Into::into));
        self
    }

    /// Columns that are not read: a row's number, a name.
    pub fn leave_out<C: Into<CsvColumn>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.left_out.extend(columns.into_iter().map(Into::into));
        self
    }

    /// What stands for a missing number: where there is nothing, or `NA`, `NaN`, `null`, `?`. A missing class is an
    /// error all the same.
    pub fn missing(mut self, value: f32) -> Self {
        self.missing = Some(value);
        self
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When the file cannot be read, a column is missing, a row has more or fewer columns than the first, or a value is
    /// not a number: with the file, the line and the column, both counted from 1.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Records, Error> {
        let path = path.as_ref();
        self.read_from(path, open_regular(path)?)
    }

    /// Reads what `reader` has; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_from(&self, name: impl AsRef<Path>, reader: impl io::Read) -> Result<Records, Error> {
        Table::read(self, name.as_ref(), reader)?.into_records(self)
    }
}
