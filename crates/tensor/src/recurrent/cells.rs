//! One step of a cell, forward and backward, for some samples: the passes over gates and states.
//!
//! Loops are over few arrays at a time, so that the compiler can tell that they do not overlap and vectorises
//! them.

use std::ops::Range;

use simd::{Kernel, Simd};

use super::{Cell, RecurrentShape, length};
use crate::activation::{sigmoid, tanh};

impl RecurrentShape {
    /// The time step of a sample's step number `step`; `None` past its end.
    #[inline(always)]
    pub(super) fn time(&self, step: usize, length: usize) -> Option<usize> {
        (step < length).then(|| if self.reverse { length - 1 - step } else { step })
    }
}

/// Computes states from the gates of the inputs and of the state; leaves the activated gates in place.
pub(super) struct Forward<'a> {
    pub(super) h: &'a mut [f32],
    pub(super) c: &'a mut [f32],
    pub(super) gates: &'a mut [f32],
    pub(super) extra: &'a mut [f32],
    pub(super) y: &'a mut [f32],
    pub(super) saved: Option<(&'a mut [f32], &'a mut [f32])>,
    /// The values of all samples.
    pub(super) of_inputs: &'a [f32],
    pub(super) samples: Range<usize>,
    pub(super) lengths: &'a [u32],
    pub(super) step: usize,
    pub(super) shape: &'a RecurrentShape,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { h, c, gates, extra, y, mut saved, of_inputs, samples, lengths, step, shape } = self;
        let &RecurrentShape { steps, hidden, cell, .. } = shape;
        let (row, extra_row, second) = (shape.gates(), shape.extra(), shape.second());
        for (idx, sample) in samples.enumerate() {
            let Some(time) = shape.time(step, length(lengths, sample, steps)) else { continue };
            let h = &mut h[idx * hidden..][..hidden];
            let c = &mut c[idx * second..][..second];
            let gates = &mut gates[idx * row..][..row];
            let extra = &mut extra[idx * extra_row..][..extra_row];
            let of_input = &of_inputs[(sample * steps + time) * row..][..row];
            match cell {
                Cell::Tanh | Cell::Relu => elman(cell, h, gates, of_input),
                Cell::Gru => gru(h, gates, extra, of_input),
                Cell::Lstm => {
                    lstm(h, c, gates, of_input);
                    extra.copy_from_slice(c);
                }
            }
            y[idx * shape.output_len()..][time * hidden..][..hidden].copy_from_slice(h);
            if let Some((all_gates, all_extra)) = &mut saved {
                let place = idx * steps + time;
                all_gates[place * row..][..row].copy_from_slice(gates);
                all_extra[place * extra_row..][..extra_row].copy_from_slice(extra);
            }
        }
    }
}

#[inline(always)]
fn elman(cell: Cell, h: &mut [f32], gates: &mut [f32], of_input: &[f32]) {
    let sums = gates.iter_mut().zip(of_input);
    match cell {
        // Like ReLU: NaN stays NaN.
        Cell::Relu => sums.for_each(|(gate, a)| *gate = if *gate + a < 0.0 { 0.0 } else { *gate + a }),
        _ => sums.for_each(|(gate, a)| *gate = tanh(*gate + a)),
    }
    h.copy_from_slice(gates);
}

#[inline(always)]
fn gru(h: &mut [f32], gates: &mut [f32], of_state: &mut [f32], of_input: &[f32]) {
    let n = h.len();
    let (reset_update, new) = gates.split_at_mut(2 * n);
    reset_update.iter_mut().zip(of_input).for_each(|(gate, a)| *gate = sigmoid(*gate + a));
    let (reset, update) = reset_update.split_at_mut(n);
    of_state.copy_from_slice(new);
    let inputs = of_input[2 * n..].iter().zip(&*reset);
    new.iter_mut().zip(inputs).for_each(|(new, (a, r))| *new = tanh(a + r * *new));
    let gates = new.iter().zip(&*update);
    h.iter_mut().zip(gates).for_each(|(h, (n, z))| *h = (1.0 - z) * n + z * *h);
}

#[inline(always)]
fn lstm(h: &mut [f32], c: &mut [f32], gates: &mut [f32], of_input: &[f32]) {
    let n = h.len();
    gates.iter_mut().zip(of_input).for_each(|(gate, a)| *gate += a);
    let [input, forget, cell, output] = quarters(gates, n);
    cell.iter_mut().for_each(|gate| *gate = tanh(*gate));
    for gates in [&mut *input, &mut *forget, &mut *output] {
        gates.iter_mut().for_each(|gate| *gate = sigmoid(*gate));
    }
    c.iter_mut().zip(&*forget).for_each(|(c, f)| *c *= f);
    let new = input.iter().zip(&*cell);
    c.iter_mut().zip(new).for_each(|(c, (i, g))| *c += i * g);
    let inputs = output.iter().zip(&*c);
    h.iter_mut().zip(inputs).for_each(|(h, (o, &c))| *h = o * tanh(c));
}

#[inline(always)]
fn quarters(gates: &mut [f32], n: usize) -> [&mut [f32]; 4] {
    let (first, last) = gates.split_at_mut(2 * n);
    let ((a, b), (c, d)) = (first.split_at_mut(n), last.split_at_mut(n));
    [a, b, c, d]
}

