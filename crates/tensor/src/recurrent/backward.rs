//! Backward of a recurrent layer: back through the steps, then one product over all of them for the weight.

use super::cells::Backward;
use super::{Cell, Recurrence, RecurrentShape, step_work, task_samples};
use crate::linear::{linear_backward_input, linear_backward_weight};
use crate::parallel::{Shards, for_each_chunk, rows_mut};
use crate::{Beta, elementwise, scratch};
use simd::{Level, dispatch};

/// Goes back through the steps: computes the gradients of the gates, which overwrite what forward saved, and
/// `dinitial`, those of the state before the first step, [states, batch, hidden].
///
/// The gradients of the state's gates (with its weight and bias) are then the first
/// batch · steps · gates · hidden numbers of `saved`. The sum of their rows is the gradient of `bias_hh`
/// ([`crate::reduce::reduce_rows`]). [`recurrent_backward_input`] and [`recurrent_backward_weight`] compute
/// the other gradients from them.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn recurrent_backward(
    saved: &mut [f32],
    dinitial: &mut [f32],
    dy: &[f32],
    y: &[f32],
    layer: &Recurrence<'_>,
    shards: &Shards<'_>,
) {
    const NAME: &str = "recurrent_backward";
    let &Recurrence { weight_hh, initial, ref shape, .. } = layer;
    shape.check_sizes(NAME);
    let &RecurrentShape { batch, steps, hidden, .. } = shape;
    let (row, extra_row, second) = (shape.gates(), shape.extra(), shape.second());
    assert_eq!(saved.len(), shape.n_saved(), "{NAME}: saved numbers for {shape:?}");
    assert_eq!(dinitial.len(), batch * (hidden + second), "{NAME}: gradient of the state for {shape:?}");
    assert_eq!(dy.len(), y.len(), "{NAME}: gradient of the output for {shape:?}");
    let (gates, extra) = saved.split_at_mut(batch * steps * row);
    layer.check(NAME, gates.len(), y.len());
    let (dh, dc) = dinitial.split_at_mut(batch * hidden);
    for (sample, dy) in dy.chunks_exact(shape.output_len().max(1)).enumerate() {
        let (of_h, of_c) = dy[steps * hidden..].split_at(hidden);
        dh[sample * hidden..][..hidden].copy_from_slice(of_h);
        dc[sample * second..][..second].copy_from_slice(of_c);
    }
    scratch::or_filled(initial[0], batch * hidden, 0.0, |h| {
        scratch::or_filled(initial[1], batch * second, 0.0, |c| {
            scratch::with(batch * row, |of_step| {
                let outputs = Outputs { dy, y, initial: [h, c] };
                for step in (0..layer.longest()).rev() {
                    let states = [&mut *dh, &mut *dc];
                    step_back(step, states, of_step, [&mut *gates, &mut *extra], outputs, layer);
                    linear_backward_input(dh, of_step, weight_hh, &shape.product(batch), shards, Beta::One);
                }
            });
        });
    });
    for sample in 0..batch {
        let padding = sample * steps + layer.length(sample)..(sample + 1) * steps;
        gates[padding.start * row..padding.end * row].fill(0.0);
        extra[padding.start * extra_row..padding.end * extra_row].fill(0.0);
    }
}

/// What forward computed, its gradient, and the state that it started from.
#[derive(Clone, Copy)]
struct Outputs<'a> {
    dy: &'a [f32],
    y: &'a [f32],
    initial: [&'a [f32]; 2],
}

