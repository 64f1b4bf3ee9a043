//! Top-1 and top-k accuracy.

use crate::Error;
use crate::scores::{argmax, samples};

/// The fraction of samples whose largest score is that of their label.
///
/// Among equal scores the first counts as the largest, as in `torch.argmax` on the CPU.
///
/// ```
/// let mut accuracy = metrics::Accuracy::new();
/// accuracy.update(&[0.1, 0.9, /**/ 2.0, -1.0, /**/ 0.0, 3.0], &[1, 0, 0])?;
/// assert_eq!(accuracy.value(), Some(2.0 / 3.0));
/// # Ok::<(), metrics::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accuracy {
    n_right: u64,
    n_samples: u64,
}

impl Accuracy {
    /// A metric with no samples yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds samples: `scores` are logits or probabilities, n × classes; `labels` has n entries.
    ///
    /// # Errors
    /// When a score is NaN.
    ///
    /// # Panics
    /// When the lengths do not match, or a label has no score.
    #[track_caller]
    pub fn update(&mut self, scores: &[f32], labels: &[u32]) -> Result<(), Error> {
        for (scores, label) in samples("Accuracy", scores, labels)? {
            self.n_right += u64::from(argmax(scores) == label);
            self.n_samples += 1;
        }
        Ok(())
    }

    /// Adds the samples of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.n_right += other.n_right;
        self.n_samples += other.n_samples;
    }

    /// From 0 to 1; `None` without samples.
    pub fn value(&self) -> Option<f64> {
        (self.n_samples > 0).then(|| self.n_right as f64 / self.n_samples as f64)
    }
}

/// The fraction of samples whose label is among the `k` largest scores, as in scikit-learn's
/// `top_k_accuracy_score`.
///
/// Among equal scores the first counts as larger (in scikit-learn the last), so `TopK::new(1)` is
/// [`Accuracy`]. With at most `k` classes it is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopK {
    k: usize,
    counts: Accuracy,
}

impl TopK {
    /// A metric with no samples yet.
    ///
    /// # Panics
    /// When `k` is 0.
    #[track_caller]
    pub fn new(k: usize) -> Self {
        assert!(k > 0, "TopK::new: k is 0, expected 1 or more");
        Self { k, counts: Accuracy::new() }
    }

    /// Adds samples: `scores` are logits or probabilities, n × classes; `labels` has n entries.
    ///
    /// # Errors
    /// When a score is NaN.
    ///
    /// # Panics
    /// When the lengths do not match, or a label has no score.
    #[track_caller]
    pub fn update(&mut self, scores: &[f32], labels: &[u32]) -> Result<(), Error> {
        for (scores, label) in samples("TopK", scores, labels)? {
            let right = scores[label];
            let n_before = (0..)
                .zip(scores)
                .filter(|&(class, &score)| score > right || (score == right && class < label));
            self.counts.n_right += u64::from(n_before.count() < self.k);
            self.counts.n_samples += 1;
        }
        Ok(())
    }

    /// Adds the samples of `other`.
    ///
    /// # Panics
    /// When `other` has a different k.
    #[track_caller]
    pub fn merge(&mut self, other: &Self) {
        assert!(self.k == other.k, "TopK::merge: the {} largest and the {} largest", self.k, other.k);
        self.counts.merge(&other.counts);
    }

    /// From 0 to 1; `None` without samples.
    pub fn value(&self) -> Option<f64> {
        self.counts.value()
    }
}
