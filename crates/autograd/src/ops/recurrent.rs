//! A recurrent layer in one direction: all steps of its cell over a batch of sequences.

use tensor::elementwise::copy_or_add;
use tensor::parallel::Shards;
use tensor::recurrent::{
    Cell, Recurrence, RecurrentShape, recurrent_backward, recurrent_backward_input,
    recurrent_backward_weight, recurrent_forward,
};
use tensor::reduce::{Reduction, reduce_rows};
use tensor::{Shape, scratch};

use super::shared::{count, there_are};
use crate::tape::Indices;
use crate::{Backward, Forward, Graph, Inputs, Op, ShapeError, Var};

/// The nonlinearity of an RNN's cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RnnNonlinearity {
    /// tanh.
    #[default]
    Tanh,
    /// max(·, 0).
    Relu,
}

/// The options of [`Graph::rnn`], [`Graph::gru`] and [`Graph::lstm`].
#[derive(Clone, Copy, Debug, Default)]
pub struct RecurrentOptions {
    /// Whether to run from the last step of each sequence to its first.
    pub reverse: bool,
    /// The length of each sequence, if they differ.
    pub lengths: Option<Indices>,
}

struct Recurrent {
    name: &'static str,
    cell: Cell,
    reverse: bool,
    has_bias: bool,
    has_state: bool,
}

/// The order of the inputs; bias and state follow, if present.
const GATES: usize = 0;
const WEIGHT: usize = 1;

impl Recurrent {
    fn sizes(&self, gates: Shape, weight: Shape) -> RecurrentShape {
        let (cell, reverse) = (self.cell, self.reverse);
        RecurrentShape { batch: gates[0], steps: gates[1], hidden: weight[1], cell, reverse }
    }

    /// The input number of the bias.
    fn bias(&self) -> Option<usize> {
        self.has_bias.then_some(WEIGHT + 1)
    }

    /// The input numbers of h and c.
    fn state(&self) -> [Option<usize>; 2] {
        let first = WEIGHT + 1 + usize::from(self.has_bias);
        [0, 1].map(|i| (self.has_state && i < self.cell.n_states()).then_some(first + i))
    }

    fn layer<'a>(&self, inputs: Inputs<'a>, lengths: &'a [u32]) -> Recurrence<'a> {
        Recurrence {
            weight_hh: inputs.value(WEIGHT),
            bias_hh: self.bias().map(|i| inputs.value(i)),
            initial: self.state().map(|i| i.map(|i| inputs.value(i))),
            lengths,
            shape: self.sizes(inputs.shape(GATES), inputs.shape(WEIGHT)),
        }
    }

    fn shards<'a>(&self, inputs: Inputs<'a>) -> Shards<'a> {
        inputs.shards(GATES)
    }
}

