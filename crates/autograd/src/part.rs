//! Parts of a step whose values are recomputed in backward: less memory for more time.
//!
//! A part is recorded on its own tape, which keeps what was recorded (the ops with their options, shapes,
//! indices and random keys) but not what was computed: all parts of a step use the same buffers in turn.
//! Backward runs the ops of a part again in order, which gives the same bits, and then its reverse loop.

use std::mem;

use crate::Op;
use crate::anomaly::Search;
use crate::graph::{Borrowed, Graph};
use crate::op::{Commit, Grads, Saved};
use crate::params::Params;
use crate::recording::{Record, Slot, Storage};
use crate::tape::{Tape, Var};

/// The parts of a step, in the order they are recorded, and the memory that they share.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// Those of the previous step are reused. The one that is running is not in the list.
    list: Vec<Option<Box<Part>>>,
    n_used: usize,
    memory: Memory,
}

/// The buffers of a part, by node.
#[derive(Debug, Default)]
struct Memory {
    buffers: Vec<Vec<f32>>,
    saved: Vec<Saved>,
}

/// A part of a step without its values.
#[derive(Debug, Default)]
struct Part {
    tape: Tape,
    /// The inputs, as `Var`s of the part.
    vars: Vec<Var>,
    /// The outer nodes that it reads, and the leaves that stand for them.
    leaves: Vec<(usize, usize)>,
    output: Option<Var>,
    /// Its own leaves and their values, which cannot be recomputed.
    own_leaves: Vec<(usize, Vec<f32>)>,
    n_own_leaves: usize,
    /// The running statistics that its ops staged, one op after another.
    staged: Vec<Saved>,
    search: Search,
}

impl Parts {
    /// Discards the previous step.
    pub(crate) fn begin(&mut self) {
        self.n_used = 0;
    }

    /// Takes out a part together with the memory to run it in.
    fn lend(&mut self, idx: usize) -> Box<Part> {
        let mut part = self.list[idx].take().unwrap_or_default();
        self.memory.exchange_with(&mut part.tape);
        part.tape.recording.get_mut().make_room();
        part
    }

    /// Puts a part back; its values are lost.
    fn take_back(&mut self, idx: usize, mut part: Box<Part>) {
        part.tape.reclaim_values();
        self.memory.exchange_with(&mut part.tape);
        self.list[idx] = Some(part);
    }
}

impl Memory {
    fn exchange_with(&mut self, tape: &mut Tape) {
        let recording = tape.recording.get_mut();
        mem::swap(&mut self.buffers, &mut recording.buffers);
        mem::swap(&mut self.saved, &mut recording.saved);
    }
}

