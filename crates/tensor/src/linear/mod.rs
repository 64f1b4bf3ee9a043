//! The fully connected layer: y = x · wᵀ + b, and the same followed by an activation.
//!
//! `x` is [batch, in_features], `w` as PyTorch stores it, [out_features, in_features], and `y` [batch,
//! out_features]. The bias gradient is the sum by [`crate::reduce::reduce_rows`]. A row may be an image or
//! one of several rows of an image, depending on the [`Shards`].
//!
//! For a few rows, y is computed as dot products (`dots.rs`), for which nothing has to be packed. For more
//! rows, the operand that shares its columns with the result is copied one panel of columns at a time
//! (`panel.rs`) into contiguous vectors, and the tiles are those of `tile.rs`. Error bounds are documented
//! with the kernels.
//!
//! Each kernel computes a window of the result. The result is split into windows by its size alone, and they
//! are computed in parallel. The bias and ReLU are applied in registers (`finish.rs`), other activations to a
//! window that has just been computed, while it is in a cache.

mod dots;
mod finish;
mod panel;
pub(crate) mod reference;

use std::ops::Range;

use crate::activation::{Activation, Function, with_function};
use crate::matmul::{ByColumns, ByRows, Matrix, MatrixMut, product_work, sum_of_rows};
use crate::parallel::{MAX_SHARDS, Shards, for_each_chunk, tree_mid};
use crate::shape::checked_len;
use crate::{Beta, elementwise, scratch};
use dots::Dots;
use finish::Finish;
use panel::{Multiply, MultiplyTransposed, PackTransposed};
use simd::{Kernel, Level, Simd, dispatch};

/// The sizes of a fully connected layer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LinearShape {
    /// Rows of the input and of the output.
    pub batch: usize,
    /// Columns of the input and of the weight.
    pub in_features: usize,
    /// Columns of the output, rows of the weight.
    pub out_features: usize,
}

/// y = x · wᵀ + bias.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn linear_forward(
    y: &mut [f32],
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    shape: &LinearShape,
    shards: &Shards<'_>,
) {
    check("linear_forward", y.len(), x.len(), w.len(), bias, shape);
    forward(Level::current(), (y, None), x, w, (bias, None), shape, shards);
}

/// y = f(x · wᵀ + bias): the linear layer and an activation in one pass, with the bits of the two. Propagates
/// NaN. The value before the activation is written to `z` if it is given.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
#[expect(clippy::too_many_arguments, reason = "two outputs, their operands, an option and sizes")]
pub fn linear_activation_forward(
    y: &mut [f32],
    z: Option<&mut [f32]>,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    activation: Activation,
    shape: &LinearShape,
    shards: &Shards<'_>,
) {
    const NAME: &str = "linear_activation_forward";
    check(NAME, y.len(), x.len(), w.len(), bias, shape);
    assert!(z.as_ref().is_none_or(|z| z.len() == y.len()), "{NAME}: y and z have equally many elements");
    forward(Level::current(), (y, z), x, w, (bias, Some(activation)), shape, shards);
}

/// dx = β·dx + dy · w.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn linear_backward_input(
    dx: &mut [f32],
    dy: &[f32],
    w: &[f32],
    shape: &LinearShape,
    shards: &Shards<'_>,
    beta: Beta,
) {
    check("linear_backward_input", dy.len(), dx.len(), w.len(), None, shape);
    backward_input(Level::current(), dx, dy, w, shape, shards, beta);
}

/// dw = β·dw + dyᵀ · x, a sum over the batch within each shard, combined in the tree of [`crate::parallel`].
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn linear_backward_weight(
    dw: &mut [f32],
    dy: &[f32],
    x: &[f32],
    shape: &LinearShape,
    shards: &Shards<'_>,
    beta: Beta,
) {
    check("linear_backward_weight", dy.len(), x.len(), dw.len(), None, shape);
    backward_weight(Level::current(), dw, dy, x, shape, shards, beta);
}

/// Rows and columns of y per task.
const FORWARD_TILE: [usize; 2] = [256, 32];

/// Whole batches smaller than this use dot products: transposing the weights would cost more than it gains.
const MIN_TRANSPOSED_ROWS: usize = 16;

/// Layers with fewer outputs than this, which would not fill the tiles, do so too.
const MIN_TRANSPOSED_OUTPUTS: usize = 32;

