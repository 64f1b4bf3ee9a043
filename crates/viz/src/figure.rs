//! A pair of axes with any number of series on them.

use crate::axis::Axis;
use crate::bounds::{Bounds, Side, checked_range, checked_size, zipped};
use crate::canvas::{Canvas, Rect};
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::layer::Layer;
use crate::layers::{Band, Contour, Histogram, Line, Mark, Path, Rule, Scatter};
use crate::legend::Key;
use crate::plot::{Draw, ShowLegend};
use crate::scale::Scale;

/// A pair of axes with any number of series on them: lines, points, bands, histograms, descent paths and
/// contours.
///
/// A number that is not finite, or not above 0 on a logarithmic axis, is a gap. Series take the palette's
/// colours in the order they are added; a series with an empty name has no legend entry.
///
/// ```
/// use viz::{Figure, Plot, Theme};
///
/// let epochs = [0.0, 1.0, 2.0, 3.0];
/// let figure = Figure::new("Loss")
///     .x_label("epoch")
///     .y_label("loss")
///     .y_log()
///     .line("train", &epochs, &[2.3, 1.1, 0.6, 0.4])
///     .line("test", &epochs, &[2.3, 1.3, 0.9, f64::NAN]);
/// assert!(figure.svg(Theme::Auto)?.starts_with("<svg"));
/// # Ok::<(), viz::Error>(())
/// ```
pub struct Figure {
    title: String,
    size: (u32, u32),
    x: Side,
    y: Side,
    aspect: Option<f64>,
    layers: Vec<Box<dyn Layer>>,
}

impl Figure {
    /// An empty figure, 640 × 400 pixels.
    pub fn new(title: impl Into<String>) -> Self {
        Figure {
            title: title.into(),
            size: (640, 400),
            x: Side::default(),
            y: Side::default(),
            aspect: None,
            layers: Vec::new(),
        }
    }

