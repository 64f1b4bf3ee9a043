//! Outputs that are computed where they are read, instead of being stored.
//!
//! A stored output takes memory until the step ends, and a pass over it to write and another to read. Some
//! ops compute each number from one other, at hardly more cost than that: a [`Recipe`] says how, and their
//! forward leaves the output alone. An op that [reads recipes](crate::Op::reads_recipe) computes the numbers
//! as it reads them, in forward and again in backward. For any other reader the output is computed and stored
//! before that reader runs, once, with the same bits.

use tensor::activation::Activation;
use tensor::norm::{Channels, Pointwise};

use crate::op::{Inputs, Op, Saved};
use crate::recording::{Record, Recording, Slot, Storage};

/// How each number of an op's output follows from one number of input 0, which has the same shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// y = f(x).
    Activation(Activation),
    /// y = f((x − mean) · scale + bias), channel by channel, the last axis being the channels; without an
    /// activation, f(z) = z. [`Saved::floats`] begins with the table that
    /// [`Channels::of_table`] reads.
    Normalised(Option<Activation>),
}

/// The nodes that an op can read, besides their values.
#[derive(Clone, Copy)]
pub(crate) struct Nodes<'a> {
    pub(crate) slots: &'a [Slot],
    pub(crate) records: &'a [Record],
    pub(crate) inputs: &'a [Slot],
    pub(crate) indices: &'a [u32],
    pub(crate) ops: &'a [Option<Box<dyn Op>>],
    pub(crate) saved: &'a [Saved],
}

impl<'a> Nodes<'a> {
    /// The inputs of a node.
    pub(crate) fn inputs_of(&self, node: usize) -> &'a [Slot] {
        let (start, end) = self.records[node].inputs;
        &self.inputs[start..end]
    }

    /// The recipe of a node that has no value.
    fn recipe(&self, node: usize, inputs: Inputs<'a>) -> Pointwise<'a> {
        let op = self.ops[node].as_deref();
        let x = Inputs { slots: self.inputs_of(node), ..inputs }.value(0);
        match op.and_then(Op::recipe).expect("only ops with a recipe leave their output alone") {
            Recipe::Activation(f) => Pointwise { x, channels: None, activation: Some(f) },
            Recipe::Normalised(activation) => {
                let n_channels = self.slots[node].shape.last().copied().unwrap_or(1);
                let table = &self.saved[node].floats[..Channels::TABLE_ROWS * n_channels];
                Pointwise { x, channels: Some(Channels::of_table(table)), activation }
            }
        }
    }
}

impl<'a> Inputs<'a> {
    /// The values of input `i`, row-major: stored, or as a recipe if the op
    /// [reads recipes](crate::Op::reads_recipe) there.
    pub fn pointwise(&self, i: usize) -> Pointwise<'a> {
        match self.slots[i].storage {
            Storage::Node(node) if !self.values.has(node) => self.nodes.recipe(node, *self),
            _ => self.value(i).into(),
        }
    }
}

impl Recording {
    /// All nodes.
    pub(crate) fn nodes(&self) -> Nodes<'_> {
        let Self { slots, records, inputs, indices, ops, saved, .. } = self;
        Nodes { slots, records, inputs, indices, ops, saved }
    }

    /// The nodes before `node`, and what that node saves.
    pub(crate) fn nodes_before(&mut self, node: usize) -> (Nodes<'_>, &mut Saved) {
        let Self { slots, records, inputs, indices, ops, saved, .. } = self;
        let (before, from) = saved.split_at_mut(node);
        (Nodes { slots, records, inputs, indices, ops, saved: before }, &mut from[0])
    }
}

#[cfg(test)]
mod tests {
    use crate::{Conv2dOptions, Graph, Mode, Params, Tape, Var};

    /// Whether the output of a GELU is stored once `read` has read it.
    fn is_stored(read: impl FnOnce(&Graph<'_>, Var)) -> bool {
        let (mut tape, mut params) = (Tape::new(), Params::new());
        let g = tape.begin(&mut params, Mode::train(0, 0));
        let y = g.gelu(g.input([2, 6, 6, 4], &[0.5; 288]));
        read(&g, y);
        g.tape.values.has(y.node)
    }

    #[test]
    fn only_what_needs_values_has_them_stored() {
        let weight = |g: &Graph<'_>| g.input([3, 4, 3, 3], &[0.1; 108]);
        let usual = Conv2dOptions::default();
        let strided = Conv2dOptions { stride: [2, 2], ..usual };
        assert!(!is_stored(|_, _| ()));
        assert!(!is_stored(|g, y| _ = g.conv2d(y, weight(g), None, usual)));
        assert!(!is_stored(|g, y| _ = g.conv2d(g.detach(y), weight(g), None, usual)));
        assert!(!is_stored(|g, y| _ = g.conv_pool(y, weight(g), None, usual)));
        assert!(!is_stored(|g, y| _ = g.conv_relu_pool(y, weight(g), None, usual)));
        assert!(is_stored(|g, y| _ = g.conv2d(y, weight(g), None, strided)));
        assert!(is_stored(|g, y| _ = g.sum(y)));
        assert!(is_stored(|g, y| assert_eq!(g.value(y).len(), 288)));
    }
}