impl Graph<'_> {
    /// Records a part of the step whose values are not kept: [`backward`](Self::backward) recomputes them.
    /// Only the part's inputs and its output stay in memory. The results are the same bit for bit, including
    /// dropout's random draws, and running statistics are updated once. Chen et al., "Training Deep Nets with
    /// Sublinear Memory Cost", 2016; `torch.utils.checkpoint`.
    ///
    /// `part` is called with a graph of its own and with `Var`s for the inputs. It must not use any other
    /// [`Var`] of this graph, and must get parameters from the graph it is given. Its own values are invalid
    /// once it returns.
    ///
    /// ```
    /// use autograd::{Mode, Params, Role, Tape};
    /// let (mut tape, mut params) = (Tape::new(), Params::new());
    /// let w = params.add("w", [2], Role::Trainable);
    /// params.value_mut(w).copy_from_slice(&[0.5, -1.0]);
    /// tape.step(&mut params, Mode::train(0, 0), |g| {
    ///     let x = g.input([2], &[3.0, 4.0]);
    ///     let y = g.recompute(&[x], |g, v| g.exp(g.mul(v[0], g.param(w))));
    ///     g.sum(y)
    /// });
    /// assert_eq!(params.grad(w), [3.0 * 1.5f32.exp(), 4.0 * (-4.0f32).exp()]);
    /// ```
    ///
    /// # Panics
    /// When `part` uses or returns a `Var` of another graph than its own.
    #[track_caller]
    pub fn recompute(&self, inputs: &[Var], part: impl FnOnce(&Graph<'_>, &[Var]) -> Var) -> Var {
        let (idx, mut lent) = {
            let mut parts = self.tape.parts.borrow_mut();
            let idx = parts.n_used;
            parts.n_used += 1;
            if idx == parts.list.len() {
                parts.list.push(None);
            }
            (idx, parts.lend(idx))
        };
        let Part { tape, vars, leaves, .. } = &mut *lent;
        tape.begin_part(self.tape);
        let g = Graph::part(tape, Borrowed::Shared(self.params()), self);
        self.exchange_draws(&g);
        vars.clear();
        leaves.clear();
        for &input in inputs {
            vars.push(self.input_of_part(&g, input, leaves));
        }
        let y = part(&g, vars);
        let slot = g.slot("recompute", y);
        let var = self.push_part(idx, slot, g.value(y));
        if let Some(leaf) = g.mask_in(slot.storage) {
            self.add_mask(var.node, leaf);
        }
        self.continue_after(&g);
        let search = g.into_search();
        (lent.search, lent.output) = (search, Some(y));
        lent.keep();
        self.tape.parts.borrow_mut().take_back(idx, lent);
        var
    }

    /// Returns the leaf of a part that stands for a value outside it. Each storage has one leaf, so that
    /// gradients are added in the same order as without the part.
    fn input_of_part(&self, part: &Graph<'_>, input: Var, leaves: &mut Vec<(usize, usize)>) -> Var {
        let slot = self.slot("recompute", input);
        let Storage::Node(outside) = slot.storage else { return part.view(slot) };
        if let Some(&(_, leaf)) = leaves.iter().find(|(node, _)| *node == outside) {
            return part.view(Slot { storage: Storage::Node(leaf), ..slot });
        }
        let leaf = part.tape.recording.borrow().slots.len();
        leaves.push((outside, leaf));
        let var = part.view(Slot { storage: Storage::Node(leaf), ..slot });
        part.set_leaf(leaf, self.values_of(outside));
        if let Some(mask) = self.mask_in(slot.storage) {
            part.add_mask(leaf, mask);
        }
        var
    }

    /// Writes the values of a leaf of a part.
    fn set_leaf(&self, leaf: usize, values: &[f32]) {
        let mut buffer = mem::take(&mut self.tape.recording.borrow_mut().buffers[leaf]);
        buffer.clear();
        buffer.extend_from_slice(values);
        self.tape.values.set(leaf, buffer);
    }

    /// Appends the node that holds a part's output.
    fn push_part(&self, idx: usize, output: Slot, values: &[f32]) -> Var {
        let mut recording = self.tape.recording.borrow_mut();
        let storage = Storage::Node(recording.slots.len());
        let record = Record { is_op: true, part: Some(idx), ..Record::default() };
        let var = recording.push(Slot { storage, ..output }, record);
        recording.ops[var.node] = None;
        drop(recording);
        self.set_leaf(var.node, values);
        var
    }

    /// Runs the ops of a part again, with its leaves set to the values outside.
    fn replay(&self, outside: &Tape, leaves: &[(usize, usize)], own_leaves: &[(usize, Vec<f32>)]) {
        for &(node, leaf) in leaves {
            self.set_leaf(leaf, outside.values.get(node));
        }
        for (leaf, values) in own_leaves {
            self.set_leaf(*leaf, values);
        }
        let n_nodes = self.tape.recording.borrow().slots.len();
        for node in 0..n_nodes {
            let record = self.tape.recording.borrow().records[node];
            match record.part {
                Some(idx) => self.replay_within(node, idx),
                None if record.is_op => self.run_forward(&mut self.tape.recording.borrow_mut(), node),
                None => {}
            }
        }
    }

    /// Recomputes the output of a part within a part.
    fn replay_within(&self, node: usize, idx: usize) {
        let mut lent = self.tape.parts.borrow_mut().lend(idx);
        let Part { tape, leaves, own_leaves, n_own_leaves, output, .. } = &mut *lent;
        leaves.iter().for_each(|&(outside, _)| _ = self.values_of(outside));
        let g = Graph::part(tape, Borrowed::Shared(self.params()), self);
        g.replay(self.tape, leaves, &own_leaves[..*n_own_leaves]);
        self.set_leaf(node, g.value(output.expect("a part was recorded")));
        drop(g);
        self.tape.parts.borrow_mut().take_back(idx, lent);
    }

    /// Runs backward of a part: its forward again, then its reverse loop. The gradients of its inputs are
    /// lent to it, so that it adds to them as if its ops were recorded outside.
    pub(crate) fn backward_of_part(&mut self, dy: &[f32], idx: usize) {
        let mut lent = self.tape.parts.get_mut().lend(idx);
        let mode = self.mode();
        let Part { tape, leaves, own_leaves, n_own_leaves, output, search, .. } = &mut *lent;
        let output = output.expect("a part was recorded");
        mem::swap(&mut tape.param_written, &mut self.tape.param_written);
        mem::swap(&mut tape.overlapping, &mut self.tape.overlapping);
        tape.grads.exchange_free(&mut self.tape.grads);
        let mut g = Graph::new(tape, Borrowed::Mutable(self.params.get_mut()), mode);
        g.search = mem::take(search);
        g.replay(self.tape, leaves, &own_leaves[..*n_own_leaves]);
        g.prepare_gradients();
        lend_gradients(self.tape, g.tape, leaves);
        g.add_gradient(output, dy);
        g.reverse(output.node);
        lend_gradients(self.tape, g.tape, leaves);
        mem::swap(&mut g.tape.param_written, &mut self.tape.param_written);
        mem::swap(&mut g.tape.overlapping, &mut self.tape.overlapping);
        g.tape.grads.exchange_free(&mut self.tape.grads);
        *search = g.into_search();
        self.search.take_over(search);
        self.tape.parts.get_mut().take_back(idx, lent);
    }

    /// Writes or adds `dy` to the gradient of a value.
    pub(crate) fn add_gradient(&mut self, var: Var, dy: &[f32]) {
        let slot = self.slot("recompute", var);
        let tape = &mut *self.tape;
        let params = self.params.get_mut().parts_mut();
        let mut grads = Grads {
            slots: &[slot],
            node_grads: &mut tape.grads,
            param_grads: params.grads,
            param_touched: params.touched,
            param_written: &mut tape.param_written,
            overlapping: &mut tape.overlapping,
            exchange: tape.exchange.as_deref(),
        };
        if let Some(grad) = grads.get(0) {
            grad.write(|i| dy[i]);
        }
    }
}

