//! Means that are updated in parts.

use crate::sum::ExactSum;

/// A mean, for example of the losses of an epoch. The sum is exact and has no largest value, so order and grouping
/// do not matter.
///
/// ```
/// let mut loss = metrics::Mean::new();
/// loss.update(2.0, 64); // the mean loss of a batch of 64
/// loss.update(1.0, 16);
/// assert_eq!(loss.value(), Some(1.8));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Mean {
    sum: ExactSum,
    n_samples: u64,
}

impl Mean {
    /// A mean with no samples yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `n_samples` samples with mean `mean`. NaN and infinity are kept and propagate to the value.
    pub fn update(&mut self, mean: f64, n_samples: usize) {
        if n_samples > 0 {
            self.sum.add_product(mean, n_samples as f64);
            self.n_samples += n_samples as u64;
        }
    }

    /// Adds the samples of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.sum.merge(&other.sum);
        self.n_samples += other.n_samples;
    }

    /// The mean; `None` without samples.
    pub fn value(&self) -> Option<f64> {
        (self.n_samples > 0).then(|| self.sum.over(self.n_samples))
    }
}
