//! Functions of one variable, and the paths that an update rule takes down them.

use std::f64::consts::PI;

use anyhow::Result;
use optim::Elementwise;
use viz::Figure;

use crate::page::Table;

/// A function with its derivative.
#[derive(Clone, Copy, Debug)]
pub struct Curve {
    /// Its label in a legend.
    pub label: &'static str,
    /// Its value.
    pub f: fn(f64) -> f64,
    /// Its derivative.
    pub df: fn(f64) -> f64,
}

/// x², with its minimum at 0.
pub const PARABOLA: Curve = Curve { label: "x²", f: |x| x * x, df: |x| 2.0 * x };

/// The frequency of [`WAVE`].
const C: f64 = 0.15 * PI;

/// x·cos(0.15πx), with minima at −13.66, −1.83, 7.27 and 20.22, each deeper the farther from 0.
pub const WAVE: Curve =
    Curve {
        label: "x·cos(0.15πx)", f: |x| x * (C * x).cos(), df: |x| (C * x).cos() - C * x * (C * x).sin()
    };

/// x·cos(πx), with a minimum on each side of 0.
pub const WAVELET: Curve =
    Curve {
        label: "x·cos(πx)", f: |x| x * (PI * x).cos(), df: |x| (PI * x).cos() - PI * x * (PI * x).sin()
    };

impl Curve {
    // ANCHOR: descend
    /// Where `rule` goes from `start` in `n_steps` steps along the derivative; the start comes first.
    ///
    /// # Errors
    /// When a hyperparameter of the rule is outside its range.
    pub fn descend(&self, rule: &impl Elementwise<f64>, start: f64, n_steps: usize) -> Result<Vec<f64>> {
        let mut state = rule.state(1)?;
        let mut x = [start];
        let mut path = vec![start];
        for _ in 0..n_steps {
            let gradient = [(self.df)(x[0])];
            rule.update(&mut x, &gradient, &mut state);
            path.push(x[0]);
        }
        Ok(path)
    }
    // ANCHOR_END: descend

    /// Draws the function over a window that is wide enough for the path, and the path on it.
    pub fn figure(&self, title: String, window: (f64, f64), path: &[f64]) -> Figure {
        let lo = path.iter().copied().filter(|x| x.is_finite()).fold(window.0, f64::min);
        let hi = path.iter().copied().filter(|x| x.is_finite()).fold(window.1, f64::max);
        let heights: Vec<f64> = path.iter().copied().map(self.f).collect();
        Figure::new(title)
            .x_label("x")
            .y_label("f(x)")
            .function(self.label, lo, hi, self.f)
            .path("descent", path, &heights)
    }
}

impl Curve {
    /// Draws the function over a window that is the same for every path, and the part of the path inside it.
    pub fn window(&self, title: &str, path: &[f64]) -> Figure {
        let window = (-16.0, 26.0);
        let heights: Vec<f64> = path.iter().copied().map(self.f).collect();
        Figure::new(title)
            .x_label("x")
            .y_label("f(x)")
            .x_range(window.0, window.1)
            .y_range(-24.0, 24.0)
            .function(self.label, window.0, window.1, self.f)
            .path("descent", path, &heights)
    }
}

/// A path with its name.
pub type NamedPath = (String, Vec<f64>);

/// Every point of every path: one column per path, one row per step.
pub fn path_table(paths: &[NamedPath]) -> Table {
    let steps: Vec<f64> = (0..paths.first().map_or(0, |(_, path)| path.len())).map(|t| t as f64).collect();
    let columns = paths.iter().map(|(name, path)| (name.clone(), path.as_slice()));
    Table::of_columns(std::iter::once(("step".to_owned(), steps.as_slice())).chain(columns))
}
