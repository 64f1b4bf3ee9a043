//! The tape: the nodes of a step and their buffers, kept from step to step.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tensor::Shape;
use tensor::parallel::Exchange;

use crate::gradients::Gradients;
use crate::graph::{Borrowed, Graph};
use crate::mode::Mode;
use crate::overlap::Overlapping;
use crate::params::Params;
use crate::part::Parts;
use crate::recording::{Origin, Recording};
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
    pub(crate) overlapping: Overlapping,
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

impl Default for Tape {
    fn default() -> Self {
        Self::new()
    }
}

impl Tape {
    /// Creates an empty tape.
    pub fn new() -> Self {
        Self {
            values: Values::default(),
            recording: RefCell::new(Recording::new()),
            draws: RefCell::default(),
            exchange: None,
            parts: RefCell::default(),
            evaluated: Arc::default(),
            grads: Gradients::default(),
            param_written: Vec::new(),
            overlapping: Overlapping::default(),
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
        let Mode { seed, step, .. } = Mode::eval();
        self.evaluate_at(params, seed, step)
    }

    /// Starts a step like [`evaluate`](Self::evaluate) with the random numbers of this seed and step, for a
    /// network that samples. `evaluate` itself draws those of seed 0 and step 0 each time.
    ///
    /// ```
    /// use autograd::{Params, Tape};
    /// let (mut tape, params) = (Tape::new(), Params::new());
    /// let mut noise = |step| {
    ///     let g = tape.evaluate_at(&params, 1, step);
    ///     g.value(g.randn([3])).to_vec()
    /// };
    /// assert_ne!(noise(0), noise(1));
    /// assert_eq!(noise(1), noise(1));
    /// ```
    pub fn evaluate_at<'a>(&'a mut self, params: &'a Params, seed: u64, step: u64) -> Graph<'a> {
        self.forget();
        Graph::new(self, Borrowed::Shared(params), Mode { seed, step, ..Mode::eval() })
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
        self.recording.get_mut().begin();
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
