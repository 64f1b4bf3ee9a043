//! The gated linear unit: one half of a row, gated by the other.

use super::sigmoid;
use crate::Beta;
use crate::elementwise::{zip, zip3};
use crate::parallel::{for_each_chunk, rows_mut};
use crate::shape::checked_len;

/// The number of elements per task.
const TASK_LEN: usize = 1 << 13;

/// y = a · σ(b), where each row of x is a followed by b, of `half` numbers each. Dauphin et al. 2017.
///
/// # Panics
/// When y is not half as long as x, or does not consist of rows of `half` numbers.
#[track_caller]
pub fn glu_forward(y: &mut [f32], x: &[f32], half: usize) {
    check("glu_forward", y.len(), x.len(), half);
    for_each_chunk(n_rows(y, half), task_rows(half), y.len(), rows_mut(y, half), |range, y| {
        let x = x[2 * half * range.start..].chunks_exact((2 * half).max(1));
        for (y, x) in y.into_slice().chunks_exact_mut(half.max(1)).zip(x) {
            let (a, b) = x.split_at(half);
            zip(y, a, b, Beta::Zero, |a, b| a * sigmoid(b));
        }
    });
}

/// da = dy · σ(b) and db = dy · a · σ(b) · (1 − σ(b)), side by side in the rows of dx, which is overwritten or added to.
///
/// # Panics
/// As [`glu_forward`].
#[track_caller]
pub fn glu_backward(dx: &mut [f32], dy: &[f32], x: &[f32], half: usize, beta: Beta) {
    check("glu_backward", dy.len(), dx.len(), half);
    check("glu_backward", dy.len(), x.len(), half);
    for_each_chunk(n_rows(dy, half), task_rows(half), dx.len(), rows_mut(dx, 2 * half), |range, dx| {
        let x = x[2 * half * range.start..].chunks_exact((2 * half).max(1));
        let dy = dy[half * range.start..].chunks_exact(half.max(1));
        for (dx, (dy, x)) in dx.into_slice().chunks_exact_mut((2 * half).max(1)).zip(dy.zip(x)) {
            let ((da, db), (a, b)) = (dx.split_at_mut(half), x.split_at(half));
            zip(da, dy, b, beta, |dy, b| dy * sigmoid(b));
            zip3(db, dy, a, b, beta, |dy, a, b| {
                let gate = sigmoid(b);
                dy * a * gate * (1.0 - gate)
            });
        }
    });
}

fn n_rows(y: &[f32], half: usize) -> usize {
    y.len().checked_div(half).unwrap_or(0)
}

fn task_rows(half: usize) -> usize {
    (TASK_LEN / half.max(1)).max(1)
}

#[track_caller]
fn check(name: &str, half_len: usize, len: usize, half: usize) {
    checked_len(name, &[2, half]);
    assert_eq!(2 * half_len, len, "{name}: the output is half as long as the input");
    assert!(half_len == 0 || half_len.is_multiple_of(half), "{name}: {half_len} elements in rows of {half}");
}
