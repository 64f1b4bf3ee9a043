//! Hidden states: within a step, and carried on from step to step.

use autograd::{Graph, Var};
use tensor::Shape;

use super::RecurrentCell;

/// The state of all layers and directions, in PyTorch's order (layer 0 forward, layer 0 backward, layer 1 forward, …).
///
/// Sequences come first, as everywhere here: `[n, layers · directions, hidden_size]`; PyTorch's states have the first two
/// axes the other way round, also with `batch_first=True`.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// h.
    pub hidden: Var,
    /// c of an LSTM; `None` for the others.
    pub cell: Option<Var>,
}

impl State {
    /// Makes sure that a state is one of these sizes.
    #[track_caller]
    pub(super) fn check<C: RecurrentCell>(&self, g: &Graph<'_>, sizes: [usize; 3]) {
        let op = C::OP;
        assert!(
            self.cell.is_some() == C::HAS_CELL_STATE,
            "{op}{}: the state has {} c, {} is {}",
            g.at(),
            if self.cell.is_some() { "a" } else { "no" },
            if C::HAS_CELL_STATE { "an LSTM's" } else { "this layer's" },
            if C::HAS_CELL_STATE { "h and c" } else { "h alone" }
        );
        for state in [Some(self.hidden), self.cell].into_iter().flatten() {
            let shape = g.shape(state);
            assert!(
                shape.dims() == sizes,
                "{op}{}: the state is {shape}, expected {sizes:?}: sequences, layers · directions, hidden_size",
                g.at()
            );
        }
    }

    /// The state of one layer in one direction, `[n, hidden_size]`.
    pub(super) fn of_layer(&self, g: &Graph<'_>, place: usize) -> Self {
        let part = |state: Var| {
            let (n, hidden) = (g.shape(state)[0], g.shape(state)[2]);
            g.reshape(g.slice(state, 1, place..place + 1), [n, hidden])
        };
        Self { hidden: part(self.hidden), cell: self.cell.map(part) }
    }

    /// This state and one of further layers.
    pub(super) fn and(&self, g: &Graph<'_>, other: Self) -> Self {
        let hidden = g.concat(&[self.hidden, other.hidden], 1);
        let cell = self.cell.zip(other.cell).map(|(cell, other)| g.concat(&[cell, other], 1));
        Self { hidden, cell }
    }
}

/// A state between steps, as plain numbers: backpropagation ends where a sequence is cut, and the state goes on.
///
/// ```
/// use autograd::{Mode, Tape};
/// use nn::{CarriedState, GRU, Sequences};
///
/// let (gru, mut params) = nn::build(GRU::new(1, 4), 0);
/// let (mut tape, mut carried) = (Tape::new(), CarriedState::new());
/// for step in 0..3 {
///     tape.step(&mut params, Mode::train(0, step), |g| {
///         let x = g.input([2, 5, 1], &[0.5; 10]);
///         let (y, state) = gru.run(g, x, Sequences { state: carried.get(g), ..Sequences::default() });
///         carried.set(g, state);
///         g.mean(y)
///     });
///     // Here the optimizer makes its step; where other sequences begin, `carried.clear()`.
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct CarriedState {
    /// Of h and of c; `None` before the first step.
    shape: Option<Shape>,
    has_cell: bool,
    hidden: Vec<f32>,
    cell: Vec<f32>,
}

impl CarriedState {
    /// None yet: sequences begin from zeros.
    pub fn new() -> Self {
        Self::default()
    }

    /// The state for the next step: inputs, through which no gradient flows. `None` if there is none.
    pub fn get(&self, g: &Graph<'_>) -> Option<State> {
        let shape = self.shape?;
        let cell = self.has_cell.then(|| g.input(shape, &self.cell));
        Some(State { hidden: g.input(shape, &self.hidden), cell })
    }

    /// Keeps the numbers of a state. Steps of one size allocate nothing after the first.
    pub fn set(&mut self, g: &Graph<'_>, state: State) {
        let keep = |values: &mut Vec<f32>, state: Option<Var>| {
            values.clear();
            values.extend_from_slice(state.map_or(&[], |state| g.value(state)));
        };
        keep(&mut self.hidden, Some(state.hidden));
        keep(&mut self.cell, state.cell);
        (self.shape, self.has_cell) = (Some(g.shape(state.hidden)), state.cell.is_some());
    }

    /// Forgets the state: other sequences begin.
    pub fn clear(&mut self) {
        self.shape = None;
    }
}
