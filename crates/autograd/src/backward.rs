//! The reverse pass: one loop over the tape, from the loss back to its first op.

use crate::batch::Batch;
use crate::graph::Graph;
use crate::op::{Backward, Grads, Inputs};
use crate::params::PartsMut;
use crate::tape::Var;

impl Graph<'_> {
    /// Computes the gradient of the scalar `loss` with respect to everything that needs one.
    ///
    /// Gradients of parameters are written to [`Params`](crate::Params), as 0 for parameters that the loss
    /// does not depend on. Gradients of variables, and of values marked with
    /// [`retain_grad`](Self::retain_grad), are read with [`grad`](Self::grad). Running statistics that
    /// forward staged are committed.
    ///
    /// # Panics
    /// When `loss` does not have exactly one element or depends on nothing that needs a gradient, when the
    /// step was begun without gradients, when backward has already run, or when a training step has no layer
    /// with a path given to [`Tape::eval_under`](crate::Tape::eval_under).
    #[track_caller]
    pub fn backward(&mut self, loss: Var) {
        let slot = self.tape.recording.get_mut().slot("backward", loss);
        assert!(
            self.mode().grad,
            "backward: this step was started without gradients; use Mode::train or Mode::with_grad(true)"
        );
        assert!(!self.backward_done, "backward: already run on this step; start a new one with Tape::begin");
        assert!(
            slot.shape.numel() == 1,
            "backward: the loss has shape {}, expected one element; reduce it with Graph::sum or Graph::mean",
            slot.shape
        );
        assert!(
            slot.needs_grad,
            "backward: the loss depends on no parameter or variable that needs a gradient; \
             use Graph::param or Graph::variable for values to be learned"
        );
        self.backward_done = true;
        self.search_loss(loss);
        if self.mode().training
            && let Some(path) = self.tape.not_run()
        {
            panic!(
                "backward: Tape::eval_under({path:?}) was called, but no layer of this step has that path"
            );
        }
        self.prepare_gradients();
        let (accumulate, n_entries) = (self.mode().accumulate, self.params.entries().len());
        self.tape.param_written.clear();
        self.tape.param_written.resize(n_entries, accumulate);
        self.tape.overlapping.begin(self.tape.exchange.as_deref());
        self.add_gradient(loss, &[1.0]);
        self.reverse(loss.node);
        self.tape.overlapping.finish(self.params.get_mut().parts_mut().grads, self.tape.exchange.as_deref());
        self.zero_unwritten();
        self.tape.commit(self.params.get_mut());
    }

    /// Discards the gradients of the previous step's nodes.
    pub(crate) fn prepare_gradients(&mut self) {
        let tape = &mut *self.tape;
        tape.grads.begin(tape.recording.get_mut().slots.len());
    }

    /// Runs the reverse loop, from this node to the first.
    pub(crate) fn reverse(&mut self, last: usize) {
        for node in (0..=last).rev() {
            let record = self.tape.recording.get_mut().records[node];
            if !record.is_op || !self.tape.grads.is_written(node) {
                continue;
            }
            let dy = self.tape.grads.take(node);
            match record.part {
                Some(idx) => self.backward_of_part(&dy, idx),
                None => {
                    self.run_backward(node, &dy);
                    self.search_input_gradients(node);
                }
            }
            if record.retains_grad {
                self.tape.grads.keep(node, dy);
            } else {
                self.tape.grads.release(dy);
            }
        }
    }

    fn run_backward(&mut self, node: usize, dy: &[f32]) {
        let mode = self.mode();
        let tape = &mut *self.tape;
        let recording = tape.recording.get_mut();
        let params = self.params.get_mut().parts_mut();
        let (slot, record) = (recording.slots[node], recording.records[node]);
        let (nodes, saved) = recording.nodes_before(node);
        let slots = nodes.inputs_of(node);
        let op = nodes.ops[node].as_deref().expect("backward only visits ops");
        let batch = Batch::new(mode, tape.exchange.as_deref());
        op.backward(Backward {
            dy,
            output: tape.values.get(node),
            shape: slot.shape,
            inputs: Inputs { slots, nodes, values: &tape.values, params: params.values, batch },
            shards: batch.shards(&slot),
            has_images: slot.n_images.is_some(),
            indices: &nodes.indices[record.indices.0..record.indices.1],
            saved,
            training: record.training,
            key: record.key,
            grads: Grads {
                slots,
                node_grads: &mut tape.grads,
                param_grads: params.grads,
                param_touched: params.touched,
                param_written: &mut tape.param_written,
                overlapping: &mut tape.overlapping,
                // The search reads each gradient as soon as its op has run.
                exchange: tape.exchange.as_deref().filter(|_| !mode.detect_anomaly),
            },
        });
    }

    /// Zeroes the gradient of every trainable entry that this step did not reach.
    fn zero_unwritten(&mut self) {
        let PartsMut { grads, touched, entries, .. } = self.params.get_mut().parts_mut();
        for ((entry, touched), written) in entries.iter().zip(touched).zip(&self.tape.param_written) {
            if entry.is_trainable() && !written {
                touched.zero(&mut grads[entry.range.clone()]);
            }
        }
    }
}
