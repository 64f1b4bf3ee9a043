//! One step: recording ops on a tape, and reading their results.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::ops::Deref;

use keyed_random::{child_key, draw_key, seed_key, splitmix64};
use tensor::Shape;
use tensor::parallel::Shards;

use crate::anomaly::Search;
use crate::batch::Batch;
use crate::mode::Mode;
use crate::op::Op;
use crate::ops::channels_last_hint;
use crate::params::Params;
use crate::recording::{Record, Slot};
use crate::tape::{Indices, Tape, Var};

/// A step that is being recorded. It borrows tape and parameters until it is dropped.
///
/// Ops are recorded through `&self`, so that they nest: `g.relu(g.add(x, y))`.
///
/// ```
/// use autograd::{Mode, Params, Role, Tape};
/// let mut params = Params::new();
/// let w = params.add("w", [2], Role::Trainable);
/// params.value_mut(w).copy_from_slice(&[3.0, 4.0]);
///
/// let mut tape = Tape::new();
/// let mut g = tape.begin(&mut params, Mode::train(0, 0));
/// let x = g.param(w);
/// let loss = g.sum(g.mul(x, x));
/// g.backward(loss);
/// assert_eq!(g.scalar(loss), 25.0);
/// drop(g);
/// assert_eq!(params.grad(w), &[6.0, 8.0]);
/// ```
#[derive(Debug)]
pub struct Graph<'a> {
    pub(crate) tape: &'a mut Tape,
    pub(crate) params: Borrowed<'a>,
    mode: Cell<Mode>,
    /// Hash of the path.
    stream: Cell<u64>,
    trace: RefCell<Option<Trace>>,
    pub(crate) backward_done: bool,
    pub(crate) search: Search,
}

/// What [`Graph::trace`] records about a model run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The output of each layer, in the order in which the layers finished.
    pub layers: Vec<Traced>,
    /// The [multiply-adds](Op::multiply_adds) of all ops.
    pub multiply_adds: u64,
}

/// One layer in a [trace](Graph::trace).
#[derive(Clone, Debug, PartialEq)]
pub struct Traced {
    /// The layer's path in the model, such as `block.body.2`.
    pub path: String,
    /// The layer's `Debug` output.
    pub layer: String,
    /// The shape of its output.
    pub output: Shape,
}

/// What a layer returns: a value, or a value together with something else, such as the state of a recurrent
/// layer.
pub trait Output {
    /// The value whose shape a [trace](Graph::trace) records.
    fn main(&self) -> Var;
}

impl Output for Var {
    fn main(&self) -> Var {
        *self
    }
}

impl<S> Output for (Var, S) {
    fn main(&self) -> Var {
        self.0
    }
}

/// The parameters of a step: read-only, or writable for backward.
#[derive(Debug)]
pub(crate) enum Borrowed<'a> {
    Shared(&'a Params),
    Mutable(&'a mut Params),
}

impl Deref for Borrowed<'_> {
    type Target = Params;

    fn deref(&self) -> &Params {
        match self {
            Self::Shared(params) => params,
            Self::Mutable(params) => params,
        }
    }
}

impl Borrowed<'_> {
    pub(crate) fn get_mut(&mut self) -> &mut Params {
        match self {
            Self::Shared(_) => unreachable!("the graph that runs backward borrows its parameters mutably"),
            Self::Mutable(params) => params,
        }
    }
}

impl<'a> Graph<'a> {
    pub(crate) fn new(tape: &'a mut Tape, params: Borrowed<'a>, mode: Mode) -> Self {
        let key = match mode.micro_batch {
            0 => seed_key(mode.seed),
            k => splitmix64(child_key(seed_key(mode.seed), "micro_batch"), k),
        };
        let (stream, search) = (Cell::new(key), Search::default());
        let trace = RefCell::new(None);
        let mode = Cell::new(mode);
        Self { tape, params, mode, stream, trace, backward_done: false, search }
    }

    /// Creates the graph of a part of `outer`, which continues from the current state of `outer`.
    pub(crate) fn part(tape: &'a mut Tape, params: Borrowed<'a>, outer: &Graph<'_>) -> Self {
        let part = Self::new(tape, params, outer.mode());
        part.stream.set(outer.stream.get());
        part.trace.replace(outer.trace.take());
        part
    }

    /// Continues from the state in which a part of this graph ended.
    pub(crate) fn continue_after(&self, part: &Graph<'_>) {
        self.exchange_draws(part);
        self.trace.replace(part.trace.take());
        self.search.take_over(&part.search);
    }

    /// Lends the numbers of draws to a part of this graph, or takes them back.
    pub(crate) fn exchange_draws(&self, part: &Graph<'_>) {
        self.tape.draws.swap(&part.tape.draws);
    }

    /// The mode of this step, or of the part that is being recorded.
    pub fn mode(&self) -> Mode {
        self.mode.get()
    }

