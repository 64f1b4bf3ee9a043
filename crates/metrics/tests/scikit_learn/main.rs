//! Against the numbers of scikit-learn.

mod recorded;

use metrics::{
    Accuracy, Average, Binary, Calibration, ClassScores, ConfusionMatrix, Perplexity, Regression, Roc, TopK,
};
use recorded::*;

#[track_caller]
fn assert_close(found: Option<f64>, expected: f64) {
    let found = found.expect("there are samples");
    assert!((found - expected).abs() < 1e-14 * expected.abs().max(1.0), "{found} instead of {expected}");
}

#[track_caller]
fn assert_scores(found: ClassScores, [precision, recall, f1]: [f64; 3]) {
    assert_close(Some(found.precision), precision);
    assert_close(Some(found.recall), recall);
    assert_close(Some(found.f1), f1);
}

#[test]
fn accuracy_and_top_k() {
    let (mut accuracy, mut top_2) = (Accuracy::new(), TopK::new(2));
    accuracy.update(&LOGITS, &LABELS).unwrap();
    top_2.update(&LOGITS, &LABELS).unwrap();
    assert_close(accuracy.value(), ACCURACY);
    assert_close(top_2.value(), TOP_2);
}

#[test]
fn confusion_precision_recall_f1() {
    let mut confusion = ConfusionMatrix::new(4);
    confusion.update(&LOGITS, &LABELS).unwrap();
    assert_eq!(confusion.value(), CONFUSION);
    for class in 0..4 {
        assert_scores(confusion.class(class), [CLASSES[class], CLASSES[4 + class], CLASSES[8 + class]]);
    }
    assert_scores(confusion.average(Average::Macro), MACRO);
    assert_scores(confusion.average(Average::Micro), MICRO);
    assert_scores(confusion.average(Average::Weighted), WEIGHTED);
}

#[test]
fn answers_for_several_labels() {
    let mut binary = Binary::new(4, 0.25);
    binary.update(&YES_SCORES, &YES).unwrap();
    assert_close(binary.accuracy(), 1.0 - YES_HAMMING);
    assert_close(binary.exact_match(), YES_EXACT);
    for (counts, expected) in binary.value().iter().zip(YES_COUNTS.chunks_exact(4)) {
        let &[right_no, wrong_yes, wrong_no, right_yes] = expected else { unreachable!() };
        assert_eq!((counts.true_negatives, counts.false_positives), (right_no, wrong_yes));
        assert_eq!((counts.false_negatives, counts.true_positives), (wrong_no, right_yes));
    }
    for class in 0..4 {
        let expected = [YES_CLASSES[class], YES_CLASSES[4 + class], YES_CLASSES[8 + class]];
        assert_scores(binary.class(class), expected);
    }
    assert_scores(binary.average(Average::Macro), YES_MACRO);
    assert_scores(binary.average(Average::Micro), YES_MICRO);
    assert_scores(binary.average(Average::Weighted), YES_WEIGHTED);
}

#[test]
fn roc_and_auc() {
    let mut roc = Roc::new();
    let scores: Vec<f32> = LOGITS.chunks_exact(4).map(|logits| logits[1]).collect();
    roc.update(&scores, &BINARY).unwrap();
    assert_close(roc.value(), AUC);
    let curve = roc.curve().unwrap();
    assert_eq!(curve.len(), FPR.len());
    for (at, point) in curve.iter().enumerate() {
        assert_close(Some(point.false_positive_rate), FPR[at]);
        assert_close(Some(point.true_positive_rate), TPR[at]);
    }
    assert!(curve[1..].iter().map(|point| point.threshold).eq(THRESHOLDS));
}

#[test]
fn calibration_and_perplexity() {
    let (mut calibration, mut perplexity) = (Calibration::new(10), Perplexity::new());
    calibration.update(&PROBABILITIES, &LABELS).unwrap();
    perplexity.update(&LOGITS, &LABELS).unwrap();
    assert_close(calibration.value(), ECE);
    assert_close(perplexity.cross_entropy(), LOG_LOSS);
    assert_close(perplexity.value(), LOG_LOSS.exp());
}

#[test]
fn regression() {
    let mut regression = Regression::new();
    regression.update(&PREDICTIONS, &TARGETS).unwrap();
    assert_close(regression.mae(), MAE);
    assert_close(regression.mse(), MSE);
    assert_close(regression.r2(), R2);
}