/// Computes the gradients of a step's gates, which overwrite its saved values, and of the state before it
/// except for the part through the gates.
pub(super) struct Backward<'a> {
    /// The gradient of the state after the step; on return, of the state before it.
    pub(super) dh: &'a mut [f32],
    pub(super) dc: &'a mut [f32],
    /// A copy of the gradients of the gates, in contiguous rows; 0 past the end of a sample.
    pub(super) of_step: &'a mut [f32],
    pub(super) gates: &'a mut [f32],
    pub(super) extra: &'a mut [f32],
    /// The values of all samples.
    pub(super) dy: &'a [f32],
    pub(super) y: &'a [f32],
    pub(super) initial: [&'a [f32]; 2],
    pub(super) samples: Range<usize>,
    pub(super) lengths: &'a [u32],
    pub(super) step: usize,
    pub(super) shape: &'a RecurrentShape,
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { dh, dc, of_step, gates, extra, dy, y, initial, samples, lengths, step, shape } = self;
        let &RecurrentShape { steps, hidden, cell, .. } = shape;
        let (row, extra_row, second, y_row) =
            (shape.gates(), shape.extra(), shape.second(), shape.output_len());
        for (idx, sample) in samples.enumerate() {
            let of_step = &mut of_step[idx * row..][..row];
            let len = length(lengths, sample, steps);
            let Some(time) = shape.time(step, len) else {
                of_step.fill(0.0);
                continue;
            };
            let before = step.checked_sub(1).and_then(|step| shape.time(step, len));
            let dh = &mut dh[idx * hidden..][..hidden];
            let dc = &mut dc[idx * second..][..second];
            dh.iter_mut().zip(&dy[sample * y_row..][time * hidden..]).for_each(|(dh, dy)| *dh += dy);
            let gates = &mut gates[(idx * steps + time) * row..][..row];
            match cell {
                Cell::Tanh | Cell::Relu => elman_backward(cell, dh, gates),
                Cell::Gru => {
                    let h = match before {
                        Some(time) => &y[sample * y_row..][time * hidden..][..hidden],
                        None => &initial[0][sample * hidden..][..hidden],
                    };
                    let of_state = &mut extra[(idx * steps + time) * extra_row..][..extra_row];
                    gru_backward(dh, gates, of_state, h);
                }
                Cell::Lstm => {
                    let place = |time| (idx * steps + time) * extra_row;
                    let c = &extra[place(time)..][..hidden];
                    let c_before = match before {
                        Some(time) => &extra[place(time)..][..hidden],
                        None => &initial[1][sample * hidden..][..hidden],
                    };
                    lstm_backward(dh, dc, gates, c, c_before);
                }
            }
            of_step.copy_from_slice(gates);
        }
    }
}

#[inline(always)]
fn elman_backward(cell: Cell, dh: &mut [f32], gates: &mut [f32]) {
    let gates = gates.iter_mut().zip(&*dh);
    match cell {
        Cell::Relu => gates.for_each(|(h, dh)| *h = if *h <= 0.0 { 0.0 } else { *dh }),
        _ => gates.for_each(|(h, dh)| *h = dh * (1.0 - *h * *h)),
    }
    dh.fill(0.0);
}

/// b_n is also replaced by its gradient, that of a_n.
#[inline(always)]
fn gru_backward(dh: &mut [f32], gates: &mut [f32], of_state: &mut [f32], h: &[f32]) {
    let n = dh.len();
    let (reset, rest) = gates.split_at_mut(n);
    let (update, new) = rest.split_at_mut(n);
    for ((z, new), (dh, h)) in update.iter_mut().zip(&mut *new).zip(dh.iter_mut().zip(h)) {
        let dz = *dh * (h - *new) * *z * (1.0 - *z);
        *new = *dh * (1.0 - *z) * (1.0 - *new * *new);
        *dh *= *z;
        *z = dz;
    }
    for ((r, da), b) in reset.iter_mut().zip(new).zip(of_state) {
        let dr = *da * *b * *r * (1.0 - *r);
        *b = *da;
        *da *= *r;
        *r = dr;
    }
}

#[inline(always)]
fn lstm_backward(dh: &mut [f32], dc: &mut [f32], gates: &mut [f32], c: &[f32], c_before: &[f32]) {
    let n = dh.len();
    let [input, forget, cell, output] = quarters(gates, n);
    for ((o, dc), (dh, &c)) in output.iter_mut().zip(&mut *dc).zip(dh.iter().zip(c)) {
        let tanh_c = tanh(c);
        *dc += dh * *o * (1.0 - tanh_c * tanh_c);
        *o = dh * tanh_c * *o * (1.0 - *o);
    }
    for ((i, g), dc) in input.iter_mut().zip(cell).zip(&*dc) {
        let di = dc * *g * *i * (1.0 - *i);
        *g = dc * *i * (1.0 - *g * *g);
        *i = di;
    }
    for ((f, dc), c) in forget.iter_mut().zip(dc).zip(c_before) {
        let df = *dc * c * *f * (1.0 - *f);
        *dc *= *f;
        *f = df;
    }
    dh.fill(0.0);
}
