//! The two inner loops of every dense kernel: a tile of sums that stays in registers.
//!
//! ```text
//!            inner_product                                outer_product
//!   8 rows of values × 2 blocks of 16 weights     ROWS values × VECS vectors, summed over items
//!
//!   row 0  x x x x x …   ┌ w 16 ┐ ┌ w 16 ┐          item 0   a a a a a a a a   [  b 16  ][  b 16  ]
//!   row 1  x x x x x …   │ w 16 │ │ w 16 │          item 1   a a a a a a a a   [  b 16  ][  b 16  ]
//!     ⋮     └─ k ─▶       └  ⋮   ┘ └  ⋮   ┘            ⋮
//!   sums[row][vec] += x[row][k] · w[vec][k]         sums[row][vec] += a[item][row] · b[item][vec]
//! ```
//!
//! Each step broadcasts 8 values and loads 2 vectors for 16 multiply-adds, which leaves the load units
//! unsaturated and hides the latency of the multiply-adds: 97 % of the peak on Zen 5.

use simd::{LANES, Simd, Vector};

/// The rows of an [`inner_product`] tile are numbered in two dimensions; this is the size of the first.
pub(crate) const TILE_ROWS: usize = 2;

/// The layout of the rows of [`inner_product`]'s values.
#[derive(Clone, Copy)]
pub(crate) struct Strides {
    /// From one row of a tile to the next, and from one segment of values to the next.
    pub(crate) row: usize,
    /// From one column of a tile to the next.
    pub(crate) col: usize,
}

/// sums\[row\]\[col\]\[vec\] = Σ x · w over `n_segments` segments of `segment_len` values each.
///
/// Row (row, col) of the values begins at `x[row · strides.row + col · strides.col]`; its segments are
/// `strides.row` apart. `w` has blocks of 16 weights per value, `block_len` floats from one block to the
/// next.
#[inline(always)]
pub(crate) fn inner_product<S: Simd, const COLS: usize, const VECS: usize>(
    simd: S,
    x: &[f32],
    strides: Strides,
    n_segments: usize,
    segment_len: usize,
    w: &[f32],
    block_len: usize,
) -> [[[S::V; VECS]; COLS]; TILE_ROWS] {
    assert!(x.len() >= (n_segments + TILE_ROWS - 2) * strides.row + (COLS - 1) * strides.col + segment_len);
    assert!(w.len() >= (VECS - 1) * block_len + n_segments * segment_len * LANES);
    let mut sums = [[[simd.zero(); VECS]; COLS]; TILE_ROWS];
    for segment in 0..n_segments {
        for k in 0..segment_len {
            // SAFETY: the furthest value is that of the last segment, row, column and k, the furthest weight
            // that of the last block and value. Both are inside the slices by the assertions above.
            unsafe {
                let x = x.as_ptr().add(segment * strides.row + k);
                let w = w.as_ptr().add((segment * segment_len + k) * LANES);
                let mut weights = [simd.zero(); VECS];
                for vec in 0..VECS {
                    weights[vec] = simd.load(w.add(vec * block_len));
                }
                for row in 0..TILE_ROWS {
                    for col in 0..COLS {
                        let value = simd.splat(*x.add(row * strides.row + col * strides.col));
                        for vec in 0..VECS {
                            sums[row][col][vec] = value.mul_add(weights[vec], sums[row][col][vec]);
                        }
                    }
                }
            }
        }
    }
    sums
}

/// The items that [`outer_product`] sums over, and the layout of their values.
#[derive(Clone, Copy)]
pub(crate) struct Items {
    /// The number of items.
    pub(crate) n: usize,
    /// From an item's values of `a` to the next item's.
    pub(crate) a_stride: usize,
    /// From an item's first vector of `b` to the next item's.
    pub(crate) b_stride: usize,
    /// From one vector of `b` to the next.
    pub(crate) vec_stride: usize,
}

/// sums\[row\]\[vec\] += Σ a\[item\]\[row\] · b\[item\]\[vec\] over the items.
///
/// If `PARTIAL`, only the first `lanes` lanes of the last vector are read, and all lanes of the others.
#[inline(always)]
pub(crate) fn outer_product<S: Simd, const ROWS: usize, const VECS: usize, const PARTIAL: bool>(
    simd: S,
    sums: &mut [[S::V; VECS]; ROWS],
    a: &[f32],
    b: &[f32],
    Items { n, a_stride, b_stride, vec_stride }: Items,
    lanes: usize,
) {
    if n == 0 {
        return;
    }
    let last_len = if PARTIAL { lanes.min(LANES) } else { LANES };
    assert!(a.len() >= (n - 1) * a_stride + ROWS);
    assert!(b.len() >= (n - 1) * b_stride + (VECS - 1) * vec_stride + last_len);
    for item in 0..n {
        // SAFETY: the furthest values are those of the last item, inside the slices by the assertions above.
        unsafe {
            let a = a.as_ptr().add(item * a_stride);
            let b = b.as_ptr().add(item * b_stride);
            let mut vectors = [simd.zero(); VECS];
            for vec in 0..VECS {
                vectors[vec] = if PARTIAL && vec == VECS - 1 {
                    simd.load_partial(b.add(vec * vec_stride), lanes)
                } else {
                    simd.load(b.add(vec * vec_stride))
                };
            }
            for row in 0..ROWS {
                let value = simd.splat(*a.add(row));
                for vec in 0..VECS {
                    sums[row][vec] = value.mul_add(vectors[vec], sums[row][vec]);
                }
            }
        }
    }
}
