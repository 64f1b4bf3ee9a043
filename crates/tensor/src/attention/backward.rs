//! Backward: processes the queries for a chunk of keys block by block, recomputing the weights from the saved
//! logarithms.

use std::f32::consts::{LN_2, LOG2_E};
use std::ops::Range;

use super::head::{ColumnGroups, Head, KEYS, Problem, QUERIES, RowGroups, Rows, Tokens, padded, take};
use super::pack::{PackRows, PackTransposed};
use super::product::{Factor, Product};
use super::scores::{Block, ScoreGradient, Weights};
use super::{AttentionSaved, AttentionShape, QueryKeyValue, Scoring};
use crate::matmul::MatrixMut;
use crate::parallel::{for_each_chunk, rows_mut};
use crate::{Beta, scratch};
use simd::{Kernel, LANES, Level, Simd, Vector, dispatch};

/// With fewer heads than this in all images together, the chunks of a head are also computed in parallel.
const MANY_HEADS: usize = 16;

/// How many of a head's chunks are computed in parallel: the memory for their shares of the query gradient does
/// not grow with the number of keys.
const WAVE: usize = 8;

/// How many keys share packed queries: the keys, values and gradients take at most half a megabyte.
fn chunk_len(shape: &AttentionShape) -> usize {
    const NUMBERS: usize = 1 << 15;
    let row_len = padded(shape.head_dim) + padded(shape.value_dim);
    (NUMBERS / row_len.max(1) / KEYS * KEYS).clamp(KEYS, 8 * KEYS)
}

pub(super) fn backward(
    level: Level,
    grads: QueryKeyValue<(&mut [f32], Beta)>,
    dscores: Option<&mut [f32]>,
    saved: &AttentionSaved<'_>,
    inputs: QueryKeyValue<&[f32]>,
    scoring: &Scoring<'_>,
    shape: &AttentionShape,
) {
    let &AttentionShape { queries, keys, head_dim, value_dim, .. } = shape;
    let ([outer, inner], chunk_len) = (shape.outer_and_inner(), chunk_len(shape));
    let saved = Saved {
        dy: Tokens::new(saved.dy, queries, inner, value_dim),
        y: Tokens::new(saved.y, queries, inner, value_dim),
        log_sums: saved.log_sums,
    };
    let ([dq, dk, dv], betas) = windows(grads, shape);
    let dscores = dscores.map(|dscores| {
        if scoring.is_causal {
            // Blocks of keys that come after all their queries are skipped.
            dscores.fill(0.0);
        }
        MatrixMut::new(dscores, shape.n_rows(), keys, keys)
    });
    let n_chunks = keys.div_ceil(chunk_len);
    let n_shares = if outer * inner < MANY_HEADS && n_chunks > 1 { n_chunks.min(WAVE) } else { 0 };
    let problem = Problem::new(inputs, scoring, shape);
    let pass = Pass { level, problem, saved, betas, chunk_len, n_chunks, n_shares };
    let (work, share_len) = (pass.work(), pass.share_len());
    scratch::with(n_shares * outer * inner * share_len, |shares| {
        let shares = rows_mut(shares, n_shares * inner * share_len);
        let images = (RowGroups(dq, queries), RowGroups(dk, keys), RowGroups(dv, keys));
        let dscores = dscores.map(|dscores| RowGroups(dscores, inner * queries));
        let outputs = (images, dscores, shares);
        for_each_chunk(outer, 1, work, outputs, |image, ((dq, dk, dv), dscores, shares)| {
            let shares = rows_mut(shares.into_slice(), n_shares * share_len);
            let heads =
                (ColumnGroups(dq.0, head_dim), ColumnGroups(dk.0, head_dim), ColumnGroups(dv.0, value_dim));
            let dscores = dscores.map(|dscores| RowGroups(dscores.0, queries));
            let outputs = (heads, dscores, shares);
            for_each_chunk(inner, 1, work, outputs, |head, ((dq, dk, dv), dscores, shares)| {
                let (at, dscores) = ([image.start, head.start], dscores.map(|dscores| dscores.0));
                pass.head(at, [dq.0, dk.0, dv.0], dscores, shares.into_slice());
            });
        });
    });
}

