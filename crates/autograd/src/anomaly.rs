//! The search for the op at which NaN or infinity first appears.

use std::cell::{OnceCell, RefCell};

use crate::graph::Graph;
use crate::recording::Storage;
use crate::tape::Var;

/// What the search has found so far, and what it needs to name an op in backward.
#[derive(Debug, Default)]
pub(crate) struct Search {
    found: OnceCell<String>,
    /// By node: the layer that recorded it, as [`Graph::at`] formats it.
    layers: RefCell<Vec<String>>,
    /// Nodes with −∞ and no other such number, and the leaf that it comes from. A mask hides by it, so it is
    /// wrong only where it makes something else of it.
    masks: RefCell<Vec<(usize, String)>>,
}

impl Search {
    /// Takes over what a part of the step found, unless something was found already.
    pub(crate) fn take_over(&self, part: &Self) {
        if let Some(found) = part.found.get()
            && self.found.get().is_none()
        {
            self.found.set(found.clone()).expect("nothing was found before");
        }
    }
}

impl Graph<'_> {
    pub(crate) fn into_search(self) -> Search {
        self.search
    }

    /// Where NaN or infinity first appeared in this step: the op, its layer's path, forward or backward, and
    /// the element. `None` while everything is finite, and always `None` unless the step was begun with
    /// [`Mode::detect_anomaly`](crate::Mode::detect_anomaly). −∞ in a leaf, such as an attention mask, is named
    /// with the first op that makes NaN, ∞ or a gradient that is not finite of it, or with the loss if it gets
    /// there.
    ///
    /// ```
    /// use autograd::{Mode, Params, Tape};
    /// let (mut tape, mut params) = (Tape::new(), Params::new());
    /// let g = tape.begin(&mut params, Mode::train(0, 0).detect_anomaly());
    /// let x = g.input([3], &[1.0, 0.0, 4.0]);
    /// g.scope("score", |g| g.log(x));
    /// let found = "log at layer \"score\", forward: element 1 of the output of shape [3] is -inf";
    /// assert_eq!(g.anomaly(), Some(found));
    /// ```
    pub fn anomaly(&self) -> Option<&str> {
        self.search.found.get().map(String::as_str)
    }

    /// Searches a leaf that was just recorded.
    pub(crate) fn search_leaf(&self, var: Var, what: &str) {
        if !self.is_searching() {
            return;
        }
        let Some((idx, value)) = first_not_finite(self.value(var)) else { return };
        let (at, shape) = (self.at(), self.shape(var));
        let found = |name: String| format!("{what}{name}{at}: element {idx} of shape {shape} is {value}");
        match self.slot("search", var).storage {
            Storage::Param { id, .. } => self.found(found(format!(" {:?}", self.params.entries()[id].name))),
            Storage::Node(node) if is_mask(self.value(var)) => self.add_mask(node, found(String::new())),
            Storage::Node(_) => self.found(found(String::new())),
        }
    }

    /// Searches the output of an op whose forward just ran.
    pub(crate) fn search_output(&self, var: Var) {
        if !self.is_searching() {
            return;
        }
        let at = self.at();
        let mut layers = self.search.layers.borrow_mut();
        layers.resize(var.node, String::new());
        layers.push(at);
        drop(layers);
        let Some((idx, value)) = first_not_finite(self.value(var)) else { return };
        let mask = self.mask_before(var.node);
        if let Some(mask) = mask.as_ref().filter(|_| is_mask(self.value(var))) {
            return self.add_mask(var.node, mask.clone());
        }
        let (op, shape) = (self.op_and_layer(var.node), self.shape(var));
        let what = format!("{op}, forward: element {idx} of the output of shape {shape} is {value}");
        self.found(what + &after(mask));
    }

    /// Searches the loss, which backward begins with.
    pub(crate) fn search_loss(&self, loss: Var) {
        if self.is_searching()
            && let Some(mask) = self.mask_in(self.slot("search", loss).storage)
        {
            self.found(format!("the loss is {}{}", self.scalar(loss), after(Some(mask))));
        }
    }

    /// Searches the gradients that an op's backward wrote.
    pub(crate) fn search_input_gradients(&self, node: usize) {
        if !self.is_searching() {
            return;
        }
        let recording = self.tape.recording.borrow();
        let (start, end) = recording.records[node].inputs;
        for (i, slot) in recording.inputs[start..end].iter().enumerate().filter(|(_, slot)| slot.needs_grad) {
            let grad = match slot.storage {
                Storage::Param { start, end, .. } => &self.params.grads()[start..end],
                Storage::Node(node) => self.tape.grads.get(node),
            };
            if let Some((idx, value)) = first_not_finite(grad) {
                let (op, shape) = (self.op_and_layer(node), slot.shape);
                let what = format!(
                    "{op}, backward: element {idx} of the gradient of input {i} of shape {shape} is {value}"
                );
                return self.found(what + &after(self.mask_before(node)));
            }
        }
    }

    /// Notes that a node has −∞, from the leaf that `leaf` describes.
    pub(crate) fn add_mask(&self, node: usize, leaf: String) {
        self.search.masks.borrow_mut().push((node, leaf));
    }

    /// The leaf that the −∞ in these values comes from, if they are known to have any.
    pub(crate) fn mask_in(&self, storage: Storage) -> Option<String> {
        let Storage::Node(node) = storage else { return None };
        let masks = self.search.masks.borrow();
        masks.iter().find(|(masked, _)| *masked == node).map(|(_, leaf)| leaf.clone())
    }

    /// The leaf that the −∞ in the first of an op's inputs with any comes from.
    fn mask_before(&self, node: usize) -> Option<String> {
        let recording = self.tape.recording.borrow();
        let (start, end) = recording.records[node].inputs;
        recording.inputs[start..end].iter().find_map(|slot| self.mask_in(slot.storage))
    }

    fn is_searching(&self) -> bool {
        self.mode().detect_anomaly && self.search.found.get().is_none()
    }

    fn found(&self, what: String) {
        self.search.found.set(what).expect("the search ends with the first");
    }

    fn op_and_layer(&self, node: usize) -> String {
        let recording = self.tape.recording.borrow();
        let op = recording.ops[node].as_deref().expect("only ops are searched");
        format!("{}{}", op.name(), self.search.layers.borrow()[node])
    }
}

/// Whether all numbers are finite or −∞.
fn is_mask(values: &[f32]) -> bool {
    values.iter().all(|value| value.is_finite() || *value == f32::NEG_INFINITY)
}

/// The end of a report on what an op made of −∞.
fn after(mask: Option<String>) -> String {
    mask.map_or_else(String::new, |leaf| format!("; before it, {leaf}"))
}

fn first_not_finite(values: &[f32]) -> Option<(usize, f32)> {
    let idx = values.iter().position(|value| !value.is_finite())?;
    Some((idx, values[idx]))
}
