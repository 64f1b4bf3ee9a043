//! Hidden states: within a step, and carried from step to step.

use autograd::{Graph, Var};
use tensor::Shape;

/// The state of all layers and directions, in PyTorch's order (layer 0 forward, layer 0 backward, layer 1
/// forward, …).
///
/// The batch axis comes first, as everywhere here: `[n, layers · directions, hidden_size]`. PyTorch's states
/// have the first two axes swapped, even with `batch_first=True`.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// h.
    pub hidden: Var,
    /// c of an LSTM; `None` for the others.
    pub cell: Option<Var>,
}

impl State {
    /// Panics unless the state has these sizes, and a second part, c, if the op needs one.
    #[track_caller]
    pub(super) fn check(&self, g: &Graph<'_>, op: &str, needs_cell: bool, sizes: [usize; 3]) {
        assert!(
            self.cell.is_some() == needs_cell,
            "{op}{}: the state has {} cell state c, but {} needs {}",
            g.at(),
            if self.cell.is_some() { "a" } else { "no" },
            if needs_cell { "an LSTM" } else { "this layer" },
            if needs_cell { "h and c" } else { "only h" }
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

    /// This state followed by that of further layers.
    pub(super) fn and(&self, g: &Graph<'_>, other: Self) -> Self {
        let hidden = g.concat(&[self.hidden, other.hidden], 1);
        let cell = self.cell.zip(other.cell).map(|(cell, other)| g.concat(&[cell, other], 1));
        Self { hidden, cell }
    }
}

/// A state between steps, as plain numbers: backpropagation is truncated where a sequence is split, and the
/// state is carried on.
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
    /// The shape of h and c; `None` before the first step.
    shape: Option<Shape>,
    has_cell: bool,
    hidden: Vec<f32>,
    cell: Vec<f32>,
}

impl CarriedState {
    /// Creates an empty state: sequences start from zeros.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the state for the next step, as inputs through which no gradient flows, or `None` if there is
    /// none.
    pub fn get(&self, g: &Graph<'_>) -> Option<State> {
        let shape = self.shape?;
        let cell = self.has_cell.then(|| g.input(shape, &self.cell));
        Some(State { hidden: g.input(shape, &self.hidden), cell })
    }

    /// Stores the values of a state. Steps of the same size allocate nothing after the first.
    pub fn set(&mut self, g: &Graph<'_>, state: State) {
        let keep = |values: &mut Vec<f32>, state: Option<Var>| {
            values.clear();
            values.extend_from_slice(state.map_or(&[], |state| g.value(state)));
        };
        keep(&mut self.hidden, Some(state.hidden));
        keep(&mut self.cell, state.cell);
        (self.shape, self.has_cell) = (Some(g.shape(state.hidden)), state.cell.is_some());
    }

    /// Clears the state, so that new sequences can start.
    pub fn clear(&mut self) {
        self.shape = None;
    }
}
