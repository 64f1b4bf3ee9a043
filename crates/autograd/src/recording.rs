//! The nodes of a step: what is known of each besides its values, in the order they were created.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};

use tensor::Shape;

use crate::batch::{Batch, Images, Operands};
use crate::op::{Op, Saved};
use crate::tape::{Indices, Var};

/// The tape and step in which something was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    tape: u64,
    generation: u64,
}

/// Where a node's value and gradient are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Storage {
    /// In the flat vectors of [`Params`](crate::Params).
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

impl Recording {
    /// The recording of a new tape.
    pub(crate) fn new() -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Self {
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
        }
    }

    /// Discards the nodes of the previous step but keeps their memory.
    pub(crate) fn begin(&mut self) {
        self.origin.generation += 1;
        self.slots.clear();
        self.records.clear();
        self.inputs.clear();
        self.indices.clear();
        self.path.clear();
    }

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
                     process; keep the images on the first axis and work along the others; only sums, means \
                     and losses may go over all images",
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
