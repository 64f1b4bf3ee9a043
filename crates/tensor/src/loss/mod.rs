//! Softmax, log-softmax and cross-entropy over rows of logits.
//!
//! Each works on `rows` × `cols` numbers and subtracts a row's maximum before the exponential, so that finite
//! logits never overflow. The exponential is [`elementwise::exp`](crate::elementwise::exp), taken of all rows of a
//! task at once; sums over a row are accumulated in f64.
//!
//! Rounding x − max costs up to ε·2·max|x| in the exponent, ε = 2⁻²⁴. With s = 1 + 2·max|x|, softmax has a
//! relative error of (4 + s)·ε, log-softmax an absolute one of 4·s·ε, a loss of 6·s·ε.

pub(crate) mod reference;

use crate::elementwise::exp_in_place;
use crate::parallel::{for_each_chunk, rows_mut};
use crate::reduce::max_nan;
use crate::shape::checked_len;
use crate::{Beta, scratch};

/// Elements of one task.
const TASK_LEN: usize = 1 << 12;

/// What an exponential and its place in a sum cost, in element operations.
const EXP_WORK: usize = 16;

/// y = exp(x) / Σ exp(x), row by row.
///
/// # Panics
/// When a length is not rows · cols.
#[track_caller]
pub fn softmax_forward(y: &mut [f32], x: &[f32], rows: usize, cols: usize) {
    check("softmax_forward", &[y.len(), x.len()], rows, cols);
    for_each_task(y, rows, cols, EXP_WORK, |start, y| {
        subtract_maximum(y, &x[start..], cols);
        exp_in_place(y);
        for y in y.chunks_exact_mut(cols.max(1)) {
            let scale = (1.0 / sum(y)) as f32;
            y.iter_mut().for_each(|y| *y *= scale);
        }
    });
}

/// dx = β·dx + y · (dy − Σ dy·y), `y` the output of [`softmax_forward`].
///
/// # Panics
/// When a length is not rows · cols.
#[track_caller]
pub fn softmax_backward(dx: &mut [f32], dy: &[f32], y: &[f32], rows: usize, cols: usize, beta: Beta) {
    check("softmax_backward", &[dx.len(), dy.len(), y.len()], rows, cols);
    for_each_task(dx, rows, cols, 4, |start, dx| {
        beta.prepare(dx);
        for (dx, (dy, y)) in rows_of(dx, cols).zip(zip_rows(&dy[start..], &y[start..], cols)) {
            let dot = dy.iter().zip(y).map(|(&dy, &y)| f64::from(dy) * f64::from(y)).sum::<f64>() as f32;
            dx.iter_mut().zip(dy.iter().zip(y)).for_each(|(dx, (dy, y))| *dx += y * (dy - dot));
        }
    });
}

/// y = x − ln Σ exp(x), row by row.
///
/// # Panics
/// When a length is not rows · cols.
#[track_caller]
pub fn log_softmax_forward(y: &mut [f32], x: &[f32], rows: usize, cols: usize) {
    check("log_softmax_forward", &[y.len(), x.len()], rows, cols);
    for_each_task(y, rows, cols, EXP_WORK, |start, y| log_softmax(y, &x[start..], cols));
}

/// The rows of one task.
fn log_softmax(y: &mut [f32], x: &[f32], cols: usize) {
    subtract_maximum(y, x, cols);
    scratch::with(y.len(), |powers| {
        powers.copy_from_slice(y);
        exp_in_place(powers);
        for (y, powers) in rows_of(y, cols).zip(powers.chunks_exact(cols.max(1))) {
            let log_sum = sum(powers).ln() as f32;
            y.iter_mut().for_each(|y| *y -= log_sum);
        }
    });
}

