//! Matrices drawn as coloured cells.

use crate::axis::{Axis, Extent};
use crate::bounds::{checked_count, checked_range, checked_size};
use crate::canvas::{Anchor, Canvas, Rect, Stroke, TextStyle};
use crate::color_bar;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::legend::Key;
use crate::panel::Panel;
use crate::pixels::{ColorMap, Image};
use crate::plot::{Draw, ShowLegend};
use crate::scale::Scale;
use crate::text::{self, Weight};
use crate::theme::{AXIS, INK, MUTED, PAPER, WHITE};
use crate::ticks;

/// A matrix drawn as coloured cells, with the first row at the top and either text in the cells or a colour
/// bar beside them. A value that is not finite is an empty cell.
///
/// ```
/// use viz::{HeatMap, Plot, Theme};
///
/// let counts = [50, 3, 7, 45];
/// let matrix = HeatMap::confusion("Confusion matrix", &["cat", "dog"], &counts);
/// assert!(matrix.svg(Theme::Auto)?.starts_with("<svg"));
/// # Ok::<(), viz::Error>(())
/// ```
pub struct HeatMap {
    title: String,
    size: Option<(u32, u32)>,
    n_rows: usize,
    n_columns: usize,
    values: Vec<f64>,
    texts: Option<Vec<String>>,
    row_names: Vec<String>,
    column_names: Vec<String>,
    x_label: String,
    y_label: String,
    color_map: ColorMap,
    range: Option<(f64, f64)>,
}

impl HeatMap {
    /// The row-major matrix `values`. The figure is 560 pixels wide; its height, from 200 to 2000 pixels,
    /// makes the cells square.
    ///
    /// # Panics
    /// If there are not `n_rows * n_columns` values.
    #[track_caller]
    pub fn new(title: impl Into<String>, n_rows: usize, n_columns: usize, values: &[f64]) -> Self {
        checked_count("HeatMap::new", values.len(), &[(n_rows, "rows"), (n_columns, "columns")]);
        HeatMap {
            title: title.into(),
            size: None,
            n_rows,
            n_columns,
            values: values.to_vec(),
            texts: None,
            row_names: Vec::new(),
            column_names: Vec::new(),
            x_label: String::new(),
            y_label: String::new(),
            color_map: ColorMap::default(),
            range: None,
        }
    }

    /// A confusion matrix: `counts[i * n + j]` is the number of samples of class `i` predicted as class `j`.
    /// The cells show the counts, and their colour is the fraction of the row.
    ///
    /// # Panics
    /// If there are not `n * n` counts for `n` class names.
    #[track_caller]
    pub fn confusion<S: AsRef<str>>(title: impl Into<String>, class_names: &[S], counts: &[u64]) -> Self {
        let n = class_names.len();
        assert!(
            counts.len() == n * n,
            "HeatMap::confusion: {} counts, expected {n} × {n} for {n} class names",
            counts.len()
        );
        let share = |row: &[u64]| {
            let total = row.iter().sum::<u64>().max(1) as f64;
            row.iter().map(|&count| count as f64 / total).collect::<Vec<f64>>()
        };
        let shares: Vec<f64> = counts.chunks(n.max(1)).flat_map(share).collect();
        HeatMap {
            texts: Some(counts.iter().map(|&count| ticks::fixed(count as f64, 0)).collect()),
            range: Some((0.0, 1.0)),
            ..HeatMap::new(title, n, n, &shares)
        }
        .row_names(class_names)
        .column_names(class_names)
        .x_label("predicted class")
        .y_label("true class")
    }