fn forward(
    level: Level,
    (y, z): (&mut [f32], Option<&mut [f32]>),
    x: &[f32],
    w: &[f32],
    (bias, activation): (Option<&[f32]>, Option<Activation>),
    shape: &LinearShape,
    shards: &Shards<'_>,
) {
    let &LinearShape { batch, in_features: k, out_features } = shape;
    let relu = activation == Some(Activation::Relu) && z.is_none();
    let (finish, activation) = (Finish { bias, relu, beta: Beta::Zero }, activation.filter(|_| !relu));
    let transpose =
        shards.rows_of_batch(batch) >= MIN_TRANSPOSED_ROWS && out_features >= MIN_TRANSPOSED_OUTPUTS && k > 0;
    let work = product_work(batch, k, out_features);
    let y = MatrixMut::new(y, batch, out_features, out_features);
    let z = z.map(|z| MatrixMut::new(z, batch, out_features, out_features));
    for_each_chunk(batch, FORWARD_TILE[0], work, (ByRows(y), z.map(ByRows)), |rows, (ByRows(y), z)| {
        let x = &x[rows.start * k..rows.end * k];
        let outputs = (ByColumns(y), z.map(|ByRows(z)| ByColumns(z)));
        for_each_chunk(out_features, FORWARD_TILE[1], work, outputs, |cols, (ByColumns(mut y), z)| {
            let w = &w[cols.start * k..cols.end * k];
            let (n_cols, finish) = (cols.len(), finish.of(cols));
            let mut z = z.map(|ByColumns(z)| z);
            let sums = z.as_mut().unwrap_or(&mut y);
            if transpose {
                scratch::with(panel::panel_len(k, n_cols), |packed| {
                    dispatch(level, PackTransposed { panel: packed, columns: w, k });
                    dispatch(level, Multiply { c: sums, a: x, panel: packed, k, finish });
                });
            } else {
                dispatch(level, Dots { y: sums, x, w, k, finish });
            }
            if activation.is_some() {
                with_function!(activation, |f| dispatch(level, Activate { y, z, f }));
            }
        });
    });
}

/// y = f(z), for a window; in place if there is no z.
struct Activate<'y, F> {
    y: MatrixMut<'y>,
    z: Option<MatrixMut<'y>>,
    f: F,
}

impl<F: Function> Kernel for Activate<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { mut y, mut z, f } = self;
        for row in 0..y.rows {
            let y = y.row_mut(row);
            match &mut z {
                Some(z) => y.iter_mut().zip(z.row_mut(row)).for_each(|(y, z)| *y = f.value(*z)),
                None => y.iter_mut().for_each(|y| *y = f.value(*y)),
            }
        }
    }
}

/// How many rows of dx share a packed panel of weights.
const INPUT_ROWS: usize = 256;

/// The input gradient of a whole batch of fewer rows than this is computed row by row: packing the weights would cost
/// more than it gains.
const MIN_PACKED_ROWS: usize = 4;

fn backward_input(
    level: Level,
    dx: &mut [f32],
    dy: &[f32],
    w: &[f32],
    shape: &LinearShape,
    shards: &Shards<'_>,
    beta: Beta,
) {
    let &LinearShape { batch, in_features, out_features } = shape;
    let work = product_work(batch, in_features, out_features);
    let pack = shards.rows_of_batch(batch) >= MIN_PACKED_ROWS && out_features > 0;
    let dx = MatrixMut::new(dx, batch, in_features, in_features);
    for_each_chunk(batch, if pack { INPUT_ROWS } else { 1 }, work, ByRows(dx), |rows, ByRows(dx)| {
        let dy = &dy[rows.start * out_features..rows.end * out_features];
        let columns = panel_columns(out_features);
        for_each_chunk(in_features, columns, work, ByColumns(dx), |cols, ByColumns(mut dx)| {
            if !pack {
                let (dy, w) = (Matrix::new(dy, [out_features, 1]), Matrix::new(w, [in_features, 1]));
                return sum_of_rows(&mut dx, dy, w.skip(1, cols.start), out_features, beta);
            }
            scratch::with(panel::panel_len(out_features, cols.len()), |packed| {
                panel::pack(packed, w, in_features, cols);
                let (c, k, finish) = (&mut dx, out_features, Finish::sum(beta));
                dispatch(level, Multiply { c, a: dy, panel: packed, k, finish });
            });
        });
    });
}

fn backward_weight(
    level: Level,
    dw: &mut [f32],
    dy: &[f32],
    x: &[f32],
    shape: &LinearShape,
    shards: &Shards<'_>,
    beta: Beta,
) {
    let &LinearShape { batch, in_features, out_features } = shape;
    if shards.is_exchanging() {
        return scratch::with(dw.len(), |sum| {
            let own = shards.alone();
            backward_weight(level, sum, dy, x, shape, &own, Beta::Zero);
            shards.join(sum);
            elementwise::copy_or_add(dw, sum, beta);
        });
    }
    if shards.rows_of_batch(batch) == 1 {
        // An outer product: packing would cost more than the product.
        let (dy, x) = (Matrix::new(dy, [1, out_features]), Matrix::new(x, [in_features, 1]));
        return sum_of_rows(
            &mut MatrixMut::new(dw, out_features, in_features, in_features),
            dy,
            x,
            batch,
            beta,
        );
    }
    let work = product_work(batch, in_features, out_features);
    let columns = panel_columns(batch.min(WEIGHT_ROWS));
    let dw = MatrixMut::new(dw, out_features, in_features, in_features);
    for_each_chunk(in_features, columns, work, ByColumns(dw), |cols, ByColumns(mut dw)| {
        WeightColumns { level, dy, x, shape, shards, cols }.sum(&mut dw, shards.owned(), beta);
    });
}

