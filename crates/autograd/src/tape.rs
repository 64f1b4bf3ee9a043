//! The tape: the nodes of a step in the order they were created, and their buffers.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tensor::Shape;
use tensor::parallel::Exchange;

use crate::batch::{Batch, Images, Operands};
use crate::gradients::Gradients;
use crate::graph::{Borrowed, Graph};
use crate::mode::Mode;
use crate::op::{Op, Saved};
use crate::params::Params;
use crate::part::Parts;
use crate::values::Values;

/// A value of the running step: an index into the tape, free to copy.
///
/// A `Var` is valid only in the step it was recorded in, on the tape that recorded it; using it elsewhere
/// panics with a message that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Var {
    pub(crate) node: usize,
    pub(crate) origin: Origin,
}

/// Integers of the running step with a shape, made by [`Graph::indices`] or [`Graph::tokens`]: class labels,
/// row numbers, the tokens of sentences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indices {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) shape: Shape,
    pub(crate) origin: Origin,
}

impl Indices {
    /// Their shape: `[n]` for labels, `[n, t]` for tokens.
    pub fn shape(&self) -> Shape {
        self.shape
    }
}

/// The tape and step in which something was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    tape: u64,
    generation: u64,
}

/// Where a node's value and gradient are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Storage {
    /// In the flat vectors of [`Params`].
    Param { id: usize, start: usize, end: usize },
    /// In the buffers of this node of the tape.
    Node(usize),
}

/// What is known about a node without its op.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) storage: Storage,
    pub(crate) shape: Shape,
    pub(crate) needs_grad: bool,
    /// Whether the first axis runs over the images of the batch, and how many of them are in this process;
    /// there may be several rows for each. A value without images is the same in every process.
    pub(crate) n_images: Option<usize>,
}

/// How a node was made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Record {
    /// False for leaves and views: backward skips them.
    pub(crate) is_op: bool,
    pub(crate) inputs: (usize, usize),
    pub(crate) indices: (usize, usize),
    pub(crate) key: u64,
    /// Whether the op ran in training mode.
    pub(crate) training: bool,
    /// The part of the step that this is the output of.
    pub(crate) part: Option<usize>,
    /// Whether an op's gradient is kept after its backward.
    pub(crate) retains_grad: bool,
}

/// The memory of a training loop: it records one step after another into the same buffers.
///
/// A step is recorded through the [`Graph`] that [`begin`](Self::begin) returns. Node `k` of a step reuses
/// the buffers of node `k` of the previous step (and the boxed op, if it has the same type), so a steady step
/// allocates nothing.
#[derive(Debug)]
pub struct Tape {
    // Both grow while the graph is shared. No borrow of `recording` is held while user code runs.
    pub(crate) values: Values,
    pub(crate) recording: RefCell<Recording>,
    /// How often random numbers were drawn under each path, by the hash of the path.
    pub(crate) draws: RefCell<Vec<(u64, u64)>>,
    /// How sums over a batch are combined with those of other processes.
    pub(crate) exchange: Option<Arc<dyn Exchange>>,
    /// Parts of the step that are recomputed in backward.
    pub(crate) parts: RefCell<Parts>,
    /// The layers to run in evaluation mode.
    evaluated: Arc<Vec<Evaluated>>,
    pub(crate) grads: Gradients,
    /// Which parameter gradients this backward pass has written.
    pub(crate) param_written: Vec<bool>,
}

/// A layer to run in evaluation mode, and whether the step contains it.
#[derive(Debug)]
struct Evaluated {
    path: String,
    was_run: AtomicBool,
}

impl Clone for Evaluated {
    fn clone(&self) -> Self {
        Self { path: self.path.clone(), was_run: AtomicBool::new(false) }
    }
}

/// The nodes of the step, without their values.
#[derive(Debug)]
pub(crate) struct Recording {
    origin: Origin,
    pub(crate) slots: Vec<Slot>,
    pub(crate) records: Vec<Record>,
    /// The inputs of all nodes, one node after another.
    pub(crate) inputs: Vec<Slot>,
    pub(crate) indices: Vec<u32>,
    /// The shapes of the inputs of the op that is being recorded.
    pub(crate) shapes: Vec<Shape>,
    /// The path of the layer that is running, such as `block.0.conv`.
    pub(crate) path: String,
    // By node, kept from step to step:
    pub(crate) ops: Vec<Option<Box<dyn Op>>>,
    /// Memory for the values of nodes that are not recorded yet.
    pub(crate) buffers: Vec<Vec<f32>>,
    pub(crate) saved: Vec<Saved>,
}

