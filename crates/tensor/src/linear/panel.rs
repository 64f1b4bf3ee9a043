//! Products with a packed panel of columns: c = a · b and c = aᵀ · b.
//!
//! The columns of `b` are packed sixteen at a time as `[columns / 16][row][16]`. Rows of a weight matrix are
//! thousands of floats apart and would map to the same few cache sets; in a panel they are contiguous, on
//! whole cache lines. A matrix given by columns, as w is for y = x · wᵀ, is transposed while packing.
//!
//! Rounding error: one chain of multiply-adds, or one per shard and their tree, |error| ≤ (k + 2)·ε·(|a|·|b|)
//! to first order.

use std::ops::Range;

use simd::{Kernel, LANES, Simd, Vector};

use super::finish::Finish;
use crate::matmul::MatrixMut;
use crate::parallel::MAX_SHARDS;
use crate::tile::{Items, Strides, TILE_ROWS, inner_product, outer_product};
use crate::transpose::read_transposed;

/// The length of a panel of `n_cols` columns of a matrix with `n_rows` rows.
pub(crate) fn panel_len(n_rows: usize, n_cols: usize) -> usize {
    n_cols.next_multiple_of(LANES) * n_rows
}

/// Packs the columns `cols` of a matrix with rows of length `row_len`.
pub(crate) fn pack(panel: &mut [f32], matrix: &[f32], row_len: usize, cols: Range<usize>) {
    let block_len = matrix.len() / row_len * LANES;
    for (row_idx, row) in matrix.chunks_exact(row_len).enumerate() {
        for (block, values) in row[cols.clone()].chunks(LANES).enumerate() {
            let dst = &mut panel[block * block_len + row_idx * LANES..][..LANES];
            dst[..values.len()].copy_from_slice(values);
            dst[values.len()..].fill(0.0);
        }
    }
}

/// The vectors of a tile's partial sums, at most 8 rows × 2 vectors for each level of the tree.
const N_PARTIALS: usize = 16 * (MAX_SHARDS.ilog2() as usize + 1);

/// Packs a matrix that is given transposed: each row of `columns` is a column of length `k`.
pub(crate) struct PackTransposed<'a> {
    pub(crate) panel: &'a mut [f32],
    pub(crate) columns: &'a [f32],
    pub(crate) k: usize,
}

impl Kernel for PackTransposed<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { panel, columns, k } = self;
        let blocks = panel.chunks_exact_mut(LANES * k);
        for (panel, columns) in blocks.zip(columns.chunks(LANES * k)) {
            for start in (0..k).step_by(LANES) {
                let n = LANES.min(k - start);
                let rows = read_transposed(simd, &columns[start..], k, columns.len() / k, n);
                for idx in 0..n {
                    rows[idx].write(&mut panel[(start + idx) * LANES..][..LANES]);
                }
            }
        }
    }
}

/// `c = finish(a · b)`, for a window of c.
pub(crate) struct Multiply<'a, 'c> {
    pub(crate) c: &'a mut MatrixMut<'c>,
    /// The window's rows, of length `k`.
    pub(crate) a: &'a [f32],
    /// The window's columns of `b`, packed.
    pub(crate) panel: &'a [f32],
    /// The length of the sums.
    pub(crate) k: usize,
    pub(crate) finish: Finish<'a>,
}

impl Kernel for Multiply<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { c, a, panel, k, finish } = self;
        for (col, two) in blocks::<S>(c.cols) {
            let panel = &panel[col * k..];
            let mut row = 0;
            while row < c.rows {
                let mut tile = Tile { c, a, panel, k, row, col, finish };
                row += match (tile.c.rows - row, two) {
                    (8.., true) => tile.rows::<S, 4, 2>(simd, TILE_ROWS),
                    (4.., true) => tile.rows::<S, 2, 2>(simd, TILE_ROWS),
                    (2.., true) => tile.rows::<S, 1, 2>(simd, TILE_ROWS),
                    (_, true) => tile.rows::<S, 1, 2>(simd, 1),
                    (6.., false) => tile.rows::<S, 3, 1>(simd, TILE_ROWS),
                    (4.., false) => tile.rows::<S, 2, 1>(simd, TILE_ROWS),
                    (2.., false) => tile.rows::<S, 1, 1>(simd, TILE_ROWS),
                    (_, false) => tile.rows::<S, 1, 1>(simd, 1),
                };
            }
        }
    }
}

/// `c = finish(aᵀ · b)`, for a window of c, over the items of some shards: each shard is summed separately,
/// and the sums are combined in the tree.
pub(crate) struct MultiplyTransposed<'a, 'c> {
    pub(crate) c: &'a mut MatrixMut<'c>,
    /// For each item, a row with the values of all the window's rows.
    pub(crate) a: &'a [f32],
    /// The window's columns of `b`, packed.
    pub(crate) panel: &'a [f32],
    /// Where the shards end, counted in items.
    pub(crate) ends: &'a [usize],
    pub(crate) finish: Finish<'a>,
}

