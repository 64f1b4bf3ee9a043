//! The quotes of a row, which the reader of the crate `csv` does not check: to it the end of the file closes a
//! quoted cell, and `"1"2` is 12.

use foreign_text::Foreign;

/// Checks that each cell that begins with a quote is closed and ends there.
///
/// # Errors
/// The index of the first damaged cell, from 0, and a sentence.
pub(super) fn check(mut row: &[u8], delimiter: u8) -> Result<(), (usize, String)> {
    for at in 0.. {
        if let Some(cell) = row.strip_prefix(b"\"") {
            row = after_quote(cell, delimiter).map_err(|problem| (at, problem))?;
        }
        match row.iter().position(|&byte| byte == delimiter) {
            Some(len) => row = &row[len + 1..],
            None => break,
        }
    }
    Ok(())
}

/// What follows the closing quote of a cell; `cell` follows its opening quote.
fn after_quote(mut cell: &[u8], delimiter: u8) -> Result<&[u8], String> {
    let is_end = |&byte: &u8| byte == delimiter || byte == b'\n' || byte == b'\r';
    loop {
        let Some(len) = cell.iter().position(|&byte| byte == b'"') else {
            return Err("expected a closing quote, found the end of the file".into());
        };
        cell = &cell[len + 1..];
        match cell.first() {
            Some(b'"') => cell = &cell[1..],
            Some(byte) if !is_end(byte) => break,
            _ => return Ok(cell),
        }
    }
    let more = cell.split(is_end).next().unwrap_or_default();
    Err(format!(
        "expected the end of the cell after its closing quote, found \"{}\": double a quote within a cell",
        Foreign::new(&String::from_utf8_lossy(more))
    ))
}
