//! Code shared by several ops.

use std::ops::Range;

use tensor::elementwise::copy_or_add;
use tensor::parallel::{Shards, sum_over_shards};
use tensor::{Beta, Shape, scratch};

use crate::tape::Indices;
use crate::{Grad, Grads, Graph, Images, Inputs, Op, Operands, ShapeError, Var};

/// The last axis as columns, all others as rows; a scalar is one row of one column.
pub(super) fn rows_and_cols(shape: Shape) -> (usize, usize) {
    match shape.dims().split_last() {
        Some((&cols, leading)) => (leading.iter().product(), cols),
        None => (1, 1),
    }
}

/// Where images are in the output of an op on the rows of its first input (all axes but the last).
pub(super) fn rows_of_images(inputs: Operands<'_>, output: Shape) -> Images {
    if output.rank() > 1 { inputs.kept_of(0) } else { inputs.mixed_of(0) }
}

/// The shards of these rows: a vector is a single row.
pub(super) fn shards_of_rows<'a>(inputs: Inputs<'a>) -> Shards<'a> {
    if inputs.shape(0).rank() > 1 { inputs.shards(0) } else { Shards::whole(1) }
}

/// The number of elements of one row, which is all but the first axis.
pub(super) fn row_len(shape: Shape) -> usize {
    shape[1..].iter().product()
}

/// Adds the contributions of `n_rows` rows of a batch to a gradient, shard by shard, combined in the tree:
/// `add(rows, partial)`.
pub(super) fn sum_over_rows(
    grad: Grad<'_>,
    shards: &Shards<'_>,
    n_rows: usize,
    add: impl Fn(Range<usize>, &mut [f32]) + Sync,
) {
    let rows_per_image = shards.rows_per_image(n_rows);
    scratch::with(grad.data.len(), |sum| {
        sum_over_shards(sum, shards, sum.len() * shards.n_shards(), (), |images, partial, ()| {
            partial.fill(0.0);
            add(images.start * rows_per_image..images.end * rows_per_image, partial);
        });
        copy_or_add(grad.data, sum, grad.beta);
    });
}

/// Added to an error about images or sequences: what to change if their first axis after the batch, read as the
/// channels, is what the op expects.
pub(crate) fn channels_last_hint(x: Shape, fits: impl Fn(usize) -> bool) -> &'static str {
    match *x.dims() {
        [_, channels, _, _] if fits(channels) => {
            "; images are N × H × W × C here: these look like N × C × H × W, so permute them by [0, 2, 3, 1]"
        }
        [_, channels, _] if fits(channels) => {
            "; sequences are N × T × C here: these look like N × C × T, so permute them by [0, 2, 1]"
        }
        _ => "",
    }
}

/// Whether indices can be read in the order of this shape: they have one axis, or these axes, apart from those of
/// size 1, or there are none.
pub(super) fn are_in_order(indices: Shape, shape: &[usize]) -> bool {
    fn sizes(dims: &[usize]) -> impl Iterator<Item = &usize> {
        dims.iter().filter(|&&size| size != 1)
    }
    indices.rank() < 2 || indices.numel() == 0 || sizes(&indices).eq(sizes(shape))
}

/// A number of things in words: "1 label", "3 labels".
pub(super) fn count(n: usize, thing: &str) -> String {
    match (n, thing) {
        (1, _) => format!("1 {thing}"),
        (_, "axis") => format!("{n} axes"),
        (_, "index") => format!("{n} indices"),
        _ => format!("{n} {thing}s"),
    }
}

/// "there is 1 label", "there are 3 labels".
pub(super) fn there_are(n: usize, thing: &str) -> String {
    format!("there {} {}", if n == 1 { "is" } else { "are" }, count(n, thing))
}

/// The sizes `[n, h, w, c]` of images.
pub(super) fn image_sizes(shape: Shape) -> Result<[usize; 4], ShapeError> {
    shape.dims().try_into().map_err(|_| {
        ShapeError::new(format!(
            "the input is {shape}, expected images [n, h, w, c]; reshape it, or add the missing axes"
        ))
    })
}

/// Weight and bias of a normalisation, either of which may be missing. They are its last inputs.
#[derive(Clone, Copy)]
pub(super) struct Affine {
    /// Their input numbers.
    inputs: [Option<usize>; 2],
}