/// Swaps the gradients of leaves with those of the outer nodes they stand for.
fn lend_gradients(outside: &mut Tape, part: &mut Tape, leaves: &[(usize, usize)]) {
    for &(node, leaf) in leaves {
        outside.grads.exchange(node, &mut part.grads, leaf);
    }
}

impl Part {
    /// Keeps the values of the part's own leaves, which backward cannot recompute, and its staged statistics,
    /// which backward does not change.
    fn keep(&mut self) {
        let recording = self.tape.recording.get_mut();
        self.n_own_leaves = 0;
        let mut n_staged = 0;
        for node in 0..recording.slots.len() {
            let is_own = matches!(recording.slots[node].storage, Storage::Node(own) if own == node);
            if recording.has_statistics(node) {
                let staged = place(&mut self.staged, &mut n_staged);
                mem::swap(staged, &mut recording.saved[node]);
            } else if is_own
                && !recording.records[node].is_op
                && self.leaves.iter().all(|leaf| leaf.1 != node)
            {
                let (leaf, values) = place(&mut self.own_leaves, &mut self.n_own_leaves);
                *leaf = node;
                values.clear();
                values.extend_from_slice(self.tape.values.get(node));
            }
        }
    }
}

/// Returns the next place in a list that is kept from step to step.
fn place<'l, T: Default>(list: &'l mut Vec<T>, n: &mut usize) -> &'l mut T {
    if *n == list.len() {
        list.push(T::default());
    }
    *n += 1;
    &mut list[*n - 1]
}

impl Tape {
    /// Moves all staged statistics into the parameters, in the order they were recorded.
    pub(crate) fn commit(&mut self, params: &mut Params) {
        self.commit_staged(params, None);
    }

    fn commit_staged(&mut self, params: &mut Params, mut staged: Option<std::slice::Iter<'_, Saved>>) {
        let recording = self.recording.get_mut();
        for (node, record) in recording.records.iter().enumerate() {
            if let Some(idx) = record.part {
                let part = self.parts.get_mut().list[idx].as_deref_mut().expect("no part is running");
                part.tape.commit_staged(params, Some(part.staged.iter()));
            } else if recording.has_statistics(node) {
                let op: &dyn Op = recording.ops[node].as_deref().expect("an op was recorded");
                let saved = match &mut staged {
                    Some(staged) => staged.next().expect("every op with statistics has staged them"),
                    None => &recording.saved[node],
                };
                let slots = &recording.inputs[record.inputs.0..record.inputs.1];
                op.commit(Commit { saved, op: op.name(), slots, params: params.values_mut() });
            }
        }
    }
}
