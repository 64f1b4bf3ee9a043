//! Perplexity of a language model.

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
    /// A metric with no tokens yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds tokens: `logits` (not probabilities) are n × words; `labels` has n entries. A logit of −∞ is an
    /// impossible word.
    ///
    /// # Errors
    /// When a logit is NaN, or the largest logit of a token is infinite.
    ///
    /// # Panics
    /// When the lengths do not match, or a label has no logit.
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

    /// Adds the tokens of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.losses.merge(&other.losses);
    }

    /// The mean cross-entropy; `None` without tokens.
    pub fn cross_entropy(&self) -> Option<f64> {
        self.losses.value()
    }

    /// At least 1; infinite if the model gave a token probability 0; `None` without tokens.
    pub fn value(&self) -> Option<f64> {
        self.cross_entropy().map(f64::exp)
    }
}