impl Kernel for MultiplyTransposed<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { c, a, panel, ends, finish } = self;
        let partials = &mut [simd.zero(); N_PARTIALS];
        // The sum of no shards is zero.
        let ends = if ends.is_empty() { &[0] } else { ends };
        let n = ends[ends.len() - 1];
        for (col, two) in blocks::<S>(c.cols) {
            let panel = &panel[col * n..];
            let mut row = 0;
            while row < c.rows {
                let mut tile = Tile { c, a, panel, k: n, row, col, finish };
                row += match (tile.c.rows - row, two) {
                    (8.., true) => tile.items::<S, 8, 2>(simd, ends, partials),
                    (4.., true) => tile.items::<S, 4, 2>(simd, ends, partials),
                    (_, true) => tile.items::<S, 1, 2>(simd, ends, partials),
                    (6.., false) => tile.items::<S, 6, 1>(simd, ends, partials),
                    (4.., false) => tile.items::<S, 4, 1>(simd, ends, partials),
                    (_, false) => tile.items::<S, 1, 1>(simd, ends, partials),
                };
            }
        }
    }
}

/// The columns in blocks of two vectors if there are enough registers, otherwise (and for a single last
/// vector) of one: (first column, whether there are two).
#[inline(always)]
fn blocks<S: Simd>(n_cols: usize) -> impl Iterator<Item = (usize, bool)> {
    let n_vectors = n_cols.div_ceil(LANES);
    let width = if S::MANY_REGISTERS { 2 } else { 1 };
    (0..n_vectors).step_by(width).map(move |vector| (vector * LANES, width == 2 && vector + 2 <= n_vectors))
}

/// A tile of c: some rows from `row` on, one or two vectors of columns from `col` on.
struct Tile<'a, 'c> {
    c: &'a mut MatrixMut<'c>,
    a: &'a [f32],
    /// The packed columns from `col` on.
    panel: &'a [f32],
    /// The length of the sums.
    k: usize,
    row: usize,
    col: usize,
    finish: Finish<'a>,
}

impl Tile<'_, '_> {
    /// Computes `n` × `COLS` rows, with n at most two, for `a` stored by rows; returns how many.
    #[inline(always)]
    fn rows<S: Simd, const COLS: usize, const VECS: usize>(&mut self, simd: S, n: usize) -> usize {
        // A single row is computed twice and stored once.
        let strides = Strides { row: (n - 1) * COLS * self.k, col: self.k };
        let a = &self.a[self.row * self.k..];
        let block_len = self.k * LANES;
        let sums = inner_product::<S, COLS, VECS>(simd, a, strides, 1, self.k, self.panel, block_len);
        for tile_row in 0..TILE_ROWS.min(n) {
            for tile_col in 0..COLS {
                let c = self.c.row_mut(self.row + tile_row * COLS + tile_col);
                self.finish.store(simd, &sums[tile_row][tile_col], c, self.col);
            }
        }
        n * COLS
    }

    /// Computes `ROWS` rows, for `a` stored by items; returns `ROWS`.
    #[inline(always)]
    fn items<S: Simd, const ROWS: usize, const VECS: usize>(
        &mut self,
        simd: S,
        ends: &[usize],
        partials: &mut [S::V; N_PARTIALS],
    ) -> usize {
        let (mut start, mut n_partials) = (0, 0);
        for (shard, &end) in ends.iter().enumerate() {
            let mut sums = [[simd.zero(); VECS]; ROWS];
            if start < end {
                let (a_stride, vec_stride) = (self.c.rows, self.k * LANES);
                let items = Items { n: end - start, a_stride, b_stride: LANES, vec_stride };
                let (a, b) = (&self.a[start * a_stride + self.row..], &self.panel[start * LANES..]);
                outer_product::<S, ROWS, VECS, false>(simd, &mut sums, a, b, items, LANES);
            }
            start = end;
            // As in a binary counter, a shard with k trailing ones in its index completes k subtrees, and the
            // last one completes all of them.
            let n_left =
                if shard + 1 == ends.len() { 0 } else { n_partials - shard.trailing_ones() as usize };
            while n_partials > n_left {
                n_partials -= 1;
                let left = &partials[n_partials * ROWS * VECS..][..ROWS * VECS];
                for row in 0..ROWS {
                    for vec in 0..VECS {
                        sums[row][vec] = left[row * VECS + vec] + sums[row][vec];
                    }
                }
            }
            // The last one is also finished from memory, since otherwise the compiler would keep all sums
            // there.
            let partial = &mut partials[n_partials * ROWS * VECS..][..ROWS * VECS];
            for row in 0..ROWS {
                for vec in 0..VECS {
                    partial[row * VECS + vec] = sums[row][vec];
                }
            }
            n_partials += 1;
        }
        let (whole, _) = partials.as_chunks::<VECS>();
        for row in 0..ROWS {
            let c = self.c.row_mut(self.row + row);
            self.finish.store(simd, &whole[row], c, self.col);
        }
        ROWS
    }
}