/// The backward pass of all heads, each of which goes through its keys chunk by chunk.
struct Pass<'a> {
    level: Level,
    problem: Problem<'a>,
    saved: Saved<'a>,
    /// Whether the contents of dq, dk and dv are kept.
    betas: [Beta; 3],
    chunk_len: usize,
    n_chunks: usize,
    /// How many chunks of a head are computed in parallel, each of which stores its share of the query gradient; 0 if
    /// they add it immediately, one after the other.
    n_shares: usize,
}

impl Pass<'_> {
    /// The work in units of [`crate::parallel::MIN_PARALLEL_WORK`].
    fn work(&self) -> usize {
        2 * self.problem.work()
    }

    /// The length of a share of a head's query gradient.
    fn share_len(&self) -> usize {
        self.problem.shape.queries * self.problem.shape.head_dim
    }

    /// The keys of some chunks.
    fn keys_of(&self, chunks: Range<usize>) -> Range<usize> {
        chunks.start * self.chunk_len..self.problem.shape.keys.min(chunks.end * self.chunk_len)
    }

    /// Whether a chunk's share is added to the query gradient.
    fn beta_of(&self, chunk: usize) -> Beta {
        if chunk == 0 { self.betas[0] } else { Beta::One }
    }

    /// Computes the gradients of one head.
    fn head(
        &self,
        at: [usize; 2],
        [mut dq, mut dk, mut dv]: [MatrixMut<'_>; 3],
        mut dscores: Option<MatrixMut<'_>>,
        shares: &mut [f32],
    ) {
        let &Self { level, betas, n_chunks, n_shares, .. } = self;
        let head = self.problem.head(at);
        let saved = self.saved.of_head(at, &head);
        let wave_len = n_shares.max(1);
        for first in (0..n_chunks).step_by(wave_len) {
            let wave = first..n_chunks.min(first + wave_len);
            let n_keys = self.keys_of(wave.clone()).len();
            let (mut wave_dk, rest_dk) = dk.split_rows_at(n_keys);
            let (mut wave_dv, rest_dv) = dv.split_rows_at(n_keys);
            let (mut wave_dscores, rest_dscores) =
                dscores.map(|dscores| dscores.split_cols_at(n_keys)).unzip();
            (dk, dv, dscores) = (rest_dk, rest_dv, rest_dscores);
            if n_shares == 0 {
                let dq = (&mut dq, self.beta_of(first));
                let outputs = (dq, (&mut wave_dk, betas[1]), (&mut wave_dv, betas[2]));
                head.backward(level, outputs, wave_dscores.as_mut(), &saved, self.keys_of(wave));
            } else {
                let outputs = (&mut dq, [wave_dk, wave_dv], wave_dscores);
                self.wave(&head, &saved, wave, outputs, shares);
            }
        }
    }

    /// Computes the gradients of some chunks of a head in parallel, and then adds up their shares.
    fn wave(
        &self,
        head: &Head<'_>,
        saved: &SavedHead<'_>,
        wave: Range<usize>,
        (dq, [dk, dv], dscores): (&mut MatrixMut<'_>, [MatrixMut<'_>; 2], Option<MatrixMut<'_>>),
        shares: &mut [f32],
    ) {
        let &Self { level, betas, chunk_len, .. } = self;
        let AttentionShape { queries, head_dim, .. } = head.shape;
        let share_len = self.share_len();
        let shares = &mut shares[..wave.len() * share_len];
        let rows = (RowGroups(dk, chunk_len), RowGroups(dv, chunk_len), rows_mut(&mut *shares, share_len));
        let outputs = (rows, dscores.map(|dscores| ColumnGroups(dscores, chunk_len)));
        for_each_chunk(wave.len(), 1, self.work(), outputs, |idx, ((mut dk, mut dv, share), dscores)| {
            let mut share = MatrixMut::new(share.into_slice(), queries, head_dim, head_dim);
            let outputs = ((&mut share, Beta::Zero), (&mut dk.0, betas[1]), (&mut dv.0, betas[2]));
            let mut dscores = dscores.map(|dscores| dscores.0);
            let keys = self.keys_of(wave.start + idx.start..wave.start + idx.end);
            head.backward(level, outputs, dscores.as_mut(), saved, keys);
        });
        for (chunk, share) in wave.zip(shares.chunks_exact(share_len.max(1))) {
            for query in head.first_query(&self.keys_of(chunk..chunk + 1))..queries {
                write(dq.row_mut(query), &share[query * head_dim..], 1.0, self.beta_of(chunk));
            }
        }
    }
}

