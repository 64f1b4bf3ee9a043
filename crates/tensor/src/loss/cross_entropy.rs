//! Losses of rows of class scores: cross-entropy and negative log-likelihood, with class weights, ignored
//! labels, label smoothing, and classes or probabilities as the target.
//!
//! For each row, class c has the expected mass e_c = w_c · ((1 − s) · target_c + s / classes), with w the
//! class weights and s the label smoothing. The loss is −Σ e_c · ln p_c, and the gradient of the logits is
//! p_c · Σ e − e_c.

use super::{EXP_WORK, check, for_each_task, log_softmax, rows_of, sum, task_rows, with_exp};
use crate::Beta;
use crate::parallel::{for_each_chunk, rows_mut};

/// The targets of rows of class scores, and the weights of the classes.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The target of each row.
    pub targets: Targets<'a>,
    /// The number of classes, the columns of a row.
    pub classes: usize,
    /// A factor for each class; 1 if omitted.
    pub weight: Option<&'a [f32]>,
    /// The share of the target that is spread evenly over the classes, in [0, 1].
    pub label_smoothing: f32,
}

/// The target of each row.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// A class.
    Labels {
        /// The classes.
        labels: &'a [u32],
        /// Rows with this label contribute no loss, whether or not it is a class.
        ignore_index: Option<u32>,
    },
    /// A probability for each class, row by row.
    Probabilities(&'a [f32]),
}

impl<'a> Expected<'a> {
    /// Creates targets from labels, without weights or smoothing.
    pub fn labels(labels: &'a [u32], classes: usize) -> Self {
        let targets = Targets::Labels { labels, ignore_index: None };
        Self { targets, classes, weight: None, label_smoothing: 0.0 }
    }

    /// The weight of a row's loss in a mean over labels: the weight of its class, 0 if it is ignored, 1 for
    /// probabilities.
    ///
    /// # Panics
    /// When there is no such row, or its label is not a class.
    pub fn row_weight(&self, row: usize) -> f32 {
        match self.targets {
            Targets::Labels { labels, ignore_index } if Some(labels[row]) == ignore_index => 0.0,
            Targets::Labels { labels, .. } => self.weight_of(labels[row] as usize),
            Targets::Probabilities(_) => 1.0,
        }
    }

    fn weight_of(&self, class: usize) -> f32 {
        self.weight.map_or(1.0, |weight| weight[class])
    }

    /// Returns −Σ e · ln p of a row.
    fn loss(&self, log_probs: &[f32], row: usize) -> f32 {
        let (smooth, weight) = (f64::from(self.label_smoothing), |class| f64::from(self.weight_of(class)));
        let spread = |log_probs: &[f32]| match self.weight {
            None => sum(log_probs),
            Some(_) => log_probs.iter().enumerate().map(|(class, &lp)| weight(class) * f64::from(lp)).sum(),
        };
        let gain = match self.targets {
            Targets::Labels { labels, ignore_index } => {
                let Some(label) = label(labels, ignore_index, row) else { return 0.0 };
                let gain = (1.0 - smooth) * weight(label) * f64::from(log_probs[label]);
                if smooth > 0.0 { gain + smooth / self.classes as f64 * spread(log_probs) } else { gain }
            }
            Targets::Probabilities(targets) => {
                let targets = &targets[row * self.classes..][..self.classes];
                let mass = |target: &f32| (1.0 - smooth) * f64::from(*target) + smooth / self.classes as f64;
                let shares = targets.iter().zip(log_probs).enumerate();
                shares.map(|(class, (t, &lp))| weight(class) * mass(t) * f64::from(lp)).sum()
            }
        };
        -gain as f32
    }

    /// Returns e of a row by class; `None` if the row is ignored.
    fn masses(&self, row: usize) -> Option<impl Fn(usize) -> f32 + '_> {
        let (kept, everywhere) = (1.0 - self.label_smoothing, self.label_smoothing / self.classes as f32);
        let (label, probabilities) = match self.targets {
            Targets::Labels { labels, ignore_index } => (label(labels, ignore_index, row)?, None),
            Targets::Probabilities(targets) => (0, Some(&targets[row * self.classes..][..self.classes])),
        };
        let target = move |class: usize| match probabilities {
            Some(probabilities) => probabilities[class],
            None if class == label => 1.0,
            None => 0.0,
        };
        Some(move |class| self.weight_of(class) * (kept * target(class) + everywhere))
    }

    /// Returns Σ e of a row.
    fn total_mass(&self, masses: impl Fn(usize) -> f32) -> f32 {
        match (self.weight, self.targets) {
            (None, Targets::Labels { .. }) => 1.0,
            _ => (0..self.classes).map(|class| f64::from(masses(class))).sum::<f64>() as f32,
        }
    }

    #[track_caller]
    fn check(&self, name: &str, rows: usize) {
        let classes = self.classes;
        match self.targets {
            Targets::Labels { labels, ignore_index } => {
                assert_eq!(labels.len(), rows, "{name}: one label for each row");
                let is_wrong = |&label: &u32| label as usize >= classes && Some(label) != ignore_index;
                if let Some(row) = labels.iter().position(is_wrong) {
                    panic!(
                        "{name}: the target {} of row {row} is not below the {classes} classes",
                        labels[row]
                    );
                }
            }
            Targets::Probabilities(targets) => check(name, &[targets.len()], rows, classes),
        }
        let smoothing = self.label_smoothing;
        assert!(
            (0.0..=1.0).contains(&smoothing),
            "{name}: label_smoothing is {smoothing}, it must lie in [0, 1]"
        );
        if let Some(weight) = self.weight {
            assert_eq!(weight.len(), classes, "{name}: one weight for each class");
        }
    }
}

