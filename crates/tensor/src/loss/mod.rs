//! Softmax, log-softmax and cross-entropy over rows of logits.
//!
//! Each works on `rows` × `cols` numbers and subtracts a row's maximum before the exponential, so that finite
//! logits never overflow. Sums over a row are accumulated in f64.
//!
//! Rounding x − max costs up to ε·2·max|x| in the exponent, ε = 2⁻²⁴. With s = 1 + 2·max|x|, softmax has a
//! relative error of (4 + s)·ε, log-softmax an absolute one of 4·s·ε, a loss of 6·s·ε.

pub(crate) mod reference;

use crate::Beta;
use crate::parallel::{for_each_chunk, rows_mut};
use crate::reduce::max_nan;

/// Elements of one task.
const TASK_LEN: usize = 1 << 12;

/// What an exponential costs, in element operations.
const EXP_WORK: usize = 16;

/// y = exp(x) / Σ exp(x), row by row.
///
/// # Panics
/// When a length is not rows · cols.
#[track_caller]
pub fn softmax_forward(y: &mut [f32], x: &[f32], rows: usize, cols: usize) {
    check("softmax_forward", &[y.len(), x.len()], rows, cols);
    for_each_row(y, rows, cols, EXP_WORK, |row, y| {
        let x = &x[row * cols..][..cols];
        let max = x.iter().copied().fold(f32::NEG_INFINITY, max_nan);
        let mut sum = 0.0;
        for (y, &x) in y.iter_mut().zip(x) {
            *y = (x - max).exp();
            sum += f64::from(*y);
        }
        let scale = (1.0 / sum) as f32;
        y.iter_mut().for_each(|y| *y *= scale);
    });
}

/// dx = β·dx + y · (dy − Σ dy·y), `y` the output of [`softmax_forward`].
///
/// # Panics
/// When a length is not rows · cols.
#[track_caller]
pub fn softmax_backward(dx: &mut [f32], dy: &[f32], y: &[f32], rows: usize, cols: usize, beta: Beta) {
    check("softmax_backward", &[dx.len(), dy.len(), y.len()], rows, cols);
    for_each_row(dx, rows, cols, 4, |row, dx| {
        let (dy, y) = (&dy[row * cols..][..cols], &y[row * cols..][..cols]);
        let dot = dy.iter().zip(y).map(|(&dy, &y)| f64::from(dy) * f64::from(y)).sum::<f64>() as f32;
        beta.prepare(dx);
        dx.iter_mut().zip(dy.iter().zip(y)).for_each(|(dx, (dy, y))| *dx += y * (dy - dot));
    });
}

/// y = x − ln Σ exp(x), row by row.
///
/// # Panics
/// When a length is not rows · cols.
#[track_caller]
pub fn log_softmax_forward(y: &mut [f32], x: &[f32], rows: usize, cols: usize) {
    check("log_softmax_forward", &[y.len(), x.len()], rows, cols);
    for_each_row(y, rows, cols, EXP_WORK, |row, y| log_softmax_row(y, &x[row * cols..][..cols]));
}

fn log_softmax_row(y: &mut [f32], x: &[f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, max_nan);
    let sum: f64 = x.iter().map(|&x| f64::from((x - max).exp())).sum();
    let log_sum = sum.ln() as f32;
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - max) - log_sum);
}

/// dx = β·dx + dy − exp(y) · Σ dy, `y` the output of [`log_softmax_forward`].
///
/// # Panics
/// When a length is not rows · cols.
#[track_caller]
pub fn log_softmax_backward(dx: &mut [f32], dy: &[f32], y: &[f32], rows: usize, cols: usize, beta: Beta) {
    check("log_softmax_backward", &[dx.len(), dy.len(), y.len()], rows, cols);
    for_each_row(dx, rows, cols, EXP_WORK, |row, dx| {
        let (dy, y) = (&dy[row * cols..][..cols], &y[row * cols..][..cols]);
        let sum = dy.iter().map(|&dy| f64::from(dy)).sum::<f64>() as f32;
        beta.prepare(dx);
        dx.iter_mut().zip(dy.iter().zip(y)).for_each(|(dx, (dy, y))| *dx += dy - y.exp() * sum);
    });
}