impl Op for Recurrent {
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let (gates, weight) = (inputs[GATES], inputs[WEIGHT]);
        let n_gates = self.cell.n_gates();
        let hidden = match *weight.dims() {
            [rows, hidden] if rows == n_gates * hidden => hidden,
            _ => {
                return Err(ShapeError::new(format!(
                    "weight_hh is {weight}, expected [{n_gates} · hidden_size, hidden_size]; reshape it"
                )));
            }
        };
        let &[n, steps, row] = gates.dims() else {
            return Err(ShapeError::new(format!(
                "the gates of the input are {gates}, expected sequences [n, t, {}]; reshape them",
                n_gates * hidden
            )));
        };
        if steps == 0 {
            return Err(ShapeError::new(format!(
                "the gates of the input are {gates}: the sequences have no steps; give at least one step"
            )));
        }
        if row != n_gates * hidden {
            return Err(ShapeError::new(format!(
                "the gates of the input are {gates}, those of weight_hh {weight} are {}; make the last axis {}",
                n_gates * hidden,
                n_gates * hidden
            )));
        }
        if let Some(bias) = self.bias().map(|i| inputs[i])
            && bias.dims() != [row]
        {
            return Err(ShapeError::new(format!(
                "bias_hh is {bias}, weight_hh is {weight}; make it [{row}]"
            )));
        }
        for state in self.state().into_iter().flatten().map(|i| inputs[i]) {
            if state.dims() != [n, hidden] {
                return Err(ShapeError::new(format!(
                    "a state is {state}, expected [{n}, {hidden}] for {} with a hidden size of {hidden}; give \
                     one row per sequence",
                    count(n, "sequence")
                )));
            }
        }
        Ok(Shape::new(&[n, steps + self.cell.n_states(), hidden]))
    }

    fn multiply_adds(&self, inputs: &[Shape], _: Shape) -> u64 {
        (inputs[GATES].numel() * inputs[WEIGHT][1]) as u64
    }

    fn forward(&self, f: Forward<'_>) {
        let (gates, layer) = (f.inputs.value(GATES), self.layer(f.inputs, f.indices));
        let saved = &mut f.saved.floats;
        saved.resize(if f.needs_grad { layer.shape.n_saved() } else { 0 }, 0.0);
        let saved = f.needs_grad.then_some(&mut saved[..]);
        recurrent_forward(f.output, saved, gates, &layer, &self.shards(f.inputs));
    }

    /// Goes back through the steps, then computes for all steps at once dW = dgatesᵀ · h, with h the states
    /// before each step, and db = Σ dgates.
    fn backward(&self, mut b: Backward<'_>) {
        let (layer, shards) = (self.layer(b.inputs, b.indices), self.shards(b.inputs));
        let (sizes, y, saved) = (layer.shape, b.output, &mut b.saved.floats);
        let of_states = sizes.batch * sizes.hidden;
        scratch::with(self.cell.n_states() * of_states, |dinitial| {
            recurrent_backward(saved, dinitial, b.dy, y, &layer, &shards);
            for (i, sum) in self.state().into_iter().flatten().zip(dinitial.chunks_exact(of_states.max(1))) {
                if let Some(grad) = b.grads.get(i) {
                    copy_or_add(grad.data, sum, grad.beta);
                }
            }
        });
        if let Some(grad) = self.bias().and_then(|i| b.grads.get(i)) {
            let rows = sizes.batch * sizes.steps;
            let gates = &saved[..rows * sizes.gates()];
            reduce_rows(grad.data, gates, rows, sizes.gates(), Reduction::Sum, &shards, grad.beta);
        }
        b.grads.write_sum(WEIGHT, &shards, |dw, shards, beta| {
            recurrent_backward_weight(dw, saved, y, &layer, shards, beta);
        });
        if let Some(grad) = b.grads.get(GATES) {
            recurrent_backward_input(grad.data, saved, &sizes, grad.beta);
        }
    }
}