    /// Sets the width and height in pixels. The cells are square unless one side of the matrix is more than
    /// three times as long as the other.
    ///
    /// # Panics
    /// If either is not in 100..=10000.
    #[track_caller]
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = Some(checked_size("HeatMap::size", width, height));
        self
    }

    /// Sets the names of the rows, from the top.
    ///
    /// # Panics
    /// If the numbers of names and rows differ.
    #[track_caller]
    pub fn row_names<S: AsRef<str>>(mut self, names: &[S]) -> Self {
        self.row_names = checked_names("HeatMap::row_names", names, self.n_rows);
        self
    }

    /// Sets the names of the columns, from the left.
    ///
    /// # Panics
    /// If the numbers of names and columns differ.
    #[track_caller]
    pub fn column_names<S: AsRef<str>>(mut self, names: &[S]) -> Self {
        self.column_names = checked_names("HeatMap::column_names", names, self.n_columns);
        self
    }

    /// Sets the label of the columns.
    pub fn x_label(mut self, label: impl Into<String>) -> Self {
        self.x_label = label.into();
        self
    }

    /// Sets the label of the rows.
    pub fn y_label(mut self, label: impl Into<String>) -> Self {
        self.y_label = label.into();
        self
    }

    /// Writes each value in its cell, formatted by `text`, instead of drawing a colour bar.
    pub fn cell_texts(mut self, text: impl Fn(f64) -> String) -> Self {
        self.texts = Some(self.values.iter().map(|&v| text(v)).collect());
        self
    }

    /// Sets the colours; the default is [`ColorMap::Sequential`].
    pub fn color_map(mut self, color_map: ColorMap) -> Self {
        self.color_map = color_map;
        self
    }

    /// Sets the values at the ends of the colour range; values beyond get the colour of the nearest end. The
    /// default is the smallest and largest value, made symmetric around 0 for [`ColorMap::Diverging`].
    ///
    /// # Panics
    /// Unless `lo < hi`, both finite and more than 10⁻¹² of their size apart.
    #[track_caller]
    pub fn range(mut self, lo: f64, hi: f64) -> Self {
        self.range = Some(checked_range("HeatMap::range", lo, hi));
        self
    }

    /// The axis of the colours.
    fn colors(&self) -> Axis {
        let mut extent = Extent::new(Scale::Linear);
        for &value in &self.values {
            extent.include(value);
            if self.color_map == ColorMap::Diverging {
                extent.include(-value);
            }
        }
        Axis::numbers(Scale::Linear, self.range.or(extent.padded(0.0)).unwrap_or((0.0, 1.0)), 6)
    }

    /// The matrix's ratio of width to height.
    fn aspect(&self) -> f64 {
        self.n_columns as f64 / self.n_rows as f64
    }

    /// Calls `act` with the frame around the cells in a figure of this width; `aspect` is that of the plot.
    fn framed<T>(&self, width: f64, aspect: Option<f64>, act: impl FnOnce(&Frame) -> T) -> T {
        act(&Frame {
            title: &self.title,
            x_label: &self.x_label,
            y_label: &self.y_label,
            keys: &[],
            x: &|_| Axis::names(&self.column_names),
            y: &|_| Axis::names_from_top(&self.row_names),
            right: self.color_bar(width).map_or(0.0, |colors| color_bar::room(&colors)),
            aspect,
        })
    }

    /// The axis of the colour bar, if one is wanted and there is room for it.
    fn color_bar(&self, width: f64) -> Option<Axis> {
        let colors = self.texts.is_none().then(|| self.colors());
        colors.filter(|colors| color_bar::room(colors) < width / 2.0)
    }

    fn draw_cells(&self, panel: &mut Panel, colors: &Axis) {
        let pixel = |&value: &f64| self.color_map.color(colors.place(value));
        let image = Image::new(self.n_columns, self.n_rows, self.values.iter().map(pixel));
        panel.image((0.0, 0.0), (1.0, 1.0), image, false);
        let (cell_width, cell_height) =
            (panel.size().0 / self.n_columns as f64, panel.size().1 / self.n_rows as f64);
        // Paper-coloured lines between the cells, unless the cells are too small.
        if cell_width.min(cell_height) > 8.0 {
            let stroke = Stroke::solid(PAPER, 1.0);
            for i in 1..self.n_columns {
                let x = i as f64 / self.n_columns as f64;
                panel.rule((x, 0.0), (x, 1.0), stroke);
            }
            for i in 1..self.n_rows {
                let y = i as f64 / self.n_rows as f64;
                panel.rule((0.0, y), (1.0, y), stroke);
            }
        }
        let outline =
            [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)].map(|place| panel.pixel(place));
        panel.canvas.line(outline, Stroke::solid(AXIS, 1.0));
        if let Some(texts) = &self.texts {
            self.draw_texts(panel, colors, texts, (cell_width, cell_height));
        }
    }

    /// Draws the texts, all in the largest size that fits the widest.
    fn draw_texts(&self, panel: &mut Panel, colors: &Axis, texts: &[String], cell: (f64, f64)) {
        let widest = texts.iter().map(|text| text::width(text, Weight::Regular)).fold(0.0, f64::max);
        let size = (cell.0 * 0.82 / widest.max(0.1)).min(cell.1 * 0.5).min(12.0);
        if size < 5.0 {
            return;
        }
        for (i, text) in texts.iter().enumerate() {
            let share = colors.place(self.values[i]);
            let color = match self.color_map {
                map if map.is_strong(share) => WHITE,
                _ if self.values[i] == 0.0 => MUTED,
                _ => INK,
            };
            let (row, column) = ((i / self.n_columns) as f64, (i % self.n_columns) as f64);
            let at = ((column + 0.5) / self.n_columns as f64, 1.0 - (row + 0.5) / self.n_rows as f64);
            let at = panel.pixel(at);
            panel.canvas.text(text, at, TextStyle::new(size, color, Anchor::Middle, Anchor::Middle));
        }
    }
}

#[track_caller]
fn checked_names<S: AsRef<str>>(op: &str, names: &[S], n: usize) -> Vec<String> {
    assert!(names.len() == n, "{op}: {} names, expected {n}", names.len());
    names.iter().map(|name| name.as_ref().to_owned()).collect()
}

impl Draw for HeatMap {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        const WIDTH: u32 = 560;
        self.size.unwrap_or_else(|| {
            let width = f64::from(WIDTH);
            let natural = self.framed(width, Some(self.aspect()), |frame| frame.natural_height(width));
            (WIDTH, natural.clamp(200.0, 2000.0).ceil() as u32)
        })
    }

    fn check(&self) -> Result<()> {
        let plot = || self.title.clone();
        if self.values.is_empty() {
            return Err(Error::Empty { plot: plot(), part: "the matrix".to_owned() });
        }
        if !self.values.iter().any(|v| v.is_finite()) {
            return Err(Error::NothingToDraw {
                plot: plot(),
                n_values: self.values.len(),
                expected: "finite",
            });
        }
        Ok(())
    }

    fn keys(&self) -> Vec<Key> {
        Vec::new()
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, _: ShowLegend) {
        let aspect = Some(self.aspect()).filter(|aspect| (1.0 / 3.0..=3.0).contains(aspect));
        self.framed(area.width, aspect, |frame| {
            frame.draw(canvas, area, |panel| {
                self.draw_cells(panel, &self.colors());
                if let Some(colors) = self.color_bar(area.width) {
                    color_bar::draw(panel, area.width, self.color_map, &colors);
                }
            });
        });
    }
}
