//! Contours of a function of two numbers.

use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::Layer;
use crate::bounds::Bounds;
use crate::canvas::Pixels;
use crate::isolines::Heights;
use crate::legend::Key;
use crate::panel::{Drawn, Panel, Stroke, text_style};
use crate::pixels::{self, CLEAR};
use crate::theme::{self, MUTED, PAPER};
use crate::ticks;

/// Cells of the grid on which the function is known, each way.
const N_CELLS: usize = 128;
const N_LEVELS: usize = 12;
/// Opacity of the ground where it is highest.
const GROUND_OPACITY: f64 = 0.5;

/// Lines of equal height on tinted ground.
pub(crate) struct Contour {
    x: (f64, f64),
    y: (f64, f64),
    heights: Heights,
    ground: Vec<f64>,
    levels: Vec<f64>,
}

impl Contour {
    pub(crate) fn new(x: (f64, f64), y: (f64, f64), f: impl Fn(f64, f64) -> f64) -> Self {
        let n = N_CELLS as f64;
        let at = |(lo, hi): (f64, f64), cells: f64| lo + (hi - lo) * cells / n;
        let n_nodes = N_CELLS + 1;
        let node = |i: usize| f(at(x, (i % n_nodes) as f64), at(y, (i / n_nodes) as f64));
        let heights = (0..n_nodes * n_nodes).map(node).collect();
        // The ground has a pixel in the middle of each cell, the first row at the top.
        let pixel = |i: usize| {
            let (column, row) = ((i % N_CELLS) as f64, (i / N_CELLS) as f64);
            f(at(x, column + 0.5), at(y, n - 0.5 - row))
        };
        let ground = (0..N_CELLS * N_CELLS).map(pixel).collect();
        let heights = Heights { n_columns: n_nodes, n_rows: n_nodes, values: heights };
        let levels = round_levels(&heights.values);
        Contour { x, y, heights, ground, levels }
    }

    /// Which share of the levels lies below `height`.
    fn share_below(&self, height: f64) -> f64 {
        let i = self.levels.partition_point(|&level| level <= height);
        let within = match (i.checked_sub(1).map(|i| self.levels[i]), self.levels.get(i)) {
            (Some(lo), Some(&hi)) => (height - lo) / (hi - lo),
            _ => 0.5,
        };
        (i as f64 + within) / (self.levels.len() as f64 + 1.0)
    }

    fn draw_ground(&self, panel: &Panel) {
        let rgb = theme::BLUE;
        let color = |&height: &f64| match height.is_finite() {
            true => [rgb.0, rgb.1, rgb.2, (self.share_below(height) * GROUND_OPACITY * 255.0) as u8],
            false => CLEAR,
        };
        let png = pixels::encode(N_CELLS, N_CELLS, self.ground.iter().map(color));
        let corners = [(self.x.0, self.y.0), (self.x.1, self.y.1)].map(|point| panel.place(point));
        panel.image(corners[0], corners[1], &png, Pixels::Smooth);
    }

    /// The lines of one height, in the function's own numbers.
    fn isolines(&self, level: f64) -> Vec<Vec<(f64, f64)>> {
        let point = |(column, row): (f64, f64)| {
            let share = |(lo, hi): (f64, f64), cells: f64| lo + (hi - lo) * cells / N_CELLS as f64;
            (share(self.x, column), share(self.y, row))
        };
        let lines = self.heights.isolines(level).into_iter();
        lines.map(|line| line.into_iter().map(point).collect()).collect()
    }
}

/// Numbers of one digit, about evenly distributed among `heights`.
fn round_levels(heights: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = heights.iter().copied().filter(|h| h.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let (Some(&lowest), Some(&highest)) = (sorted.first(), sorted.last()) else {
        return Vec::new();
    };
    let mut levels: Vec<f64> = (1..=N_LEVELS)
        .map(|i| sorted[(sorted.len() - 1) * i / (N_LEVELS + 1)])
        .map(|height| format!("{height:.0e}").parse().expect("a number that was just written"))
        .filter(|level| (lowest..=highest).contains(level))
        .collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    levels
}

impl Layer for Contour {
    fn name(&self) -> &str {
        "contour"
    }

    fn n_values(&self) -> usize {
        self.heights.values.len()
    }

    fn extend(&self, bounds: &mut Bounds) {
        let drawable = self.heights.values.iter().any(|h| h.is_finite());
        bounds.fill(self.x, self.y, drawable);
    }

    fn takes_color(&self) -> bool {
        false
    }

    fn key(&self, _: usize) -> Option<Key> {
        None
    }

    fn draw(&self, panel: &mut Panel, _: usize) -> Drawn {
        let (x, y) = (self.x, self.y);
        // Paper first: the grid of the axes would show through.
        panel.area([(x.0, y.0), (x.1, y.0), (x.1, y.1), (x.0, y.1)], PAPER)?;
        self.draw_ground(panel);
        let n_lines = panel.lines.len();
        for line in self.levels.iter().flat_map(|&level| self.isolines(level)) {
            panel.line(line, Stroke::solid(MUTED.mix(0.7), 0.8))?;
        }
        // They are the ground: labels may stand on them.
        panel.lines.truncate(n_lines);
        Ok(())
    }

    /// The heights, where no path covers them.
    fn draw_above(&self, panel: &mut Panel, _: usize) -> Drawn {
        let style = text_style(9.5, MUTED, false, (HPos::Center, VPos::Center));
        for &level in &self.levels {
            if let Some(longest) = self.isolines(level).iter().max_by_key(|line| line.len()) {
                panel.label_along(longest, &ticks::brief(level), &style)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_round_and_ascend() {
        let rosenbrock =
            Contour::new((-2.0, 2.0), (-1.0, 3.0), |x, y| (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2));
        assert!(rosenbrock.levels.len() >= 8, "{:?}", rosenbrock.levels);
        assert!(rosenbrock.levels.windows(2).all(|w| w[0] < w[1]));
        for level in &rosenbrock.levels {
            assert_eq!(format!("{level:.0e}").parse(), Ok(*level));
        }
    }

    #[test]
    fn a_flat_or_broken_ground_has_no_levels_or_one() {
        assert!(Contour::new((0.0, 1.0), (0.0, 1.0), |_, _| f64::NAN).levels.is_empty());
        assert!(Contour::new((0.0, 1.0), (0.0, 1.0), |_, _| 3.0).levels.len() <= 1);
    }
}