/// The cross-entropy of each row of logits with its target class:
/// loss = −(1 − s) · logp\[target\] − s / classes · Σ logp, s the label smoothing, as in PyTorch.
///
/// `losses` has an element a row; `log_probs`, as large as `logits`, is what the backward reads.
///
/// # Panics
/// When a length does not fit, a target is not below `classes`, or `label_smoothing` is not in [0, 1].
#[track_caller]
pub fn cross_entropy_forward(
    losses: &mut [f32],
    log_probs: &mut [f32],
    logits: &[f32],
    targets: &[u32],
    classes: usize,
    label_smoothing: f32,
) {
    let rows = targets.len();
    check("cross_entropy_forward", &[log_probs.len(), logits.len()], rows, classes);
    assert_eq!(losses.len(), rows, "cross_entropy_forward: one loss for each target");
    check_targets("cross_entropy_forward", targets, classes, label_smoothing);
    let outputs = (rows_mut(losses, 1), rows_mut(log_probs, classes));
    let chunk = task_rows(classes);
    for_each_chunk(rows, chunk, EXP_WORK * logits.len(), outputs, |range, (losses, log_probs)| {
        let rows = log_probs.into_slice().chunks_exact_mut(classes.max(1)).zip(range);
        for (loss, (log_probs, row)) in losses.into_slice().iter_mut().zip(rows) {
            log_softmax_row(log_probs, &logits[row * classes..][..classes]);
            let smooth = f64::from(label_smoothing);
            let mut sum = (1.0 - smooth) * f64::from(log_probs[targets[row] as usize]);
            if label_smoothing > 0.0 {
                sum += smooth / classes as f64 * log_probs.iter().map(|&v| f64::from(v)).sum::<f64>();
            }
            *loss = -sum as f32;
        }
    });
}

/// dlogits = β·dlogits + scale · (softmax − (1 − s) · one_hot(target) − s / classes).
///
/// `scale` is the gradient of every row's loss: 1 / rows for the mean, 1 for the sum.
///
/// # Panics
/// When a length does not fit, a target is not below `classes`, or `label_smoothing` is not in [0, 1].
#[track_caller]
pub fn cross_entropy_backward(
    dlogits: &mut [f32],
    scale: f32,
    log_probs: &[f32],
    targets: &[u32],
    classes: usize,
    label_smoothing: f32,
    beta: Beta,
) {
    let rows = targets.len();
    check("cross_entropy_backward", &[dlogits.len(), log_probs.len()], rows, classes);
    check_targets("cross_entropy_backward", targets, classes, label_smoothing);
    let everywhere = label_smoothing / classes as f32;
    for_each_row(dlogits, rows, classes, EXP_WORK, |row, dlogits| {
        let log_probs = &log_probs[row * classes..][..classes];
        beta.prepare(dlogits);
        let target = targets[row] as usize;
        for (class, (dlogit, log_prob)) in dlogits.iter_mut().zip(log_probs).enumerate() {
            let expected = if class == target { 1.0 - label_smoothing + everywhere } else { everywhere };
            *dlogit += scale * (log_prob.exp() - expected);
        }
    });
}

/// Calls `f(row, output row)` for each row, `cost` element operations an element.
fn for_each_row(y: &mut [f32], rows: usize, cols: usize, cost: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    for_each_chunk(rows, task_rows(cols), cost * y.len(), rows_mut(y, cols), |range, y| {
        range.zip(y.into_slice().chunks_exact_mut(cols.max(1))).for_each(|(row, y)| f(row, y));
    });
}

fn task_rows(cols: usize) -> usize {
    (TASK_LEN / cols.max(1)).max(1)
}

#[track_caller]
fn check(name: &str, lens: &[usize], rows: usize, cols: usize) {
    for &len in lens {
        assert_eq!(len, rows * cols, "{name}: length for rows x cols = {rows} x {cols}");
    }
}

#[track_caller]
fn check_targets(name: &str, targets: &[u32], classes: usize, label_smoothing: f32) {
    if let Some(row) = targets.iter().position(|&target| target as usize >= classes) {
        panic!("{name}: the target {} of row {row} is not below the {classes} classes", targets[row]);
    }
    assert!(
        (0.0..=1.0).contains(&label_smoothing),
        "{name}: label_smoothing is {label_smoothing}, it must lie in [0, 1]"
    );
}
