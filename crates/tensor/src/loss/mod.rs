//! Softmax, log-softmax, cross-entropy and negative log-likelihood over rows of class scores.
//!
//! Each works on `rows` × `cols` numbers and subtracts a row's maximum before the exponential, so that finite
//! logits never overflow. The exponential is [`elementwise::exp`](crate::elementwise::exp), computed for all
//! rows of a task at once; sums over a row are accumulated in f64.
//!
//! Rounding x − max causes an error of up to ε·2·max|x| in the exponent, with ε = 2⁻²⁴. With
//! s = 1 + 2·max|x|, softmax has a relative error of (4 + s)·ε, log-softmax an absolute error of 4·s·ε, and a
//! loss one of 6·s·ε.

mod cross_entropy;
pub(crate) mod reference;

pub use cross_entropy::{
    Expected, Targets, cross_entropy_backward, cross_entropy_forward, nll_backward, nll_forward,
    target_backward,
};

use crate::elementwise::exp_in_place;
use crate::parallel::{for_each_chunk, rows_mut};
use crate::reduce::max_nan;
use crate::shape::checked_len;
use crate::{Beta, scratch};

/// The number of elements per task.
const TASK_LEN: usize = 1 << 12;

/// The cost of an exponential and adding it to a sum, in element operations.
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

/// dx = β·dx + y · (dy − Σ dy·y), with `y` the output of [`softmax_forward`].
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

/// dx = β·dx + dy − exp(y) · Σ dy, with `y` the output of [`log_softmax_forward`].
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

/// Calls `f(start, y[start..])` for the rows of each task, with `cost` element operations per element.
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
