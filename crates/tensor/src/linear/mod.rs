//! The fully connected layer: y = x · wᵀ + b.
//!
//! `x` is [batch, in_features], `w` as PyTorch stores it, [out_features, in_features], and `y`
//! [batch, out_features]. The bias gradient is [`crate::reduce::sum_rows`].
//!
//! For a few rows, y is made of [dot products](dots), for which nothing has to be packed. For more, the operand
//! whose columns the result has is copied a panel of columns at a time ([`panel`]) into vectors that lie one
//! after another, and the tiles are those of [`crate::tile`]. Error bounds stand with the kernels.
//!
//! Each kernel computes a window of the result: the result is cut into windows by its size alone, and they are
//! computed in parallel.

// Tiles are arrays of registers; loops over them have constant bounds, are unrolled, and index several alike.
#![allow(clippy::needless_range_loop)]

mod dots;
mod finish;
mod panel;
pub(crate) mod reference;

use crate::matmul::{ByColumns, ByRows, MatmulShape, MatrixMut, matmul, product_work};
use crate::parallel::for_each_chunk;
use crate::{Beta, scratch};
use dots::Dots;
use finish::Finish;
use panel::{Multiply, PackTransposed};
use simd::{Level, dispatch};

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
pub fn linear_forward(y: &mut [f32], x: &[f32], w: &[f32], bias: Option<&[f32]>, shape: &LinearShape) {
    check("linear_forward", y.len(), x.len(), w.len(), bias, shape);
    forward(Level::current(), y, x, w, Finish { bias, relu: false, beta: Beta::Zero }, shape);
}

/// y = max(x · wᵀ + bias, 0), the linear layer and the activation in one pass. NaN stays NaN.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn linear_relu_forward(y: &mut [f32], x: &[f32], w: &[f32], bias: Option<&[f32]>, shape: &LinearShape) {
    check("linear_relu_forward", y.len(), x.len(), w.len(), bias, shape);
    forward(Level::current(), y, x, w, Finish { bias, relu: true, beta: Beta::Zero }, shape);
}

/// dx = β·dx + dy · w.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn linear_backward_input(dx: &mut [f32], dy: &[f32], w: &[f32], shape: &LinearShape, beta: Beta) {
    check("linear_backward_input", dy.len(), dx.len(), w.len(), None, shape);
    backward_input(Level::current(), dx, dy, w, shape, beta);
}

/// dw = β·dw + dyᵀ · x.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn linear_backward_weight(dw: &mut [f32], dy: &[f32], x: &[f32], shape: &LinearShape, beta: Beta) {
    check("linear_backward_weight", dy.len(), x.len(), dw.len(), None, shape);
    backward_weight(Level::current(), dw, dy, x, shape, beta);
}

/// Rows and columns of y that make a task.
const FORWARD_TILE: [usize; 2] = [256, 32];

/// Batches smaller than this take dot products: transposing the weights would cost more than it gains.
const MIN_TRANSPOSED_ROWS: usize = 16;

/// So do layers with fewer outputs than this, which would not fill the tiles.
const MIN_TRANSPOSED_OUTPUTS: usize = 32;

fn forward(level: Level, y: &mut [f32], x: &[f32], w: &[f32], finish: Finish<'_>, shape: &LinearShape) {
    let &LinearShape { batch, in_features: k, out_features } = shape;
    let work = product_work(batch, k, out_features);
    let y = MatrixMut::new(y, batch, out_features, out_features);
    for_each_chunk(batch, FORWARD_TILE[0], work, ByRows(y), |rows, ByRows(y)| {
        let x = &x[rows.start * k..rows.end * k];
        for_each_chunk(out_features, FORWARD_TILE[1], work, ByColumns(y), |cols, ByColumns(mut y)| {
            let w = &w[cols.start * k..cols.end * k];
            let n_cols = cols.len();
            let finish = finish.of(cols);
            if batch < MIN_TRANSPOSED_ROWS || out_features < MIN_TRANSPOSED_OUTPUTS || k == 0 {
                return dispatch(level, Dots { y: &mut y, x, w, k, finish });
            }
            scratch::with(panel::panel_len(k, n_cols), |packed| {
                dispatch(level, PackTransposed { panel: packed, columns: w, k });
                dispatch(level, Multiply { c: &mut y, a: x, transpose_a: false, panel: packed, k, finish });
            });
        });
    });
}

