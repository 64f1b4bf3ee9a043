//! Regression metrics.

use crate::Error;
use crate::sum::ExactSum;

/// Mean absolute error, mean squared error and R².
///
/// Sums are exact, including the sum of squares around the mean, so neither a large mean nor the order costs
/// precision.
///
/// ```
/// let mut regression = metrics::Regression::new();
/// regression.update(&[2.5, 0.0, 2.0, 8.0], &[3.0, -0.5, 2.0, 7.0])?;
/// assert_eq!(regression.mae(), Some(0.5));
/// assert_eq!(regression.mse(), Some(0.375));
/// assert!((regression.r2().unwrap() - 0.9486).abs() < 1e-4);
/// # Ok::<(), metrics::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Regression {
    n_samples: u64,
    absolute: ExactSum,
    squared: ExactSum,
    targets: ExactSum,
    squared_targets: ExactSum,
}

impl Regression {
    /// A metric with no samples yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `predictions` and `targets`, equally many of each.
    ///
    /// # Errors
    /// When any of them is NaN or infinite.
    ///
    /// # Panics
    /// When their lengths differ.
    #[track_caller]
    pub fn update(&mut self, predictions: &[f32], targets: &[f32]) -> Result<(), Error> {
        assert!(
            predictions.len() == targets.len(),
            "Regression::update: {} predictions for {} targets",
            predictions.len(),
            targets.len()
        );
        let pairs = predictions.iter().zip(targets);
        for (sample, (&prediction, &target)) in pairs.clone().enumerate() {
            if !prediction.is_finite() || !target.is_finite() {
                return Err(Error::NotFinite { sample, prediction, target });
            }
        }
        for (&prediction, &target) in pairs {
            let (target, error) = (f64::from(target), f64::from(prediction) - f64::from(target));
            self.absolute.add(error.abs());
            self.squared.add(error * error);
            self.targets.add(target);
            self.squared_targets.add(target * target);
        }
        self.n_samples += predictions.len() as u64;
        Ok(())
    }

    /// Adds the samples of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.n_samples += other.n_samples;
        self.absolute.merge(&other.absolute);
        self.squared.merge(&other.squared);
        self.targets.merge(&other.targets);
        self.squared_targets.merge(&other.squared_targets);
    }

    /// The mean of |prediction − target|; `None` without samples.
    pub fn mae(&self) -> Option<f64> {
        self.mean(&self.absolute)
    }

    /// The mean of (prediction − target)²; `None` without samples.
    pub fn mse(&self) -> Option<f64> {
        self.mean(&self.squared)
    }

    /// R² = 1 − Σ (prediction − target)² / Σ (target − mean target)², as in scikit-learn's `r2_score`: at
    /// most 1, and 0 for predicting the mean. If all targets are equal, it is 1 if every prediction is exact,
    /// otherwise 0. `None` for fewer than two samples.
    pub fn r2(&self) -> Option<f64> {
        if self.n_samples < 2 {
            return None;
        }
        let (n, residual) = (self.n_samples as f64, self.squared.value());
        Some(match self.n_times_spread() {
            0.0 => f64::from(u8::from(residual == 0.0)),
            spread => 1.0 - residual / (spread / n),
        })
    }

    fn mean(&self, sum: &ExactSum) -> Option<f64> {
        (self.n_samples > 0).then(|| sum.over(self.n_samples))
    }

    /// n Σ t² − (Σ t)², rounded once; 0 if all targets are equal, however large they are.
    fn n_times_spread(&self) -> f64 {
        let mut spread = ExactSum::default();
        for partial in self.squared_targets.partials() {
            spread.add_product(self.n_samples as f64, partial);
        }
        for a in self.targets.partials() {
            for b in self.targets.partials() {
                spread.add_product(-a, b);
            }
        }
        spread.value()
    }
}
