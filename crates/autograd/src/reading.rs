//! Reading a graph: shapes, values and gradients.

use tensor::Shape;

use crate::graph::Graph;
use crate::op::Op;
use crate::recording::{Slot, Storage};
use crate::tape::{Indices, Var};

impl Graph<'_> {
    /// The shape of a value.
    #[track_caller]
    pub fn shape(&self, var: Var) -> Shape {
        self.slot("shape", var).shape
    }

    /// Whether `var` is an entry of the parameters that is [frozen](crate::Params::freeze).
    #[track_caller]
    pub(crate) fn is_frozen(&self, var: Var) -> bool {
        match self.slot("is_frozen", var).storage {
            Storage::Param { id, .. } => self.params.entries()[id].is_frozen,
            Storage::Node(_) => false,
        }
    }

    /// How many integers there are behind `indices`.
    #[track_caller]
    pub(crate) fn n_indices(&self, op: &str, indices: Indices) -> usize {
        self.tape.recording.borrow().indices(op, indices).len()
    }

    #[track_caller]
    pub(crate) fn slot(&self, op: &str, var: Var) -> Slot {
        self.tape.recording.borrow().slot(op, var)
    }

    /// The name of the op that computes a value; `None` for leaves and views.
    #[track_caller]
    pub fn op_name(&self, var: Var) -> Option<&'static str> {
        self.slot("op_name", var);
        let recording = self.tape.recording.borrow();
        if recording.records[var.node].part.is_some() {
            return Some("recompute");
        }
        let op = recording.ops[var.node].as_deref().filter(|_| recording.records[var.node].is_op);
        op.map(Op::name)
    }

    /// The elements of a value, row-major.
    #[track_caller]
    pub fn value(&self, var: Var) -> &[f32] {
        match self.slot("value", var).storage {
            Storage::Param { start, end, .. } => &self.params.values()[start..end],
            Storage::Node(node) => self.values_of(node),
        }
    }

    /// The only element of a value.
    ///
    /// # Panics
    /// When there is not exactly one.
    #[track_caller]
    pub fn scalar(&self, var: Var) -> f32 {
        let value = self.value(var);
        assert!(
            value.len() == 1,
            "scalar: the shape {} has {} elements, expected one",
            self.shape(var),
            value.len()
        );
        value[0]
    }

    /// Keeps the gradient of a value that an op computes, to be read with [`grad`](Self::grad) after
    /// backward. Otherwise its memory is reused as soon as backward is past it. `Tensor.retain_grad` in
    /// PyTorch. Gradients of parameters and variables are always kept.
    ///
    /// ```
    /// use autograd::{Mode, Params, Tape};
    /// let (mut tape, mut params) = (Tape::new(), Params::new());
    /// let mut g = tape.begin(&mut params, Mode::train(0, 0));
    /// let x = g.variable([2], &[1.0, 2.0]);
    /// let square = g.retain_grad(g.mul(x, x));
    /// let exp = g.exp(square);
    /// let loss = g.sum(exp);
    /// g.backward(loss);
    /// assert_eq!(g.grad(square), Some(g.value(exp)));
    /// ```
    #[track_caller]
    pub fn retain_grad(&self, var: Var) -> Var {
        if let Storage::Node(node) = self.slot("retain_grad", var).storage {
            self.tape.recording.borrow_mut().records[node].retains_grad = true;
        }
        var
    }

    /// The gradient of a value, after backward; `None` if it needs no gradient, or if the loss does not
    /// depend on it (that of a parameter is then 0).
    ///
    /// A gradient is plain numbers and not a value on the tape, so it cannot be differentiated again: there are
    /// no second derivatives (PyTorch's `create_graph=True`), and a loss cannot contain a gradient penalty. A
    /// GAN's critic can be kept in bounds by clipping its weights instead, as in the first Wasserstein GAN: after
    /// each step, clamp them with [`Params::value_mut`](crate::Params::value_mut).
    ///
    /// # Panics
    /// Before [`backward`](Self::backward), and when an op computed the value and its gradient was not
    /// [retained](Self::retain_grad).
    #[track_caller]
    pub fn grad(&self, var: Var) -> Option<&[f32]> {
        let slot = self.slot("grad", var);
        assert!(self.backward_done, "grad: there is no gradient yet; run Graph::backward first");
        match slot.storage {
            _ if !slot.needs_grad => None,
            Storage::Param { start, end, .. } => Some(&self.params.grads()[start..end]),
            Storage::Node(node) if self.tape.grads.is_written(node) => {
                let record = self.tape.recording.borrow().records[node];
                assert!(
                    !record.is_op || record.retains_grad,
                    "grad: the gradient of the output of {} was not kept; name it with Graph::retain_grad before \
                     Graph::backward",
                    self.op_name(var).unwrap_or("an op")
                );
                Some(self.tape.grads.get(node))
            }
            Storage::Node(_) => None,
        }
    }
}
