//! The definition of an operation: a name, a shape rule, a forward and a backward pass.

use std::any::Any;
use std::{fmt, mem};

use tensor::parallel::{Exchange, Overlap, Shards};
use tensor::{Beta, Shape};

use crate::batch::{Batch, Images, Operands};
use crate::gradients::Gradients;
use crate::overlap::Overlapping;
use crate::recipe::{Nodes, Recipe};
use crate::recording::{Slot, Storage};
use crate::touched::Touched;
use crate::values::Values;

/// An operation that a [`Graph`](crate::Graph) can record.
///
/// An op is a small immutable value (its sizes and options, never its data). The trait is open: other crates
/// can implement it and record their ops with [`Graph::apply`](crate::Graph::apply).
///
/// ```
/// use autograd::{Backward, Forward, Op, ShapeError};
/// use tensor::{Beta, Shape};
///
/// /// y = x²
/// struct Square;
///
/// impl Op for Square {
///     fn name(&self) -> &'static str {
///         "square"
///     }
///     fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
///         Ok(inputs[0])
///     }
///     fn forward(&self, f: Forward<'_>) {
///         for (y, x) in f.output.iter_mut().zip(f.inputs.value(0)) {
///             *y = x * x;
///         }
///     }
///     fn backward(&self, mut b: Backward<'_>) {
///         let x = b.inputs.value(0);
///         if let Some(dx) = b.grads.get(0) {
///             dx.write(|i| 2.0 * x[i] * b.dy[i]);
///         }
///     }
/// }
/// ```
pub trait Op: Any + Send + Sync {
    /// The name used in errors, in snake case.
    fn name(&self) -> &'static str;

    /// The shape of the output. All checks of the inputs happen here. An error names the shapes and says what
    /// to change; the graph adds the op's name and the layer's path.
    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError>;

    /// Where the images of a batch are in the output. The default is as in the first input with images whose
    /// first axis is as long as the output's, so not as in a weight recorded as a variable; or summed if the
    /// output is a scalar. This fits ops that treat each row of the first axis separately, and losses.
    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        match (output.first(), inputs.first_with_images()) {
            (None, _) | (_, None) => Images::Summed,
            (Some(_), Some(_)) => inputs.first_along(output).map_or(Images::Mixed, Images::Kept),
        }
    }

    /// Writes the output. It starts with stale contents: every element must be written. If the op has a
    /// [`recipe`](Self::recipe), the output is empty, and forward only saves what the recipe needs.
    fn forward(&self, f: Forward<'_>);

    /// Writes the gradient of every input for which [`Grads::get`] returns one.
    fn backward(&self, b: Backward<'_>);

    /// How each number of the output follows from one of input 0, if it takes no more than that. Then the
    /// output is not stored, unless something reads it that cannot compute it; backward must not read
    /// [`Backward::output`].
    ///
    /// A stored output takes memory until the step ends: in a network of convolutions, half of all memory is
    /// outputs of normalisations and activations.
    fn recipe(&self) -> Option<Recipe> {
        None
    }

    /// Whether the op reads input `i` with [`Inputs::pointwise`], in forward and in backward, and so does not
    /// need it stored if it is the output of an op with a [`recipe`](Self::recipe). Worth it for an op that
    /// copies its input anyway, such as a convolution.
    fn reads_recipe(&self, i: usize, inputs: Operands<'_>) -> bool {
        let _ = (i, inputs);
        false
    }

    /// How many multiply-adds forward takes, for a model's summary; 0 if it has no matrix product or
    /// convolution.
    fn multiply_adds(&self, inputs: &[Shape], output: Shape) -> u64 {
        let _ = (inputs, output);
        0
    }

    /// Whether forward draws random numbers; if so, [`Forward::key`] is a fresh key.
    fn is_random(&self) -> bool {
        false
    }

    /// Whether the op updates running statistics; if so, [`commit`](Self::commit) is called.
    fn has_statistics(&self) -> bool {
        false
    }

    /// Moves what forward staged in [`Saved`] into the running statistics, once backward has finished.
    fn commit(&self, commit: Commit<'_>) {
        let _ = commit;
    }
}

impl fmt::Debug for dyn Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why shapes do not fit an op: what they are, what was expected and what to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError(String);

impl ShapeError {
    /// Creates an error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ShapeError {}

/// What an op keeps from forward to backward. The vectors live as long as the tape and keep their capacity,
/// so an op that resizes and writes them allocates nothing in a steady step.
#[derive(Debug, Default)]
pub struct Saved {
    /// Numbers, such as statistics or probabilities.
    pub floats: Vec<f32>,
    /// Small numbers, such as the position of a maximum within its window.
    pub bytes: Vec<u8>,
    /// Indices, such as the position of a maximum within an image.
    pub indices: Vec<u32>,
}

/// The values and shapes of an op's inputs.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    pub(crate) slots: &'a [Slot],
    pub(crate) nodes: Nodes<'a>,
    pub(crate) values: &'a Values,
    pub(crate) params: &'a [f32],
    pub(crate) batch: Batch<'a>,
}

impl<'a> Inputs<'a> {
    /// How many inputs there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no inputs.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The values of input `i`, row-major.
    ///
    /// # Panics
    /// When the op said that it [reads a recipe](Op::reads_recipe) there, and gets one.
    #[track_caller]
    pub fn value(&self, i: usize) -> &'a [f32] {
        match self.slots[i].storage {
            Storage::Param { start, end, .. } => &self.params[start..end],
            Storage::Node(node) => {
                assert!(self.values.has(node), "input {i} is a recipe; read it with Inputs::pointwise");
                self.values.get(node)
            }
        }
    }

    /// The shape of input `i`.
    pub fn shape(&self, i: usize) -> Shape {
        self.slots[i].shape
    }

    /// The shards of the batch along the first axis of input `i`. An op that sums over that axis sums by
    /// shard; an op that chooses an algorithm by its size uses the size of the whole batch.
    pub fn shards(&self, i: usize) -> Shards<'a> {
        self.batch.shards(&self.slots[i])
    }

    /// Whether the first axis of input `i` runs over the images of the batch.
    pub fn has_images(&self, i: usize) -> bool {
        self.slots[i].n_images.is_some()
    }
}