/// The label of a row; `None` if it is ignored.
fn label(labels: &[u32], ignore_index: Option<u32>, row: usize) -> Option<usize> {
    Some(labels[row]).filter(|&label| Some(label) != ignore_index).map(|label| label as usize)
}

/// Computes the cross-entropy of each row of logits with its target.
///
/// `losses` has one element per row; `log_probs`, as large as `logits`, is read by backward.
///
/// # Panics
/// When a length does not fit, a label is not below `classes`, or the smoothing is not in [0, 1].
#[track_caller]
pub fn cross_entropy_forward(
    losses: &mut [f32],
    log_probs: &mut [f32],
    logits: &[f32],
    expected: &Expected<'_>,
) {
    let (rows, classes) = (losses.len(), expected.classes);
    check("cross_entropy_forward", &[log_probs.len(), logits.len()], rows, classes);
    expected.check("cross_entropy_forward", rows);
    let outputs = (rows_mut(losses, 1), rows_mut(log_probs, classes));
    let chunk = task_rows(classes);
    for_each_chunk(rows, chunk, EXP_WORK * logits.len(), outputs, |range, (losses, log_probs)| {
        let log_probs = log_probs.into_slice();
        log_softmax(log_probs, &logits[range.start * classes..], classes);
        let rows = log_probs.chunks_exact(classes.max(1)).zip(range);
        for (loss, (log_probs, row)) in losses.into_slice().iter_mut().zip(rows) {
            *loss = expected.loss(log_probs, row);
        }
    });
}

/// dlogits = β·dlogits + dloss(row) · (softmax · Σ e − e).
///
/// # Panics
/// As [`cross_entropy_forward`].
#[track_caller]
pub fn cross_entropy_backward(
    dlogits: &mut [f32],
    dloss: impl Fn(usize) -> f32 + Sync,
    log_probs: &[f32],
    expected: &Expected<'_>,
    beta: Beta,
) {
    let classes = expected.classes;
    let rows = log_probs.len().checked_div(classes).unwrap_or(0);
    check("cross_entropy_backward", &[dlogits.len(), log_probs.len()], rows, classes);
    expected.check("cross_entropy_backward", rows);
    for_each_task(dlogits, rows, classes, EXP_WORK, |start, dlogits| {
        beta.prepare(dlogits);
        with_exp(&log_probs[start..start + dlogits.len()], |probs| {
            let rows = rows_of(dlogits, classes).zip(probs.chunks_exact(classes)).zip(start / classes..);
            for ((dlogits, probs), row) in rows {
                let Some(masses) = expected.masses(row) else { continue };
                let (dloss, total) = (dloss(row), expected.total_mass(&masses));
                for (class, (dlogit, prob)) in dlogits.iter_mut().zip(probs).enumerate() {
                    *dlogit += dloss * (prob * total - masses(class));
                }
            }
        });
    });
}

/// The gradient of target probabilities: dtargets = β·dtargets − dloss(row) · (1 − s) · w · ln p.
///
/// # Panics
/// When a length does not fit.
#[track_caller]
pub fn target_backward(
    dtargets: &mut [f32],
    dloss: impl Fn(usize) -> f32 + Sync,
    log_probs: &[f32],
    expected: &Expected<'_>,
    beta: Beta,
) {
    let classes = expected.classes;
    let rows = log_probs.len().checked_div(classes).unwrap_or(0);
    check("target_backward", &[dtargets.len(), log_probs.len()], rows, classes);
    expected.check("target_backward", rows);
    for_each_task(dtargets, rows, classes, 4, |start, dtargets| {
        beta.prepare(dtargets);
        let rows = rows_of(dtargets, classes).zip(log_probs[start..].chunks_exact(classes));
        for ((dtargets, log_probs), row) in rows.zip(start / classes..) {
            let factor = -dloss(row) * (1.0 - expected.label_smoothing);
            for (class, (dtarget, log_prob)) in dtargets.iter_mut().zip(log_probs).enumerate() {
                *dtarget += factor * expected.weight_of(class) * log_prob;
            }
        }
    });
}

/// Computes the negative log-likelihood of each row: −w · ln p of its label, 0 if it is ignored.
///
/// # Panics
/// When a length does not fit, or a label is not below `classes`.
#[track_caller]
pub fn nll_forward(losses: &mut [f32], log_probs: &[f32], expected: &Expected<'_>) {
    let (rows, classes) = (losses.len(), expected.classes);
    check("nll_forward", &[log_probs.len()], rows, classes);
    expected.check("nll_forward", rows);
    for (row, loss) in losses.iter_mut().enumerate() {
        *loss = expected.loss(&log_probs[row * classes..][..classes], row);
    }
}

/// dlog_probs = β·dlog_probs − dloss(row) · e.
///
/// # Panics
/// As [`nll_forward`].
#[track_caller]
pub fn nll_backward(
    dlog_probs: &mut [f32],
    dloss: impl Fn(usize) -> f32 + Sync,
    expected: &Expected<'_>,
    beta: Beta,
) {
    let classes = expected.classes;
    let rows = dlog_probs.len().checked_div(classes).unwrap_or(0);
    expected.check("nll_backward", rows);
    for_each_task(dlog_probs, rows, classes, 1, |start, dlog_probs| {
        beta.prepare(dlog_probs);
        for (dlog_probs, row) in rows_of(dlog_probs, classes).zip(start / classes..) {
            let Some(masses) = expected.masses(row) else { continue };
            let dloss = dloss(row);
            dlog_probs.iter_mut().enumerate().for_each(|(class, dx)| *dx -= dloss * masses(class));
        }
    });
}
