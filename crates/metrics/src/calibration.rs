//! Calibration: whether confidence matches accuracy.

use crate::Error;
use crate::scores::{argmax, ratio, samples};
use crate::sum::ExactSum;

/// The reliability curve and the expected calibration error, with bins of equal width.
///
/// A sample's confidence is its largest probability p; bin i of n has i/n < p ≤ (i + 1)/n, and p = 0 is in
/// the first (Guo et al., *On Calibration of Modern Neural Networks*, 2017).
///
/// ```
/// let mut calibration = metrics::Calibration::new(10);
/// calibration.update(&[0.75, 0.25, /**/ 0.25, 0.75], &[0, 0])?;
/// assert_eq!(calibration.value(), Some(0.25)); // sure to ¾, right in half
/// # Ok::<(), metrics::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Calibration {
    bins: Vec<Counts>,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    n_samples: u64,
    n_right: u64,
    confidence: ExactSum,
}

/// A point of the reliability curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// The exclusive lower bound of the bin's confidences.
    pub lower: f64,
    /// The inclusive upper bound of the bin's confidences.
    pub upper: f64,
    /// The number of samples in the bin.
    pub n_samples: u64,
    /// Their mean confidence.
    pub confidence: f64,
    /// The fraction of them whose largest probability is that of their label.
    pub accuracy: f64,
}

impl Calibration {
    /// A metric with no samples yet; 10 to 15 bins are common.
    ///
    /// # Panics
    /// When there is no bin.
    #[track_caller]
    pub fn new(n_bins: usize) -> Self {
        assert!(n_bins > 0, "Calibration::new: no bins, expected 1 or more");
        Self { bins: vec![Counts::default(); n_bins] }
    }

    /// Adds samples: `probabilities` (not logits) are n × classes; `labels` has n entries.
    ///
    /// # Errors
    /// When a probability is NaN or outside [0, 1].
    ///
    /// # Panics
    /// When the lengths do not match, or a label has no probability.
    #[track_caller]
    pub fn update(&mut self, probabilities: &[f32], labels: &[u32]) -> Result<(), Error> {
        let samples = samples("Calibration", probabilities, labels)?;
        if let Some(at) = probabilities.iter().position(|p| !(0.0..=1.0).contains(p)) {
            let n_classes = probabilities.len() / labels.len();
            let (sample, class) = (at / n_classes, at % n_classes);
            return Err(Error::NotAProbability { sample, class, value: probabilities[at] });
        }
        let n_bins = self.bins.len();
        for (probabilities, label) in samples {
            let class = argmax(probabilities);
            let confidence = f64::from(probabilities[class]);
            let bin = &mut self.bins[((confidence * n_bins as f64).ceil() as usize).saturating_sub(1)];
            bin.n_samples += 1;
            bin.n_right += u64::from(class == label);
            bin.confidence.add(confidence);
        }
        Ok(())
    }

    /// Adds the samples of `other`.
    ///
    /// # Panics
    /// When `other` has a different number of bins.
    #[track_caller]
    pub fn merge(&mut self, other: &Self) {
        assert!(
            self.bins.len() == other.bins.len(),
            "Calibration::merge: {} bins and {} bins",
            self.bins.len(),
            other.bins.len()
        );
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.n_samples += other.n_samples;
            bin.n_right += other.n_right;
            bin.confidence.merge(&other.confidence);
        }
    }

    /// The expected calibration error: the mean over all samples of |accuracy − confidence| of their bin.
    /// `None` without samples.
    pub fn value(&self) -> Option<f64> {
        let n_samples: u64 = self.bins.iter().map(|bin| bin.n_samples).sum();
        let gaps = self.bins.iter().map(|bin| (bin.n_right as f64 - bin.confidence.value()).abs());
        (n_samples > 0).then(|| gaps.sum::<f64>() / n_samples as f64)
    }

    /// The reliability curve: the non-empty bins, in order of confidence.
    pub fn curve(&self) -> Vec<Bin> {
        let n_bins = self.bins.len() as f64;
        let bins = (0_u32..).zip(&self.bins).filter(|(_, bin)| bin.n_samples > 0);
        bins.map(|(idx, bin)| Bin {
            lower: f64::from(idx) / n_bins,
            upper: f64::from(idx + 1) / n_bins,
            n_samples: bin.n_samples,
            confidence: bin.confidence.value() / bin.n_samples as f64,
            accuracy: ratio(bin.n_right, bin.n_samples),
        })
        .collect()
    }
}