impl Graph<'_> {
    /// All steps of an RNN's cell: h' = tanh(a + weight_hh · h + bias_hh), or the ReLU; `torch.nn.RNN`, one layer in one
    /// direction. Elman, "Finding Structure in Time", 1990.
    ///
    /// `gates` [n, t, hidden] are a = weight_ih · x + bias_ih of all steps, one [`linear`](Self::linear) of x [n, t, d];
    /// `weight_hh` is [hidden, hidden]; `h` [n, hidden] is the state before the first step, zeros if omitted. The
    /// output is [n, t + 1, hidden]: h of each step, then h after the last.
    ///
    /// If sequences have their own lengths, h is 0 past the end of a sequence, its last h is that of its last
    /// step, and in reverse it starts at its own end.
    ///
    /// # Panics
    /// When the shapes do not fit each other, or a length is 0 or more than t.
    #[track_caller]
    pub fn rnn(
        &self,
        gates: Var,
        weight_hh: Var,
        bias_hh: Option<Var>,
        h: Option<Var>,
        nonlinearity: RnnNonlinearity,
        options: RecurrentOptions,
    ) -> Var {
        let cell = match nonlinearity {
            RnnNonlinearity::Tanh => Cell::Tanh,
            RnnNonlinearity::Relu => Cell::Relu,
        };
        self.recurrent("rnn", cell, gates, [Some(weight_hh), bias_hh, h, None], options)
    }

    /// All steps of a GRU: r = σ(a_r + b_r), z = σ(a_z + b_z), n = tanh(a_n + r·b_n) and
    /// h' = (1 − z)·n + z·h, with b = weight_hh · h + bias_hh; `torch.nn.GRU`, one layer in one direction.
    /// Cho et al., "Learning Phrase Representations using RNN Encoder–Decoder for Statistical Machine
    /// Translation", 2014.
    ///
    /// As [`rnn`](Self::rnn), with `gates` [n, t, 3 · hidden] and `weight_hh` [3 · hidden, hidden], in the order r, z, n.
    ///
    /// # Panics
    /// As [`rnn`](Self::rnn).
    #[track_caller]
    pub fn gru(
        &self,
        gates: Var,
        weight_hh: Var,
        bias_hh: Option<Var>,
        h: Option<Var>,
        options: RecurrentOptions,
    ) -> Var {
        self.recurrent("gru", Cell::Gru, gates, [Some(weight_hh), bias_hh, h, None], options)
    }

    /// All steps of an LSTM: i, f, o = σ(a + b), g = tanh(a_g + b_g), c' = f·c + i·g and h' = o·tanh(c'),
    /// with b = weight_hh · h + bias_hh; `torch.nn.LSTM`, one layer in one direction. Hochreiter and
    /// Schmidhuber, "Long Short-Term Memory", 1997.
    ///
    /// As [`rnn`](Self::rnn), with `gates` [n, t, 4 · hidden] and `weight_hh` [4 · hidden, hidden], in the
    /// order i, f, g, o; the state is h and c, and the output is [n, t + 2, hidden]: h of each step, then h
    /// and c after the last.
    ///
    /// # Panics
    /// As [`rnn`](Self::rnn).
    #[track_caller]
    pub fn lstm(
        &self,
        gates: Var,
        weight_hh: Var,
        bias_hh: Option<Var>,
        state: Option<[Var; 2]>,
        options: RecurrentOptions,
    ) -> Var {
        let [h, c] = [0, 1].map(|i| state.map(|state| state[i]));
        self.recurrent("lstm", Cell::Lstm, gates, [Some(weight_hh), bias_hh, h, c], options)
    }

    /// Sequences `x` [n, t, d] with zeros past the end of each: what lies there, even NaN, then reaches no
    /// value and no gradient, as with `torch.nn.utils.rnn.pack_padded_sequence`.
    ///
    /// # Panics
    /// When `x` is not a batch of sequences, or there is not one length for each.
    #[track_caller]
    pub fn zero_past_end(&self, x: Var, lengths: Indices) -> Var {
        const NAME: &str = "zero_past_end";
        let slot = self.slot(NAME, x);
        let &[n, steps, _] = slot.shape.dims() else {
            let (at, shape) = (self.at(), slot.shape);
            panic!("{NAME}{at}: the input is {shape}, expected sequences [n, t, d]; reshape it");
        };
        self.expect_length_of_each(NAME, lengths, n);
        let shape = Shape::new(&[n, steps, 1]);
        let is_past_end = self.leaf_of(NAME, (shape, slot.n_images), false, |mask, _| {
            let recording = self.tape.recording.borrow();
            mask.fill(0.0);
            for (mask, &length) in mask.chunks_exact_mut(steps.max(1)).zip(recording.indices(NAME, lengths)) {
                mask.iter_mut().skip(length as usize).for_each(|mask| *mask = 1.0);
            }
        });
        self.masked_fill(x, is_past_end, 0.0)
    }

    #[track_caller]
    fn recurrent(
        &self,
        name: &'static str,
        cell: Cell,
        gates: Var,
        others: [Option<Var>; 4],
        RecurrentOptions { reverse, lengths }: RecurrentOptions,
    ) -> Var {
        let op =
            Recurrent { name, cell, reverse, has_bias: others[1].is_some(), has_state: others[2].is_some() };
        let Some(lengths) = lengths else { return self.apply_present(op, gates, others) };
        let shape = self.shape(gates);
        self.expect_length_of_each(name, lengths, shape.first().copied().unwrap_or(0));
        self.expect_lengths(name, lengths, shape.get(1).copied().unwrap_or(0));
        self.apply_present_indexed(op, gates, others, lengths)
    }

    /// Checks that there is a length for each of `n` sequences.
    #[track_caller]
    fn expect_length_of_each(&self, name: &str, lengths: Indices, n: usize) {
        let n_lengths = self.n_indices(name, lengths);
        assert!(
            n == n_lengths,
            "{name}{}: {} for {}; give one for each",
            self.at(),
            there_are(n_lengths, "length"),
            count(n, "sequence")
        );
    }

    /// Checks that all sequences have at least one step, and no more than there are.
    #[track_caller]
    fn expect_lengths(&self, name: &str, lengths: Indices, steps: usize) {
        let recording = self.tape.recording.borrow();
        let lengths = recording.indices(name, lengths);
        let wrong = lengths.iter().position(|&length| !(1..=steps).contains(&(length as usize)));
        if let Some(at) = wrong {
            let (path, length) = (recording.at(), lengths[at]);
            panic!("{name}{path}: the length of sequence {at} is {length}, expected 1 to {steps}");
        }
    }
}
