//! The search for the op at which NaN or infinity first appears.

use crate::graph::Graph;
use crate::tape::{Storage, Var};

/// What the search has found so far, and what it must remember to name an op in backward.
#[derive(Debug, Default)]
pub(crate) struct Search {
    found: Option<String>,
    /// By node: the layer that recorded it, as [`Graph::at`] says it.
    layers: Vec<String>,
}

impl Graph<'_> {
    /// Where NaN or infinity first appeared in this step: the op, its layer's path, forward or
    /// backward, and the element. `None` while all is finite, and always `None` unless the step was
    /// begun with [`Mode::detect_anomaly`](crate::Mode::detect_anomaly).
    ///
    /// ```
    /// use autograd::{Mode, Params, Tape};
    /// let (mut tape, mut params) = (Tape::new(), Params::new());
    /// let mut g = tape.begin(&mut params, Mode::train(0, 0).detect_anomaly());
    /// let x = g.input([3], &[1.0, 0.0, 4.0]);
    /// g.scope("score", |g| g.log(x));
    /// let found = "log at layer \"score\", forward: element 1 of the output of shape [3] is -inf";
    /// assert_eq!(g.anomaly(), Some(found));
    /// ```
    pub fn anomaly(&self) -> Option<&str> {
        self.search.found.as_deref()
    }

    /// Looks at a leaf that was just recorded.
    pub(crate) fn search_leaf(&mut self, var: Var, what: &str) {
        if !self.is_searching() {
            return;
        }
        let Some((idx, value)) = first_not_finite(self.value(var)) else { return };
        let (at, shape) = (self.at(), self.shape(var));
        let name = match self.tape.slots[var.node].storage {
            Storage::Param { id, .. } => format!(" {:?}", self.params.entries()[id].name),
            Storage::Node(_) => String::new(),
        };
        self.search.found = Some(format!("{what}{name}{at}: element {idx} of shape {shape} is {value}"));
    }

    /// Looks at the output of an op that just ran forward.
    pub(crate) fn search_output(&mut self, var: Var) {
        if !self.is_searching() {
            return;
        }
        let at = self.at();
        self.search.layers.resize(var.node, String::new());
        self.search.layers.push(at);
        if let Some((idx, value)) = first_not_finite(self.value(var)) {
            let (op, shape) = (self.op_and_layer(var.node), self.shape(var));
            self.search.found =
                Some(format!("{op}, forward: element {idx} of the output of shape {shape} is {value}"));
        }
    }

    /// Looks at the gradients that an op's backward wrote.
    pub(crate) fn search_input_gradients(&mut self, node: usize) {
        if !self.is_searching() {
            return;
        }
        let (start, end) = self.tape.records[node].inputs;
        for (i, slot) in self.tape.inputs[start..end].iter().enumerate().filter(|(_, slot)| slot.needs_grad) {
            let grad = match slot.storage {
                Storage::Param { start, end, .. } => &self.params.grads()[start..end],
                Storage::Node(node) => &self.tape.grads[node],
            };
            if let Some((idx, value)) = first_not_finite(grad) {
                let (op, shape) = (self.op_and_layer(node), slot.shape);
                self.search.found = Some(format!(
                    "{op}, backward: element {idx} of the gradient of input {i} of shape {shape} is {value}"
                ));
                return;
            }
        }
    }

    fn is_searching(&self) -> bool {
        self.mode.detect_anomaly && self.search.found.is_none()
    }

    fn op_and_layer(&self, node: usize) -> String {
        let op = self.tape.ops[node].as_deref().expect("only ops are searched");
        format!("{}{}", op.name(), self.search.layers[node])
    }
}

fn first_not_finite(values: &[f32]) -> Option<(usize, f32)> {
    let idx = values.iter().position(|value| !value.is_finite())?;
    Some((idx, values[idx]))
}
