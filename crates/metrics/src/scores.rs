//! The scores of a batch, sample by sample.

use crate::Error;

/// Checks the scores and labels, and returns each sample's scores with its label.
///
/// # Panics
/// When the scores do not divide evenly among the labels, or a label has no score.
#[track_caller]
pub(crate) fn samples<'s>(
    metric: &str,
    scores: &'s [f32],
    labels: &'s [u32],
) -> Result<impl Iterator<Item = (&'s [f32], usize)> + Clone, Error> {
    let n_samples = labels.len();
    let n_classes = scores.len().checked_div(n_samples).unwrap_or(0);
    assert!(
        n_classes * n_samples == scores.len() && (n_classes > 0 || n_samples == 0),
        "{metric}::update: {} scores for {n_samples} labels, expected one for each class and label",
        scores.len()
    );
    if let Some(label) = labels.iter().find(|&&label| label as usize >= n_classes) {
        let hint = if n_classes == 1 { "; one score for each yes or no is a matter for Binary" } else { "" };
        panic!(
            "{metric}::update: the label {label} is not among the {n_classes} classes that have scores{hint}"
        );
    }
    if let Some(at) = scores.iter().position(|score| score.is_nan()) {
        return Err(Error::NotANumber { sample: at / n_classes, class: at % n_classes });
    }
    Ok(scores.chunks_exact(n_classes.max(1)).zip(labels.iter().map(|&label| label as usize)))
}

/// The class with the largest score, the first among equals.
pub(crate) fn argmax(scores: &[f32]) -> usize {
    (1..scores.len()).fold(0, |best, class| if scores[class] > scores[best] { class } else { best })
}

/// `part` / `whole`, where 0 / 0 is 0, as in scikit-learn.
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
