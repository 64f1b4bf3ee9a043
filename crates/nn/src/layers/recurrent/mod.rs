//! Recurrent layers over sequences `[n, t, d]`.

mod cell;
mod state;

use std::fmt;
use std::marker::PhantomData;

use autograd::{Graph, Indices, RecurrentOptions, RnnNonlinearity, Role, Var};

use super::dropout::check_probability;
use super::last_axis::LastAxis;
use crate::config::{self, Args, Describe, names};
use crate::layer::{Handle, Layer, Scope};

use cell::Steps;
pub use cell::{GruCell, LstmCell, RecurrentCell, RnnCell};
pub use state::{CarriedState, State};

/// Elman's network: `h' = tanh(weight_ih x + bias_ih + weight_hh h + bias_hh)`, or with ReLU.
pub type RNN = Recurrent<RnnCell>;

/// Gated recurrent units; Cho et al., "Learning Phrase Representations using RNN Encoder–Decoder", 2014.
pub type GRU = Recurrent<GruCell>;

/// Long short-term memory; Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997.
pub type LSTM = Recurrent<LstmCell>;

/// A recurrent network of one or more layers, in one or both directions, over sequences `[n, t, input_size]`:
/// [`RNN`], [`GRU`] or [`LSTM`], like those of `torch.nn` with `batch_first=True`.
///
/// The output is `[n, t, hidden_size]`, twice as wide if bidirectional: forward first, then backward.
/// Parameters as in PyTorch, `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, then `…_l0_reverse`,
/// then `…_l1`; all are initially uniform in ±1/√hidden_size. Gates are in PyTorch's order: r, z, n and i, f,
/// g, o.
///
/// As a [`Layer`] it processes whole sequences from a state of zeros. [`run`](Self::run) takes lengths and a
/// state, and also returns the state after the last step:
///
/// ```
/// use autograd::{Mode, Tape};
/// use nn::{Sequences, LSTM};
///
/// let (lstm, mut params) = nn::build(LSTM::new(3, 8).num_layers(2).bidirectional(true), 0);
/// let mut tape = Tape::new();
/// let g = tape.begin(&mut params, Mode::eval());
/// // Two sequences, of 4 steps and of 2: what lies past the end of the second is not looked at.
/// let x = g.input([2, 4, 3], &[0.5; 24]);
/// let lengths = g.indices(&[4, 2]);
/// let (y, state) = lstm.run(&g, x, Sequences { lengths: Some(lengths), ..Sequences::default() });
/// assert_eq!(g.shape(y).dims(), [2, 4, 16]);
/// assert_eq!(g.value(y)[6 * 16..], [0.0; 32]);
/// assert_eq!(g.shape(state.hidden).dims(), [2, 4, 8]); // two layers in two directions
/// ```
///
/// Inside a network it is a [`Child`](crate::Child), and the call is `child.run(g, |rnn, g| rnn.run(g, x,
/// sequences))`.
#[derive(Clone)]
#[must_use]
pub struct Recurrent<C> {
    input_size: usize,
    hidden_size: usize,
    num_layers: usize,
    bias: bool,
    bidirectional: bool,
    dropout: f32,
    nonlinearity: RnnNonlinearity,
    /// For each layer and direction.
    weights: Vec<Weights>,
    cell: PhantomData<C>,
}

/// The parameters of one layer in one direction.
#[derive(Clone, Copy)]
struct Weights {
    weight_ih: Handle,
    weight_hh: Handle,
    bias_ih: Handle,
    bias_hh: Handle,
}

/// The lengths and initial state of the sequences given to [`Recurrent::run`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequences {
    /// The length of each sequence, if they differ, made by [`Graph::indices`](autograd::Graph::indices).
    /// They may be in any order, as with PyTorch's `enforce_sorted=False`.
    pub lengths: Option<Indices>,
    /// The state before the first step; zeros if omitted.
    pub state: Option<State>,
}

