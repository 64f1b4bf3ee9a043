//! One head of one image: its operands, and windows of outputs.

use std::ops::Range;

use super::{AttentionShape, QueryKeyValue, Scoring};
use crate::matmul::{MatrixMut, product_work};
use crate::parallel::SplitRows;
use simd::LANES;

/// The number of queries in a block.
pub(super) const QUERIES: usize = 64;

/// The number of keys in a block.
pub(super) const KEYS: usize = 64;

/// Tokens of all heads of all images.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    data: &'a [f32],
    /// The number of tokens in each consecutive unit.
    n_tokens: usize,
    row_stride: usize,
    dim: usize,
}

/// The tokens of one head.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) data: &'a [f32],
    pub(super) stride: usize,
    pub(super) dim: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(data: &'a [f32], n_tokens: usize, inner: usize, dim: usize) -> Self {
        Self { data, n_tokens, row_stride: inner * dim, dim }
    }

    pub(super) fn of_head(&self, [outer, inner]: [usize; 2]) -> Rows<'a> {
        let start = outer * self.n_tokens * self.row_stride + inner * self.dim;
        Rows { data: &self.data[start.min(self.data.len())..], stride: self.row_stride, dim: self.dim }
    }
}

impl<'a> Rows<'a> {
    pub(super) fn row(&self, idx: usize) -> &'a [f32] {
        &self.data[idx * self.stride..][..self.dim]
    }

    /// The rows without the first `n`.
    pub(super) fn skip(&self, n: usize) -> Self {
        Self { data: &self.data[(n * self.stride).min(self.data.len())..], ..*self }
    }
}

/// The operands of a problem.
#[derive(Clone, Copy)]
pub(super) struct Problem<'a> {
    pub(super) shape: AttentionShape,
    pub(super) scoring: Scoring<'a>,
    operands: [Tokens<'a>; 3],
}

/// The operands of one head.
pub(super) struct Head<'a> {
    pub(super) shape: AttentionShape,
    pub(super) scoring: Scoring<'a>,
    pub(super) q: Rows<'a>,
    pub(super) k: Rows<'a>,
    pub(super) v: Rows<'a>,
    /// Its number among all heads of all images.
    pub(super) idx: usize,
}

impl<'a> Problem<'a> {
    pub(super) fn new(
        inputs: QueryKeyValue<&'a [f32]>,
        scoring: &Scoring<'a>,
        shape: &AttentionShape,
    ) -> Self {
        let &AttentionShape { queries, keys, head_dim, value_dim, .. } = shape;
        let [_, inner] = shape.outer_and_inner();
        let operands = match inputs {
            QueryKeyValue::Separate([q, k, v]) => [
                Tokens::new(q, queries, inner, head_dim),
                Tokens::new(k, keys, inner, head_dim),
                Tokens::new(v, keys, inner, value_dim),
            ],
            QueryKeyValue::Packed(all) => [0, 1, 2].map(|part| {
                let row_len = inner * head_dim;
                let data = &all[(part * row_len).min(all.len())..];
                Tokens { data, n_tokens: queries, row_stride: 3 * row_len, dim: head_dim }
            }),
        };
        Self { shape: *shape, scoring: *scoring, operands }
    }

    pub(super) fn head(&self, at: [usize; 2]) -> Head<'a> {
        let [q, k, v] = self.operands.map(|tokens| tokens.of_head(at));
        let [_, inner] = self.shape.outer_and_inner();
        Head { shape: self.shape, scoring: self.scoring, q, k, v, idx: at[0] * inner + at[1] }
    }

    /// The work in units of [`crate::parallel::MIN_PARALLEL_WORK`].
    pub(super) fn work(&self) -> usize {
        let AttentionShape { keys, head_dim, value_dim, .. } = self.shape;
        product_work(self.shape.n_rows(), keys, head_dim + value_dim)
    }
}

impl Head<'_> {
    /// The image, and the head within it.
    pub(super) fn place(&self) -> [usize; 2] {
        [self.idx / self.shape.heads, self.idx % self.shape.heads]
    }

    /// Those of `keys` that the last of `queries` attends to.
    pub(super) fn seen(&self, keys: Range<usize>, queries: &Range<usize>) -> Range<usize> {
        let end = if self.scoring.is_causal { keys.end.min(queries.end) } else { keys.end };
        keys.start.min(end)..end
    }
}

/// The length of rows of `dim` numbers padded to whole vectors.
pub(super) fn padded(dim: usize) -> usize {
    dim.next_multiple_of(LANES)
}

/// Takes the first `len` numbers, padded to whole vectors, out of a buffer.
pub(super) fn take<'a>(memory: &mut &'a mut [f32], len: usize) -> &'a mut [f32] {
    let (head, tail) = std::mem::take(memory).split_at_mut(padded(len));
    *memory = tail;
    &mut head[..len]
}

/// A window of an output, split between groups of this many rows: images, or chunks of keys.
pub(super) struct RowGroups<'a>(pub(super) MatrixMut<'a>, pub(super) usize);

/// A window of an output, split between groups of this many columns: heads.
pub(super) struct ColumnGroups<'a>(pub(super) MatrixMut<'a>, pub(super) usize);

impl SplitRows for RowGroups<'_> {
    fn split_rows(self, n: usize) -> (Self, Self) {
        let (head, tail) = self.0.split_rows_at(n * self.1);
        (Self(head, self.1), Self(tail, self.1))
    }
}

impl SplitRows for ColumnGroups<'_> {
    fn split_rows(self, n: usize) -> (Self, Self) {
        let (head, tail) = self.0.split_cols_at(n * self.1);
        (Self(head, self.1), Self(tail, self.1))
    }
}
