//! Bars over named categories.

use crate::axis::{Axis, Extent};
use crate::bounds::{checked_range, checked_size};
use crate::canvas::{Anchor, Canvas, Rect, Stroke, TextStyle};
use crate::clip;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::legend::{Key, Symbol};
use crate::panel::Panel;
use crate::plot::{Draw, ShowLegend};
use crate::scale::Scale;
use crate::text::{self, Weight};
use crate::theme::{self, INK};
use crate::ticks;

/// Bars from 0 over named categories, one per group, with optional error bars. If there is room, each bar has
/// its value at its end. A value that is not finite is a gap.
///
/// ```
/// use viz::{Bars, Plot, Theme};
///
/// let bars = Bars::new("Test accuracy", &["cat", "dog", "ship"])
///     .y_label("correct (%)")
///     .group("CNN", &[52.0, 61.5, 80.1])
///     .group_with_errors("MLP", &[31.0, 42.0, 60.0], &[2.0, 1.5, 3.0]);
/// assert!(bars.svg(Theme::Auto)?.starts_with("<svg"));
/// # Ok::<(), viz::Error>(())
/// ```
pub struct Bars {
    title: String,
    size: (u32, u32),
    categories: Vec<String>,
    x_label: String,
    y_label: String,
    y_range: Option<(f64, f64)>,
    groups: Vec<Group>,
}

struct Group {
    name: String,
    values: Vec<f64>,
    /// Half the length of each error bar; 0 for none.
    errors: Vec<f64>,
}

impl Group {
    /// The ends of the `i`-th error bar, if any.
    fn ends(&self, i: usize) -> Option<(f64, f64)> {
        let (value, error) = (self.values[i], self.errors[i]);
        let ends = || ((value - error).max(f64::MIN), (value + error).min(f64::MAX));
        (error > 0.0 && error.is_finite() && value.is_finite()).then(ends)
    }
}

/// The fraction of a category's width that its bars take.
const FILLED: f64 = 0.78;

impl Bars {
    /// An empty chart, 640 × 400 pixels.
    pub fn new<S: AsRef<str>>(title: impl Into<String>, categories: &[S]) -> Self {
        Bars {
            title: title.into(),
            size: (640, 400),
            categories: categories.iter().map(|name| name.as_ref().to_owned()).collect(),
            x_label: String::new(),
            y_label: String::new(),
            y_range: None,
            groups: Vec::new(),
        }
    }