impl Default for Tape {
    fn default() -> Self {
        Self::new()
    }
}

impl Tape {
    /// Creates an empty tape.
    pub fn new() -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let recording = Recording {
            origin: Origin { tape: NEXT_ID.fetch_add(1, Ordering::Relaxed), generation: 0 },
            slots: Vec::new(),
            records: Vec::new(),
            inputs: Vec::new(),
            indices: Vec::new(),
            shapes: Vec::new(),
            path: String::new(),
            ops: Vec::new(),
            buffers: Vec::new(),
            saved: Vec::new(),
        };
        Self {
            values: Values::default(),
            recording: RefCell::new(recording),
            draws: RefCell::default(),
            exchange: None,
            parts: RefCell::default(),
            evaluated: Arc::default(),
            grads: Gradients::default(),
            param_written: Vec::new(),
        }
    }

    /// Makes this the tape of one of several processes, each of which runs every step on its own part of the
    /// batch, given by [`Shards::part`](tensor::parallel::Shards::part). Parameters and sums over the batch
    /// (their gradients, losses, statistics) are the same in all processes, and bit for bit the same as in a
    /// single process. [`Mode::of_images`] gives each step the size of the whole batch.
    pub fn exchange(self, exchange: Arc<dyn Exchange>) -> Self {
        Self { exchange: Some(exchange), ..self }
    }

    /// Starts a step. The returned graph borrows the parameters, so no weight can change while it lives.
    /// [`Var`]s of the previous step become invalid.
    pub fn begin<'a>(&'a mut self, params: &'a mut Params, mode: Mode) -> Graph<'a> {
        self.forget();
        self.evaluated.iter().for_each(|layer| layer.was_run.store(false, Ordering::Relaxed));
        Graph::new(self, Borrowed::Mutable(params), mode)
    }

    /// Starts a step in evaluation mode that only reads the parameters. Several threads can predict with the
    /// same parameters at once, each with its own tape, and gradients take no memory. It must not be the tape
    /// of one of several processes, whose steps need [`Mode::of_images`].
    ///
    /// ```
    /// use autograd::{Params, Role, Tape};
    /// let mut params = Params::new();
    /// let w = params.add("w", [2], Role::Trainable);
    /// params.value_mut(w).copy_from_slice(&[3.0, 4.0]);
    /// let predict = |x: f32| {
    ///     let mut tape = Tape::new();
    ///     let g = tape.evaluate(&params);
    ///     g.value(g.scale(g.param(w), x)).to_vec()
    /// };
    /// std::thread::scope(|scope| {
    ///     let other = scope.spawn(|| predict(2.0));
    ///     assert_eq!(predict(1.0), [3.0, 4.0]);
    ///     assert_eq!(other.join().unwrap(), [6.0, 8.0]);
    /// });
    /// ```
    pub fn evaluate<'a>(&'a mut self, params: &'a Params) -> Graph<'a> {
        self.forget();
        Graph::new(self, Borrowed::Shared(params), Mode::eval())
    }

    /// Starts a part of the step that `outer` records.
    pub(crate) fn begin_part(&mut self, outer: &Self) {
        self.forget();
        self.exchange.clone_from(&outer.exchange);
        self.evaluated = Arc::clone(&outer.evaluated);
        self.recording.get_mut().path.push_str(&outer.recording.borrow().path);
    }

    /// Discards the previous step but keeps its memory.
    fn forget(&mut self) {
        self.reclaim_values();
        self.parts.get_mut().begin();
        self.draws.get_mut().clear();
        let recording = self.recording.get_mut();
        recording.origin.generation += 1;
        recording.slots.clear();
        recording.records.clear();
        recording.inputs.clear();
        recording.indices.clear();
        recording.path.clear();
    }

    /// Takes back the memory of all values.
    pub(crate) fn reclaim_values(&mut self) {
        for (node, buffer) in self.recording.get_mut().buffers.iter_mut().enumerate() {
            if let Some(values) = self.values.take(node) {
                *buffer = values;
            }
        }
    }

    /// Runs the layers under a path, for example `0.body`, in evaluation mode from the next step on, while
    /// the others train: dropout drops nothing there, and batch normalisation uses its running statistics
    /// without updating them. Weights still train; [`Params::freeze`] stops that. In PyTorch, `module.eval()`
    /// on a submodule.
    ///
    /// The path is that of a layer: [`Graph::backward`] panics if a training step has none with it.
    ///
    /// ```
    /// use autograd::{Mode, Params, Tape};
    /// let (mut tape, mut params) = (Tape::new(), Params::new());
    /// tape.eval_under("body");
    /// let g = tape.begin(&mut params, Mode::train(0, 0));
    /// let x = g.input([4], &[1.0; 4]);
    /// let y = g.scope("body", |g| g.scope("0", |g| g.dropout(x, 0.5)));
    /// assert_eq!(g.value(y), [1.0; 4]);
    /// ```
    pub fn eval_under(&mut self, path: &str) {
        self.train_under(path);
        let added = Evaluated { path: path.to_owned(), was_run: AtomicBool::new(false) };
        self.evaluated = self.evaluated.iter().cloned().chain([added]).collect::<Vec<_>>().into();
    }

    /// Undoes [`eval_under`](Self::eval_under) for this path.
    pub fn train_under(&mut self, path: &str) {
        let others = self.evaluated.iter().filter(|layer| layer.path != path);
        self.evaluated = others.cloned().collect::<Vec<_>>().into();
    }

    /// Appends a layer to the path; returns the previous length, and whether the layer runs in evaluation
    /// mode.
    pub(crate) fn enter(&self, layer: &str) -> (usize, bool) {
        let mut recording = self.recording.borrow_mut();
        let len = recording.enter(layer);
        let evaluated = self.evaluated.iter().find(|layer| layer.path == recording.path);
        if let Some(layer) = evaluated {
            layer.was_run.store(true, Ordering::Relaxed);
        }
        (len, evaluated.is_some())
    }

    /// Whether the layer with this name within the running one has a path given to
    /// [`eval_under`](Self::eval_under).
    pub(crate) fn is_evaluated(&self, layer: &str) -> bool {
        if self.evaluated.is_empty() {
            return false;
        }
        let recording = self.recording.borrow();
        let running = recording.path.as_str();
        self.evaluated.iter().any(|evaluated| {
            let rest = evaluated.path.strip_prefix(running);
            let rest = if running.is_empty() { rest } else { rest.and_then(|rest| rest.strip_prefix('.')) };
            rest == Some(layer)
        })
    }

    /// A layer that was to run in evaluation mode but that the step does not contain.
    pub(crate) fn not_run(&self) -> Option<&str> {
        let missing = self.evaluated.iter().find(|layer| !layer.was_run.load(Ordering::Relaxed));
        missing.map(|layer| layer.path.as_str())
    }

    /// Runs a whole step: records with `record` and runs backward from the loss that it returns, unless the
    /// mode is [without gradients](Mode::with_grad). Returns the loss; the gradients are in the parameters.
    ///
    /// ```
    /// use autograd::{Mode, Params, Role, Tape};
    /// let (mut tape, mut params) = (Tape::new(), Params::new());
    /// let w = params.add("w", [2], Role::Trainable);
    /// params.value_mut(w).copy_from_slice(&[3.0, 4.0]);
    /// let loss = tape.step(&mut params, Mode::train(0, 0), |g| {
    ///     let w = g.param(w);
    ///     g.sum(g.mul(w, w))
    /// });
    /// assert_eq!(loss, 25.0);
    /// assert_eq!(params.grad(w), &[6.0, 8.0]);
    /// ```
    ///
    /// # Panics
    /// As [`Graph::backward`], and when the loss does not have exactly one element.
    #[track_caller]
    pub fn step(&mut self, params: &mut Params, mode: Mode, record: impl FnOnce(&Graph<'_>) -> Var) -> f32 {
        let mut g = self.begin(params, mode);
        let loss = record(&g);
        if mode.grad {
            g.backward(loss);
        }
        g.scalar(loss)
    }
}