    /// Sets the width and height in pixels.
    ///
    /// # Panics
    /// If either is not in 100..=10000.
    #[track_caller]
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = checked_size("Figure::size", width, height);
        self
    }

    /// Sets the label of the x axis, with its unit.
    pub fn x_label(mut self, label: impl Into<String>) -> Self {
        self.x.label = label.into();
        self
    }

    /// Sets the label of the y axis, with its unit.
    pub fn y_label(mut self, label: impl Into<String>) -> Self {
        self.y.label = label.into();
        self
    }

    /// Makes the x axis logarithmic.
    pub fn x_log(mut self) -> Self {
        self.x.scale = Scale::Log;
        self
    }

    /// Makes the y axis logarithmic.
    pub fn y_log(mut self) -> Self {
        self.y.scale = Scale::Log;
        self
    }

    /// Labels the x axis, if it is linear, at whole numbers only: for epochs and other counts.
    pub fn x_whole(mut self) -> Self {
        self.x.whole = true;
        self
    }

    /// Shows x from `lo` to `hi`, instead of all the data.
    ///
    /// # Panics
    /// Unless `lo < hi`, both finite and more than 10⁻¹² of their size apart.
    #[track_caller]
    pub fn x_range(mut self, lo: f64, hi: f64) -> Self {
        self.x.range = Some(checked_range("Figure::x_range", lo, hi));
        self
    }

    /// Shows y from `lo` to `hi`, instead of all the data.
    ///
    /// # Panics
    /// Unless `lo < hi`, both finite and more than 10⁻¹² of their size apart.
    #[track_caller]
    pub fn y_range(mut self, lo: f64, hi: f64) -> Self {
        self.y.range = Some(checked_range("Figure::y_range", lo, hi));
        self
    }

    /// Fixes the plot's ratio of width to height: 1 for a square.
    ///
    /// # Panics
    /// Unless it is in 0.1..=10.
    #[track_caller]
    pub fn aspect(mut self, width_over_height: f64) -> Self {
        assert!(
            (0.1..=10.0).contains(&width_over_height),
            "Figure::aspect: expected a ratio in 0.1..=10, got {width_over_height}"
        );
        self.aspect = Some(width_over_height);
        self
    }

    /// Adds a line through the points `(xs[i], ys[i])`.
    ///
    /// # Panics
    /// If `xs` and `ys` differ in length, as in all methods that take both.
    #[track_caller]
    pub fn line(self, name: impl Into<String>, xs: &[f64], ys: &[f64]) -> Self {
        let name = name.into();
        let points = zipped("Figure::line", &name, xs, ys);
        self.with(Line::through(name, points, false))
    }

    /// Adds a line as [`line`](Figure::line) does, with a dot at each point unless there are more than 40, so
    /// that a single point, or one between two gaps, is visible too.
    #[track_caller]
    pub fn dotted(self, name: impl Into<String>, xs: &[f64], ys: &[f64]) -> Self {
        let name = name.into();
        let points = zipped("Figure::dotted", &name, xs, ys);
        self.with(Line::through(name, points, false).dotted())
    }

    /// Adds a dashed line, for expected rather than measured values.
    #[track_caller]
    pub fn dashed(self, name: impl Into<String>, xs: &[f64], ys: &[f64]) -> Self {
        let name = name.into();
        let points = zipped("Figure::dashed", &name, xs, ys);
        self.with(Line::through(name, points, true))
    }

    /// Adds the graph of `f` from `lo` to `hi`, at points evenly spaced on the x axis. `f` is evaluated for
    /// both a linear and a logarithmic axis, because the scale may be set later.
    ///
    /// # Panics
    /// Unless `lo < hi`, both finite and more than 10⁻¹² of their size apart.
    #[track_caller]
    pub fn function(self, name: impl Into<String>, lo: f64, hi: f64, f: impl Fn(f64) -> f64) -> Self {
        let range = checked_range("Figure::function", lo, hi);
        self.with(Line::graph(name.into(), range, f))
    }

    /// Adds separate points.
    #[track_caller]
    pub fn scatter(self, name: impl Into<String>, xs: &[f64], ys: &[f64]) -> Self {
        let name = name.into();
        let points = zipped("Figure::scatter", &name, xs, ys);
        self.with(Scatter { name, points })
    }

    /// Adds the area between `lo[i]` and `hi[i]` over `xs[i]`, for example a range, or a standard deviation
    /// on each side. With an empty name it takes the colour of the next series, the line that runs through
    /// it.
    #[track_caller]
    pub fn band(self, name: impl Into<String>, xs: &[f64], lo: &[f64], hi: &[f64]) -> Self {
        let name = name.into();
        let lo = zipped("Figure::band", &name, xs, lo);
        let hi = zipped("Figure::band", &name, xs, hi);
        self.with(Band { name, lo, hi })
    }

    /// Adds a histogram of `values` in `n_bins` bins of equal width on the x axis, as a density: its area is
    /// 1, so it can be compared with a density curve ([`function`](Figure::function)).
    ///
    /// # Panics
    /// If `n_bins` is not in 1..=10000.
    #[track_caller]
    pub fn histogram(self, name: impl Into<String>, values: &[f64], n_bins: usize) -> Self {
        assert!((1..=10_000).contains(&n_bins), "Figure::histogram: expected 1 to 10000 bins, got {n_bins}");
        self.with(Histogram::new(name.into(), values, n_bins))
    }

    /// Adds the steps of a descent: a line, a dot at each step unless there are more than 100, a ring at the
    /// start and a large dot at the end.
    #[track_caller]
    pub fn path(self, name: impl Into<String>, xs: &[f64], ys: &[f64]) -> Self {
        let name = name.into();
        let points = zipped("Figure::path", &name, xs, ys);
        self.with(Path { name, points })
    }

    /// Adds a single point with a label.
    pub fn mark(self, label: impl Into<String>, x: f64, y: f64) -> Self {
        self.with(Mark { label: label.into(), point: (x, y) })
    }

    /// Adds a dashed vertical line at `x` with its label at the top.
    pub fn x_rule(self, label: impl Into<String>, x: f64) -> Self {
        self.with(Rule { label: label.into(), x: Some(x), y: None })
    }

    /// Adds a dashed horizontal line at `y` with its label at the right.
    pub fn y_rule(self, label: impl Into<String>, y: f64) -> Self {
        self.with(Rule { label: label.into(), x: None, y: Some(y) })
    }

    /// Adds contour lines of `f` over the rectangle `x.0..=x.1` × `y.0..=y.1`, on a background that is bluer
    /// where `f` is higher. The levels are round numbers, chosen so that the areas between adjacent levels
    /// are about equal. `f` is evaluated on a grid of 128 × 128 cells for each scale, linear or logarithmic,
    /// that the ranges allow.
    ///
    /// # Panics
    /// Unless in both ranges the ends ascend, are finite and more than 10⁻¹² of their size apart.
    #[track_caller]
    pub fn contour(self, x: (f64, f64), y: (f64, f64), f: impl Fn(f64, f64) -> f64) -> Self {
        let x = checked_range("Figure::contour (x)", x.0, x.1);
        let y = checked_range("Figure::contour (y)", y.0, y.1);
        self.with(Contour::new(x, y, f))
    }

    fn with(mut self, layer: impl Layer + 'static) -> Self {
        self.layers.push(Box::new(layer));
        self
    }

    fn bounds(&self) -> Bounds {
        let mut bounds = Bounds::new(&self.x, &self.y);
        self.layers.iter().for_each(|layer| layer.extend(&mut bounds));
        bounds
    }

    /// Each layer with its colour index.
    fn colored(&self) -> impl Iterator<Item = (&dyn Layer, usize)> {
        self.layers.iter().scan(0, |n_colors, layer| {
            let color_idx = *n_colors;
            *n_colors += usize::from(layer.takes_color());
            Some((layer.as_ref(), color_idx))
        })
    }
}