/// Rows of dx that share a packed panel of weights.
const INPUT_ROWS: usize = 256;

fn backward_input(level: Level, dx: &mut [f32], dy: &[f32], w: &[f32], shape: &LinearShape, beta: Beta) {
    let &LinearShape { batch, in_features, out_features } = shape;
    if !worth_packing(shape) {
        let product =
            MatmulShape { m: batch, k: out_features, n: in_features, transpose_a: false, transpose_b: false };
        return matmul(dx, dy, w, &product, beta);
    }
    let work = product_work(batch, in_features, out_features);
    let dx = MatrixMut::new(dx, batch, in_features, in_features);
    for_each_chunk(batch, INPUT_ROWS, work, ByRows(dx), |rows, ByRows(dx)| {
        let dy = &dy[rows.start * out_features..rows.end * out_features];
        let columns = panel_columns(out_features);
        for_each_chunk(in_features, columns, work, ByColumns(dx), |cols, ByColumns(mut dx)| {
            scratch::with(panel::panel_len(out_features, cols.len()), |packed| {
                panel::pack(packed, w, in_features, cols);
                let (c, k, finish) = (&mut dx, out_features, Finish::sum(beta));
                dispatch(level, Multiply { c, a: dy, transpose_a: false, panel: packed, k, finish });
            });
        });
    });
}

/// Rows of the batch that are summed before the next ones are added.
const WEIGHT_ROWS: usize = 256;

fn backward_weight(level: Level, dw: &mut [f32], dy: &[f32], x: &[f32], shape: &LinearShape, beta: Beta) {
    let &LinearShape { batch, in_features, out_features } = shape;
    if !worth_packing(shape) {
        let product =
            MatmulShape { m: out_features, k: batch, n: in_features, transpose_a: true, transpose_b: false };
        return matmul(dw, dy, x, &product, beta);
    }
    let work = product_work(batch, in_features, out_features);
    let columns = panel_columns(batch.min(WEIGHT_ROWS));
    let dw = MatrixMut::new(dw, out_features, in_features, in_features);
    for_each_chunk(in_features, columns, work, ByColumns(dw), |cols, ByColumns(mut dw)| {
        scratch::with(panel::panel_len(batch.min(WEIGHT_ROWS), cols.len()), |packed| {
            let mut finish = Finish::sum(beta);
            for (x, dy) in x.chunks(WEIGHT_ROWS * in_features).zip(dy.chunks(WEIGHT_ROWS * out_features)) {
                panel::pack(packed, x, in_features, cols.clone());
                let (c, k) = (&mut dw, x.len() / in_features);
                dispatch(level, Multiply { c, a: dy, transpose_a: true, panel: packed, k, finish });
                finish = Finish::sum(Beta::One);
            }
        });
    });
}

/// Whether the backward passes use the packing kernels: not for a few rows, nor for empty sums.
fn worth_packing(shape: &LinearShape) -> bool {
    shape.batch >= 4 && shape.in_features > 0 && shape.out_features > 0
}

/// The columns of a packed panel of `n_rows` rows: a quarter of a megabyte, but 32 to 128 columns.
fn panel_columns(n_rows: usize) -> usize {
    const PANEL_LEN: usize = 1 << 16;
    (PANEL_LEN / n_rows.max(1) / 32 * 32).clamp(32, 128)
}

#[track_caller]
fn check(name: &str, y_len: usize, x_len: usize, w_len: usize, bias: Option<&[f32]>, shape: &LinearShape) {
    let &LinearShape { batch, in_features, out_features } = shape;
    assert_eq!(y_len, batch * out_features, "{name}: output length for {shape:?}");
    assert_eq!(x_len, batch * in_features, "{name}: input length for {shape:?}");
    assert_eq!(w_len, in_features * out_features, "{name}: weight length for {shape:?}");
    if let Some(bias) = bias {
        assert_eq!(bias.len(), out_features, "{name}: the bias has out_features elements");
    }
}

#[cfg(test)]
mod tests;
