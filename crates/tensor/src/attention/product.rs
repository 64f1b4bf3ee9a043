//! The product of two cached blocks: a tile of sums that stays in registers, 6 × 16 if hardware vectors have
//! half the width of ours (twelve accumulators), 8 × 32 if there are enough registers.

use simd::{Kernel, LANES, Simd, Vector};

/// `c = factor · c + a · b`: row r of `c` is Σ a\[r\]\[k\] · b\[k\], in whole vectors.
pub(super) struct Product<'a> {
    pub(super) c: &'a mut [f32],
    /// The stride from row to row of `c`.
    pub(super) c_stride: usize,
    pub(super) a: &'a [f32],
    /// The strides from row to row of `a`, and from k to k.
    pub(super) a_strides: [usize; 2],
    pub(super) b: &'a [f32],
    /// The stride from k to k of `b`.
    pub(super) b_stride: usize,
    /// The numbers of rows, of k and of vectors in a row.
    pub(super) sizes: [usize; 3],
    pub(super) factor: Factor<'a>,
}

/// The factor of the output's previous contents.
#[derive(Clone, Copy)]
pub(super) enum Factor<'a> {
    Zero,
    One,
    /// One for each row.
    Rows(&'a [f32]),
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let [m, k, n_vecs] = self.sizes;
        if m == 0 || n_vecs == 0 {
            return;
        }
        assert!(self.c.len() >= (m - 1) * self.c_stride + n_vecs * LANES);
        assert!(k == 0 || self.a.len() > (m - 1) * self.a_strides[0] + (k - 1) * self.a_strides[1]);
        assert!(k == 0 || self.b.len() >= (k - 1) * self.b_stride + n_vecs * LANES);
        if let Factor::Rows(factors) = self.factor {
            assert!(factors.len() >= m);
        }
        let width = if S::MANY_REGISTERS { 2 } else { 1 };
        let mut vec = 0;
        while vec < n_vecs {
            let two = width == 2 && vec + 2 <= n_vecs;
            let mut row = 0;
            while row < m {
                // SAFETY: `row` + the tile's rows ≤ m and `vec` + its vectors ≤ n_vecs, and the slices
                // contain all of m × k × n_vecs by the assertions above.
                row += unsafe {
                    match (m - row, two) {
                        (8.., true) => self.tile::<S, 8, 2>(simd, row, vec),
                        (4.., true) => self.tile::<S, 4, 2>(simd, row, vec),
                        (2.., true) => self.tile::<S, 2, 2>(simd, row, vec),
                        (_, true) => self.tile::<S, 1, 2>(simd, row, vec),
                        // Eight rows are two tiles of four: after one of six, a slow one of two would be
                        // left.
                        (6..=7 | 9.., false) => self.tile::<S, 6, 1>(simd, row, vec),
                        (4.., false) => self.tile::<S, 4, 1>(simd, row, vec),
                        (2.., false) => self.tile::<S, 2, 1>(simd, row, vec),
                        (_, false) => self.tile::<S, 1, 1>(simd, row, vec),
                    }
                };
            }
            vec += if two { 2 } else { 1 };
        }
    }
}

impl Product<'_> {
    /// Computes `ROWS` rows and `VECS` vectors; returns `ROWS`.
    ///
    /// # Safety
    /// The tile must be within the sizes, and those within the slices.
    #[inline(always)]
    unsafe fn tile<S: Simd, const ROWS: usize, const VECS: usize>(
        &mut self,
        simd: S,
        row: usize,
        vec: usize,
    ) -> usize {
        let ([_, k, _], [a_row, a_k]) = (self.sizes, self.a_strides);
        let mut sums = [[simd.zero(); VECS]; ROWS];
        // SAFETY: the caller guarantees the tile; k counts up to the number of k.
        unsafe {
            let a = self.a.as_ptr().add(if k == 0 { 0 } else { row * a_row });
            let b = self.b.as_ptr().add(if k == 0 { 0 } else { vec * LANES });
            for k in 0..k {
                let (a, b) = (a.add(k * a_k), b.add(k * self.b_stride));
                let mut vectors = [simd.zero(); VECS];
                for vec in 0..VECS {
                    vectors[vec] = simd.load(b.add(vec * LANES));
                }
                for row in 0..ROWS {
                    let value = simd.splat(*a.add(row * a_row));
                    for vec in 0..VECS {
                        sums[row][vec] = value.mul_add(vectors[vec], sums[row][vec]);
                    }
                }
            }
            for tile_row in 0..ROWS {
                let c = self.c.as_mut_ptr().add((row + tile_row) * self.c_stride + vec * LANES);
                for vec in 0..VECS {
                    let (c, sum) = (c.add(vec * LANES), sums[tile_row][vec]);
                    let kept = match self.factor {
                        Factor::Zero => sum,
                        Factor::One => simd.load(c) + sum,
                        Factor::Rows(factors) => {
                            simd.load(c).mul_add(simd.splat(*factors.get_unchecked(row + tile_row)), sum)
                        }
                    };
                    kept.store(c);
                }
            }
        }
        ROWS
    }
}
