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
}

/// A recurrent layer in one direction: what it computes with besides the gates of its inputs. `T` is f64 in the
/// reference.
#[derive(Clone, Copy, Debug)]
pub struct Recurrence<'a, T = f32> {
    /// The weight of the states, [gates · hidden, hidden].
    pub weight_hh: &'a [T],
    /// The bias of the states' gates, [gates · hidden], if there is one.
    pub bias_hh: Option<&'a [T]>,
    /// h, and c for an LSTM, before the first step, [batch, hidden]; zeros if omitted.
    pub initial: [Option<&'a [T]>; 2],
    /// The length of each sample, or empty if all have the same.
    pub lengths: &'a [u32],
    /// The sizes.
    pub shape: RecurrentShape,
}

impl<T> Recurrence<'_, T> {
    /// The length of a sample.
    fn length(&self, sample: usize) -> usize {
        length(self.lengths, sample, self.shape.steps)
    }

    /// The number of steps of the longest sample.
    fn longest(&self) -> usize {
        self.lengths.iter().max().map_or(self.shape.steps, |&len| len as usize)
    }

    #[track_caller]
    fn check(&self, name: &str, gates: usize, y: usize) {
        let &Self { weight_hh, lengths, ref shape, .. } = self;
        let &RecurrentShape { batch, steps, hidden, .. } = shape;
        let len = |dims: &[usize]| checked_len(name, dims);
        assert_eq!(gates, len(&[batch, steps, shape.gates()]), "{name}: length of the gates for {shape:?}");
        assert_eq!(y, len(&[batch, shape.output_len()]), "{name}: length of the output for {shape:?}");
        assert_eq!(
            weight_hh.len(),
            len(&[shape.gates(), hidden]),
            "{name}: length of weight_hh for {shape:?}"
        );
        assert!(
            lengths.is_empty()
                || (lengths.len() == batch
                    && lengths.iter().all(|&len| (1..=steps).contains(&(len as usize)))),
            "{name}: a length from 1 to steps for each sample of {shape:?}, or none"
        );
    }
}

/// The length of a sample.
fn length(lengths: &[u32], sample: usize, steps: usize) -> usize {
    lengths.get(sample).map_or(steps, |&len| len as usize)
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
/// `gates` are those of the inputs, [batch, steps, gates · hidden]. `saved` takes [`RecurrentShape::n_saved`]
/// numbers for backward, if there will be one.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn recurrent_forward(
    y: &mut [f32],
    saved: Option<&mut [f32]>,
    gates: &[f32],
    layer: &Recurrence<'_>,
    shards: &Shards<'_>,
) {
    const NAME: &str = "recurrent_forward";
    let &Recurrence { weight_hh, bias_hh, initial, ref shape, .. } = layer;
    shape.check_sizes(NAME);
    layer.check(NAME, gates.len(), y.len());
    let n_saved = saved.as_ref().map_or(shape.n_saved(), |saved| saved.len());
    assert_eq!(n_saved, shape.n_saved(), "{NAME}: saved numbers for {shape:?}");
    let mut saved = saved.map(|saved| saved.split_at_mut(shape.batch * shape.steps * shape.gates()));
    scratch::with(Step::len(shape), |memory| {
        let mut step = Step::new(memory, initial, shape);
        for idx in 0..layer.longest() {
            linear_forward(step.gates, step.h, weight_hh, bias_hh, &shape.product(shape.batch), shards);
            let saved = saved.as_mut().map(|(gates, extra)| (&mut **gates, &mut **extra));
            step.run(idx, y, saved, gates, layer);
        }
        step.write_state(y, layer);
    });
}

/// The states of all samples between two steps, and the gates of a step.
struct Step<'a> {
    h: &'a mut [f32],
    c: &'a mut [f32],
    gates: &'a mut [f32],
    extra: &'a mut [f32],
}

impl<'a> Step<'a> {
    /// How many numbers it consists of.
    fn len(shape: &RecurrentShape) -> usize {
        shape.batch * (shape.hidden + shape.second() + shape.gates() + shape.extra())
    }

    /// Before the first step.
    fn new(memory: &'a mut [f32], initial: [Option<&[f32]>; 2], shape: &RecurrentShape) -> Self {
        let (h, rest) = memory.split_at_mut(shape.batch * shape.hidden);
        let (c, rest) = rest.split_at_mut(shape.batch * shape.second());
        let (gates, extra) = rest.split_at_mut(shape.batch * shape.gates());
        for (state, initial) in [&mut *h, &mut *c].into_iter().zip(initial) {
            match initial {
                Some(initial) => state.copy_from_slice(&initial[..state.len()]),
                None => state.fill(0.0),
            }
        }
        Self { h, c, gates, extra }
    }

    /// Runs step number `step` with the gates of all inputs; its own gates are those of the states.
    fn run(
        &mut self,
        step: usize,
        y: &mut [f32],
        saved: Option<(&mut [f32], &mut [f32])>,
        of_inputs: &[f32],
        layer: &Recurrence<'_>,
    ) {
        let &Recurrence { lengths, ref shape, .. } = layer;
        let &RecurrentShape { batch, steps, hidden, .. } = shape;
        let (level, row, extra_row) = (Level::current(), shape.gates(), shape.extra());
        let states = (rows_mut(&mut *self.h, hidden), rows_mut(&mut *self.c, shape.second()));
        let of_step = (rows_mut(&mut *self.gates, row), rows_mut(&mut *self.extra, extra_row));
        let saved =
            saved.map(|(gates, extra)| (rows_mut(gates, steps * row), rows_mut(extra, steps * extra_row)));
        let outputs = (states, of_step, (rows_mut(y, shape.output_len()), saved));
        for_each_chunk(batch, task_samples(shape), step_work(shape), outputs, |samples, outputs| {
            let ((h, c), (gates, extra), (y, saved)) = outputs;
            let (h, c, y) = (h.into_slice(), c.into_slice(), y.into_slice());
            let (gates, extra) = (gates.into_slice(), extra.into_slice());
            let saved = saved.map(|(gates, extra)| (gates.into_slice(), extra.into_slice()));
            dispatch(
                level,
                Forward { h, c, gates, extra, y, saved, of_inputs, samples, lengths, step, shape },
            );
        });
    }

    /// Writes the states behind the outputs of a sample's steps, and zeros past its end.
    fn write_state(&self, y: &mut [f32], layer: &Recurrence<'_>) {
        let (hidden, second) = (layer.shape.hidden, layer.shape.second());
        for (sample, y) in y.chunks_exact_mut(layer.shape.output_len().max(1)).enumerate() {
            let (outputs, state) = y.split_at_mut(layer.shape.steps * hidden);
            outputs[layer.length(sample) * hidden..].fill(0.0);
            state[..hidden].copy_from_slice(&self.h[sample * hidden..][..hidden]);
            state[hidden..].copy_from_slice(&self.c[sample * second..][..second]);
        }
    }
}
