//! What must hold for any scores: parts give the whole, sums fit, and what happens where nothing can be said.

use metrics::{
    Accuracy, Average, Binary, BinaryCounts, Calibration, ConfusionMatrix, Error, Mean, Perplexity,
    Regression, Roc, TopK,
};
use proptest::prelude::*;

const N_CLASSES: usize = 3;

/// Probabilities in sixteenths, so that some are equal, and labels.
fn samples() -> impl Strategy<Value = (Vec<f32>, Vec<u32>)> {
    let sample = ([0..=16_u8, 0..=16_u8, 0..=16_u8], 0..N_CLASSES as u32);
    prop::collection::vec(sample, 0..80).prop_map(|samples| {
        let scores = samples.iter().flat_map(|(scores, _)| scores.map(|s| f32::from(s) / 16.0)).collect();
        (scores, samples.iter().map(|&(_, label)| label).collect())
    })
}

fn bits(value: Option<f64>) -> Option<u64> {
    value.map(f64::to_bits)
}

/// A metric of all samples, and merged from those before the `cut` and those after it.
macro_rules! whole_and_merged {
    ($new:expr, $scores:expr, $labels:expr, $per_label:expr, $cut:expr) => {{
        let of = |from: usize, to: usize| {
            let mut metric = $new;
            metric.update(&$scores[from * $per_label..to * $per_label], &$labels[from..to]).unwrap();
            metric
        };
        let mut merged = of(0, $cut);
        merged.merge(&of($cut, $labels.len()));
        (of(0, $labels.len()), merged)
    }};
}

