//! Running an op, and storing values.

use std::mem;

use crate::batch::Operands;
use crate::graph::Graph;
use crate::op::{Forward, Inputs};
use crate::recipe::Nodes;
use crate::recording::{Recording, Slot, Storage};

impl Graph<'_> {
    /// Runs the forward of a node's op.
    pub(crate) fn run_forward(&self, recording: &mut Recording, node: usize) {
        self.store_inputs(recording, node);
        let (slot, record) = (recording.slots[node], recording.records[node]);
        let has_recipe = recording.ops[node].as_deref().is_some_and(|op| op.recipe().is_some());
        let mut output = Vec::new();
        if !has_recipe {
            mem::swap(&mut output, &mut recording.buffers[node]);
            output.resize(slot.shape.numel(), 0.0);
        }
        let (nodes, saved) = recording.nodes_before(node);
        let op = nodes.ops[node].as_deref().expect("an op was just recorded");
        op.forward(Forward {
            output: &mut output,
            shape: slot.shape,
            inputs: self.inputs(nodes.inputs_of(node), nodes),
            shards: self.batch().shards(&slot),
            indices: &nodes.indices[record.indices.0..record.indices.1],
            saved,
            training: record.training,
            needs_grad: slot.needs_grad,
            key: record.key,
        });
        if !has_recipe {
            self.tape.values.set(node, output);
        } else if matches!(recording.inputs[record.inputs.0].storage, Storage::Param { .. }) {
            // Backward may change a running statistic.
            self.store(recording, node);
        }
    }

    /// What an op reads of these inputs.
    fn inputs<'s>(&'s self, slots: &'s [Slot], nodes: Nodes<'s>) -> Inputs<'s> {
        let (values, params) = (&self.tape.values, self.params.values());
        Inputs { slots, nodes, values, params, batch: self.batch() }
    }

    /// The values of a node. Stores those that are still a recipe.
    pub(crate) fn values_of(&self, node: usize) -> &[f32] {
        if !self.tape.values.has(node) {
            self.store(&mut self.tape.recording.borrow_mut(), node);
        }
        self.tape.values.get(node)
    }

    /// Stores the inputs of a node that are recipes, except those that its op reads as recipes. A view with
    /// other channels than the recipe's counts as a value.
    fn store_inputs(&self, recording: &mut Recording, node: usize) {
        let (start, end) = recording.records[node].inputs;
        for i in start..end {
            let Slot { storage: Storage::Node(input), shape, .. } = recording.inputs[i] else { continue };
            if self.tape.values.has(input) {
                continue;
            }
            let op = recording.ops[node].as_deref().expect("only ops have inputs");
            let operands = Operands { slots: &recording.inputs[start..end] };
            let has_its_channels = shape.last() == recording.slots[input].shape.last();
            if !(has_its_channels && op.reads_recipe(i - start, operands)) {
                self.store(recording, input);
            }
        }
    }

    /// Computes the value of a node that is a recipe.
    fn store(&self, recording: &mut Recording, node: usize) {
        let slot = recording.slots[node];
        let mut values = mem::take(&mut recording.buffers[node]);
        values.resize(slot.shape.numel(), 0.0);
        self.inputs(&[slot], recording.nodes()).pointwise(0).write(&mut values);
        self.tape.values.set(node, values);
    }
}
