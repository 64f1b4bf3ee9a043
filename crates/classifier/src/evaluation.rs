//! A network on a set of images in evaluation mode: loss, accuracy, confusion matrix, calibration.

use anyhow::{Result, ensure};
use autograd::{Mode, Params, Tape};
use data::{Batch, Loader};
use metrics::{Calibration, ClassScores, ConfusionMatrix, TopK};
use nn::{Layer, Sequential};
use serde::{Deserialize, Serialize};

use crate::{exact, input};

/// The bins of the reliability curve, as in Guo et al.
const N_BINS: usize = 15;

/// Loss and accuracy on a set of images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean cross-entropy per image.
    #[serde(with = "exact")]
    pub loss: f64,
    /// Accuracy in percent.
    #[serde(with = "exact")]
    pub accuracy: f64,
}

/// The part of each batch that this process evaluates, if several share the work; by default the whole.
pub trait Parts {
    /// `loader`, reading only this part of each batch.
    fn loader<'a>(&self, loader: Loader<'a>) -> Loader<'a> {
        loader
    }

    /// The mode for this part of a batch of `n_images`.
    fn eval_mode(&self, n_images: usize) -> Mode {
        Mode::eval().of_images(n_images)
    }

    /// The logits of a whole batch of `n_images`, of which this process has computed its `own`.
    fn whole(&self, own: &[f32], n_images: usize, n_classes: usize) -> Vec<f32> {
        let _ = (n_images, n_classes);
        own.to_vec()
    }
}

/// One process that evaluates every batch as a whole.
#[derive(Clone, Copy, Debug)]
pub struct Whole;

impl Parts for Whole {}

/// The evaluation of a network on a set of images.
#[derive(Clone, Debug)]
pub struct Evaluation {
    n_classes: usize,
    /// Sum of the images' losses.
    loss: f64,
    /// The number of images of class `row` classified as class `column`.
    confusion: ConfusionMatrix,
    /// Counts only images with finite outputs.
    top5: TopK,
    calibration: Calibration,
    /// By class, the number of images with NaN or infinity in the output; they are in no column.
    non_finite: Vec<u64>,
}

impl Evaluation {
    /// Runs one epoch of `loader` through the network.
    ///
    /// # Errors
    /// When the data can no longer be read.
    pub fn run(
        net: &Sequential,
        params: &mut Params,
        tape: &mut Tape,
        loader: &mut Loader<'_>,
        n_classes: usize,
    ) -> Result<Self> {
        Self::run_in_parts(net, params, tape, loader, n_classes, &Whole)
    }

    /// The same if several processes share the work, each with a `loader` that [reads](Parts::loader) its part.
    ///
    /// # Errors
    /// When the data can no longer be read.
    pub fn run_in_parts(
        net: &Sequential,
        params: &mut Params,
        tape: &mut Tape,
        loader: &mut Loader<'_>,
        n_classes: usize,
        parts: &dyn Parts,
    ) -> Result<Self> {
        let mut evaluation = Self::empty(n_classes);
        let mut batch = Batch::new();
        while loader.next_into(&mut batch)? {
            let n_images = batch.whole_indices().len();
            let g = tape.begin(params, parts.eval_mode(n_images));
            let logits = net.forward(&g, input(&g, &batch));
            let logits = parts.whole(g.value(logits), n_images, n_classes);
            for (logits, &label) in logits.chunks_exact(n_classes).zip(batch.whole_labels()) {
                evaluation.count(logits, label as usize);
            }
        }
        Ok(evaluation)
    }

    /// The evaluation of given outputs: `n_classes` logits for each label.
    pub fn of(logits: &[f32], labels: impl IntoIterator<Item = u32>, n_classes: usize) -> Self {
        let mut evaluation = Self::empty(n_classes);
        for (logits, label) in logits.chunks_exact(n_classes).zip(labels) {
            evaluation.count(logits, label as usize);
        }
        evaluation
    }

    fn empty(n_classes: usize) -> Self {
        Self {
            n_classes,
            loss: 0.0,
            confusion: ConfusionMatrix::new(n_classes),
            top5: TopK::new(5),
            calibration: Calibration::new(N_BINS),
            non_finite: vec![0; n_classes],
        }
    }

    fn count(&mut self, logits: &[f32], label: usize) {
        self.loss += log_sum_exp(logits) - f64::from(logits[label]);
        if are_finite(logits) {
            let labels = [label as u32];
            self.confusion.update(logits, &labels).expect("the logits are finite");
            self.top5.update(logits, &labels).expect("the logits are finite");
            // Rounding of the last sum may leave a value slightly above 1.
            let probabilities: Vec<f32> = softmax(logits).into_iter().map(|p| p.min(1.0) as f32).collect();
            self.calibration.update(&probabilities, &labels).expect("probabilities lie from 0 to 1");
        } else {
            self.non_finite[label] += 1;
        }
    }

    /// The number of images.
    fn n_images(&self) -> u64 {
        (0..self.n_classes).flat_map(|class| self.row(class)).chain(&self.non_finite).sum()
    }

