//! Among how many words, on average, a language model hesitates.

use crate::scores::{argmax, samples};
use crate::{Error, Mean};

/// exp of the mean cross-entropy `−log softmax(logits)[label]`, in natural logarithms.
///
/// ```
/// let mut perplexity = metrics::Perplexity::new();
/// perplexity.update(&[0.0; 8], &[3, 1])?; // two tokens, four words, all equally likely
/// assert_eq!(perplexity.value(), Some(4.0));
/// # Ok::<(), metrics::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Perplexity {
    losses: Mean,
}

impl Perplexity {
    /// Of no tokens yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in tokens: `logits` n × words (not probabilities), `labels` n. A logit of −∞ is a word that cannot be.
    ///
    /// # Errors
    /// When a logit is NaN, or the largest of a token is infinite.
    ///
    /// # Panics
    /// When the lengths do not fit, or a label has no logit.
    #[track_caller]
    pub fn update(&mut self, logits: &[f32], labels: &[u32]) -> Result<(), Error> {
        let samples = samples("Perplexity", logits, labels)?;
        for (sample, (logits, _)) in samples.clone().enumerate() {
            let value = logits[argmax(logits)];
            if value.is_infinite() {
                return Err(Error::InfiniteLogit { sample, value });
            }
        }
        for (logits, label) in samples {
            let max = f64::from(logits[argmax(logits)]);
            let sum: f64 = logits.iter().map(|&z| (f64::from(z) - max).exp()).sum();
            self.losses.update(max - f64::from(logits[label]) + sum.ln(), 1);
        }
        Ok(())
    }

    /// Takes in what `other` has.
    pub fn merge(&mut self, other: &Self) {
        self.losses.merge(&other.losses);
    }

    /// The mean cross-entropy; `None` without tokens.
    pub fn cross_entropy(&self) -> Option<f64> {
        self.losses.value()
    }

    /// From 1 up; infinite when a token was held to be impossible; `None` without tokens.
    pub fn value(&self) -> Option<f64> {
        self.cross_entropy().map(f64::exp)
    }
}
