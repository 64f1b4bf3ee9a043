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
    /// [`Mode::detect_anomaly`](crate::Mode::detect_anomaly).
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
        let name = match self.slot("search", var).storage {
            Storage::Param { id, .. } => format!(" {:?}", self.params.entries()[id].name),
            Storage::Node(_) => String::new(),
        };
        self.found(format!("{what}{name}{at}: element {idx} of shape {shape} is {value}"));
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
        if let Some((idx, value)) = first_not_finite(self.value(var)) {
            let (op, shape) = (self.op_and_layer(var.node), self.shape(var));
            self.found(format!("{op}, forward: element {idx} of the output of shape {shape} is {value}"));
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
                return self.found(format!(
                    "{op}, backward: element {idx} of the gradient of input {i} of shape {shape} is {value}"
                ));
            }
        }
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

fn first_not_finite(values: &[f32]) -> Option<(usize, f32)> {
    let idx = values.iter().position(|value| !value.is_finite())?;
    Some((idx, values[idx]))
}
