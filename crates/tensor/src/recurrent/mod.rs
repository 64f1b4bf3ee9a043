//! Recurrent cells over sequences: Elman's (1990), the GRU (Cho et al. 2014) and the LSTM (Hochreiter and Schmidhuber 1997).
//!
//! A sample has `steps` rows of gates, the product of its inputs with `weight_ih` plus the bias. The caller
//! computes that product once for all steps. A step here is a product of the hidden states h with
//! `weight_hh`, and one pass that computes gates and state from both (`cells.rs`). Gates are in PyTorch's
//! order, with σ the logistic function, a the gates of the input and b those of the state,
//! `weight_hh` · h + `bias_hh`:
//!
//! ```text
//! RNN   h' = tanh(a + b), or the ReLU
//! GRU   r, z, n      r = σ(a_r + b_r)   z = σ(a_z + b_z)   n = tanh(a_n + r·b_n)   h' = (1 − z)·n + z·h
//! LSTM  i, f, g, o   i, f, o = σ(a + b)   g = tanh(a_g + b_g)   c' = f·c + i·g   h' = o·tanh(c')
//! ```
//!
//! Samples may have their own lengths. Past its end, a sample's outputs are 0 and its state is unchanged, so
//! the final state is that of its last step. In reverse, it starts at its own end.
//!
//! The rows of a sample stay together: the [`Shards`] are those of the samples.

mod backward;
mod cells;
pub(crate) mod reference;

use crate::linear::{LinearShape, linear_forward};
use crate::parallel::{Shards, for_each_chunk, rows_mut};
use crate::scratch;
use crate::shape::checked_len;
use cells::Forward;
use simd::{Level, dispatch};

pub use backward::{recurrent_backward, recurrent_backward_input, recurrent_backward_weight};

/// A kind of cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cell {
    /// h' = tanh(a + b).
    Tanh,
    /// h' = max(a + b, 0).
    Relu,
    /// The gated recurrent unit: gates r, z, n.
    Gru,
    /// The long short-term memory: gates i, f, g, o, and a second state, c.
    Lstm,
}

impl Cell {
    /// The number of gates, each as long as the hidden state.
    pub fn n_gates(self) -> usize {
        match self {
            Cell::Tanh | Cell::Relu => 1,
            Cell::Gru => 3,
            Cell::Lstm => 4,
        }
    }

    /// The number of vectors in a state: h, and c for an LSTM.
    pub fn n_states(self) -> usize {
        if self == Cell::Lstm { 2 } else { 1 }
    }

    /// The number of vectors saved per step besides its gates: b_n for a GRU, c' for an LSTM.
    fn n_extra(self) -> usize {
        match self {
            Cell::Tanh | Cell::Relu => 0,
            Cell::Gru | Cell::Lstm => 1,
        }
    }
}

/// The sizes of a recurrent layer, its cell and its direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecurrentShape {
    /// The number of sequences.
    pub batch: usize,
    /// The number of steps of the longest sequence.
    pub steps: usize,
    /// The size of the hidden state.
    pub hidden: usize,
    /// The kind of cell.
    pub cell: Cell,
    /// Whether to run from the last step to the first.
    pub reverse: bool,
}

impl RecurrentShape {
    /// The length of a step's gates.
    pub fn gates(&self) -> usize {
        self.cell.n_gates() * self.hidden
    }

    /// The length of a sample's output: h of each step, then the final state.
    pub fn output_len(&self) -> usize {
        (self.steps + self.cell.n_states()) * self.hidden
    }

    /// How many numbers forward saves for backward.
    pub fn n_saved(&self) -> usize {
        self.batch * self.steps * (self.gates() + self.extra())
    }

    fn extra(&self) -> usize {
        self.cell.n_extra() * self.hidden
    }

    /// The length of the second state, 0 if there is none.
    fn second(&self) -> usize {
        (self.cell.n_states() - 1) * self.hidden
    }

    /// The product of the states with `weight_hh`.
    fn product(&self, rows: usize) -> LinearShape {
        LinearShape { batch: rows, in_features: self.hidden, out_features: self.gates() }
    }

    /// Checks that no product of sizes can wrap around.
    #[track_caller]
    fn check_sizes(&self, name: &str) {
        // A sample has at most eight vectors per step, and two more states.
        checked_len(name, &[self.batch, self.steps.saturating_add(2), 8, self.hidden]);
        checked_len(name, &[8, self.hidden, self.hidden]);
    }

    #[track_caller]
    fn check(&self, name: &str, gates: usize, y: usize, weight_hh: usize, lengths: &[u32]) {
        let &Self { batch, steps, hidden, .. } = self;
        let len = |dims: &[usize]| checked_len(name, dims);
        assert_eq!(gates, len(&[batch, steps, self.gates()]), "{name}: length of the gates for {self:?}");
        assert_eq!(y, len(&[batch, self.output_len()]), "{name}: length of the output for {self:?}");
        assert_eq!(weight_hh, len(&[self.gates(), hidden]), "{name}: length of weight_hh for {self:?}");
        assert!(
            lengths.is_empty()
                || (lengths.len() == batch
                    && lengths.iter().all(|&len| (1..=steps).contains(&(len as usize)))),
            "{name}: a length from 1 to steps for each sample of {self:?}, or none"
        );
    }
}