    /// Sets the width and height in pixels.
    ///
    /// # Panics
    /// If either is not in 100..=10000.
    #[track_caller]
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = checked_size("Bars::size", width, height);
        self
    }

    /// Sets the label of the categories.
    pub fn x_label(mut self, label: impl Into<String>) -> Self {
        self.x_label = label.into();
        self
    }

    /// Sets the label of the heights, with their unit.
    pub fn y_label(mut self, label: impl Into<String>) -> Self {
        self.y_label = label.into();
        self
    }

    /// Shows heights from `lo` to `hi`, instead of from 0 and all the data.
    ///
    /// # Panics
    /// Unless `lo < hi`, both finite and more than 10⁻¹² of their size apart.
    #[track_caller]
    pub fn y_range(mut self, lo: f64, hi: f64) -> Self {
        self.y_range = Some(checked_range("Bars::y_range", lo, hi));
        self
    }

    /// Adds a bar for each category.
    ///
    /// # Panics
    /// If the numbers of values and categories differ.
    #[track_caller]
    pub fn group(self, name: impl Into<String>, values: &[f64]) -> Self {
        self.group_with_errors(name, values, &vec![0.0; values.len()])
    }

    /// Adds a bar for each category, with an error bar from `values[i] - errors[i]` to
    /// `values[i] + errors[i]`.
    ///
    /// # Panics
    /// If the numbers of values, errors and categories differ.
    #[track_caller]
    pub fn group_with_errors(mut self, name: impl Into<String>, values: &[f64], errors: &[f64]) -> Self {
        let (name, n) = (name.into(), self.categories.len());
        assert!(
            values.len() == n && errors.len() == n,
            "Bars::group: group {name:?} has {} values and {} errors, expected one for each of {n} categories",
            values.len(),
            errors.len()
        );
        self.groups.push(Group { name, values: values.to_vec(), errors: errors.to_vec() });
        self
    }

    fn draw_group(&self, panel: &mut Panel, group_idx: usize, with_values: bool) {
        let group = &self.groups[group_idx];
        let width = FILLED / self.groups.len() as f64;
        for (i, &value) in group.values.iter().enumerate() {
            let left = i as f64 + (1.0 - FILLED) / 2.0 + group_idx as f64 * width;
            let middle = left + width / 2.0;
            if panel.place((middle, value)).1.is_nan() {
                continue;
            }
            panel.bar(
                (left + width * 0.04, left + width * 0.96),
                (0.0, value),
                theme::series_color(group_idx),
            );
            let ends = group.ends(i);
            if let Some((lo, hi)) = ends {
                let cap = (width * 0.18).min(0.08);
                let stroke = Stroke::solid(INK, 1.1);
                panel.line([(middle, lo), (middle, hi)], stroke);
                panel.line([(middle - cap, lo), (middle + cap, lo)], stroke);
                panel.line([(middle - cap, hi), (middle + cap, hi)], stroke);
            }
            if with_values {
                let (lo, hi) = ends.unwrap_or((value, value));
                let (end, dy, anchor) =
                    if value < 0.0 { (lo, 4.0, Anchor::Start) } else { (hi, -4.0, Anchor::End) };
                let (x, y) = panel.place((middle, end));
                let (x, y) = panel.pixel((x, y.clamp(0.0, 1.0)));
                let style = TextStyle::new(VALUE_SIZE, INK, Anchor::Middle, anchor);
                panel.canvas.text(ticks::brief(value), (x, y + dy), TextStyle { halo: true, ..style });
            }
        }
    }

    /// Whether every bar is wide enough for its value.
    fn has_room_for_values(&self, panel: &Panel) -> bool {
        let n_bars = (self.categories.len() * self.groups.len()) as f64;
        let room = panel.size().0 * FILLED / n_bars;
        let values = self.groups.iter().flat_map(|group| &group.values).filter(|v| v.is_finite());
        values.into_iter().all(|&v| text::width(&ticks::brief(v), Weight::Regular) * VALUE_SIZE + 2.0 < room)
    }
}

/// Font size of the values at the ends of the bars, in pixels.
const VALUE_SIZE: f64 = 11.0;

impl Draw for Bars {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn check(&self) -> Result<()> {
        let plot = || self.title.clone();
        if self.categories.is_empty() || self.groups.is_empty() {
            let part = if self.groups.is_empty() { "the list of groups" } else { "the list of categories" };
            return Err(Error::Empty { plot: plot(), part: part.to_owned() });
        }
        let mut extent = Extent::new(Scale::Linear);
        let values = self.groups.iter().flat_map(|group| &group.values);
        if values.clone().filter(|&&v| extent.include(v)).count() == 0 {
            return Err(Error::NothingToDraw { plot: plot(), n_values: values.count(), expected: "finite" });
        }
        Ok(())
    }

    fn keys(&self) -> Vec<Key> {
        let key = |(i, group): (usize, &Group)| Key::named(&group.name, Symbol::Box, theme::series_color(i));
        // A single group needs no legend.
        let shown = if self.groups.len() > 1 { &self.groups[..] } else { &[] };
        shown.iter().enumerate().filter_map(key).collect()
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, legend: ShowLegend) {
        let mut extent = Extent::new(Scale::Linear);
        extent.include(0.0);
        for group in &self.groups {
            for (i, &value) in group.values.iter().enumerate() {
                let (lo, hi) = group.ends(i).unwrap_or((value, value));
                extent.include(lo);
                extent.include(hi);
            }
        }
        let y_range = self.y_range.or(extent.padded(0.08)).unwrap_or((0.0, 1.0));
        let keys = if legend == ShowLegend::Here { self.keys() } else { Vec::new() };
        let frame = Frame {
            title: &self.title,
            x_label: &self.x_label,
            y_label: &self.y_label,
            keys: &keys,
            x: &|_| Axis::names(&self.categories),
            y: &|n_ticks| Axis::numbers(Scale::Linear, y_range, n_ticks),
            right: 0.0,
            aspect: None,
        };
        frame.draw(canvas, area, |panel| {
            let with_values = self.has_room_for_values(panel);
            (0..self.groups.len()).for_each(|i| self.draw_group(panel, i, with_values));
            let zero = panel.y.place(0.0);
            if clip::inside((0.0, zero)) {
                panel.rule((0.0, zero), (1.0, zero), Stroke::solid(theme::AXIS, 1.0));
            }
        });
    }
}
