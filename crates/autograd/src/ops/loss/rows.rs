//! Row-wise losses: each is its formula for one row of every input, and its gradients.

use tensor::Shape;
use tensor::parallel::{for_each_chunk, rows_mut};

use super::reduction::Reduction;
use crate::ops::shared::{are_in_order, count, rows_and_cols, shards_of_rows, there_are};
use crate::{Backward, Forward, Graph, Images, Indices, Inputs, Op, Operands, ShapeError, Var};

/// The number of elements per task.
const TASK_LEN: usize = 1 << 12;

const MAX_INPUTS: usize = 3;

/// The cost of an element of a row, in element operations.
const WORK: usize = 8;

/// `loss(row)` of the rows of the first input (all its axes but the last), reduced.
/// `add_gradient(row, i, dloss, dx)` adds the gradient of a row's loss with respect to its row of input i.
struct RowLoss<C, L, G> {
    name: &'static str,
    reduction: Reduction,
    check: C,
    loss: L,
    add_gradient: G,
}

/// A row of every input, and its label.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    values: [&'a [f32]; MAX_INPUTS],
    labels: &'a [u32],
    n_rows: usize,
    idx: usize,
}

impl<'a> Row<'a> {
    /// The first of `n_rows` rows, as a borrow of the inputs that threads can share.
    fn first(inputs: Inputs<'a>, labels: &'a [u32], n_rows: usize) -> Self {
        let values = std::array::from_fn(|i| if i < inputs.len() { inputs.value(i) } else { &[] });
        Self { values, labels, n_rows, idx: 0 }
    }

    /// The row with this number.
    fn at(mut self, idx: usize) -> Self {
        self.idx = idx;
        self
    }

    /// The row of an input: its elements for this row.
    pub(super) fn of(&self, input: usize) -> &'a [f32] {
        let values = self.values[input];
        let len = values.len() / self.n_rows;
        &values[self.idx * len..][..len]
    }

    /// All of an input.
    pub(super) fn all_of(&self, input: usize) -> &'a [f32] {
        self.values[input]
    }

    pub(super) fn label(&self) -> usize {
        self.labels[self.idx] as usize
    }
}

/// The shape of a value with one element per row.
pub(super) fn shape_of_rows(x: Shape) -> Shape {
    let leading = x.dims().split_last().map_or(&[][..], |(_, leading)| leading);
    Shape::new(leading)
}

impl<C, L, G> Op for RowLoss<C, L, G>
where
    C: Fn(&[Shape]) -> Result<(), ShapeError> + Send + Sync + 'static,
    L: Fn(Row<'_>) -> f32 + Send + Sync + 'static,
    G: Fn(Row<'_>, usize, f32, &mut [f32]) + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        (self.check)(inputs)?;
        Ok(self.reduction.output_shape(shape_of_rows(inputs[0])))
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        match (inputs.shape(0).rank() > 1, output.rank() > 0) {
            (false, _) => inputs.mixed_of(0),
            (true, true) => inputs.kept_of(0),
            (true, false) => Images::Summed,
        }
    }

    fn forward(&self, f: Forward<'_>) {
        let inputs = f.inputs;
        let shape = shape_of_rows(inputs.shape(0));
        let (n_rows, cols) = rows_and_cols(inputs.shape(0));
        let first = Row::first(inputs, f.indices, n_rows);
        self.reduction.join(f.output, shape, &shards_of_rows(inputs), |losses| {
            let work = WORK * n_rows * cols;
            for_each_chunk(n_rows, task_rows(cols), work, rows_mut(losses, 1), |range, losses| {
                for (loss, idx) in losses.into_slice().iter_mut().zip(range) {
                    *loss = (self.loss)(first.at(idx));
                }
            });
        });
    }

    fn backward(&self, mut b: Backward<'_>) {
        let inputs = b.inputs;
        let shape = shape_of_rows(inputs.shape(0));
        let (n_rows, cols) = rows_and_cols(inputs.shape(0));
        let first = Row::first(inputs, b.indices, n_rows);
        let dloss = self.reduction.gradient(b.dy, shape, &shards_of_rows(inputs));
        for i in 0..inputs.len() {
            let Some(dx) = b.grads.get(i) else { continue };
            dx.beta.prepare(dx.data);
            let len = dx.data.len().checked_div(n_rows).unwrap_or(0);
            let work = WORK * n_rows * cols;
            for_each_chunk(n_rows, task_rows(cols), work, rows_mut(dx.data, len), |range, dx| {
                for (dx, idx) in dx.into_slice().chunks_exact_mut(len.max(1)).zip(range) {
                    (self.add_gradient)(first.at(idx), i, dloss.at(idx), dx);
                }
            });
        }
    }
}

fn task_rows(cols: usize) -> usize {
    (TASK_LEN / cols.max(1)).max(1)
}

impl Graph<'_> {
    /// Records a row-wise loss, optionally with a label for each row.
    #[track_caller]
    #[expect(clippy::too_many_arguments, reason = "the parts of one value")]
    pub(super) fn row_loss(
        &self,
        name: &'static str,
        inputs: &[Var],
        labels: Option<Indices>,
        reduction: Reduction,
        check: impl Fn(&[Shape]) -> Result<(), ShapeError> + Send + Sync + 'static,
        loss: impl Fn(Row<'_>) -> f32 + Send + Sync + 'static,
        add_gradient: impl Fn(Row<'_>, usize, f32, &mut [f32]) + Send + Sync + 'static,
    ) -> Var {
        let op = RowLoss { name, reduction, check, loss, add_gradient };
        match labels {
            Some(labels) => self.apply_indexed(op, inputs, labels),
            None => self.apply(op, inputs),
        }
    }

    /// Checks that there is a label for each row of class scores (named `what` in errors), and that each is a
    /// class or the ignored label; `ignore_index` is `None` for a loss without this option.
    #[track_caller]
    pub(super) fn expect_labels(
        &self,
        op: &str,
        (what, scores): (&str, Var),
        labels: Indices,
        ignore_index: Option<Option<u32>>,
    ) {
        let (shape, shape_of_labels) = (self.shape(scores), labels.shape());
        let recording = self.tape.recording.borrow();
        let labels = recording.indices(op, labels);
        let Some((&classes, leading)) = shape.dims().split_last() else { return };
        let (n_rows, n_labels, at) = (leading.iter().product::<usize>(), labels.len(), recording.at());
        assert!(
            leading.is_empty() || n_rows == n_labels,
            "{op}{at}: the {what} {shape} have {}, {}; pass one label per row",
            count(n_rows, "row"),
            there_are(n_labels, "label")
        );
        let leading = Shape::new(leading);
        assert!(
            leading.rank() == 0 || are_in_order(shape_of_labels, &leading),
            "{op}{at}: the labels are {shape_of_labels}, but the rows of the {what} {shape} are {leading}; give the \
             labels in that shape, or in its order as a list"
        );
        let is_wrong = |&label: &u32| label as usize >= classes && Some(Some(label)) != ignore_index;
        if let Some(row) = labels.iter().position(is_wrong) {
            let label = labels[row];
            let hint = match ignore_index {
                Some(None) if label > i32::MAX as u32 => {
                    "; to leave rows out, as PyTorch does with −100, set ignore_index to their label, such as u32::MAX"
                }
                _ => "",
            };
            panic!(
                "{op}{at}: the label {label} of row {row} is out of range; it must be below {classes}, the number of \
                 classes{hint}"
            );
        }
    }
}
