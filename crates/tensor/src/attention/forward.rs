//! Forward: processes the keys for a chunk of queries block by block.

use std::f32::consts::LOG2_E;
use std::ops::Range;

use super::head::{ColumnGroups, Head, KEYS, Problem, QUERIES, RowGroups, padded, take};
use super::pack::{PackRows, PackTransposed};
use super::product::{Factor, Product};
use super::scores::{Block, Softmax};
use super::{AttentionShape, QueryKeyValue, Scoring};
use crate::matmul::{ByRows, MatrixMut};
use crate::parallel::{for_each_chunk, rows_mut};
use crate::scratch;
use simd::{Level, dispatch};

/// How many queries share packed keys and values.
const CHUNK: usize = 4 * QUERIES;

pub(super) fn forward(
    level: Level,
    y: &mut [f32],
    log_sums: &mut [f32],
    inputs: QueryKeyValue<&[f32]>,
    scoring: &Scoring<'_>,
    shape: &AttentionShape,
) {
    let &AttentionShape { queries, value_dim, .. } = shape;
    let ([outer, inner], problem) = (shape.outer_and_inner(), Problem::new(inputs, scoring, shape));
    let work = problem.work();
    let y = RowGroups(MatrixMut::new(y, outer * queries, inner * value_dim, inner * value_dim), queries);
    let log_sums = rows_mut(log_sums, inner * queries);
    for_each_chunk(outer, 1, work, (y, log_sums), |images, (y, log_sums)| {
        let (y, log_sums) = (ColumnGroups(y.0, value_dim), rows_mut(log_sums.into_slice(), queries));
        for_each_chunk(inner, 1, work, (y, log_sums), |heads, (y, log_sums)| {
            let head = problem.head([images.start, heads.start]);
            let (y, log_sums) = (ByRows(y.0), rows_mut(log_sums.into_slice(), 1));
            for_each_chunk(queries, CHUNK, work, (y, log_sums), |queries, (ByRows(mut y), log_sums)| {
                head.forward(level, &mut y, log_sums.into_slice(), queries);
            });
        });
    });
}

impl Head<'_> {
    /// Computes the rows of y for some queries.
    fn forward(&self, level: Level, y: &mut MatrixMut<'_>, log_sums: &mut [f32], queries: Range<usize>) {
        let AttentionShape { keys, value_dim, .. } = self.shape;
        scratch::with(Chunk::len(&queries, &self.shape), |mut memory| {
            let seen = self.seen(0..keys, &queries);
            let mut chunk = Chunk::take(&mut memory, queries, &self.shape);
            chunk.begin(level, self);
            for start in seen.step_by(KEYS) {
                chunk.add_keys(level, self, start..keys.min(start + KEYS));
            }
            for (row, log_sum) in log_sums.iter_mut().enumerate() {
                *log_sum = chunk.finish(row, &mut y.row_mut(row)[..value_dim]);
            }
        });
    }
}

/// A chunk of queries, packed, and what the keys so far make of them.
struct Chunk<'a> {
    queries: Range<usize>,
    packed_queries: &'a mut [f32],
    /// The weighted sums of the values.
    out: &'a mut [f32],
    /// The largest score of each query, and the sum of the weights relative to it.
    max: &'a mut [f32],
    sum: &'a mut [f32],
    factor: &'a mut [f32],
    packed_keys: &'a mut [f32],
    packed_values: &'a mut [f32],
    scores: &'a mut [f32],
}

impl<'a> Chunk<'a> {
    /// The numbers of its buffers.
    fn len(queries: &Range<usize>, shape: &AttentionShape) -> usize {
        let (key_len, value_len) = (padded(shape.head_dim), padded(shape.value_dim));
        let n_rows = queries.len().div_ceil(QUERIES) * QUERIES;
        n_rows * (shape.head_dim + value_len + 2) + KEYS * (key_len + value_len + QUERIES) + QUERIES
    }