    /// The number of images with NaN or infinity in the output. They count as wrong.
    pub fn n_non_finite(&self) -> u64 {
        self.non_finite.iter().sum()
    }

    /// Checks that all outputs are finite.
    ///
    /// # Errors
    /// When an output has NaN or infinity; reports the number of images.
    pub fn check_finite(&self) -> Result<()> {
        let (n_non_finite, n_images) = (self.n_non_finite(), self.n_images());
        ensure!(
            n_non_finite == 0,
            "the network's output is NaN or infinite for {n_non_finite} of {n_images} images"
        );
        Ok(())
    }

    /// Mean loss, and accuracy in percent.
    pub fn score(&self) -> Score {
        let n_right: u64 = (0..self.n_classes).map(|c| self.row(c)[c]).sum();
        let n_images = self.n_images().max(1) as f64;
        Score { loss: self.loss / n_images, accuracy: 100.0 * n_right as f64 / n_images }
    }

    /// The number of images of a class classified as each class; those without a finite output are in none.
    pub fn row(&self, class: usize) -> &[u64] {
        self.confusion.row(class)
    }

    /// The percentage of the images with their class among the five largest probabilities. Outputs with NaN
    /// or infinity count as wrong.
    pub fn top5(&self) -> f64 {
        let n_finite = (self.n_images() - self.n_non_finite()) as f64;
        100.0 * self.top5.value().unwrap_or(0.0) * n_finite / self.n_images().max(1) as f64
    }

    /// Precision, recall and F1 of a class, without outputs that are NaN or infinite.
    pub fn class_scores(&self, class: usize) -> ClassScores {
        self.confusion.class(class)
    }

    /// Accuracy against confidence in 15 bins, without outputs that are NaN or infinite.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// The accuracy on the images of one class in percent; 0 if there are none.
    pub fn class_accuracy(&self, class: usize) -> f64 {
        let n_images = self.row(class).iter().sum::<u64>() + self.non_finite[class];
        100.0 * self.row(class)[class] as f64 / n_images.max(1) as f64
    }
}

/// Whether all logits are finite.
pub fn are_finite(logits: &[f32]) -> bool {
    logits.iter().all(|z| z.is_finite())
}

/// The probabilities for these logits, in f64.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let max = max(logits);
    let powers: Vec<f64> = logits.iter().map(|&z| (f64::from(z) - max).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

fn log_sum_exp(logits: &[f32]) -> f64 {
    let max = max(logits);
    max + logits.iter().map(|&z| (f64::from(z) - max).exp()).sum::<f64>().ln()
}

fn max(logits: &[f32]) -> f64 {
    f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_hand() {
        let mut evaluation = Evaluation::empty(2);
        evaluation.count(&[0.0, 0.0], 0);
        evaluation.count(&[0.0, 3.0], 0);
        evaluation.count(&[0.0, 3.0], 1);
        assert_eq!(evaluation.row(0), [1, 1]);
        assert_eq!(evaluation.row(1), [0, 1]);
        assert_eq!(evaluation.class_accuracy(0), 50.0);
        assert_eq!((evaluation.class_scores(1).precision, evaluation.class_scores(0).recall), (0.5, 0.5));
        assert_eq!(evaluation.top5(), 100.0);
        // One right with confidence ½, and two with confidence 1 / (1 + e⁻³), one of them right.
        let sure = 1.0 / (1.0 + (-3f64).exp());
        let expected = (0.5 + (2.0 * sure - 1.0)) / 3.0;
        assert!((evaluation.calibration().value().unwrap() - expected).abs() < 1e-6);
        let score = evaluation.score();
        assert!((score.accuracy - 200.0 / 3.0).abs() < 1e-12);
        let expected = (2f64.ln() + (1.0 + 3f64.exp()).ln() + (1.0 + (-3f64).exp()).ln()) / 3.0;
        assert!((score.loss - expected).abs() < 1e-12);
    }

    #[test]
    fn an_answer_that_is_no_number_is_no_class() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        for logits in [[nan, nan], [nan, 1.0], [1.0, nan], [inf, 1.0], [-inf, -inf], [1.0, -inf]] {
            let mut evaluation = Evaluation::empty(2);
            evaluation.count(&[0.0, 3.0], 1);
            evaluation.check_finite().unwrap();
            for label in [0, 1, 1] {
                evaluation.count(&logits, label);
            }
            assert_eq!([evaluation.row(0), evaluation.row(1)].concat(), [0, 0, 0, 1], "{logits:?}");
            assert_eq!(evaluation.top5(), 25.0, "{logits:?}");
            assert_eq!((evaluation.score().accuracy, evaluation.class_accuracy(1)), (25.0, 100.0 / 3.0));
            assert!(!evaluation.score().loss.is_finite(), "{logits:?}");
            let error = evaluation.check_finite().unwrap_err().to_string();
            assert_eq!(error, "the network's output is NaN or infinite for 3 of 4 images");
        }
    }

    #[test]
    fn softmax_sums_to_one_for_huge_logits() {
        let p = softmax(&[1e30, -1e30, 1e30]);
        assert_eq!(p, [0.5, 0.0, 0.5]);
    }
}
