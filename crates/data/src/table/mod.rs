//! CSV tables of numbers.

mod columns;
mod options;
mod quotes;
mod rows;

use std::io;
use std::path::Path;

use crate::files::open_regular;
use crate::{Error, Records};
use rows::Table;

pub use options::{Csv, CsvColumn};

impl Csv {
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