/// The gradients as windows, and whether their contents are kept.
fn windows<'a>(
    grads: QueryKeyValue<(&'a mut [f32], Beta)>,
    shape: &AttentionShape,
) -> ([MatrixMut<'a>; 3], [Beta; 3]) {
    let &AttentionShape { queries, keys, head_dim, value_dim, .. } = shape;
    let [outer, inner] = shape.outer_and_inner();
    let row_len = inner * head_dim;
    match grads {
        QueryKeyValue::Separate([(dq, beta_q), (dk, beta_k), (dv, beta_v)]) => {
            let windows = [
                MatrixMut::new(dq, outer * queries, row_len, row_len),
                MatrixMut::new(dk, outer * keys, row_len, row_len),
                MatrixMut::new(dv, outer * keys, inner * value_dim, inner * value_dim),
            ];
            (windows, [beta_q, beta_k, beta_v])
        }
        QueryKeyValue::Packed((all, beta)) => {
            let all = MatrixMut::new(all, outer * queries, 3 * row_len, 3 * row_len);
            let (dq, rest) = all.split_cols_at(row_len);
            let (dk, dv) = rest.split_cols_at(row_len);
            ([dq, dk, dv], [beta; 3])
        }
    }
}

/// The results of forward, and the gradient of its output.
struct Saved<'a> {
    dy: Tokens<'a>,
    y: Tokens<'a>,
    log_sums: &'a [f32],
}

/// The saved values of one head.
struct SavedHead<'a> {
    dy: Rows<'a>,
    y: Rows<'a>,
    log_sums: &'a [f32],
}

impl<'a> Saved<'a> {
    fn of_head(&self, at: [usize; 2], head: &Head<'_>) -> SavedHead<'a> {
        let queries = head.shape.queries;
        let log_sums = &self.log_sums[head.idx * queries..][..queries];
        SavedHead { dy: self.dy.of_head(at), y: self.y.of_head(at), log_sums }
    }
}

/// Rows of a gradient, and whether their contents are kept.
type Output<'a, 'b> = (&'a mut MatrixMut<'b>, Beta);

impl Head<'_> {
    /// The first query for which a chunk of keys has a gradient: the start of the first block that attends to
    /// it.
    fn first_query(&self, keys: &Range<usize>) -> usize {
        let first = if self.scoring.is_causal { keys.start / QUERIES * QUERIES } else { 0 };
        first.min(self.shape.queries)
    }

