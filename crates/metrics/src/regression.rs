//! How far predicted numbers are from the true ones.

use crate::Error;
use crate::sum::ExactSum;

/// Mean absolute error, mean squared error and R² of predicted numbers.
///
/// Sums are exact, the sum of squares around the mean too, so that neither a large mean nor the order costs a digit.
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
    /// Of no samples yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in `predictions` and `targets`, as many of one as of the other.
    ///
    /// # Errors
    /// When one of them is NaN or infinite.
    ///
    /// # Panics
    /// When their numbers differ.
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

    /// Takes in what `other` has.
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

    /// R² = 1 − Σ (prediction − target)² / Σ (target − mean target)², as scikit-learn's `r2_score`: at most 1, and 0 for
    /// the mean itself. Where all targets are the same it is 1 if every prediction is right, else 0. `None` for fewer than
    /// two samples.
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
        (self.n_samples > 0).then(|| sum.value() / self.n_samples as f64)
    }

    /// n Σ t² − (Σ t)², rounded once: where all targets are the same it is 0, however large they are.
    fn n_times_spread(&self) -> f64 {
        let mut spread = ExactSum::default();
        for &partial in self.squared_targets.partials() {
            spread.add_product(self.n_samples as f64, partial);
        }
        for &a in self.targets.partials() {
            for &b in self.targets.partials() {
                spread.add_product(-a, b);
            }
        }
        spread.value()
    }
}