impl Recording {
    /// Appends a node and ensures that its buffers exist.
    pub(crate) fn push(&mut self, slot: Slot, record: Record) -> Var {
        let node = self.slots.len();
        self.slots.push(slot);
        self.records.push(record);
        self.make_room();
        Var { node, origin: self.origin }
    }

    /// Ensures that every node has its buffers.
    pub(crate) fn make_room(&mut self) {
        let n_nodes = self.slots.len();
        while self.ops.len() < n_nodes {
            self.ops.push(None);
        }
        while self.buffers.len() < n_nodes {
            self.buffers.push(Vec::new());
        }
        while self.saved.len() < n_nodes {
            self.saved.push(Saved::default());
        }
    }

    /// Whether a node is an op that has staged statistics.
    pub(crate) fn has_statistics(&self, node: usize) -> bool {
        let Record { is_op, training, part, .. } = self.records[node];
        is_op && training && part.is_none() && self.ops[node].as_deref().is_some_and(Op::has_statistics)
    }

    /// Appends a node that `op` computes.
    ///
    /// # Panics
    /// When the op refuses the shapes of its inputs, or a `Var` is not from this step.
    #[track_caller]
    pub(crate) fn push_op<O: Op>(
        &mut self,
        op: O,
        inputs: &[Var],
        indices: (usize, usize),
        key: (u64, bool),
        batch: Batch<'_>,
    ) -> Var {
        let var = self.push_node(&op, inputs, indices, key, batch);
        put(&mut self.ops[var.node], op);
        var
    }