impl Draw for Figure {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn check(&self) -> Result<()> {
        let plot = || self.title.clone();
        if self.layers.is_empty() {
            return Err(Error::Empty { plot: plot(), part: "the figure".to_owned() });
        }
        if let Some(layer) = self.layers.iter().find(|layer| layer.n_values() == 0) {
            return Err(Error::Empty { plot: plot(), part: format!("series {:?}", layer.name()) });
        }
        let sides = [("x", &self.x), ("y", &self.y)];
        for (axis, side) in sides.into_iter().filter(|(_, side)| side.scale == Scale::Log) {
            if let Some((lo, _)) = side.range.filter(|range| range.0 <= 0.0) {
                return Err(Error::LogRange { plot: plot(), axis, lo });
            }
        }
        if self.bounds().n_drawable == 0 {
            let log = self.x.scale == Scale::Log || self.y.scale == Scale::Log;
            let within = self.x.range.is_some() || self.y.range.is_some();
            let expected = match (log, within) {
                (false, false) => "finite",
                (true, false) => "finite and above 0 on a logarithmic axis",
                (_, true) => "finite and within the axes' ranges",
            };
            let n_values = self.layers.iter().map(|layer| layer.n_values()).sum();
            return Err(Error::NothingToDraw { plot: plot(), n_values, expected });
        }
        Ok(())
    }

    fn keys(&self) -> Vec<Key> {
        self.colored().filter_map(|(layer, color_idx)| layer.key(color_idx)).collect()
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, legend: ShowLegend) {
        let [x_range, y_range] = self.bounds().ranges();
        let keys = if legend == ShowLegend::Here { self.keys() } else { Vec::new() };
        let frame = Frame {
            title: &self.title,
            x_label: &self.x.label,
            y_label: &self.y.label,
            keys: &keys,
            x: &|n_ticks| match (self.x.whole, self.x.scale) {
                (true, Scale::Linear) => Axis::whole_numbers(x_range, n_ticks),
                (_, scale) => Axis::numbers(scale, x_range, n_ticks),
            },
            y: &|n_ticks| Axis::numbers(self.y.scale, y_range, n_ticks),
            right: 0.0,
            aspect: self.aspect,
        };
        frame.draw(canvas, area, |panel| {
            self.colored().for_each(|(layer, color_idx)| layer.draw(panel, color_idx));
            self.colored().for_each(|(layer, color_idx)| layer.draw_above(panel, color_idx));
        });
    }
}
