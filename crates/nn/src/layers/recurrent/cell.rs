//! The kinds of cell, as types.

use autograd::{Graph, RecurrentOptions, RnnNonlinearity, Var};

use super::state::State;

/// The cell of an [`RNN`](super::RNN).
#[derive(Clone, Copy, Debug)]
pub struct RnnCell;

/// The cell of a [`GRU`](super::GRU).
#[derive(Clone, Copy, Debug)]
pub struct GruCell;

/// The cell of an [`LSTM`](super::LSTM).
#[derive(Clone, Copy, Debug)]
pub struct LstmCell;

/// A kind of cell: [`RnnCell`], [`GruCell`] or [`LstmCell`]. Sealed: other crates cannot implement it.
pub trait RecurrentCell: sealed::Cell {}

impl<C: sealed::Cell> RecurrentCell for C {}

/// What a cell's op takes.
#[derive(Clone, Copy)]
pub struct Steps {
    /// The inputs' part of the gates, for each step.
    pub(super) gates: Var,
    pub(super) weight_hh: Var,
    pub(super) bias_hh: Option<Var>,
    pub(super) state: Option<State>,
    /// Of an RNN.
    pub(super) nonlinearity: RnnNonlinearity,
    pub(super) options: RecurrentOptions,
}

impl Steps {
    /// h before the first step.
    fn hidden(&self) -> Option<Var> {
        self.state.map(|state| state.hidden)
    }
}

pub(super) mod sealed {
    use super::{Graph, Steps, Var};

    /// The differences between the cells.
    pub trait Cell: Clone + Send + Sync + 'static {
        /// The layer's name in PyTorch.
        const NAME: &'static str;
        /// The op's name.
        const OP: &'static str;
        /// The number of gates, each as long as the hidden state.
        const N_GATES: usize;
        /// Whether a state has a second part, c.
        const HAS_CELL_STATE: bool;

        /// Records the op.
        fn record(g: &Graph<'_>, steps: Steps) -> Var;
    }
}

impl sealed::Cell for RnnCell {
    const NAME: &'static str = "RNN";
    const OP: &'static str = "rnn";
    const N_GATES: usize = 1;
    const HAS_CELL_STATE: bool = false;

    fn record(g: &Graph<'_>, steps: Steps) -> Var {
        let Steps { gates, weight_hh, bias_hh, nonlinearity, options, .. } = steps;
        g.rnn(gates, weight_hh, bias_hh, steps.hidden(), nonlinearity, options)
    }
}

impl sealed::Cell for GruCell {
    const NAME: &'static str = "GRU";
    const OP: &'static str = "gru";
    const N_GATES: usize = 3;
    const HAS_CELL_STATE: bool = false;

    fn record(g: &Graph<'_>, steps: Steps) -> Var {
        g.gru(steps.gates, steps.weight_hh, steps.bias_hh, steps.hidden(), steps.options)
    }
}

impl sealed::Cell for LstmCell {
    const NAME: &'static str = "LSTM";
    const OP: &'static str = "lstm";
    const N_GATES: usize = 4;
    const HAS_CELL_STATE: bool = true;

    fn record(g: &Graph<'_>, steps: Steps) -> Var {
        let state = steps.state.and_then(|state| Some([state.hidden, state.cell?]));
        g.lstm(steps.gates, steps.weight_hh, steps.bias_hh, state, steps.options)
    }
}
