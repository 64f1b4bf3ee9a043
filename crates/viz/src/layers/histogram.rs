//! Histograms.

use plotters::style::Color;

use super::Layer;
use crate::bounds::Bounds;
use crate::legend::{Key, Symbol};
use crate::panel::{Drawn, Panel};
use crate::theme;

/// Bins of equal width over the finite values, as a density.
pub(crate) struct Histogram {
    name: String,
    n_values: usize,
    lo: f64,
    bin_width: f64,
    densities: Vec<f64>,
}

impl Histogram {
    pub(crate) fn new(name: String, values: &[f64], n_bins: usize) -> Self {
        // Beyond these, widths and densities would overflow.
        let finite: Vec<f64> = values.iter().copied().filter(|v| v.abs() <= 1e150).collect();
        let (lo, hi) =
            finite.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)));
        let size = lo.abs().max(hi.abs()).max(1e-100);
        // All values the same: bins around them, for a density needs a width.
        let (lo, hi) = if hi - lo > size * 1e-9 { (lo, hi) } else { (lo - size / 2.0, lo + size / 2.0) };
        let bin_width = (hi - lo) / n_bins as f64;
        let mut densities = vec![0.0; if finite.is_empty() { 0 } else { n_bins }];
        for v in &finite {
            let bin = ((v - lo) / bin_width) as usize;
            densities[bin.min(n_bins - 1)] += 1.0 / (finite.len() as f64 * bin_width);
        }
        Histogram { name, n_values: values.len(), lo, bin_width, densities }
    }

    /// The bins: left edge, right edge, density.
    fn bins(&self) -> impl Iterator<Item = (f64, f64, f64)> {
        let edge = |i: usize| self.lo + i as f64 * self.bin_width;
        self.densities.iter().enumerate().map(move |(i, &density)| (edge(i), edge(i + 1), density))
    }
}

impl Layer for Histogram {
    fn name(&self) -> &str {
        &self.name
    }

    fn n_values(&self) -> usize {
        self.n_values
    }

    fn extend(&self, bounds: &mut Bounds) {
        bounds.include_y(0.0);
        for (left, right, density) in self.bins() {
            bounds.include((left, density));
            bounds.include((right, density));
        }
    }

    fn key(&self, color_idx: usize) -> Option<Key> {
        Key::named(&self.name, Symbol::Box, theme::series_color(color_idx).mix(OPACITY))
    }

    fn draw(&self, panel: &mut Panel, color_idx: usize) -> Drawn {
        let color = theme::series_color(color_idx).mix(OPACITY);
        let gap = self.bin_width * 0.04;
        for (left, right, density) in self.bins().filter(|bin| bin.2 > 0.0) {
            panel.bar((left + gap, right - gap), (0.0, density), color)?;
        }
        Ok(())
    }
}

const OPACITY: f64 = 0.5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_area_is_one(values in prop::collection::vec(-1e6..1e6f64, 1..200), n_bins in 1..60usize) {
            let histogram = Histogram::new("h".to_owned(), &values, n_bins);
            let area: f64 = histogram.bins().map(|(left, right, density)| (right - left) * density).sum();
            prop_assert!((area - 1.0).abs() < 1e-6, "{area}");
            let (lo, hi) = (histogram.lo, histogram.lo + n_bins as f64 * histogram.bin_width);
            prop_assert!(values.iter().all(|v| (lo - 1e-6..=hi + 1e-6).contains(v)));
        }
    }

    #[test]
    fn a_value_on_the_upper_edge_is_in_the_last_bin() {
        let histogram = Histogram::new("h".to_owned(), &[0.0, 1.0, 2.0, 2.0], 2);
        assert_eq!(histogram.bins().collect::<Vec<_>>(), [(0.0, 1.0, 0.25), (1.0, 2.0, 0.75)]);
    }
}