/// Goes back through step number `step`, except for the product with `weight_hh`: turns the gradients of the
/// states after it into those before it, and what forward saved of it into the gradients of its gates, which are
/// also copied to `of_step`.
fn step_back(
    step: usize,
    [dh, dc]: [&mut [f32]; 2],
    of_step: &mut [f32],
    [gates, extra]: [&mut [f32]; 2],
    Outputs { dy, y, initial }: Outputs<'_>,
    layer: &Recurrence<'_>,
) {
    let &Recurrence { lengths, ref shape, .. } = layer;
    let &RecurrentShape { batch, steps, hidden, .. } = shape;
    let (level, row) = (Level::current(), shape.gates());
    let states = (rows_mut(dh, hidden), rows_mut(dc, shape.second()));
    let saved = (rows_mut(gates, steps * row), rows_mut(extra, steps * shape.extra()));
    let outputs = (states, rows_mut(of_step, row), saved);
    for_each_chunk(batch, task_samples(shape), step_work(shape), outputs, |samples, outputs| {
        let ((dh, dc), of_step, (gates, extra)) = outputs;
        let (dh, dc, of_step) = (dh.into_slice(), dc.into_slice(), of_step.into_slice());
        let (gates, extra) = (gates.into_slice(), extra.into_slice());
        dispatch(
            level,
            Backward { dh, dc, of_step, gates, extra, dy, y, initial, samples, lengths, step, shape },
        );
    });
}

/// `dgates = β·dgates +` the gradients of the inputs' gates, from the results of [`recurrent_backward`].
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn recurrent_backward_input(dgates: &mut [f32], saved: &[f32], shape: &RecurrentShape, beta: Beta) {
    shape.check_sizes("recurrent_backward_input");
    let (rows, row, hidden) = (shape.batch * shape.steps, shape.gates(), shape.hidden);
    assert_eq!(saved.len(), shape.n_saved(), "recurrent_backward_input: saved numbers for {shape:?}");
    let (gates, extra) = saved.split_at(rows * row);
    if shape.cell != Cell::Gru {
        return elementwise::copy_or_add(dgates, gates, beta);
    }
    assert_eq!(dgates.len(), gates.len(), "recurrent_backward_input: gates for {shape:?}");
    // The state's share of n is multiplied by r, the input's is not.
    for_each_chunk(rows, (4096 / row.max(1)).max(1), dgates.len(), rows_mut(dgates, row), |rows, dgates| {
        for (row_idx, dgates) in rows.zip(dgates.into_slice().chunks_exact_mut(row.max(1))) {
            let (of_state, of_new) = (&gates[row_idx * row..], &extra[row_idx * hidden..][..hidden]);
            let (reset_update, new) = dgates.split_at_mut(2 * hidden);
            elementwise::copy_or_add(reset_update, &of_state[..2 * hidden], beta);
            elementwise::copy_or_add(new, of_new, beta);
        }
    });
}

/// `dweight_hh = β·dweight_hh +` the product of the gates' gradients, from [`recurrent_backward`], and the
/// states before them: one product for all steps, a sum over the batch.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn recurrent_backward_weight(
    dweight: &mut [f32],
    saved: &[f32],
    y: &[f32],
    layer: &Recurrence<'_>,
    shards: &Shards<'_>,
    beta: Beta,
) {
    const NAME: &str = "recurrent_backward_weight";
    let &Recurrence { initial: [initial, _], ref shape, .. } = layer;
    shape.check_sizes(NAME);
    let &RecurrentShape { batch, steps, hidden, reverse, .. } = shape;
    let (rows, y_row) = (batch * steps, shape.output_len());
    assert_eq!(saved.len(), shape.n_saved(), "{NAME}: saved numbers for {shape:?}");
    let gates = &saved[..rows * shape.gates()];
    layer.check(NAME, gates.len(), y.len());
    assert_eq!(dweight.len(), layer.weight_hh.len(), "{NAME}: gradient of weight_hh for {shape:?}");
    scratch::with(rows * hidden, |before| {
        let samples = rows_mut(before, steps * hidden);
        for_each_chunk(batch, 1, rows * hidden, samples, |sample, before| {
            let (sample, before) = (sample.start, before.into_slice());
            let end = layer.length(sample) * hidden;
            let outputs = &y[sample * y_row..][..end];
            let kept = end - hidden;
            let state = if reverse {
                before[..kept].copy_from_slice(&outputs[hidden..]);
                kept..end
            } else {
                before[hidden..end].copy_from_slice(&outputs[..kept]);
                0..hidden
            };
            // Past the end, the gates' gradients are 0.
            before[end..].fill(0.0);
            match initial {
                Some(initial) => before[state].copy_from_slice(&initial[sample * hidden..][..hidden]),
                None => before[state].fill(0.0),
            }
        });
        linear_backward_weight(dweight, gates, before, &shape.product(rows), shards, beta);
    });
}