/// How many rows of the batch are packed together.
const WEIGHT_ROWS: usize = 256;

/// Some columns of the weight gradient.
struct WeightColumns<'a> {
    level: Level,
    dy: &'a [f32],
    x: &'a [f32],
    shape: &'a LinearShape,
    shards: &'a Shards<'a>,
    cols: Range<usize>,
}

impl WeightColumns<'_> {
    /// `c = β·c +` the sum of some shards, combined in the tree: in registers for shards packed together, in
    /// memory above that.
    fn sum(&self, c: &mut MatrixMut<'_>, shards: Range<usize>, beta: Beta) {
        let rows = self.shards.rows_of(shards.clone(), self.shape.batch);
        if shards.len() > 1 && rows.len() > WEIGHT_ROWS {
            let (left, right) = (shards.start..tree_mid(&shards), tree_mid(&shards)..shards.end);
            return match beta {
                Beta::One => self.add(c, shards),
                Beta::Zero => {
                    self.sum(c, left, Beta::Zero);
                    self.add(c, right);
                }
            };
        }
        let packed_rows = rows.len().min(WEIGHT_ROWS);
        scratch::with(panel::panel_len(packed_rows, self.cols.len()), |packed| {
            let mut ends = [0; MAX_SHARDS];
            for (end, shard) in ends.iter_mut().zip(shards.clone()) {
                *end = self.shards.rows_of(shard..shard + 1, self.shape.batch).end - rows.start;
            }
            if rows.len() <= WEIGHT_ROWS {
                return self.multiply(c, rows, &ends[..shards.len()], packed, beta);
            }
            // A single shard is summed as a chain of chunks.
            for start in rows.clone().step_by(WEIGHT_ROWS) {
                let chunk = start..rows.end.min(start + WEIGHT_ROWS);
                let beta = if start == rows.start { beta } else { Beta::One };
                let end = [chunk.len()];
                self.multiply(c, chunk, &end, packed, beta);
            }
        });
    }

    /// `c +=` the sum of some shards.
    fn add(&self, c: &mut MatrixMut<'_>, shards: Range<usize>) {
        let n_cols = self.cols.len();
        scratch::with(c.rows * n_cols, |sum| {
            self.sum(&mut MatrixMut::new(sum, c.rows, n_cols, n_cols), shards, Beta::Zero);
            for (row, sum) in sum.chunks_exact(n_cols).enumerate() {
                c.row_mut(row).iter_mut().zip(sum).for_each(|(c, sum)| *c += sum);
            }
        });
    }

    fn multiply(
        &self,
        c: &mut MatrixMut<'_>,
        rows: Range<usize>,
        ends: &[usize],
        packed: &mut [f32],
        beta: Beta,
    ) {
        let &LinearShape { in_features, out_features, .. } = self.shape;
        let x = &self.x[rows.start * in_features..rows.end * in_features];
        let dy = &self.dy[rows.start * out_features..rows.end * out_features];
        panel::pack(packed, x, in_features, self.cols.clone());
        let finish = Finish::sum(beta);
        dispatch(self.level, MultiplyTransposed { c, a: dy, panel: packed, ends, finish });
    }
}

/// The number of columns of a packed panel of `n_rows` rows: a quarter of a megabyte, but 32 to 128 columns.
fn panel_columns(n_rows: usize) -> usize {
    const PANEL_LEN: usize = 1 << 16;
    (PANEL_LEN / n_rows.max(1) / 32 * 32).clamp(32, 128)
}

#[track_caller]
fn check(name: &str, y_len: usize, x_len: usize, w_len: usize, bias: Option<&[f32]>, shape: &LinearShape) {
    let &LinearShape { batch, in_features, out_features } = shape;
    let len = |dims: [usize; 2]| checked_len(name, &dims);
    assert_eq!(y_len, len([batch, out_features]), "{name}: output length for {shape:?}");
    assert_eq!(x_len, len([batch, in_features]), "{name}: input length for {shape:?}");
    assert_eq!(w_len, len([out_features, in_features]), "{name}: weight length for {shape:?}");
    if let Some(bias) = bias {
        assert_eq!(bias.len(), out_features, "{name}: the bias has out_features elements");
    }
}

#[cfg(test)]
mod tests;