proptest! {
    #[test]
    fn parts_give_the_bits_of_the_whole((scores, labels) in samples(), cut: prop::sample::Index) {
        let cut = cut.index(labels.len() + 1);
        let (whole, merged) = whole_and_merged!(Accuracy::new(), scores, labels, N_CLASSES, cut);
        prop_assert_eq!(whole, merged);
        let (whole, merged) = whole_and_merged!(TopK::new(2), scores, labels, N_CLASSES, cut);
        prop_assert_eq!(whole, merged);
        let (whole, merged) = whole_and_merged!(ConfusionMatrix::new(N_CLASSES), scores, labels, N_CLASSES, cut);
        prop_assert_eq!(whole, merged);
        let (whole, merged) = whole_and_merged!(Calibration::new(7), scores, labels, N_CLASSES, cut);
        prop_assert_eq!(bits(whole.value()), bits(merged.value()));
        prop_assert_eq!(whole.curve(), merged.curve());
        let (whole, merged) = whole_and_merged!(Perplexity::new(), scores, labels, N_CLASSES, cut);
        prop_assert_eq!(bits(whole.value()), bits(merged.value()));
    }

    #[test]
    fn so_do_parts_of_answers((scores, labels) in samples(), cut: prop::sample::Index) {
        let cut = cut.index(labels.len() + 1);
        // A sample of class 2 is of neither 0 nor 1, and those of class 1 are of both.
        let yes: Vec<u32> =
            labels.iter().flat_map(|&label| [u32::from(label < 2), u32::from(label == 1), 0]).collect();
        let of = |range: std::ops::Range<usize>| {
            let mut metric = Binary::new(N_CLASSES, 0.25);
            let range = range.start * N_CLASSES..range.end * N_CLASSES;
            metric.update(&scores[range.clone()], &yes[range]).unwrap();
            metric
        };
        let (whole, mut merged) = (of(0..labels.len()), of(0..cut));
        merged.merge(&of(cut..labels.len()));
        prop_assert_eq!(&whole, &merged);
        prop_assert_eq!(whole.n_samples(), labels.len() as u64);
        for (class, counts) in whole.value().iter().enumerate() {
            let n = |answer: bool, truth: u32| {
                let of_class = scores.iter().zip(&yes).skip(class).step_by(N_CLASSES);
                of_class.filter(|&(&score, &label)| (score >= 0.25) == answer && label == truth).count() as u64
            };
            let expected = BinaryCounts {
                true_positives: n(true, 1),
                false_positives: n(true, 0),
                false_negatives: n(false, 1),
                true_negatives: n(false, 0),
            };
            prop_assert_eq!(*counts, expected);
        }
    }

    /// Two classes are a yes or no, whose score is the difference of theirs.
    #[test]
    fn a_yes_or_no_is_one_of_two_classes((scores, labels) in samples()) {
        let labels: Vec<u32> = labels.iter().map(|&label| label.min(1)).collect();
        let pairs: Vec<f32> = scores.chunks_exact(N_CLASSES).flat_map(|s| [s[0], s[1] + 1.0 / 64.0]).collect();
        let single: Vec<f32> = pairs.chunks_exact(2).map(|pair| pair[1] - pair[0]).collect();
        let (mut confusion, mut binary) = (ConfusionMatrix::new(2), Binary::new(1, 0.0));
        confusion.update(&pairs, &labels).unwrap();
        binary.update(&single, &labels).unwrap();
        prop_assert_eq!(binary.accuracy(), confusion.accuracy());
        prop_assert_eq!(binary.exact_match(), confusion.accuracy());
        prop_assert_eq!(binary.class_accuracy(0), confusion.accuracy());
        prop_assert_eq!(binary.class(0), confusion.class(1));
        prop_assert_eq!(binary.average(Average::Macro), confusion.class(1));
    }

    #[test]
    fn so_do_parts_of_a_regression(
        pairs in prop::collection::vec((-1e3..1e3_f32, -1e3..1e3_f32), 0..60),
        cut: prop::sample::Index,
    ) {
        let (predictions, targets): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        let cut = cut.index(targets.len() + 1);
        let (whole, merged) = whole_and_merged!(Regression::new(), predictions, targets, 1, cut);
        prop_assert_eq!(bits(whole.mae()), bits(merged.mae()));
        prop_assert_eq!(bits(whole.mse()), bits(merged.mse()));
        prop_assert_eq!(bits(whole.r2()), bits(merged.r2()));
    }

    #[test]
    fn the_rows_of_the_confusion_are_the_labels((scores, labels) in samples()) {
        let mut confusion = ConfusionMatrix::new(N_CLASSES);
        confusion.update(&scores, &labels).unwrap();
        for class in 0..N_CLASSES {
            let n_labels = labels.iter().filter(|&&label| label as usize == class).count() as u64;
            prop_assert_eq!(confusion.row(class).iter().sum::<u64>(), n_labels);
            prop_assert_eq!(confusion.class(class).support, n_labels);
        }
        let mut accuracy = Accuracy::new();
        accuracy.update(&scores, &labels).unwrap();
        let mut top = [1, 2, 3].map(TopK::new);
        top.iter_mut().for_each(|top| top.update(&scores, &labels).unwrap());
        prop_assert_eq!(confusion.accuracy(), accuracy.value());
        prop_assert_eq!(top[0].value(), accuracy.value());
        prop_assert!(top[1].value() >= top[0].value());
        prop_assert!(labels.is_empty() || top[2].value() == Some(1.0));
    }

    /// By its definition: over all pairs of one sample of each class.
    #[test]
    fn the_area_is_the_probability_of_the_right_order((scores, labels) in samples(), cut: prop::sample::Index) {
        let scores: Vec<f32> = scores.chunks_exact(N_CLASSES).map(|scores| scores[0] - scores[1]).collect();
        let labels: Vec<u32> = labels.iter().map(|&label| label.min(1)).collect();
        let (roc, merged) = whole_and_merged!(Roc::new(), scores, labels, 1, cut.index(labels.len() + 1));
        let of = |class| scores.iter().zip(&labels).filter(move |&(_, &label)| label == class).map(|(s, _)| s);
        let (mut n_pairs, mut sum) = (0, 0.0);
        for positive in of(1) {
            for negative in of(0) {
                n_pairs += 1;
                sum += if positive > negative { 1.0 } else if positive == negative { 0.5 } else { 0.0 };
            }
        }
        let expected = (n_pairs > 0).then(|| sum / f64::from(n_pairs));
        prop_assert_eq!(roc.value(), expected);
        prop_assert_eq!(merged.value(), expected);
        prop_assert_eq!(merged.curve(), roc.curve());
        // The trapezoids under the curve.
        if let Some(curve) = roc.curve() {
            let area: f64 = curve.windows(2).map(|pair| {
                let width = pair[1].false_positive_rate - pair[0].false_positive_rate;
                width * (pair[0].true_positive_rate + pair[1].true_positive_rate) / 2.0
            }).sum();
            prop_assert!((area - expected.unwrap()).abs() < 1e-12);
        }
    }
}

#[test]
fn without_samples_there_is_nothing_to_say() {
    assert_eq!(Accuracy::new().value(), None);
    assert_eq!(TopK::new(5).value(), None);
    assert_eq!(ConfusionMatrix::new(2).accuracy(), None);
    assert_eq!(ConfusionMatrix::new(2).average(Average::Weighted).f1, 0.0);
    let binary = Binary::new(2, 0.5);
    assert_eq!((binary.accuracy(), binary.exact_match(), binary.class_accuracy(1)), (None, None, None));
    assert_eq!(binary.average(Average::Weighted).f1, 0.0);
    assert_eq!(Roc::new().value(), None);
    assert_eq!(Calibration::new(10).value(), None);
    assert_eq!(Calibration::new(10).curve(), []);
    assert_eq!(Perplexity::new().value(), None);
    assert_eq!(Mean::new().value(), None);
    let mut regression = Regression::new();
    regression.update(&[], &[]).unwrap();
    assert_eq!((regression.mae(), regression.mse(), regression.r2()), (None, None, None));
}

#[test]
fn a_mean_is_that_of_its_samples_however_large_their_sum() {
    for (batches, expected) in [
        (&[(1e308, 64)][..], 1e308),
        (&[(1.7e308, 64), (-1.7e308, 32)], 1.7e308 / 3.0),
        (&[(0.1, 3)], 0.1),
        (&[(0.1, 3), (0.1, 4), (0.1, 100_003)], 0.1),
        (&[(f64::INFINITY, 3), (1.0, 1)], f64::INFINITY),
        (&[(5e-324, 3)], 5e-324),
    ] {
        let mut mean = Mean::new();
        batches.iter().for_each(|&(value, n)| mean.update(value, n));
        assert_eq!(mean.value(), Some(expected), "{batches:?}");
    }
}

