//! Histograms.

use crate::bounds::Bounds;
use crate::layer::Layer;
use crate::legend::{Key, Symbol};
use crate::panel::Panel;
use crate::scale::{self, Scale};
use crate::theme;

/// Bins of equal width on the axis, drawn as a density.
pub(crate) struct Histogram {
    name: String,
    values: Vec<f64>,
    n_bins: usize,
}

/// A bin with the density of values in it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bin {
    left: f64,
    right: f64,
    density: f64,
}

impl Histogram {
    pub(crate) fn new(name: String, values: &[f64], n_bins: usize) -> Self {
        Histogram { name, values: values.to_vec(), n_bins }
    }

    /// The bins over all values that the scale can show; none if it can show none.
    fn bins(&self, scale: Scale) -> Vec<Bin> {
        let shown: Vec<f64> = self.values.iter().copied().filter(|&v| scale.can_show(v)).collect();
        if shown.is_empty() {
            return Vec::new();
        }
        let range = around(scale, &shown);
        let mut counts = vec![0u64; self.n_bins];
        for &value in &shown {
            let bin = (scale.share(range, value) * self.n_bins as f64) as usize;
            counts[bin.min(self.n_bins - 1)] += 1;
        }
        let edge = |i: usize| scale.at(range, i as f64 / self.n_bins as f64);
        let bin = |(i, &count): (usize, &u64)| {
            let (left, right) = (edge(i), edge(i + 1));
            // In halves, because the width may overflow. Edges too close for an `f64` to tell apart count as
            // equally spaced: without a width there would be no density.
            let half = match right / 2.0 - left / 2.0 {
                half if half > 0.0 => half,
                _ => (range.1 / 2.0 - range.0 / 2.0) / self.n_bins as f64,
            };
            let density = count as f64 / shown.len() as f64 / half / 2.0;
            Bin { left, right, density: density.min(f64::MAX) }
        };
        counts.iter().enumerate().map(bin).collect()
    }
}

/// From the smallest to the largest value; widened if they are all the same, because a density needs a width.
fn around(scale: Scale, values: &[f64]) -> (f64, f64) {
    let (lo, hi) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)));
    if scale::is_wide(lo, hi) {
        return (lo, hi);
    }
    match scale {
        Scale::Linear => {
            // Zeros have no size of their own.
            let half = match lo.abs().max(hi.abs()) / 2.0 {
                half if half > 0.0 => half.max(1e-100),
                _ => 0.5,
            };
            ((lo - half).max(f64::MIN), (lo + half).min(f64::MAX))
        }
        Scale::Log => ((lo / 2.0).max(f64::from_bits(1)), (lo * 2.0).min(f64::MAX)),
    }
}

impl Layer for Histogram {
    fn name(&self) -> &str {
        &self.name
    }

    fn n_values(&self) -> usize {
        self.values.len()
    }

    fn extend(&self, bounds: &mut Bounds) {
        bounds.include_y(0.0);
        for Bin { left, right, density } in self.bins(bounds.scales.0) {
            bounds.include((left, density));
            bounds.include((right, density));
        }
    }

    fn key(&self, color_idx: usize) -> Option<Key> {
        Key::named(&self.name, Symbol::Box, theme::series_color(color_idx).faded(OPACITY))
    }

    fn draw(&self, panel: &mut Panel, color_idx: usize) {
        let color = theme::series_color(color_idx).faded(OPACITY);
        let scale = panel.x.scale();
        for Bin { left, right, density } in self.bins(scale).into_iter().filter(|bin| bin.density > 0.0) {
            let gap = |share| scale.at((left, right), share);
            panel.bar((gap(0.04), gap(0.96)), (0.0, density), color);
        }
    }
}

const OPACITY: f64 = 0.5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bins(values: &[f64], n_bins: usize, scale: Scale) -> Vec<Bin> {
        Histogram::new("h".to_owned(), values, n_bins).bins(scale)
    }

    proptest! {
        #[test]
        fn the_area_is_one(values in prop::collection::vec(-1e6..1e6f64, 1..200), n_bins in 1..60usize) {
            for scale in [Scale::Linear, Scale::Log] {
                let shown: Vec<f64> = values.iter().copied().filter(|&v| scale.can_show(v)).collect();
                let bins = bins(&values, n_bins, scale);
                let (Some(first), Some(last)) = (bins.first(), bins.last()) else {
                    prop_assert!(shown.is_empty());
                    continue;
                };
                let area: f64 = bins.iter().map(|bin| (bin.right - bin.left) * bin.density).sum();
                prop_assert!((area - 1.0).abs() < 1e-6, "{area}");
                prop_assert!(shown.iter().all(|v| (first.left - 1e-6..=last.right + 1e-6).contains(v)));
            }
        }
    }

    #[test]
    fn a_value_on_the_upper_edge_is_in_the_last_bin() {
        let bin = |left, right, density| Bin { left, right, density };
        let values = [0.0, 1.0, 2.0, 2.0];
        assert_eq!(bins(&values, 2, Scale::Linear), [bin(0.0, 1.0, 0.25), bin(1.0, 2.0, 0.75)]);
    }

    #[test]
    fn bins_are_of_equal_width_on_the_axis() {
        let bins = bins(&[-5.0, 0.0, 0.1, 0.5, 20.0, 100.0], 3, Scale::Log);
        for (bin, (left, right, share)) in
            bins.iter().zip([(0.1, 1.0, 0.5), (1.0, 10.0, 0.0), (10.0, 100.0, 0.5)])
        {
            assert!(
                (bin.left / left - 1.0).abs() < 1e-12 && (bin.right / right - 1.0).abs() < 1e-12,
                "{bin:?}"
            );
            assert!((bin.density - share / (right - left)).abs() < 1e-12, "{bin:?}");
        }
    }

    #[test]
    fn far_from_0_and_far_out_values_are_told_apart() {
        let unix_times: Vec<f64> = (0..100).map(|k| 1.7e9 + f64::from(k) * 1e-2).collect();
        for values in [&unix_times[..], &[f64::MIN, 0.0, f64::MAX]] {
            let n_filled = bins(values, 3, Scale::Linear).iter().filter(|bin| bin.density > 0.0).count();
            assert_eq!(n_filled, 3, "{values:?}");
        }
        assert_eq!(bins(&[f64::MAX; 2], 1, Scale::Linear).len(), 1);
        // Zeros are next to others as numbers about 1 are.
        let zeros = bins(&[0.0, -0.0], 10, Scale::Linear);
        let density = zeros.iter().map(|bin| bin.density).fold(0.0, f64::max);
        assert!((density - 10.0).abs() < 1e-9 && zeros[0].left == -0.5, "{zeros:?}");
        // Narrower bins than an `f64` can tell apart.
        let bins = bins(&[1.0, 1.0 + 2e-12], 10_000, Scale::Linear);
        let filled: Vec<f64> = bins.iter().map(|bin| bin.density).filter(|&density| density > 0.0).collect();
        assert!(filled.len() == 2 && filled.iter().all(|&density| density < 1e17), "{filled:?}");
    }
}