    /// Records a part of the step in evaluation mode, while the rest of it trains: dropout drops nothing
    /// there, and batch normalisation uses its running statistics without updating them. Gradients flow as
    /// usual.
    ///
    /// ```
    /// use autograd::{Mode, Params, Tape};
    /// let (mut tape, mut params) = (Tape::new(), Params::new());
    /// let g = tape.begin(&mut params, Mode::train(0, 0));
    /// let x = g.input([4], &[1.0; 4]);
    /// let y = g.evaluating(|g| g.dropout(x, 0.5));
    /// assert_eq!(g.value(y), [1.0; 4]);
    /// ```
    pub fn evaluating<R>(&self, part: impl FnOnce(&Self) -> R) -> R {
        let mode = self.mode.replace(Mode { training: false, ..self.mode() });
        let result = part(self);
        self.mode.set(mode);
        result
    }

    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch::new(self.mode(), self.tape.exchange.as_deref())
    }

    /// The shards of the batch along the first axis of `var`, and which of them are in this process.
    #[track_caller]
    pub fn shards(&self, var: Var) -> Shards<'_> {
        self.batch().shards(&self.slot("shards", var))
    }

    /// Whether the first axis of `var` runs over the images of the batch; if so, this process may have only a
    /// part of it.
    #[track_caller]
    pub fn has_images(&self, var: Var) -> bool {
        self.slot("has_images", var).n_images.is_some()
    }

    /// The parameters, read-only.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Records a node whose values are stored elsewhere.
    pub(crate) fn view(&self, slot: Slot) -> Var {
        self.tape.recording.borrow_mut().push(slot, Record::default())
    }

    /// Runs `layer` with `name` appended to the path, which errors name and random numbers depend on. It runs
    /// in evaluation mode if [`Tape::eval_under`] says so.
    pub fn scope<R>(&self, name: &str, layer: impl FnOnce(&Self) -> R) -> R {
        let stream = self.stream.get();
        self.stream.set(child_key(stream, name));
        let (len, is_evaluated) = self.tape.enter(name);
        let result = if is_evaluated { self.evaluating(layer) } else { layer(self) };
        self.tape.recording.borrow_mut().path.truncate(len);
        self.stream.set(stream);
        result
    }

    /// Whether [`Tape::eval_under`] names the layer `name` of the running one; if so, it runs in a
    /// [`scope`](Self::scope) of its own, not as a part of a fused op.
    pub fn is_evaluated(&self, name: &str) -> bool {
        self.tape.is_evaluated(name)
    }

    /// Runs a layer in its own [`scope`](Self::scope); a [trace](Self::trace) records its output.
    pub fn layer<Y: Output>(&self, name: &str, layer: &dyn Debug, forward: impl FnOnce(&Self) -> Y) -> Y {
        self.scope(name, |g| {
            let y = forward(g);
            if let Some(trace) = &mut *g.trace.borrow_mut() {
                let path = g.tape.recording.borrow().path.clone();
                trace.layers.push(Traced { path, layer: format!("{layer:?}"), output: g.shape(y.main()) });
            }
            y
        })
    }

    /// Runs `model` and also returns the output of each [`layer`](Self::layer) within it.
    pub fn trace(&self, model: impl FnOnce(&Self) -> Var) -> (Var, Trace) {
        self.trace.replace(Some(Trace::default()));
        let y = model(self);
        (y, self.trace.take().unwrap_or_default())
    }

    /// Whether a [trace](Self::trace) is being recorded; if so, layers that could be fused run one by one.
    pub fn is_tracing(&self) -> bool {
        self.trace.borrow().is_some()
    }

    /// Returns ` at layer "path"`, to follow the name of an op in a message; empty outside any
    /// [`scope`](Self::scope).
    pub fn at(&self) -> String {
        self.tape.recording.borrow().at()
    }

    /// Returns what to add to a message about images or sequences whose last axis does not have `n_channels`
    /// elements: how to permute them if their first axis after the batch does, as in PyTorch's order. Empty
    /// otherwise.
    #[track_caller]
    pub fn channels_last_hint(&self, x: Var, n_channels: usize) -> &'static str {
        channels_last_hint(self.shape(x), |first| first == n_channels)
    }

    /// Records and runs an op.
    ///
    /// # Panics
    /// When the op refuses the shapes of its inputs, or a `Var` is not from this step.
    #[track_caller]
    pub fn apply<O: Op>(&self, op: O, inputs: &[Var]) -> Var {
        self.record(op, inputs, (0, 0))
    }

    /// Records and runs an op that also reads integers.
    ///
    /// # Panics
    /// As [`apply`](Self::apply).
    #[track_caller]
    pub fn apply_indexed<O: Op>(&self, op: O, inputs: &[Var], indices: Indices) -> Var {
        self.n_indices(op.name(), indices);
        self.record(op, inputs, (indices.start, indices.end))
    }

    #[track_caller]
    fn record<O: Op>(&self, op: O, inputs: &[Var], indices: (usize, usize)) -> Var {
        let key = if op.is_random() { self.draw() } else { 0 };
        let mut recording = self.tape.recording.borrow_mut();
        let var = recording.push_op(op, inputs, indices, (key, self.mode().training), self.batch());
        if let Some(trace) = &mut *self.trace.borrow_mut() {
            trace.multiply_adds += recording.multiply_adds(var.node);
        }
        self.run_forward(&mut recording, var.node);
        drop(recording);
        self.search_output(var);
        var
    }

    /// Returns a key for the next random op under this path.
    pub(crate) fn draw(&self) -> u64 {
        let (stream, mut draws) = (self.stream.get(), self.tape.draws.borrow_mut());
        let place = draws.iter().position(|&(drawn, _)| drawn == stream).unwrap_or_else(|| {
            draws.push((stream, 0));
            draws.len() - 1
        });
        draws[place].1 += 1;
        draw_key(stream, self.mode().step, draws[place].1)
    }
}