    /// Computes the gradients of some keys and their values, their share of the query gradient, and the
    /// gradients of their scores.
    fn backward(
        &self,
        level: Level,
        ((dq, beta_q), (dk, beta_k), (dv, beta_v)): (Output<'_, '_>, Output<'_, '_>, Output<'_, '_>),
        mut dscores: Option<&mut MatrixMut<'_>>,
        saved: &SavedHead<'_>,
        keys: Range<usize>,
    ) {
        let AttentionShape { queries, head_dim, value_dim, .. } = self.shape;
        let (key_len, value_len, n_keys) = (padded(head_dim), padded(value_dim), keys.len());
        let len = 2 * n_keys * (key_len + value_len)
            + QUERIES * (2 * key_len + value_len + head_dim + value_dim + 2)
            + 3 * KEYS * QUERIES;
        scratch::with(len, |mut memory| {
            let [packed_keys, dkeys] = [(); 2].map(|()| take(&mut memory, n_keys * key_len));
            let [packed_values, dvalues] = [(); 2].map(|()| take(&mut memory, n_keys * value_len));
            let mut block = QueryBlock::take(&mut memory, &self.shape);
            let [weights, dweights, dropped] = [(); 3].map(|()| take(&mut memory, KEYS * QUERIES));
            let (k, v) = (self.k.skip(keys.start), self.v.skip(keys.start));
            dispatch(level, PackRows { dst: packed_keys, src: k, n_rows: n_keys, factor: 1.0 });
            dispatch(level, PackRows { dst: packed_values, src: v, n_rows: n_keys, factor: 1.0 });
            dkeys.fill(0.0);
            dvalues.fill(0.0);
            for start in (self.first_query(&keys)..queries).step_by(QUERIES) {
                let rows = start..queries.min(start + QUERIES);
                block.pack(level, self, saved, rows.clone());
                for first in (0..n_keys).step_by(KEYS) {
                    let few = keys.start + first..keys.end.min(keys.start + first + KEYS);
                    let place = Block { keys: self.seen(few, &rows), queries: rows.clone() };
                    if place.keys.is_empty() {
                        break;
                    }
                    let (k, dk) = (&packed_keys[first * key_len..], &mut dkeys[first * key_len..]);
                    let (v, dv) = (&packed_values[first * value_len..], &mut dvalues[first * value_len..]);
                    let buffers = [&mut *weights, &mut *dweights, &mut *dropped];
                    block.backward(level, self, &place, [k, v], [dk, dv], buffers, first == 0);
                    if let Some(dscores) = &mut dscores {
                        // What is in `dweights` now.
                        for (lane, row) in rows.clone().enumerate() {
                            let dscores = &mut dscores.row_mut(row)[first..][..place.keys.len()];
                            let of_query = dweights[lane..].iter().step_by(QUERIES);
                            dscores.iter_mut().zip(of_query).for_each(|(dst, dscore)| *dst = *dscore);
                        }
                    }
                }
                for (row, dq_row) in rows.zip(block.dq.chunks_exact(key_len.max(1))) {
                    write(dq.row_mut(row), dq_row, self.scoring.scale, beta_q);
                }
            }
            // The packed queries have the factor scale · log₂ e.
            for (row, dk_row) in dkeys.chunks_exact(key_len.max(1)).enumerate() {
                write(dk.row_mut(row), dk_row, LN_2, beta_k);
            }
            for (row, dv_row) in dvalues.chunks_exact(value_len.max(1)).enumerate() {
                write(dv.row_mut(row), dv_row, 1.0, beta_v);
            }
        });
    }
}

/// The packed data of a block of queries.
struct QueryBlock<'a> {
    q: &'a mut [f32],
    q_transposed: &'a mut [f32],
    dy: &'a mut [f32],
    dy_transposed: &'a mut [f32],
    dq: &'a mut [f32],
    log_sums: &'a mut [f32],
    /// Σ dy · y of each query.
    delta: &'a mut [f32],
}

impl<'a> QueryBlock<'a> {
    fn take(memory: &mut &'a mut [f32], shape: &AttentionShape) -> Self {
        let &AttentionShape { head_dim, value_dim, .. } = shape;
        let mut take = |n_cols: usize| take(memory, QUERIES * n_cols);
        Self {
            q: take(padded(head_dim)),
            q_transposed: take(head_dim),
            dy: take(padded(value_dim)),
            dy_transposed: take(value_dim),
            dq: take(padded(head_dim)),
            log_sums: take(1),
            delta: take(1),
        }
    }

    fn pack(&mut self, level: Level, head: &Head<'_>, saved: &SavedHead<'_>, rows: Range<usize>) {
        let (n_rows, factor) = (rows.len(), head.scoring.scale * LOG2_E);
        let [q, dy, y] = [head.q, saved.dy, saved.y].map(|operand| operand.skip(rows.start));
        dispatch(level, PackRows { dst: self.q, src: q, n_rows, factor });
        dispatch(level, PackTransposed { dst: self.q_transposed, src: q, n_rows, factor });
        dispatch(level, PackRows { dst: self.dy, src: dy, n_rows, factor: 1.0 });
        dispatch(level, PackTransposed { dst: self.dy_transposed, src: dy, n_rows, factor: 1.0 });
        self.log_sums.fill(0.0);
        self.log_sums[..n_rows].copy_from_slice(&saved.log_sums[rows]);
        self.delta.fill(0.0);
        dispatch(level, Delta { delta: &mut self.delta[..n_rows], dy: self.dy, y });
    }