#[test]
fn one_class_alone_has_no_curve() {
    let mut roc = Roc::new();
    roc.update(&[0.1, 0.7], &[1, 1]).unwrap();
    assert_eq!((roc.value(), roc.curve()), (None, None));
}

#[test]
fn targets_that_are_all_the_same_have_no_spread() {
    // A mean of squares less the square of the mean would leave rounding errors here.
    for (prediction, expected) in [(16_777_216.0, 1.0), (16_777_215.0, 0.0)] {
        let mut regression = Regression::new();
        regression.update(&[prediction; 7], &[16_777_216.0; 7]).unwrap();
        assert_eq!(regression.r2(), Some(expected));
    }
    let mut regression = Regression::new();
    let targets = [1e8, 1e8 + 8.0, 1e8 + 16.0];
    regression.update(&[1e8 + 8.0; 3], &targets).unwrap();
    assert_eq!(regression.r2(), Some(0.0), "the mean itself");
}

#[test]
fn what_cannot_be_compared_is_refused_and_not_counted() {
    let scores = [0.5, 0.5, 0.1, f32::NAN];
    let nan = Err(Error::NotANumber { sample: 1, class: 1 });
    let mut accuracy = Accuracy::new();
    assert_eq!(accuracy.update(&scores, &[0, 0]), nan);
    assert_eq!(accuracy, Accuracy::new());
    let mut confusion = ConfusionMatrix::new(2);
    assert_eq!(confusion.update(&scores, &[0, 0]), nan);
    assert_eq!(confusion.n_samples(), 0);
    let mut binary = Binary::new(2, 0.0);
    assert_eq!(binary.update(&scores, &[0; 4]), nan);
    assert_eq!(binary, Binary::new(2, 0.0));
    assert_eq!(TopK::new(1).update(&scores, &[0, 0]), nan);
    assert_eq!(Calibration::new(1).update(&scores, &[0, 0]), nan);
    assert_eq!(Perplexity::new().update(&scores, &[0, 0]), nan);
    assert_eq!(Roc::new().update(&scores, &[0; 4]), Err(Error::NotANumber { sample: 3, class: 1 }));
    let message = |result: Result<(), Error>| result.unwrap_err().to_string();
    assert_eq!(message(nan), "sample 1 of the update has the score NaN for class 1");
    assert_eq!(
        message(Calibration::new(1).update(&[2.5, -1.0], &[0])),
        "sample 0 of the update has 2.5 for class 0, expected a probability from 0 to 1: take the softmax of logits first"
    );
    assert_eq!(
        message(Perplexity::new().update(&[0.0, f32::INFINITY], &[0])),
        "the largest logit of sample 0 of the update is inf, expected a finite number"
    );
    assert_eq!(
        message(Regression::new().update(&[f32::NAN], &[0.0])),
        "sample 0 of the update has the prediction NaN and the target 0, expected finite numbers"
    );
}

#[test]
fn an_impossible_token_makes_the_perplexity_infinite() {
    let mut perplexity = Perplexity::new();
    perplexity.update(&[0.0, f32::NEG_INFINITY], &[1]).unwrap();
    perplexity.update(&[0.0, 0.0], &[1]).unwrap();
    assert_eq!(perplexity.value(), Some(f64::INFINITY));
}

#[test]
#[should_panic(expected = "the label 2 is not among the 2 classes that have scores")]
fn a_label_without_a_score_panics() {
    let _ = Accuracy::new().update(&[0.0, 1.0], &[2]);
}

#[test]
#[should_panic(
    expected = "the label 1 is not among the 1 classes that have scores; one score for each yes or no is a \
                           matter for Binary"
)]
fn one_score_for_two_classes_panics() {
    let _ = Accuracy::new().update(&[0.5, -0.5], &[1, 0]);
}

#[test]
#[should_panic(expected = "Binary::update: the label 0.5 is neither 0 nor 1")]
fn an_answer_is_yes_or_no() {
    let _ = Binary::new(1, 0.0).update(&[0.5, -0.5], &[1.0, 0.5]);
}

#[test]
#[should_panic(
    expected = "Binary::update: 3 scores and 3 labels, expected one of each for each sample and each of the 2"
)]
fn answers_are_there_for_every_class() {
    let _ = Binary::new(2, 0.0).update(&[0.5; 3], &[1; 3]);
}

#[test]
#[should_panic(expected = "Binary::merge: (classes, threshold) are (2, 0.0) and (2, 0.5)")]
fn answers_by_another_threshold_are_others() {
    Binary::new(2, 0.0).merge(&Binary::new(2, 0.5));
}

#[test]
#[should_panic(expected = "5 scores for 2 labels")]
fn scores_that_do_not_fit_panic() {
    let _ = Accuracy::new().update(&[0.0; 5], &[0, 1]);
}