/// The arguments of [`Op::forward`].
pub struct Forward<'a> {
    /// The output, row-major, with stale contents; empty if the op has a [recipe](Op::recipe).
    pub output: &'a mut [f32],
    /// The shape of the output.
    pub shape: Shape,
    /// The inputs.
    pub inputs: Inputs<'a>,
    /// The shards of the batch along the first axis of the output.
    pub shards: Shards<'a>,
    /// The integers passed to [`Graph::apply_indexed`](crate::Graph::apply_indexed), otherwise empty.
    pub indices: &'a [u32],
    /// What to keep for backward.
    pub saved: &'a mut Saved,
    /// Training or evaluation mode.
    pub training: bool,
    /// Whether a backward pass may follow; if not, nothing need be saved.
    pub needs_grad: bool,
    /// The key of this op's random numbers in this step: a function of the run's seed, the micro-batch, the
    /// layer's path, the step and the number of draws before it in its scope. 0 unless [`Op::is_random`].
    pub key: u64,
}

/// The arguments of [`Op::backward`].
pub struct Backward<'a> {
    /// The gradient of the output.
    pub dy: &'a [f32],
    /// The output, as forward wrote it; of an op with a [recipe](Op::recipe), possibly empty.
    pub output: &'a [f32],
    /// The shape of the output.
    pub shape: Shape,
    /// The inputs, as forward saw them.
    pub inputs: Inputs<'a>,
    /// The shards of the batch along the first axis of the output.
    pub shards: Shards<'a>,
    pub(crate) has_images: bool,
    /// The integers that forward saw.
    pub indices: &'a [u32],
    /// What forward saved.
    pub saved: &'a mut Saved,
    /// Training or evaluation mode, as in forward.
    pub training: bool,
    /// The key that forward had.
    pub key: u64,
    /// The gradients to write.
    pub grads: Grads<'a>,
}

impl<'a> Backward<'a> {
    /// For an op that broadcasts: the shards by which the gradient of input `i` is summed, if the output runs
    /// over a batch and the input does not.
    pub(crate) fn summed_shards(&self, i: usize) -> Option<Shards<'a>> {
        let is_shared = !self.inputs.has_images(i) || !runs_along(self.inputs.shape(i), self.shape);
        (self.has_images && is_shared).then_some(self.shards)
    }
}

/// Whether an operand's first axis is also the first axis of the shape it was broadcast to.
pub(crate) fn runs_along(operand: Shape, y: Shape) -> bool {
    operand.rank() == y.rank() && operand.first() == y.first()
}

/// The gradients of an op's inputs, borrowed one at a time.
pub struct Grads<'a> {
    pub(crate) slots: &'a [Slot],
    pub(crate) node_grads: &'a mut Gradients,
    pub(crate) param_grads: &'a mut [f32],
    pub(crate) param_touched: &'a mut [Touched],
    pub(crate) param_written: &'a mut [bool],
    pub(crate) overlapping: &'a mut Overlapping,
    pub(crate) exchange: Option<&'a dyn Exchange>,
}

