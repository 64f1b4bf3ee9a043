//! Contours of a function of two variables.

use crate::bounds::Bounds;
use crate::canvas::{Anchor, Stroke, TextStyle};
use crate::isolines::Heights;
use crate::layer::Layer;
use crate::legend::Key;
use crate::panel::Panel;
use crate::pixels::{CLEAR, Image, rgba};
use crate::scale::Scale;
use crate::theme::{BLUE, MUTED, PAPER};
use crate::ticks;

/// The number of grid cells in each direction.
const N_CELLS: usize = 128;
const N_LEVELS: usize = 12;
/// The opacity of the background where it is highest.
const GROUND_OPACITY: f64 = 0.5;

/// Contour lines on a tinted background.
pub(crate) struct Contour {
    x: (f64, f64),
    y: (f64, f64),
    /// One for each pair of scales that can show the ranges.
    grounds: Vec<Ground>,
}

/// A function on a grid that is evenly spaced for one pair of scales.
struct Ground {
    scales: (Scale, Scale),
    heights: Heights,
    /// The values in the middle of each cell, with the first row at the top.
    cells: Vec<f64>,
    levels: Levels,
}

/// The heights of the lines.
struct Levels {
    heights: Vec<f64>,
    /// The number of digits needed to tell them apart.
    n_digits: usize,
}

impl Contour {
    pub(crate) fn new(x: (f64, f64), y: (f64, f64), f: impl Fn(f64, f64) -> f64) -> Self {
        // The scales of the axes are not known until the figure is complete.
        let scales = |lo: f64| if lo > 0.0 { &[Scale::Linear, Scale::Log][..] } else { &[Scale::Linear] };
        let pairs = scales(x.0).iter().flat_map(|&a| scales(y.0).iter().map(move |&b| (a, b)));
        Contour { x, y, grounds: pairs.map(|scales| Ground::new(scales, (x, y), &f)).collect() }
    }

    fn ground(&self, scales: (Scale, Scale)) -> Option<&Ground> {
        self.grounds.iter().find(|ground| ground.scales == scales)
    }

    fn ground_of(&self, panel: &Panel) -> Option<&Ground> {
        self.ground((panel.x.scale(), panel.y.scale()))
    }

    /// The lines of one height, in the function's coordinates.
    fn isolines(&self, ground: &Ground, level: f64) -> Vec<Vec<(f64, f64)>> {
        let point = |(column, row): (f64, f64)| {
            let n = N_CELLS as f64;
            (ground.scales.0.at(self.x, column / n), ground.scales.1.at(self.y, row / n))
        };
        let lines = ground.heights.isolines(level).into_iter();
        lines.map(|line| line.into_iter().map(point).collect()).collect()
    }

    /// Tints the visible part of the background.
    fn draw_ground(&self, ground: &Ground, panel: &mut Panel) {
        let lo = (panel.x.place(self.x.0), panel.y.place(self.y.0));
        let hi = (panel.x.place(self.x.1), panel.y.place(self.y.1));
        let shown = |lo: f64, hi: f64| (lo.clamp(0.0, 1.0), hi.clamp(0.0, 1.0));
        let ((left, right), (bottom, top)) = (shown(lo.0, hi.0), shown(lo.1, hi.1));
        if right <= left || top <= bottom {
            return;
        }
        // The cell under the middle of the `i`-th of `N_CELLS` pixels between two positions.
        let cell = |i: usize, (from, to): (f64, f64), (lo, hi): (f64, f64)| {
            let place = from + (to - from) * (i as f64 + 0.5) / N_CELLS as f64;
            (((place - lo) / (hi - lo) * N_CELLS as f64) as usize).min(N_CELLS - 1)
        };
        let columns: Vec<usize> = (0..N_CELLS).map(|i| cell(i, (left, right), (lo.0, hi.0))).collect();
        let rows: Vec<usize> =
            (0..N_CELLS).map(|i| cell(i, (1.0 - top, 1.0 - bottom), (1.0 - hi.1, 1.0 - lo.1))).collect();
        let color = |height: f64| match height.is_finite() {
            true => rgba(BLUE, (ground.levels.share_below(height) * GROUND_OPACITY * 255.0) as u8),
            false => CLEAR,
        };
        let pixels = rows.iter().flat_map(|row| columns.iter().map(move |column| row * N_CELLS + column));
        let image = Image::new(N_CELLS, N_CELLS, pixels.map(|cell| color(ground.cells[cell])));
        panel.image((left, bottom), (right, top), image, true);
    }
}

impl Ground {
    fn new(scales: (Scale, Scale), (x, y): ((f64, f64), (f64, f64)), f: impl Fn(f64, f64) -> f64) -> Self {
        let n = N_CELLS as f64;
        let at = |column: f64, row: f64| f(scales.0.at(x, column / n), scales.1.at(y, row / n));
        let n_nodes = N_CELLS + 1;
        let node = |i: usize| at((i % n_nodes) as f64, (i / n_nodes) as f64);
        let values: Vec<f64> = (0..n_nodes * n_nodes).map(node).collect();
        let cell = |i: usize| at((i % N_CELLS) as f64 + 0.5, n - 0.5 - (i / N_CELLS) as f64);
        let cells = (0..N_CELLS * N_CELLS).map(cell).collect();
        let levels = Levels::among(&values);
        Ground { scales, heights: Heights { n_columns: n_nodes, n_rows: n_nodes, values }, cells, levels }
    }
}

