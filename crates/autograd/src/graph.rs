//! One step: recording ops on a tape, and reading their results.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::mem;
use std::ops::Deref;

use keyed_random::{child_key, draw_key, seed_key, splitmix64};
use tensor::Shape;
use tensor::parallel::Shards;

use crate::anomaly::Search;
use crate::batch::Batch;
use crate::mode::Mode;
use crate::op::{Forward, Inputs, Op};
use crate::params::{ParamId, Params};
use crate::tape::{Indices, Record, Recording, Slot, Storage, Tape, Var};

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

    /// Records a leaf that gets no gradient, such as a batch of images.
    ///
    /// # Panics
    /// When the values do not fill the shape, and as [`randn`](Self::randn).
    #[track_caller]
    pub fn input(&self, shape: impl Into<Shape>, values: &[f32]) -> Var {
        self.leaf("input", shape.into(), values, false)
    }

    /// Records the images of a batch, `[n, h, w, c]`, as an [`input`](Self::input), from anything that
    /// provides their shape and values, such as `data::Batch`.
    ///
    /// # Panics
    /// When the values do not fill the shape.
    #[track_caller]
    pub fn images<'v>(&self, images: impl Into<([usize; 4], &'v [f32])>) -> Var {
        let (shape, values) = images.into();
        self.input(shape, values)
    }

    /// Records the labels of a batch as [`indices`](Self::indices), from anything that provides them, such as
    /// `data::Batch`.
    pub fn labels<'v>(&self, labels: impl Into<&'v [u32]>) -> Indices {
        self.indices(labels.into())
    }

    /// Records a leaf that gets a gradient, to be read with [`grad`](Self::grad) after backward.
    ///
    /// # Panics
    /// As [`input`](Self::input).
    #[track_caller]
    pub fn variable(&self, shape: impl Into<Shape>, values: &[f32]) -> Var {
        self.leaf("variable", shape.into(), values, self.mode().grad)
    }

    #[track_caller]
    fn leaf(&self, name: &'static str, shape: Shape, values: &[f32], needs_grad: bool) -> Var {
        assert!(
            values.len() == shape.numel(),
            "{name}{}: {} values do not fill the shape {shape}, which has {} elements",
            self.at(),
            values.len(),
            shape.numel()
        );
        let n_images = self.n_images_of_leaf(name, shape);
        self.leaf_of(name, (shape, n_images), needs_grad, |buffer, _| buffer.copy_from_slice(values))
    }

    /// How many of the images of the batch a leaf of this shape has.
    #[track_caller]
    pub(crate) fn n_images_of_leaf(&self, name: &str, shape: Shape) -> Option<usize> {
        let n_images = self.batch().n_images_of_leaf(shape);
        n_images.unwrap_or_else(|error| panic!("{name}{}: {error}", self.at()))
    }

    /// Records a leaf written by `fill`, which is given the shards of the batch.
    pub(crate) fn leaf_of(
        &self,
        name: &'static str,
        (shape, n_images): (Shape, Option<usize>),
        needs_grad: bool,
        fill: impl FnOnce(&mut [f32], Shards<'_>),
    ) -> Var {
        let mut recording = self.tape.recording.borrow_mut();
        let slot = Slot { storage: Storage::Node(recording.slots.len()), shape, needs_grad, n_images };
        let var = recording.push(slot, Record::default());
        let mut buffer = mem::take(&mut recording.buffers[var.node]);
        drop(recording);
        buffer.resize(shape.numel(), 0.0);
        fill(&mut buffer, self.batch().shards(&slot));
        self.tape.values.set(var.node, buffer);
        self.search_leaf(var, name);
        var
    }

    /// Records an entry of the parameters. An entry used several times is shared: its gradient is the sum.
    ///
    /// # Panics
    /// When `id` is from other parameters than this step's and out of range here.
    #[track_caller]
    pub fn param(&self, id: ParamId) -> Var {
        let entry = self.params.entry(id);
        let needs_grad = self.mode().grad && entry.is_trainable();
        let storage = Storage::Param { id: id.0, start: entry.range.start, end: entry.range.end };
        let slot = Slot { storage, shape: entry.shape, needs_grad, n_images: None };
        let var = self.view(slot);
        self.search_leaf(var, "param");
        var
    }

    /// Records integers for [`apply_indexed`](Self::apply_indexed), `[n]`: class labels, row numbers.
    pub fn indices(&self, values: &[u32]) -> Indices {
        self.push_indices([values.len()].into(), values)
    }

    /// Records integers with a shape, such as the tokens of `n` sentences, `[n, t]`: the input of a layer
    /// over tokens.
    ///
    /// # Panics
    /// When the values do not fill the shape.
    #[track_caller]
    pub fn tokens(&self, shape: impl Into<Shape>, values: &[u32]) -> Indices {
        let shape = shape.into();
        assert!(
            values.len() == shape.numel(),
            "tokens{}: {} values do not fill the shape {shape}, which has {} elements",
            self.at(),
            values.len(),
            shape.numel()
        );
        self.push_indices(shape, values)
    }

    fn push_indices(&self, shape: Shape, values: &[u32]) -> Indices {
        self.tape.recording.borrow_mut().push_indices(shape, |indices| indices.copy_from_slice(values))
    }

    /// Returns a copy of the integers behind `indices`, row-major.
    #[track_caller]
    pub fn integers(&self, indices: Indices) -> Vec<u32> {
        self.tape.recording.borrow().indices("integers", indices).to_vec()
    }

    /// Returns the same elements with another shape; nothing is copied.
    ///
    /// # Panics
    /// When the number of elements differs, or this process has only a part of the batch and the new first
    /// axis does not have rows for each of its images.
    #[track_caller]
    pub fn reshape(&self, x: Var, shape: impl Into<Shape>) -> Var {
        let (slot, shape) = (self.slot("reshape", x), shape.into());
        assert!(
            slot.shape.numel() == shape.numel(),
            "reshape{}: {} has {} elements, {shape} has {}; make the counts agree",
            self.at(),
            slot.shape,
            slot.shape.numel(),
            shape.numel()
        );
        match self.batch().n_images_reshaped(slot.n_images, shape) {
            Ok(n_images) => self.view(Slot { shape, n_images, ..slot }),
            Err(error) => panic!("reshape{}: {error}", self.at()),
        }
    }

    /// Returns the same value, but without gradient flow; nothing is copied.
    #[track_caller]
    pub fn detach(&self, x: Var) -> Var {
        self.view(Slot { needs_grad: false, ..self.slot("detach", x) })
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

    pub(crate) fn run_forward(&self, recording: &mut Recording, node: usize) {
        let (slot, record) = (recording.slots[node], recording.records[node]);
        let mut output = mem::take(&mut recording.buffers[node]);
        output.resize(slot.shape.numel(), 0.0);
        let op = recording.ops[node].as_deref().expect("an op was just recorded");
        op.forward(Forward {
            output: &mut output,
            shape: slot.shape,
            inputs: Inputs {
                slots: &recording.inputs[record.inputs.0..record.inputs.1],
                values: &self.tape.values,
                params: self.params.values(),
                batch: self.batch(),
            },
            shards: self.batch().shards(&slot),
            indices: &recording.indices[record.indices.0..record.indices.1],
            saved: &mut recording.saved[node],
            training: record.training,
            needs_grad: slot.needs_grad,
            key: record.key,
        });
        self.tape.values.set(node, output);
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

    /// The shape of a value.
    #[track_caller]
    pub fn shape(&self, var: Var) -> Shape {
        self.slot("shape", var).shape
    }

    /// Whether `var` is an entry of the parameters that is [frozen](Params::freeze).
    #[track_caller]
    pub(crate) fn is_frozen(&self, var: Var) -> bool {
        match self.slot("is_frozen", var).storage {
            Storage::Param { id, .. } => self.params.entries()[id].is_frozen,
            Storage::Node(_) => false,
        }
    }

    /// How many integers there are behind `indices`.
    #[track_caller]
    pub(crate) fn n_indices(&self, op: &str, indices: Indices) -> usize {
        self.tape.recording.borrow().indices(op, indices).len()
    }

    #[track_caller]
    pub(crate) fn slot(&self, op: &str, var: Var) -> Slot {
        self.tape.recording.borrow().slot(op, var)
    }

    /// The name of the op that computes a value; `None` for leaves and views.
    #[track_caller]
    pub fn op_name(&self, var: Var) -> Option<&'static str> {
        self.slot("op_name", var);
        let recording = self.tape.recording.borrow();
        if recording.records[var.node].part.is_some() {
            return Some("recompute");
        }
        let op = recording.ops[var.node].as_deref().filter(|_| recording.records[var.node].is_op);
        op.map(Op::name)
    }

    /// The elements of a value, row-major.
    #[track_caller]
    pub fn value(&self, var: Var) -> &[f32] {
        match self.slot("value", var).storage {
            Storage::Param { start, end, .. } => &self.params.values()[start..end],
            Storage::Node(node) => self.tape.values.get(node),
        }
    }

    /// The only element of a value.
    ///
    /// # Panics
    /// When there is not exactly one.
    #[track_caller]
    pub fn scalar(&self, var: Var) -> f32 {
        let value = self.value(var);
        assert!(
            value.len() == 1,
            "scalar: the shape {} has {} elements, expected one",
            self.shape(var),
            value.len()
        );
        value[0]
    }

    /// Keeps the gradient of a value that an op computes, to be read with [`grad`](Self::grad) after
    /// backward. Otherwise its memory is reused as soon as backward is past it. `Tensor.retain_grad` in
    /// PyTorch. Gradients of parameters and variables are always kept.
    ///
    /// ```
    /// use autograd::{Mode, Params, Tape};
    /// let (mut tape, mut params) = (Tape::new(), Params::new());
    /// let mut g = tape.begin(&mut params, Mode::train(0, 0));
    /// let x = g.variable([2], &[1.0, 2.0]);
    /// let square = g.retain_grad(g.mul(x, x));
    /// let exp = g.exp(square);
    /// let loss = g.sum(exp);
    /// g.backward(loss);
    /// assert_eq!(g.grad(square), Some(g.value(exp)));
    /// ```
    #[track_caller]
    pub fn retain_grad(&self, var: Var) -> Var {
        if let Storage::Node(node) = self.slot("retain_grad", var).storage {
            self.tape.recording.borrow_mut().records[node].retains_grad = true;
        }
        var
    }

    /// The gradient of a value, after backward; `None` if it needs no gradient, or if the loss does not
    /// depend on it (that of a parameter is then 0).
    ///
    /// # Panics
    /// Before [`backward`](Self::backward), and when an op computed the value and its gradient was not
    /// [retained](Self::retain_grad).
    #[track_caller]
    pub fn grad(&self, var: Var) -> Option<&[f32]> {
        let slot = self.slot("grad", var);
        assert!(self.backward_done, "grad: there is no gradient yet; run Graph::backward first");
        match slot.storage {
            _ if !slot.needs_grad => None,
            Storage::Param { start, end, .. } => Some(&self.params.grads()[start..end]),
            Storage::Node(node) if self.tape.grads.is_written(node) => {
                let record = self.tape.recording.borrow().records[node];
                assert!(
                    !record.is_op || record.retains_grad,
                    "grad: the gradient of the output of {} was not kept; name it with Graph::retain_grad before \
                     Graph::backward",
                    self.op_name(var).unwrap_or("an op")
                );
                Some(self.tape.grads.get(node))
            }
            Storage::Node(_) => None,
        }
    }
}
