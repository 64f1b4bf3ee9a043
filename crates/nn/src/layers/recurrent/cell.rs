//! The kinds of cell, as types.

use autograd::{Graph, RecurrentOptions, RnnNonlinearity, Var};

use super::State;

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
pub trait RecurrentCell: sealed::Steps {}

impl<C: sealed::Steps> RecurrentCell for C {}

pub(super) mod sealed {
    use super::{Graph, RecurrentOptions, RnnNonlinearity, State, Var};

    /// The differences between the cells.
    pub trait Steps: Clone + Send + Sync + 'static {
        /// The layer's name in PyTorch.
        const NAME: &'static str;
        /// The op's name.
        const OP: &'static str;
        /// The number of gates, each as long as the hidden state.
        const N_GATES: usize;
        /// Whether a state has a second part, c.
        const HAS_CELL_STATE: bool;

        /// Records the op; `weights` are weight_hh and bias_hh.
        fn steps(
            g: &Graph<'_>,
            gates: Var,
            weights: (Var, Option<Var>),
            state: Option<State>,
            nonlinearity: RnnNonlinearity,
            options: RecurrentOptions,
        ) -> Var;
    }
}

impl sealed::Steps for RnnCell {
    const NAME: &'static str = "RNN";
    const OP: &'static str = "rnn";
    const N_GATES: usize = 1;
    const HAS_CELL_STATE: bool = false;

    fn steps(
        g: &Graph<'_>,
        gates: Var,
        (weight, bias): (Var, Option<Var>),
        state: Option<State>,
        nonlinearity: RnnNonlinearity,
        options: RecurrentOptions,
    ) -> Var {
        g.rnn(gates, weight, bias, state.map(|state| state.hidden), nonlinearity, options)
    }
}

impl sealed::Steps for GruCell {
    const NAME: &'static str = "GRU";
    const OP: &'static str = "gru";
    const N_GATES: usize = 3;
    const HAS_CELL_STATE: bool = false;

    fn steps(
        g: &Graph<'_>,
        gates: Var,
        (weight, bias): (Var, Option<Var>),
        state: Option<State>,
        _: RnnNonlinearity,
        options: RecurrentOptions,
    ) -> Var {
        g.gru(gates, weight, bias, state.map(|state| state.hidden), options)
    }
}

impl sealed::Steps for LstmCell {
    const NAME: &'static str = "LSTM";
    const OP: &'static str = "lstm";
    const N_GATES: usize = 4;
    const HAS_CELL_STATE: bool = true;

    fn steps(
        g: &Graph<'_>,
        gates: Var,
        (weight, bias): (Var, Option<Var>),
        state: Option<State>,
        _: RnnNonlinearity,
        options: RecurrentOptions,
    ) -> Var {
        let state = state.and_then(|state| Some([state.hidden, state.cell?]));
        g.lstm(gates, weight, bias, state, options)
    }
}