    fn take(memory: &mut &'a mut [f32], queries: Range<usize>, shape: &AttentionShape) -> Self {
        let (key_len, value_len) = (padded(shape.head_dim), padded(shape.value_dim));
        let n_rows = queries.len().div_ceil(QUERIES) * QUERIES;
        let mut take = |len: usize| take(memory, len);
        Self {
            queries,
            packed_queries: take(n_rows * shape.head_dim),
            out: take(n_rows * value_len),
            max: take(n_rows),
            sum: take(n_rows),
            factor: take(QUERIES),
            packed_keys: take(KEYS * key_len),
            packed_values: take(KEYS * value_len),
            scores: take(KEYS * QUERIES),
        }
    }

    /// The queries of a block.
    fn block(&self, idx: usize) -> Range<usize> {
        let start = self.queries.start + idx * QUERIES;
        start..self.queries.end.min(start + QUERIES)
    }

    /// Packs the queries, before any key.
    fn begin(&mut self, level: Level, head: &Head<'_>) {
        let (factor, block_len) = (head.scoring.scale * LOG2_E, QUERIES * head.shape.head_dim);
        for idx in 0..self.queries.len().div_ceil(QUERIES) {
            let queries = self.block(idx);
            let (src, n_rows) = (head.q.skip(queries.start), queries.len());
            let dst = &mut self.packed_queries[idx * block_len..][..block_len];
            dispatch(level, PackTransposed { dst, src, n_rows, factor });
        }
        self.out.fill(0.0);
        self.max.fill(f32::NEG_INFINITY);
        self.sum.fill(0.0);
    }

    /// Adds a block of keys and their values.
    fn add_keys(&mut self, level: Level, head: &Head<'_>, keys: Range<usize>) {
        let AttentionShape { head_dim, value_dim, .. } = head.shape;
        let (n_rows, value_len, factor) = (keys.len(), padded(value_dim), 1.0);
        let (k, v) = (head.k.skip(keys.start), head.v.skip(keys.start));
        dispatch(level, PackRows { dst: self.packed_keys, src: k, n_rows, factor });
        dispatch(level, PackRows { dst: self.packed_values, src: v, n_rows, factor });
        for idx in 0..self.queries.len().div_ceil(QUERIES) {
            let queries = self.block(idx);
            let block = Block { keys: head.seen(keys.clone(), &queries), queries };
            let (n_keys, n_vecs, first) = (block.keys.len(), block.n_vecs(), idx * QUERIES);
            if n_keys == 0 {
                continue;
            }
            let Self { packed_queries, out, max, sum, factor, packed_keys, packed_values, scores, .. } =
                &mut *self;
            head.scores(level, scores, packed_keys, &packed_queries[first * head_dim..], &block);
            let (max, sum) = (&mut max[first..], &mut sum[first..]);
            dispatch(level, Softmax { scores, n_keys, n_vecs, max, sum, factor });
            if let Some(dropout) = head.scoring.dropout {
                head.dropout(dropout, &block, |at, factor| {
                    scores[at] = if factor > 0.0 { scores[at] * factor } else { 0.0 };
                });
            }
            dispatch(
                level,
                Product {
                    c: &mut out[first * value_len..],
                    c_stride: value_len,
                    a: scores,
                    a_strides: [1, QUERIES],
                    b: packed_values,
                    b_stride: value_len,
                    sizes: [block.queries.len(), n_keys, value_len / simd::LANES],
                    factor: Factor::Rows(factor),
                },
            );
        }
    }

    /// Writes the row `y` of a query; returns the logarithm of its sum.
    fn finish(&self, row: usize, y: &mut [f32]) -> f32 {
        let (sum, out) = (self.sum[row], &self.out[row * padded(y.len())..]);
        // A sum of 0 means that all keys are hidden from the query.
        let inverse = if sum == 0.0 { 0.0 } else { 1.0 / sum };
        y.iter_mut().zip(out).for_each(|(y, out)| *y = inverse * out);
        if sum == 0.0 { 0.0 } else { self.max[row] + sum.log2() }
    }
}
