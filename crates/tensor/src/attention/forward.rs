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
        let AttentionShape { keys, head_dim, value_dim, .. } = self.shape;
        let (key_len, value_len, n_blocks) =
            (padded(head_dim), padded(value_dim), queries.len().div_ceil(QUERIES));
        let n_rows = n_blocks * QUERIES;
        let len = n_rows * (head_dim + value_len + 2) + KEYS * (key_len + value_len + QUERIES) + QUERIES;
        scratch::with(len, |mut memory| {
            let packed_queries = take(&mut memory, n_rows * head_dim);
            let out = take(&mut memory, n_rows * value_len);
            let [max, sum] = [(); 2].map(|()| take(&mut memory, n_rows));
            let factor = take(&mut memory, QUERIES);
            let packed_keys = take(&mut memory, KEYS * key_len);
            let packed_values = take(&mut memory, KEYS * value_len);
            let scores = take(&mut memory, KEYS * QUERIES);
            let block_of = |idx: usize| {
                let start = queries.start + idx * QUERIES;
                start..queries.end.min(start + QUERIES)
            };
            for (idx, dst) in packed_queries.chunks_mut((QUERIES * head_dim).max(1)).enumerate() {
                let (src, n_rows) = (self.q.skip(block_of(idx).start), block_of(idx).len());
                let factor = self.scoring.scale * LOG2_E;
                dispatch(level, PackTransposed { dst, src, n_rows, factor });
            }
            out.fill(0.0);
            max.fill(f32::NEG_INFINITY);
            sum.fill(0.0);
            for start in self.seen(0..keys, &queries).step_by(KEYS) {
                let keys = start..keys.min(start + KEYS);
                let n_rows = keys.len();
                dispatch(level, PackRows { dst: packed_keys, src: self.k.skip(start), n_rows, factor: 1.0 });
                dispatch(
                    level,
                    PackRows { dst: packed_values, src: self.v.skip(start), n_rows, factor: 1.0 },
                );
                for idx in 0..n_blocks {
                    let queries = block_of(idx);
                    let block = Block { keys: self.seen(keys.clone(), &queries), queries };
                    let (n_keys, n_vecs, first) = (block.keys.len(), block.n_vecs(), idx * QUERIES);
                    if n_keys == 0 {
                        continue;
                    }
                    self.scores(level, scores, packed_keys, &packed_queries[first * head_dim..], &block);
                    let (max, sum) = (&mut max[first..], &mut sum[first..]);
                    dispatch(level, Softmax { scores, n_keys, n_vecs, max, sum, factor });
                    if let Some(dropout) = self.scoring.dropout {
                        self.dropout(dropout, &block, |at, factor| {
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
            for (row, log_sum) in log_sums.iter_mut().enumerate() {
                // A sum of 0 means that all keys are hidden from the query.
                let inverse = if sum[row] == 0.0 { 0.0 } else { 1.0 / sum[row] };
                let out = &out[row * value_len..][..value_dim];
                y.row_mut(row).iter_mut().zip(out).for_each(|(y, out)| *y = inverse * out);
                *log_sum = if sum[row] == 0.0 { 0.0 } else { max[row] + sum[row].log2() };
            }
        });
    }
}