    /// The part of `push_op` that does not depend on the op's type: compiled once, not for every op.
    #[track_caller]
    fn push_node(
        &mut self,
        op: &dyn Op,
        inputs: &[Var],
        indices: (usize, usize),
        (key, training): (u64, bool),
        batch: Batch<'_>,
    ) -> Var {
        let start = self.inputs.len();
        self.shapes.clear();
        for &input in inputs {
            let slot = self.slot(op.name(), input);
            self.inputs.push(slot);
            self.shapes.push(slot.shape);
        }
        let shape = match op.output_shape(&self.shapes) {
            Ok(shape) => shape,
            Err(error) => panic!("{}{}: {error}", op.name(), self.at()),
        };
        let operands = Operands { slots: &self.inputs[start..] };
        let n_images = match op.images(operands, shape) {
            Images::Kept(i) => operands.slots[i].n_images,
            Images::Begun => match batch.n_images_of_leaf(shape) {
                Ok(n_images) => n_images,
                Err(error) => panic!("{}{}: {error}", op.name(), self.at()),
            },
            Images::Summed => None,
            Images::Mixed => {
                assert!(
                    !batch.is_in_parts(),
                    "{}{}: this combines several images of a batch, but only a part of the batch is in this \
                     process; keep the images on the first axis",
                    op.name(),
                    self.at()
                );
                None
            }
        };
        let needs_grad = operands.slots.iter().any(|slot| slot.needs_grad);
        let record = Record {
            is_op: true,
            inputs: (start, self.inputs.len()),
            indices,
            key,
            training,
            ..Record::default()
        };
        let storage = Storage::Node(self.slots.len());
        self.push(Slot { storage, shape, needs_grad, n_images }, record)
    }

    /// The multiply-adds of the op that was just pushed as `node`.
    pub(crate) fn multiply_adds(&self, node: usize) -> u64 {
        let op = self.ops[node].as_deref().expect("an op was just recorded");
        op.multiply_adds(&self.shapes, self.slots[node].shape)
    }

    /// Stores integers of this shape, written by `fill`, for ops of this step.
    pub(crate) fn push_indices(&mut self, shape: Shape, fill: impl FnOnce(&mut [u32])) -> Indices {
        let (start, end) = (self.indices.len(), self.indices.len() + shape.numel());
        self.indices.resize(end, 0);
        fill(&mut self.indices[start..]);
        Indices { start, end, shape, origin: self.origin }
    }

    /// Returns the slot of `var` after checking that it is from this step.
    #[track_caller]
    pub(crate) fn slot(&self, op: &str, var: Var) -> Slot {
        self.check(op, "Var", var.origin);
        self.slots[var.node]
    }

    /// The integers behind `indices`.
    #[track_caller]
    pub(crate) fn indices(&self, op: &str, indices: Indices) -> &[u32] {
        self.check(op, "list of indices", indices.origin);
        &self.indices[indices.start..indices.end]
    }

    #[track_caller]
    fn check(&self, op: &str, what: &str, origin: Origin) {
        assert!(
            origin.tape == self.origin.tape,
            "{op}{}: this {what} was recorded on another tape; record its values on this one too",
            self.at()
        );
        assert!(
            origin.generation == self.origin.generation,
            "{op}{}: this {what} belongs to an earlier step; it is valid until the next Tape::begin, so \
             record it again",
            self.at()
        );
    }

    /// Appends a layer to the path; returns the previous length.
    pub(crate) fn enter(&mut self, layer: &str) -> usize {
        let len = self.path.len();
        if len > 0 {
            self.path.push('.');
        }
        self.path.push_str(layer);
        len
    }

    /// ` at layer "path"`, for messages; empty outside any layer.
    pub(crate) fn at(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!(" at layer {:?}", self.path) }
    }
}

/// Puts an op into the previous step's box if that holds an op of the same type, so that recording does not
/// allocate.
fn put<O: Op>(place: &mut Option<Box<dyn Op>>, op: O) {
    let kept = place.as_deref_mut().and_then(|kept| (kept as &mut dyn Any).downcast_mut());
    match kept {
        Some(kept) => *kept = op,
        None => *place = Some(Box::new(op)),
    }
}
