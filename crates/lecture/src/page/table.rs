//! Numbers in rows and columns: on the page, in the terminal, and as CSV.

use std::fmt::Write as _;

use super::markdown::escape;

/// A table with named columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
    decimals: usize,
}

/// An entry of a [`Table`].
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A number, rounded on the page and with all digits in the CSV.
    Number(f64),
    /// A number of any magnitude: three significant digits on the page, all digits in the CSV.
    Digits(f64),
    /// A percentage, with two decimals on the page.
    Percent(f64),
    /// A count.
    Count(u64),
    /// Words.
    Text(String),
}

impl From<f64> for Cell {
    fn from(x: f64) -> Self {
        Self::Number(x)
    }
}

impl From<usize> for Cell {
    fn from(n: usize) -> Self {
        Self::Count(n as u64)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Cell {
    /// Formats it for people: `decimals` places, or a power of ten if that would hide the number.
    pub(crate) fn display(&self, decimals: usize) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(n) => grouped(*n),
            Self::Number(x) => number(*x, decimals),
            Self::Digits(x) => digits(*x),
            Self::Percent(x) => number(*x, 2),
        }
    }

    /// Formats it for programs: every digit.
    fn csv(&self) -> String {
        match self {
            Self::Number(x) | Self::Digits(x) | Self::Percent(x) => x.to_string(),
            Self::Count(n) => n.to_string(),
            Self::Text(text) if text.contains([',', '"', '\n']) => {
                format!("\"{}\"", text.replace('"', "\"\""))
            }
            Self::Text(text) => text.clone(),
        }
    }

    fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

impl Table {
    /// Creates a table without rows, and with four decimals on the page.
    pub fn new<C: Into<String>>(columns: impl IntoIterator<Item = C>) -> Self {
        Self { columns: columns.into_iter().map(Into::into).collect(), rows: Vec::new(), decimals: 4 }
    }

    /// Creates a table from named columns of equal length: the data of a figure.
    ///
    /// # Panics
    /// When the columns differ in length.
    #[track_caller]
    pub fn of_columns<'a>(columns: impl IntoIterator<Item = (String, &'a [f64])>) -> Self {
        let (names, values): (Vec<String>, Vec<&[f64]>) = columns.into_iter().unzip();
        let n_rows = values.first().map_or(0, |column| column.len());
        assert!(values.iter().all(|column| column.len() == n_rows), "Table: columns of different lengths");
        let row = |i: usize| values.iter().map(|column| column[i].into()).collect();
        Self { rows: (0..n_rows).map(row).collect(), ..Self::new(names) }
    }

    /// Whether a number in it is NaN.
    pub(crate) fn has_nan(&self) -> bool {
        self.rows.iter().flatten().any(|cell| match cell {
            Cell::Number(x) | Cell::Digits(x) | Cell::Percent(x) => x.is_nan(),
            Cell::Count(_) | Cell::Text(_) => false,
        })
    }

    /// Sets the number of decimals on the page and in the terminal; the CSV has all digits.
    pub fn decimals(mut self, decimals: usize) -> Self {
        self.decimals = decimals;
        self
    }

    /// Adds a row.
    ///
    /// # Panics
    /// When it does not have one cell per column.
    #[track_caller]
    pub fn row(mut self, cells: impl IntoIterator<Item = Cell>) -> Self {
        self.push(cells);
        self
    }

    /// Adds a row.
    ///
    /// # Panics
    /// As [`row`](Self::row).
    #[track_caller]
    pub fn push(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let cells: Vec<Cell> = cells.into_iter().collect();
        let (n_cells, n_columns) = (cells.len(), self.columns.len());
        assert!(n_cells == n_columns, "Table: a row of {n_cells} cells under {n_columns} columns");
        self.rows.push(cells);
    }

    /// The table as CSV, with one header line.
    pub fn csv(&self) -> String {
        let line = |cells: Vec<String>| cells.join(",") + "\n";
        let header = self.columns.iter().map(|name| Cell::from(name.as_str()).csv()).collect();
        let rows = self.rows.iter().map(|row| line(row.iter().map(Cell::csv).collect()));
        std::iter::once(line(header)).chain(rows).collect()
    }

    /// The table as HTML, with its caption. On a screen too narrow for it, each row becomes a block in which
    /// every number is next to the name of its column.
    pub(super) fn html(&self, caption: &str) -> String {
        let class = if self.is_wide() { " class=\"stacks\"" } else { "" };
        let mut html = format!(
            "<div class=\"table\"><table role=\"table\"{class}><caption>{caption}</caption><thead><tr role=\"row\">"
        );
        for (i, name) in self.columns.iter().enumerate() {
            let class = if self.rows.iter().all(|row| row[i].is_text()) { " class=\"words\"" } else { "" };
            write!(html, "<th scope=\"col\" role=\"columnheader\"{class}>{}</th>", escape(name))
                .expect("a string takes all");
        }
        html += "</tr></thead><tbody>";
        for row in &self.rows {
            html += "<tr role=\"row\">";
            for (cell, name) in row.iter().zip(&self.columns) {
                let class = if cell.is_text() { " class=\"words\"" } else { "" };
                let (name, text) = (escape(name), escape(&cell.display(self.decimals)));
                write!(html, "<td role=\"cell\"{class} data-column=\"{name}\"><span>{text}</span></td>")
                    .expect("a string takes all");
            }
            html += "</tr>";
        }
        html + "</tbody></table></div>\n"
    }

    /// Whether its rows are wider than a phone held upright.
    fn is_wide(&self) -> bool {
        const WIDEST: usize = 40;
        let longest_word = |text: &str| text.split(' ').map(|word| word.chars().count()).max().unwrap_or(0);
        let column = |(i, name): (usize, &String)| {
            let cells = self.rows.iter().map(|row| match &row[i] {
                Cell::Text(text) => longest_word(text),
                cell => cell.display(self.decimals).chars().count(),
            });
            cells.max().unwrap_or(0).max(longest_word(name)) + 2
        };
        self.columns.iter().enumerate().map(column).sum::<usize>() > WIDEST
    }

    /// The table as aligned text.
    pub(super) fn terminal(&self) -> String {
        let rows = self.rows.iter().map(|row| row.iter().map(|cell| cell.display(self.decimals)).collect());
        let lines: Vec<Vec<String>> = std::iter::once(self.columns.clone()).chain(rows).collect();
        let width = |i: usize| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let pad = |(text, width): (&String, &usize)| format!("  {text:>width$}");
        lines.iter().map(|line| line.iter().zip(&widths).map(pad).collect::<String>() + "\n").collect()
    }
}