/// dx = β·dx + dy − exp(y) · Σ dy, `y` the output of [`log_softmax_forward`].
///
/// # Panics
/// When a length is not rows · cols.
#[track_caller]
pub fn log_softmax_backward(dx: &mut [f32], dy: &[f32], y: &[f32], rows: usize, cols: usize, beta: Beta) {
    check("log_softmax_backward", &[dx.len(), dy.len(), y.len()], rows, cols);
    for_each_task(dx, rows, cols, EXP_WORK, |start, dx| {
        beta.prepare(dx);
        with_exp(&y[start..start + dx.len()], |probs| {
            for (dx, (dy, probs)) in rows_of(dx, cols).zip(zip_rows(&dy[start..], probs, cols)) {
                let sum = sum(dy) as f32;
                dx.iter_mut().zip(dy.iter().zip(probs)).for_each(|(dx, (dy, prob))| *dx += dy - prob * sum);
            }
        });
    });
}

/// The cross-entropy of each row of logits with its target class:
/// loss = −(1 − s) · logp\[target\] − s / classes · Σ logp, s the label smoothing, as in PyTorch.
///
/// `losses` has one element per row; `log_probs`, as large as `logits`, is what the backward reads.
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
        let log_probs = log_probs.into_slice();
        log_softmax(log_probs, &logits[range.start * classes..], classes);
        let rows = log_probs.chunks_exact(classes.max(1)).zip(range);
        for (loss, (log_probs, row)) in losses.into_slice().iter_mut().zip(rows) {
            let smooth = f64::from(label_smoothing);
            let mut sum = (1.0 - smooth) * f64::from(log_probs[targets[row] as usize]);
            if label_smoothing > 0.0 {
                sum += smooth / classes as f64 * self::sum(log_probs);
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
    for_each_task(dlogits, rows, classes, EXP_WORK, |start, dlogits| {
        beta.prepare(dlogits);
        with_exp(&log_probs[start..start + dlogits.len()], |probs| {
            let targets = targets[start / classes..].iter();
            let rows = rows_of(dlogits, classes).zip(probs.chunks_exact(classes));
            for ((dlogits, probs), &target) in rows.zip(targets) {
                for (class, (dlogit, prob)) in dlogits.iter_mut().zip(probs).enumerate() {
                    let is_target = class == target as usize;
                    let expected = if is_target { 1.0 - label_smoothing + everywhere } else { everywhere };
                    *dlogit += scale * (prob - expected);
                }
            }
        });
    });
}

/// Calls `f(start, y[start..])` for the rows of each task, `cost` element operations per element.
fn for_each_task(y: &mut [f32], rows: usize, cols: usize, cost: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    for_each_chunk(rows, task_rows(cols), cost * y.len(), rows_mut(y, cols), |range, y| {
        f(range.start * cols, y.into_slice());
    });
}

/// y = x − max x, row by row, for as many rows as `y` has.
fn subtract_maximum(y: &mut [f32], x: &[f32], cols: usize) {
    for (y, x) in rows_of(y, cols).zip(x.chunks_exact(cols.max(1))) {
        let max = x.iter().copied().fold(f32::NEG_INFINITY, max_nan);
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = x - max);
    }
}

/// Calls `f` with the exponentials of `x`.
fn with_exp(x: &[f32], f: impl FnOnce(&[f32])) {
    scratch::with(x.len(), |powers| {
        powers.copy_from_slice(x);
        exp_in_place(powers);
        f(powers);
    });
}

fn sum(x: &[f32]) -> f64 {
    x.iter().map(|&v| f64::from(v)).sum()
}

fn rows_of(y: &mut [f32], cols: usize) -> impl Iterator<Item = &mut [f32]> {
    y.chunks_exact_mut(cols.max(1))
}

fn zip_rows<'a>(a: &'a [f32], b: &'a [f32], cols: usize) -> impl Iterator<Item = (&'a [f32], &'a [f32])> {
    a.chunks_exact(cols.max(1)).zip(b.chunks_exact(cols.max(1)))
}

fn task_rows(cols: usize) -> usize {
    (TASK_LEN / cols.max(1)).max(1)
}

#[track_caller]
fn check(name: &str, lens: &[usize], rows: usize, cols: usize) {
    let expected = checked_len(name, &[rows, cols]);
    for &len in lens {
        assert_eq!(len, expected, "{name}: length for rows x cols = {rows} x {cols}");
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