impl Grads<'_> {
    /// Whether the gradient of input `i` is needed.
    pub fn needs(&self, i: usize) -> bool {
        self.slots[i].needs_grad
    }

    /// The gradient of input `i`, or `None` when it is not needed. The caller must write all of it as
    /// [`Grad::beta`] says. For an input that occurs twice (`x * x`) the gradient is overwritten the first
    /// time and added to the second, so borrow it once per occurrence and write each share.
    pub fn get(&mut self, i: usize) -> Option<Grad<'_>> {
        let slot = &self.slots[i];
        if !slot.needs_grad {
            return None;
        }
        let (data, was_written) = match slot.storage {
            Storage::Param { id, start, end } => {
                self.overlapping.finish_before(id, self.param_grads, self.exchange);
                self.param_touched[id].set_whole();
                (&mut self.param_grads[start..end], mem::replace(&mut self.param_written[id], true))
            }
            Storage::Node(node) => self.node_grads.write(node, slot.shape.numel()),
        };
        Some(Grad { data, beta: beta(was_written) })
    }

    /// Lets `sum(data, shards, beta)` write the gradient of input `i`, if it is needed: a sum over the shards of
    /// the batch, written to `data` or added to it, as beta says.
    ///
    /// If processes on several machines share the batch, the sum over the images here is exchanged with theirs
    /// during the rest of backward; `data` is then a buffer, and `shards` has no other processes. So the sum must be
    /// accumulated in f32. An op should call this after it has exchanged its other sums, which would otherwise
    /// wait for this one, and before it computes the gradient that other ops need.
    pub fn write_sum(
        &mut self,
        i: usize,
        shards: &Shards<'_>,
        sum: impl FnOnce(&mut [f32], &Shards<'_>, Beta),
    ) {
        let slot = &self.slots[i];
        if !slot.needs_grad {
            return;
        }
        if let (Some(overlap), Storage::Param { id, start, end }) = (self.overlap(i, shards), slot.storage) {
            self.param_touched[id].set_whole();
            let beta = beta(mem::replace(&mut self.param_written[id], true));
            self.overlapping.add(overlap, shards, (id, start..end, beta), sum);
        } else if let Some(Grad { data, beta }) = self.get(i) {
            sum(data, shards, beta);
        }
    }

    /// How the sum for the gradient of input `i` is exchanged during the rest of backward, if it is.
    pub(crate) fn overlap<'s>(&self, i: usize, shards: &Shards<'s>) -> Option<&'s dyn Overlap> {
        let is_param = matches!(self.slots[i].storage, Storage::Param { .. });
        // Without an exchange of its own, the tape could not finish what is started.
        shards.overlap().filter(|_| is_param && self.exchange.is_some())
    }

    /// The gradient of input `i`, or `None` when it is not needed, for an op that adds to these rows of
    /// `row_len` elements and to no others: beta is [`Beta::One`], and the gradient is 0 where nothing has
    /// been added yet. For a parameter, setting it to 0 costs no more than the rows of the previous step.
    pub fn get_rows(&mut self, i: usize, rows: &[u32], row_len: usize) -> Option<Grad<'_>> {
        let slot = &self.slots[i];
        if !slot.needs_grad {
            return None;
        }
        let data = match slot.storage {
            Storage::Param { id, start, end } => {
                self.overlapping.finish_before(id, self.param_grads, self.exchange);
                let (data, touched) = (&mut self.param_grads[start..end], &mut self.param_touched[id]);
                if !mem::replace(&mut self.param_written[id], true) {
                    touched.zero(data);
                }
                touched.add_rows(rows, row_len, data);
                data
            }
            Storage::Node(node) => {
                let (data, was_written) = self.node_grads.write(node, slot.shape.numel());
                if !was_written {
                    data.fill(0.0);
                }
                data
            }
        };
        Some(Grad { data, beta: Beta::One })
    }
}

/// Whether to overwrite a gradient or to add to it.
fn beta(was_written: bool) -> Beta {
    if was_written { Beta::One } else { Beta::Zero }
}

/// One input's gradient, and whether to overwrite it or to add to it.
pub struct Grad<'a> {
    /// The gradient; its contents are stale when `beta` is [`Beta::Zero`].
    pub data: &'a mut [f32],
    /// Whether to overwrite or to add.
    pub beta: Beta,
}

impl Grad<'_> {
    /// Writes or adds `share(i)` at every index `i`.
    pub fn write(self, share: impl Fn(usize) -> f32) {
        match self.beta {
            Beta::Zero => self.data.iter_mut().enumerate().for_each(|(i, dx)| *dx = share(i)),
            Beta::One => self.data.iter_mut().enumerate().for_each(|(i, dx)| *dx += share(i)),
        }
    }
}

/// The arguments of [`Op::commit`].
pub struct Commit<'a> {
    /// What forward staged.
    pub saved: &'a Saved,
    pub(crate) op: &'static str,
    pub(crate) slots: &'a [Slot],
    pub(crate) params: &'a mut [f32],
}

impl Commit<'_> {
    /// The shape of input `i`.
    pub fn shape(&self, i: usize) -> Shape {
        self.slots[i].shape
    }

    /// The running statistic that is the op's input `i`.
    ///
    /// # Panics
    /// When input `i` is not an entry of the parameters, or is a trainable one.
    pub fn statistic(&mut self, i: usize) -> &mut [f32] {
        match self.slots[i] {
            Slot { storage: Storage::Param { start, end, .. }, needs_grad: false, .. } => {
                &mut self.params[start..end]
            }
            _ => panic!("{}: input {i} must be an entry of Params with Role::Statistic", self.op),
        }
    }
}
