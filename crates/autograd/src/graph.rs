//! One step: recording ops on a tape, and the reverse pass over them.

use tensor::Shape;

use crate::op::{Backward, Commit, Forward, Grads, Inputs, Op};
use crate::params::{ParamId, Params, Role};
use crate::tape::{Indices, Mode, Record, Slot, Storage, Tape, Var};

/// A step that is being recorded. It borrows tape and parameters until it is dropped.
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
/// let y = g.mul(x, x);
/// let loss = g.sum(y);
/// g.backward(loss);
/// assert_eq!(g.scalar(loss), 25.0);
/// drop(g);
/// assert_eq!(params.grad(w), &[6.0, 8.0]);
/// ```
pub struct Graph<'a> {
    tape: &'a mut Tape,
    params: &'a mut Params,
    mode: Mode,
    /// Hash of the path, and how many random ops ran under it so far.
    stream: u64,
    n_draws: u64,
    backward_done: bool,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(tape: &'a mut Tape, params: &'a mut Params, mode: Mode) -> Self {
        Self { tape, params, mode, stream: mix(mode.seed), n_draws: 0, backward_done: false }
    }

    /// The mode of this step.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The parameters, to be read.
    pub fn params(&self) -> &Params {
        self.params
    }

    /// A leaf that gets no gradient: a batch of images, say.
    #[track_caller]
    pub fn input(&mut self, shape: impl Into<Shape>, values: &[f32]) -> Var {
        self.leaf(shape.into(), values, false)
    }

    /// A leaf that gets a gradient, to be read with [`grad`](Self::grad) after backward.
    #[track_caller]
    pub fn variable(&mut self, shape: impl Into<Shape>, values: &[f32]) -> Var {
        self.leaf(shape.into(), values, self.mode.grad)
    }

    #[track_caller]
    fn leaf(&mut self, shape: Shape, values: &[f32], needs_grad: bool) -> Var {
        assert!(
            values.len() == shape.numel(),
            "Graph::input: {} values do not fill the shape {shape} of {} elements",
            values.len(),
            shape.numel()
        );
        let storage = Storage::Node(self.tape.slots.len());
        let var = self.tape.push(Slot { storage, shape, needs_grad }, Record::default());
        let buffer = &mut self.tape.values[var.node];
        buffer.clear();
        buffer.extend_from_slice(values);
        var
    }

    /// An entry of the parameters. Using one entry several times shares it: its gradient is the sum.
    #[track_caller]
    pub fn param(&mut self, id: ParamId) -> Var {
        let entry = self.params.entry(id);
        let needs_grad = self.mode.grad && entry.role == Role::Trainable;
        let storage = Storage::Param { id: id.0, start: entry.range.start, end: entry.range.end };
        let slot = Slot { storage, shape: entry.shape, needs_grad };
        self.tape.push(slot, Record::default())
    }

    /// Integers for [`apply_indexed`](Self::apply_indexed): class labels, row numbers.
    pub fn indices(&mut self, values: &[u32]) -> Indices {
        let start = self.tape.indices.len();
        self.tape.indices.extend_from_slice(values);
        let (tape, generation) = (self.tape.id, self.tape.generation);
        Indices { start, end: self.tape.indices.len(), tape, generation }
    }

    /// The same elements under another shape; nothing is copied.
    ///
    /// # Panics
    /// When the number of elements differs.
    #[track_caller]
    pub fn reshape(&mut self, x: Var, shape: impl Into<Shape>) -> Var {
        let (slot, shape) = (self.tape.slot("reshape", x), shape.into());
        assert!(
            slot.shape.numel() == shape.numel(),
            "reshape{}: {} has {} elements, {shape} has {}; the counts must agree",
            self.at(),
            slot.shape,
            slot.shape.numel(),
            shape.numel()
        );
        self.tape.push(Slot { shape, ..slot }, Record::default())
    }

    /// The same value, through which no gradient flows; nothing is copied.
    #[track_caller]
    pub fn detach(&mut self, x: Var) -> Var {
        let slot = self.tape.slot("detach", x);
        self.tape.push(Slot { needs_grad: false, ..slot }, Record::default())
    }

    /// Runs `layer` under a longer path: errors name it, and its random numbers are its own.
    pub fn scope<R>(&mut self, name: &str, layer: impl FnOnce(&mut Self) -> R) -> R {
        let (len, stream, n_draws) = (self.tape.path.len(), self.stream, self.n_draws);
        if len > 0 {
            self.tape.path.push('.');
        }
        self.tape.path.push_str(name);
        self.stream = name.bytes().fold(mix(stream), |hash, byte| mix(hash ^ u64::from(byte)));
        self.n_draws = 0;
        let result = layer(self);
        self.tape.path.truncate(len);
        (self.stream, self.n_draws) = (stream, n_draws);
        result
    }

    /// Records and runs an op.
    ///
    /// # Panics
    /// When the op refuses the shapes of its inputs, or a `Var` is not of this step.
    #[track_caller]
    pub fn apply<O: Op + PartialEq>(&mut self, op: O, inputs: &[Var]) -> Var {
        self.record(op, inputs, (0, 0))
    }

    /// Records and runs an op that also reads integers.
    ///
    /// # Panics
    /// As [`apply`](Self::apply).
    #[track_caller]
    pub fn apply_indexed<O: Op + PartialEq>(&mut self, op: O, inputs: &[Var], indices: Indices) -> Var {
        self.tape.check(op.name(), indices.tape, indices.generation);
        self.record(op, inputs, (indices.start, indices.end))
    }

    #[track_caller]
    fn record<O: Op + PartialEq>(&mut self, op: O, inputs: &[Var], indices: (usize, usize)) -> Var {
        let start = self.tape.inputs.len();
        for &input in inputs {
            let slot = self.tape.slot(op.name(), input);
            self.tape.inputs.push(slot);
        }
        let slots = &self.tape.inputs[start..];
        let mut shapes = [Shape::scalar(); 16];
        assert!(inputs.len() <= shapes.len(), "{}: more than {} inputs", op.name(), shapes.len());
        shapes.iter_mut().zip(slots).for_each(|(shape, slot)| *shape = slot.shape);
        let shape = match op.output_shape(&shapes[..inputs.len()]) {
            Ok(shape) => shape,
            Err(error) => panic!("{}{}: {error}", op.name(), self.at()),
        };
        let needs_grad = slots.iter().any(|slot| slot.needs_grad);
        let key = if op.is_random() { self.draw() } else { 0 };
        let record = Record { is_op: true, inputs: (start, self.tape.inputs.len()), indices, key };
        let storage = Storage::Node(self.tape.slots.len());
        let var = self.tape.push(Slot { storage, shape, needs_grad }, record);
        keep_if_equal(&mut self.tape.ops[var.node], op);
        self.run_forward(var.node);
        var
    }

    fn run_forward(&mut self, node: usize) {
        let tape = &mut *self.tape;
        let (before, rest) = tape.values.split_at_mut(node);
        let (slot, record) = (tape.slots[node], tape.records[node]);
        let output = &mut rest[0];
        output.resize(slot.shape.numel(), 0.0);
        let op = tape.ops[node].as_deref().expect("an op was just recorded");
        op.forward(Forward {
            output,
            shape: slot.shape,
            inputs: Inputs {
                slots: &tape.inputs[record.inputs.0..record.inputs.1],
                values: before,
                params: self.params.values(),
            },
            indices: &tape.indices[record.indices.0..record.indices.1],
            saved: &mut tape.saved[node],
            training: self.mode.training,
            needs_grad: slot.needs_grad,
            key: record.key,
        });
    }

    /// A key for the next random op under this path.
    fn draw(&mut self) -> u64 {
        self.n_draws += 1;
        mix(mix(self.stream ^ mix(self.mode.step)) ^ self.n_draws)
    }

    /// ` at layer "path"`, for messages.
    fn at(&self) -> String {
        if self.tape.path.is_empty() { String::new() } else { format!(" at layer {:?}", self.tape.path) }
    }

    /// Computes the gradient of the scalar `loss` with respect to everything that needs one.
    ///
    /// Gradients of parameters land in [`Params`] (those that the loss does not reach become 0),
    /// those of variables are read with [`grad`](Self::grad). Running statistics that forward
    /// staged are committed.
    ///
    /// # Panics
    /// When `loss` has more than one element or depends on nothing that needs a gradient, when the
    /// step was begun without gradients, or backward was already run.
    #[track_caller]
    pub fn backward(&mut self, loss: Var) {
        let slot = self.tape.slot("backward", loss);
        assert!(
            self.mode.grad,
            "backward: this step was begun without gradients; use Mode::train or Mode::with_grad(true)"
        );
        assert!(!self.backward_done, "backward: already run on this step; begin a new one with Tape::begin");
        assert!(
            slot.shape.numel() == 1,
            "backward: the loss has shape {}, expected one element; reduce it with Graph::sum or Graph::mean",
            slot.shape
        );
        assert!(
            slot.needs_grad,
            "backward: the loss depends on no parameter or variable that needs a gradient"
        );
        self.backward_done = true;
        self.seed(loss, slot);
        for node in (0..=loss.node).rev() {
            if self.tape.records[node].is_op && self.tape.node_written[node] {
                self.run_backward(node);
            }
        }
        self.zero_unwritten();
        if self.mode.training {
            self.commit();
        }
    }

    /// Forgets what was written, and sets the gradient of the loss to 1.
    fn seed(&mut self, loss: Var, slot: Slot) {
        let tape = &mut *self.tape;
        tape.node_written.clear();
        tape.node_written.resize(tape.slots.len(), false);
        tape.param_written.clear();
        tape.param_written.resize(self.params.entries().len(), self.mode.accumulate);
        let (_, param_grads, _) = self.params.parts_mut();
        let mut grads = Grads {
            slots: &[slot],
            node_grads: &mut tape.grads[..=loss.node],
            node_written: &mut tape.node_written,
            param_grads,
            param_written: &mut tape.param_written,
        };
        if let Some(grad) = grads.get(0) {
            grad.write(|_| 1.0);
        }
    }

    fn run_backward(&mut self, node: usize) {
        let tape = &mut *self.tape;
        let (param_values, param_grads, _) = self.params.parts_mut();
        let (before, rest) = tape.grads.split_at_mut(node);
        let (slot, record) = (tape.slots[node], tape.records[node]);
        let slots = &tape.inputs[record.inputs.0..record.inputs.1];
        let op = tape.ops[node].as_deref().expect("backward only visits ops");
        op.backward(Backward {
            dy: &rest[0],
            output: &tape.values[node],
            shape: slot.shape,
            inputs: Inputs { slots, values: &tape.values, params: param_values },
            indices: &tape.indices[record.indices.0..record.indices.1],
            saved: &mut tape.saved[node],
            training: self.mode.training,
            key: record.key,
            grads: Grads {
                slots,
                node_grads: before,
                node_written: &mut tape.node_written,
                param_grads,
                param_written: &mut tape.param_written,
            },
        });
    }

    /// Zeroes the gradient of every trainable entry that this step did not reach.
    fn zero_unwritten(&mut self) {
        let (_, grads, entries) = self.params.parts_mut();
        for (entry, written) in entries.iter().zip(&self.tape.param_written) {
            if entry.role == Role::Trainable && !written {
                grads[entry.range.clone()].fill(0.0);
            }
        }
    }

    fn commit(&mut self) {
        let tape = &*self.tape;
        for (node, record) in tape.records.iter().enumerate() {
            let Some(op) = tape.ops[node].as_deref().filter(|op| record.is_op && op.has_statistics()) else {
                continue;
            };
            let (params, _, _) = self.params.parts_mut();
            let slots = &tape.inputs[record.inputs.0..record.inputs.1];
            op.commit(Commit { saved: &tape.saved[node], slots, params });
        }
    }

    /// The shape of a value.
    #[track_caller]
    pub fn shape(&self, var: Var) -> Shape {
        self.tape.slot("shape", var).shape
    }

    /// The elements of a value, row-major.
    #[track_caller]
    pub fn value(&self, var: Var) -> &[f32] {
        match self.tape.slot("value", var).storage {
            Storage::Param { start, end, .. } => &self.params.values()[start..end],
            Storage::Node(node) => &self.tape.values[node],
        }
    }

    /// The single element of a value.
    ///
    /// # Panics
    /// When there is not exactly one.
    #[track_caller]
    pub fn scalar(&self, var: Var) -> f32 {
        let value = self.value(var);
        assert!(value.len() == 1, "scalar: the shape {} has {} elements", self.shape(var), value.len());
        value[0]
    }

    /// The gradient of a value, after backward; `None` where the loss does not depend on it or
    /// nobody asked for it.
    #[track_caller]
    pub fn grad(&self, var: Var) -> Option<&[f32]> {
        let slot = self.tape.slot("grad", var);
        assert!(self.backward_done, "grad: run backward first");
        match slot.storage {
            _ if !slot.needs_grad => None,
            Storage::Param { start, end, .. } => Some(&self.params.grads()[start..end]),
            Storage::Node(node) => {
                self.tape.node_written.get(node).is_some_and(|&w| w).then(|| self.tape.grads[node].as_slice())
            }
        }
    }
}

/// Keeps the boxed op of the step before when it is equal, so that recording does not allocate.
fn keep_if_equal<O: Op + PartialEq>(kept: &mut Option<Box<dyn Op>>, op: O) {
    let equal = kept.as_deref().is_some_and(|old| {
        let old: &dyn std::any::Any = old;
        old.downcast_ref::<O>() == Some(&op)
    });
    if !equal {
        *kept = Some(Box::new(op));
    }
}

/// The finalizer of splitmix64: a bijection that scatters neighbouring keys.
fn mix(key: u64) -> u64 {
    let mut z = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
