//! How to read a CSV file.

/// How to read a CSV file: which column is the class and which are targets. The rest are features.
///
/// The set has an f32 field `features` with the remaining columns, a field `targets` if
/// [`targets`](Self::targets) are named, and classes if a [`label`](Self::label) is. Quotes, and line breaks
/// within them, follow RFC 4180. Blanks around a number are ignored, and so are empty lines. The names of the
/// features' columns are [`Records::columns`](crate::Records::columns). Columns that lose more than a hundredth of
/// their standard deviation as f32 are named in [`Records::warnings`](crate::Records::warnings).
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
/// assert!(error.to_string().starts_with(
///     "shapes.csv: line 3, column 2 (height): expected a number, found \"broad\""
/// ));
/// # Ok::<(), data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Csv {
    pub(super) delimiter: u8,
    pub(super) has_header: bool,
    pub(super) label: Option<CsvColumn>,
    pub(super) class_names: Option<Vec<String>>,
    pub(super) targets: Vec<CsvColumn>,
    pub(super) left_out: Vec<CsvColumn>,
    pub(super) missing: Option<f32>,
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
    /// lexicographic order. If all are numbers, two that are equal, such as 1 and 1.0, are an error.
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

    /// Columns to skip, such as a row number, a name or other text.
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
}