impl<C: RecurrentCell> Recurrent<C> {
    /// Creates one layer in one direction, with biases.
    ///
    /// # Panics
    /// When `hidden_size` is 0.
    #[track_caller]
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        assert!(hidden_size > 0, "{}::new: hidden_size is 0, expected at least 1", C::NAME);
        Self {
            input_size,
            hidden_size,
            num_layers: 1,
            bias: true,
            bidirectional: false,
            dropout: 0.0,
            nonlinearity: RnnNonlinearity::Tanh,
            weights: Vec::new(),
            cell: PhantomData,
        }
    }

    /// Sets the number of stacked layers; the default is 1.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn num_layers(mut self, num_layers: usize) -> Self {
        assert!(num_layers > 0, "{}::num_layers: the number of layers is 0, expected at least 1", C::NAME);
        self.num_layers = num_layers;
        self
    }

    /// Sets whether there are biases; on by default.
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Sets whether each layer also processes the sequences backwards; off by default.
    pub fn bidirectional(mut self, bidirectional: bool) -> Self {
        self.bidirectional = bidirectional;
        self
    }

    /// In training, drops elements of the output of every layer but the last with probability `p`; the
    /// default is 0. With a single layer it does nothing, as in PyTorch, which warns.
    ///
    /// # Panics
    /// When `p` is not in [0, 1].
    #[track_caller]
    pub fn dropout(mut self, p: f32) -> Self {
        if let Err(error) = check_probability(p) {
            panic!("{}::dropout: {error}", C::NAME);
        }
        self.dropout = p;
        self
    }

    fn n_directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// Processes sequences `[n, t, input_size]`. Returns the output of the last layer at each step and the
    /// state of all layers after each sequence's last step.
    ///
    /// # Panics
    /// When shapes do not fit, or a length is 0 or greater than t.
    #[track_caller]
    pub fn run(&self, g: &Graph<'_>, x: Var, sequences: Sequences) -> (Var, State) {
        let option = ("input_size", self.input_size);
        LastAxis { layer: C::OP, thing: "feature", option, divisor: None }.check_sequences(g, "input", x);
        let n = g.shape(x)[0];
        if let Some(state) = sequences.state {
            let sizes = [n, self.num_layers * self.n_directions(), self.hidden_size];
            state.check(g, C::OP, C::HAS_CELL_STATE, sizes);
        }
        let n_lengths = sequences.lengths.map_or(n, |lengths| lengths.shape().numel());
        assert!(
            n_lengths == n,
            "{}{}: the number of lengths is {n_lengths}, expected {n}, one for each sequence",
            C::OP,
            g.at()
        );
        let x = sequences.lengths.map_or(x, |lengths| g.zero_past_end(x, lengths));
        let (mut y, mut after) = (x, None);
        for layer in 0..self.num_layers {
            if layer > 0 && self.dropout > 0.0 {
                y = g.dropout(y, self.dropout);
            }
            let input = y;
            for direction in 0..self.n_directions() {
                let (output, state) = self.go_over(g, input, [layer, direction], sequences);
                y = if direction == 0 { output } else { g.concat(&[y, output], 2) };
                after = Some(after.map_or(state, |before: State| before.and(g, state)));
            }
        }
        (y, after.expect("there is a layer"))
    }

    /// Runs one layer in one direction; returns the output of each step and the layer's last state.
    fn go_over(
        &self,
        g: &Graph<'_>,
        x: Var,
        [layer, direction]: [usize; 2],
        sequences: Sequences,
    ) -> (Var, State) {
        let place = layer * self.n_directions() + direction;
        let weights = self.weights.get(place).copied();
        let handle = |of: fn(&Weights) -> Handle| weights.as_ref().map_or(Handle::default(), of).id(self);
        let bias = |of: fn(&Weights) -> Handle| self.bias.then(|| g.param(handle(of)));
        let gates = g.linear(x, g.param(handle(|w| w.weight_ih)), bias(|w| w.bias_ih));
        let state = sequences.state.map(|state| state.of_layer(g, place));
        let steps = Steps {
            gates,
            weight_hh: g.param(handle(|w| w.weight_hh)),
            bias_hh: bias(|w| w.bias_hh),
            state,
            nonlinearity: self.nonlinearity,
            options: RecurrentOptions { reverse: direction == 1, lengths: sequences.lengths },
        };
        let all = C::record(g, steps);
        let n_steps = g.shape(x)[1];
        let part = |nth: usize| g.slice(all, 1, n_steps + nth..n_steps + nth + 1);
        let cell = C::HAS_CELL_STATE.then(|| part(1));
        (g.slice(all, 1, 0..n_steps), State { hidden: part(0), cell })
    }
}

impl RNN {
    /// Sets the function applied to the sum of the gates; the default is tanh.
    pub fn nonlinearity(mut self, nonlinearity: RnnNonlinearity) -> Self {
        self.nonlinearity = nonlinearity;
        self
    }
}

impl<C: RecurrentCell> Layer for Recurrent<C> {
    fn register(&mut self, scope: &mut Scope<'_>) {
        let (hidden, gates, n_directions) =
            (self.hidden_size, C::N_GATES * self.hidden_size, self.n_directions());
        let bound = 1.0 / (hidden as f64).sqrt();
        let has_bias = self.bias;
        let mut param = |name: String, dims: &[usize]| {
            scope.param(&name, dims, Role::Trainable, |values, rng| init::uniform(values, -bound, bound, rng))
        };
        self.weights = (0..self.num_layers * n_directions)
            .map(|place| {
                let layer = place / n_directions;
                let suffix = if place % n_directions == 1 { "_reverse" } else { "" };
                let input_size = if layer == 0 { self.input_size } else { n_directions * hidden };
                let mut add = |what: &str, dims: &[usize]| param(format!("{what}_l{layer}{suffix}"), dims);
                let (weight_ih, weight_hh) =
                    (add("weight_ih", &[gates, input_size]), add("weight_hh", &[gates, hidden]));
                let mut bias = |what| if has_bias { add(what, &[gates]) } else { Handle::default() };
                let (bias_ih, bias_hh) = (bias("bias_ih"), bias("bias_hh"));
                Weights { weight_ih, weight_hh, bias_ih, bias_hh }
            })
            .collect();
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        self.run(g, x, Sequences::default()).0
    }
}

impl<C: RecurrentCell> Describe for Recurrent<C> {
    const NAME: &str = C::NAME;

    fn blank() -> Self {
        Self::new(1, 1)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.positional("input_size", &mut self.input_size);
        args.positional("hidden_size", &mut self.hidden_size);
        args.option("num_layers", &mut self.num_layers, 1);
        if C::NAME == "RNN" {
            args.option("nonlinearity", &mut self.nonlinearity, RnnNonlinearity::Tanh);
        }
        args.option("bias", &mut self.bias, true);
        let why = "its sequences are [n, t, d], while without this PyTorch's layer takes [t, n, d]";
        args.stated("batch_first", "True", why);
        args.option("dropout", &mut self.dropout, 0.0);
        args.option("bidirectional", &mut self.bidirectional, false);
    }

    fn check(&self) -> Result<(), String> {
        let sizes = [self.hidden_size, self.num_layers];
        match sizes.contains(&0) {
            true => Err(format!("hidden_size and num_layers are {sizes:?}, expected at least 1 each")),
            false => check_probability(self.dropout),
        }
    }
}

impl<C: RecurrentCell> fmt::Debug for Recurrent<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        config::write(self, f)
    }
}

names!(RnnNonlinearity, "tanh or relu", { "tanh" => Self::Tanh, "relu" => Self::Relu });