    // ANCHOR: block
    /// Computes what a block of keys with their values adds to their gradients and to that of the queries.
    #[expect(clippy::too_many_arguments, reason = "operands, outputs and buffers of one block")]
    fn backward(
        &mut self,
        level: Level,
        head: &Head<'_>,
        place: &Block,
        [k, v]: [&[f32]; 2],
        [dk, dv]: [&mut [f32]; 2],
        [weights, dweights, dropped]: [&mut [f32]; 3],
        is_first: bool,
    ) {
        let AttentionShape { head_dim, value_dim, .. } = head.shape;
        let (key_len, value_len) = (padded(head_dim), padded(value_dim));
        let (n_keys, n_queries, n_vecs) = (place.keys.len(), place.queries.len(), place.n_vecs());
        head.scores(level, weights, k, self.q_transposed, place);
        dispatch(level, Weights { scores: weights, n_keys, n_vecs, log_sums: self.log_sums });
        dispatch(
            level,
            Product {
                c: dweights,
                c_stride: QUERIES,
                a: v,
                a_strides: [value_len, 1],
                b: self.dy_transposed,
                b_stride: QUERIES,
                sizes: [n_keys, value_dim, n_vecs],
                factor: Factor::Zero,
            },
        );
        if let Some(dropout) = head.scoring.dropout {
            head.dropout(dropout, place, |at, factor| {
                let of = |x: f32| if factor > 0.0 { x * factor } else { 0.0 };
                (dropped[at], dweights[at]) = (of(weights[at]), of(dweights[at]));
            });
        }
        let used = if head.scoring.dropout.is_some() { &*dropped } else { &*weights };
        // dv += weights · dy, dk += dscores · q, dq += dscoresᵀ · k.
        let by_keys = |c, c_stride, a, b| Product {
            c,
            c_stride,
            a,
            a_strides: [QUERIES, 1],
            b,
            b_stride: c_stride,
            sizes: [n_keys, n_queries, c_stride / LANES],
            factor: Factor::One,
        };
        dispatch(level, by_keys(dv, value_len, used, self.dy));
        dispatch(level, ScoreGradient { dweights, weights, n_keys, n_vecs, delta: self.delta });
        dispatch(level, by_keys(dk, key_len, dweights, self.q));
        dispatch(
            level,
            Product {
                c: self.dq,
                c_stride: key_len,
                a: dweights,
                a_strides: [1, QUERIES],
                b: k,
                b_stride: key_len,
                sizes: [n_queries, n_keys, key_len / LANES],
                factor: if is_first { Factor::Zero } else { Factor::One },
            },
        );
    }
    // ANCHOR_END: block
}

/// `delta[row] = Σ dy · y`; the rows of `dy` are packed.
struct Delta<'a> {
    delta: &'a mut [f32],
    dy: &'a [f32],
    y: Rows<'a>,
}

impl Kernel for Delta<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let row_len = padded(self.y.dim);
        for (row, delta) in self.delta.iter_mut().enumerate() {
            let mut sum = simd.zero();
            let dy = &self.dy[row * row_len..][..row_len];
            for (dy, y) in dy.chunks_exact(LANES).zip(self.y.row(row).chunks(LANES)) {
                sum = simd.read(dy).mul_add(simd.read(y), sum);
            }
            [*delta, ..] = S::V::sums([sum, simd.zero(), simd.zero(), simd.zero()]);
        }
    }
}

/// `dst = β·dst + factor · src`, for as many numbers as `dst` has.
fn write(dst: &mut [f32], src: &[f32], factor: f32, beta: Beta) {
    match beta {
        Beta::Zero => dst.iter_mut().zip(src).for_each(|(dst, src)| *dst = factor * src),
        Beta::One => dst.iter_mut().zip(src).for_each(|(dst, src)| *dst += factor * src),
    }
}