impl Levels {
    /// Levels with one digit, distributed roughly evenly among `heights`; with more digits if one does not
    /// tell them apart.
    fn among(heights: &[f64]) -> Self {
        let mut sorted: Vec<f64> = heights.iter().copied().filter(|h| h.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (Some(&lowest), Some(&highest)) = (sorted.first(), sorted.last()) else {
            return Levels { heights: Vec::new(), n_digits: 1 };
        };
        let exact: Vec<f64> =
            (1..=N_LEVELS).map(|i| sorted[(sorted.len() - 1) * i / (N_LEVELS + 1)]).collect();
        let rounded = |n_digits: usize| {
            let round = |h: &f64| format!("{h:.0$e}", n_digits - 1).parse().expect("a number just written");
            let mut levels: Vec<f64> = exact.iter().map(round).collect();
            levels.retain(|level| (lowest..=highest).contains(level));
            levels.sort_by(f64::total_cmp);
            levels.dedup();
            levels
        };
        let mut distinct = exact.clone();
        distinct.dedup();
        let enough = distinct.len().min(N_LEVELS / 2);
        let n_digits = (1..17).find(|&n| rounded(n).len() >= enough).unwrap_or(17);
        Levels { heights: rounded(n_digits), n_digits }
    }

    /// The fraction of levels below `height`.
    fn share_below(&self, height: f64) -> f64 {
        let i = self.heights.partition_point(|&level| level <= height);
        let within = match (i.checked_sub(1).map(|i| self.heights[i]), self.heights.get(i)) {
            (Some(lo), Some(&hi)) => Scale::Linear.share((lo, hi), height),
            _ => 0.5,
        };
        (i as f64 + within) / (self.heights.len() as f64 + 1.0)
    }
}

impl Layer for Contour {
    fn name(&self) -> &str {
        "contour"
    }

    fn n_values(&self) -> usize {
        (N_CELLS + 1) * (N_CELLS + 1)
    }

    fn extend(&self, bounds: &mut Bounds) {
        let ground = self.ground(bounds.scales);
        if ground.is_some_and(|ground| ground.heights.values.iter().any(|h| h.is_finite())) {
            bounds.fill(self.x, self.y);
        }
    }

    fn takes_color(&self) -> bool {
        false
    }

    fn key(&self, _: usize) -> Option<Key> {
        None
    }

    fn draw(&self, panel: &mut Panel, _: usize) {
        let Some(ground) = self.ground_of(panel) else { return };
        let (x, y) = (self.x, self.y);
        // Paper first, because the grid of the axes would show through.
        panel.area([(x.0, y.0), (x.1, y.0), (x.1, y.1), (x.0, y.1)], PAPER);
        self.draw_ground(ground, panel);
        for line in ground.levels.heights.iter().flat_map(|&level| self.isolines(ground, level)) {
            panel.ground_line(line, Stroke::solid(MUTED.faded(0.7), 0.8));
        }
    }

    /// Labels the heights where no path covers them.
    fn draw_above(&self, panel: &mut Panel, _: usize) {
        let Some(ground) = self.ground_of(panel) else { return };
        let style = TextStyle::new(11.5, MUTED, Anchor::Middle, Anchor::Middle);
        for &level in &ground.levels.heights {
            if let Some(longest) = self.isolines(ground, level).iter().max_by_key(|line| line.len()) {
                let label = ticks::significant(level, ground.levels.n_digits.max(3));
                panel.label_along(longest, &label, &style);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        Contour::new((-2.0, 2.0), (-1.0, 3.0), f).grounds.remove(0).levels.heights
    }

    #[test]
    fn levels_are_round_and_ascend() {
        let levels = levels(|x, y| (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2));
        assert!(levels.len() >= 8, "{levels:?}");
        assert!(levels.windows(2).all(|w| w[0] < w[1]));
        for level in &levels {
            assert_eq!(format!("{level:.0e}").parse(), Ok(*level));
        }
    }

    #[test]
    fn a_flat_or_broken_ground_has_no_levels_or_one() {
        assert!(levels(|_, _| f64::NAN).is_empty());
        assert!(levels(|_, _| 3.0).len() <= 1);
        assert!(levels(|x, _| if x > 0.0 { f64::MAX } else { f64::MIN }).len() <= 2);
    }

    #[test]
    fn far_from_0_the_levels_have_the_digits_that_it_takes() {
        for far in [1e6f64, -1e9, 1e100] {
            let levels = levels(|x, y| far + far.abs() * 1e-7 * (x * x + y * y));
            assert!(levels.len() >= 6 && levels.windows(2).all(|w| w[0] < w[1]), "{levels:?}");
        }
    }

    #[test]
    fn each_pair_of_scales_has_a_ground_of_its_own() {
        let n_grounds = |x, y| Contour::new(x, y, |x, y| x * y).grounds.len();
        assert_eq!((n_grounds((1.0, 2.0), (1.0, 2.0)), n_grounds((0.0, 1.0), (1.0, 2.0))), (4, 2));
        let contour = Contour::new((1e-4, 1.0), (0.0, 1.0), |x, _| x.log10());
        let ground = contour.ground((Scale::Log, Scale::Linear)).expect("the range is positive");
        for level in [-3.0, -2.0, -1.0] {
            let lines = contour.isolines(ground, level);
            assert!(lines.len() == 1 && lines[0].iter().all(|(x, _)| (x.log10() - level).abs() < 1e-6));
        }
    }
}