/// Formats a number with `decimals` places and a true minus sign; without decimals and with commas from a
/// thousand on; as a power of ten if it is too small or too large for that.
pub(super) fn number(x: f64, decimals: usize) -> String {
    if x.is_infinite() {
        return if x > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    let smallest = 0.5 * 10f64.powi(-(decimals as i32));
    let text = if x != 0.0 && x.is_finite() && (x.abs() < 10.0 * smallest || x.abs() >= 1e7) {
        let text = format!("{x:.2e}");
        let (mantissa, exponent) = text.split_once('e').expect("it was written with an exponent");
        format!("{mantissa}·10{}", superscript(exponent))
    } else if x.is_finite() && (x.abs() / smallest / 2.0).round() * smallest * 2.0 >= 1000.0 {
        format!("{}{}", if x < 0.0 { "-" } else { "" }, grouped(x.abs().round() as u64))
    } else {
        format!("{x:.decimals$}")
    };
    text.replace('-', "−")
}

/// Formats a number with three significant digits, as a power of ten if it is very small or very large, and 0
/// as 0.
fn digits(x: f64) -> String {
    if x == 0.0 {
        return "0".to_owned();
    }
    // Of the rounded number: 9.996 is 10.0.
    let power = format!("{x:.2e}").split_once('e').map_or(0, |(_, power)| power.parse().unwrap_or(0));
    match power {
        -4..=2 => number(x, (2 - power) as usize),
        3.. => {
            let unit = 10f64.powi(power - 2);
            number((x / unit).round() * unit, 0)
        }
        _ => number(x, 0),
    }
}

fn superscript(digits: &str) -> String {
    let digit = |c: char| match c.to_digit(10) {
        Some(d) => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][d as usize],
        None => '⁻',
    };
    digits.chars().map(digit).collect()
}

/// A count with commas at the thousands, for texts.
pub(crate) fn count(n: usize) -> String {
    grouped(n as u64)
}

fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let comma = |i: usize| i > 0 && (digits.len() - i).is_multiple_of(3);
    digits.chars().enumerate().flat_map(|(i, c)| comma(i).then_some(',').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well_and_lose_nothing_in_the_csv() {
        assert_eq!(
            [-1.25, 0.0, 3.352e-4, 1e-7, 12416.2, f64::NAN].map(|x| number(x, 3)),
            ["−1.250", "0.000", "3.35·10⁻⁴", "1.00·10⁻⁷", "12,416", "NaN"]
        );
        assert_eq!([999.7, -8669.4, 338_266.567].map(|x| number(x, 1)), ["999.7", "−8,669", "338,267"]);
        assert_eq!(Cell::Percent(68.21).display(4), "68.21");
        assert_eq!(
            [0.0, 0.000_238_86, 6.512e-5, 0.5, 12.345, -1999.6, 12_345.6].map(digits),
            ["0", "0.000239", "6.51·10⁻⁵", "0.500", "12.3", "−2,000", "12,300"]
        );
        assert_eq!(
            [9.996, 0.99996, 99.96, -999.6, 0.000_099_96, 9_999_600.0, 2.345e9].map(digits),
            ["10.0", "1.00", "100", "−1,000", "0.000100", "1.00·10⁷", "2.35·10⁹"]
        );
        assert_eq!([f64::NAN, f64::NEG_INFINITY].map(digits), ["NaN", "−∞"]);
        assert_eq!([0, 999, 1000, 820_874].map(grouped), ["0", "999", "1,000", "820,874"]);
        let table = Table::new(["a, b", "x"]).row(["say \"so\"".into(), (0.1 + 0.2).into()]);
        assert_eq!(table.csv(), "\"a, b\",x\n\"say \"\"so\"\"\",0.30000000000000004\n");
    }

    #[test]
    fn the_page_escapes_what_stands_in_cells() {
        let html = Table::new(["a<b"]).row(["<script>".into()]).html("caption");
        assert!(html.contains("a&lt;b") && html.contains("&lt;script&gt;") && !html.contains("<script>"));
    }

    #[test]
    fn a_table_that_is_wider_than_a_telephone_can_stack() {
        let of = |n: usize| Table::new((0..n).map(|i| format!("column {i}"))).row((0..n).map(|_| 0.5.into()));
        assert!(!of(3).html("").contains("stacks") && of(6).html("").contains("stacks"));
        assert!(of(6).html("").contains("data-column=\"column 5\""));
    }

    #[test]
    #[should_panic(expected = "a row of 1 cells under 2 columns")]
    fn a_short_row_is_a_mistake() {
        let _ = Table::new(["a", "b"]).row([1.0.into()]);
    }
}