/// A gradient that is lent, and its β.
type Lent<'a> = Option<(&'a mut [f32], Beta)>;

impl Affine {
    /// Numbers the weight and bias that are present, starting at input `first`.
    pub(super) fn new(first: usize, [weight, bias]: [Option<Var>; 2]) -> Self {
        let place_of_bias = first + usize::from(weight.is_some());
        Self { inputs: [weight.map(|_| first), bias.map(|_| place_of_bias)] }
    }

    pub(super) fn values(self, inputs: Inputs<'_>) -> [Option<&[f32]>; 2] {
        self.inputs.map(|i| i.map(|i| inputs.value(i)))
    }

    /// The names and shapes of those that are present.
    pub(super) fn named(self, shapes: &[Shape]) -> impl Iterator<Item = (&'static str, &Shape)> {
        let named = ["weight", "bias"].into_iter().zip(self.inputs);
        named.filter_map(|(name, i)| Some((name, &shapes[i?])))
    }

    /// Calls `kernel` with the needed gradients of input 0, weight and bias. Gradients are lent one at a time
    /// but one pass computes all three, so those of weight and bias, of `len` numbers, are added afterwards.
    pub(super) fn backward(
        self,
        grads: &mut Grads<'_>,
        len: usize,
        kernel: impl FnOnce(Lent<'_>, Lent<'_>, Lent<'_>),
    ) {
        let wanted = self.inputs.map(|i| i.filter(|&i| grads.needs(i)));
        scratch::with(2 * len, |sums| {
            let (dweight, dbias) = sums.split_at_mut(len);
            let dx = grads.get(0).map(|dx| (dx.data, dx.beta));
            let [of_weight, of_bias] = wanted.map(|i| i.is_some());
            kernel(
                dx,
                of_weight.then_some((&mut *dweight, Beta::Zero)),
                of_bias.then_some((&mut *dbias, Beta::Zero)),
            );
            for (i, sum) in wanted.into_iter().zip([dweight, dbias]) {
                if let Some(grad) = i.and_then(|i| grads.get(i)) {
                    copy_or_add(grad.data, sum, grad.beta);
                }
            }
        });
    }
}

/// The most inputs of an op with optional inputs.
const MAX_INPUTS: usize = 8;

/// `x` and the other inputs that are present, and the number of all of them.
fn present<const N: usize>(x: Var, others: [Option<Var>; N]) -> ([Var; MAX_INPUTS], usize) {
    let (mut inputs, mut len) = ([x; MAX_INPUTS], 1);
    for input in others.into_iter().flatten() {
        inputs[len] = input;
        len += 1;
    }
    (inputs, len)
}

impl Graph<'_> {
    /// Records an op on `x` and the other inputs that are present.
    #[track_caller]
    pub(super) fn apply_present<O: Op, const N: usize>(
        &self,
        op: O,
        x: Var,
        others: [Option<Var>; N],
    ) -> Var {
        let (inputs, len) = present(x, others);
        self.apply(op, &inputs[..len])
    }

    /// Like `apply_present`, for an op that also reads integers.
    #[track_caller]
    pub(super) fn apply_present_indexed<O: Op, const N: usize>(
        &self,
        op: O,
        x: Var,
        others: [Option<Var>; N],
        indices: Indices,
    ) -> Var {
        let (inputs, len) = present(x, others);
        self.apply_indexed(op, &inputs[..len], indices)
    }

    /// The sizes of `x`, after checking that it is images.
    #[track_caller]
    pub(super) fn expect_images(&self, op: &str, x: Var) -> [usize; 4] {
        image_sizes(self.shape(x)).unwrap_or_else(|error| panic!("{op}{}: {error}", self.at()))
    }

    /// Checks that all indices are below `bound`.
    #[track_caller]
    pub(super) fn expect_below(&self, op: &str, what: &str, indices: Indices, bound: usize) {
        let recording = self.tape.recording.borrow();
        let indices = recording.indices(op, indices);
        if let Some(pos) = indices.iter().position(|&idx| idx as usize >= bound) {
            let (at, idx) = (recording.at(), indices[pos]);
            panic!("{op}{at}: {what} {idx} at position {pos} is out of range; it must be below {bound}");
        }
    }
}