/// The length of a sample.
fn length(lengths: &[u32], sample: usize, steps: usize) -> usize {
    lengths.get(sample).map_or(steps, |&len| len as usize)
}

/// The number of steps of the longest sample.
fn longest(lengths: &[u32], steps: usize) -> usize {
    lengths.iter().max().map_or(steps, |&len| len as usize)
}

/// Calls `f` with a part of a state, or with zeros if there is no state.
fn with_state<R>(state: Option<&[f32]>, len: usize, f: impl FnOnce(&[f32]) -> R) -> R {
    match state {
        Some(state) => f(state),
        None => scratch::with(len, |zeros| {
            zeros.fill(0.0);
            f(zeros)
        }),
    }
}

/// The number of samples per task in a pass over a step.
fn task_samples(shape: &RecurrentShape) -> usize {
    (4096 / shape.gates().max(1)).max(1)
}

/// The work of a pass over a step, in units of [`MIN_PARALLEL_WORK`](crate::parallel::MIN_PARALLEL_WORK).
fn step_work(shape: &RecurrentShape) -> usize {
    8 * shape.batch * shape.gates()
}

/// Computes y[batch, steps + states, hidden]: h of each step, and the state after a sample's last step.
///
/// `gates` are those of the inputs, [batch, steps, gates · hidden]; `initial` is h, and c for an LSTM, before
/// the first step, [batch, hidden], zeros if omitted; `lengths` has a length for each sample, or is empty.
/// `saved` takes [`RecurrentShape::n_saved`] numbers for backward, if there will be one.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
#[allow(clippy::too_many_arguments)]
pub fn recurrent_forward(
    y: &mut [f32],
    saved: Option<&mut [f32]>,
    gates: &[f32],
    weight_hh: &[f32],
    bias_hh: Option<&[f32]>,
    initial: [Option<&[f32]>; 2],
    lengths: &[u32],
    shape: &RecurrentShape,
    shards: &Shards<'_>,
) {
    const NAME: &str = "recurrent_forward";
    shape.check_sizes(NAME);
    shape.check(NAME, gates.len(), y.len(), weight_hh.len(), lengths);
    let &RecurrentShape { batch, steps, hidden, .. } = shape;
    let n_saved = saved.as_ref().map_or(shape.n_saved(), |saved| saved.len());
    assert_eq!(n_saved, shape.n_saved(), "{NAME}: saved numbers for {shape:?}");
    let (row, extra_row, second, y_row) = (shape.gates(), shape.extra(), shape.second(), shape.output_len());
    let mut saved = saved.map(|saved| saved.split_at_mut(batch * steps * row));
    let level = Level::current();
    scratch::with(batch * (hidden + second + row + extra_row), |memory| {
        let (h, rest) = memory.split_at_mut(batch * hidden);
        let (c, rest) = rest.split_at_mut(batch * second);
        let (step_gates, extra) = rest.split_at_mut(batch * row);
        for (state, initial) in [&mut *h, &mut *c].into_iter().zip(initial) {
            match initial {
                Some(initial) => state.copy_from_slice(&initial[..state.len()]),
                None => state.fill(0.0),
            }
        }
        for step in 0..longest(lengths, steps) {
            linear_forward(step_gates, h, weight_hh, bias_hh, &shape.product(batch), shards);
            let states = (rows_mut(h, hidden), rows_mut(c, second));
            let of_step = (rows_mut(step_gates, row), rows_mut(extra, extra_row));
            let saved = saved
                .as_mut()
                .map(|(gates, extra)| (rows_mut(gates, steps * row), rows_mut(extra, steps * extra_row)));
            let outputs = (states, of_step, (rows_mut(y, y_row), saved));
            for_each_chunk(batch, task_samples(shape), step_work(shape), outputs, |samples, outputs| {
                let ((h, c), (step_gates, extra), (y, saved)) = outputs;
                let saved = saved.map(|(gates, extra)| (gates.into_slice(), extra.into_slice()));
                dispatch(
                    level,
                    Forward {
                        h: h.into_slice(),
                        c: c.into_slice(),
                        gates: step_gates.into_slice(),
                        extra: extra.into_slice(),
                        y: y.into_slice(),
                        saved,
                        of_inputs: gates,
                        samples,
                        lengths,
                        step,
                        shape,
                    },
                );
            });
        }
        for (sample, y) in y.chunks_exact_mut(y_row.max(1)).enumerate() {
            let (outputs, state) = y.split_at_mut(steps * hidden);
            let end = length(lengths, sample, steps);
            outputs[end * hidden..].fill(0.0);
            state[..hidden].copy_from_slice(&h[sample * hidden..][..hidden]);
            state[hidden..].copy_from_slice(&c[sample * second..][..second]);
        }
    });
}
