//! The weight gradient of a convolution, computed directly:
//! dw[kh][kw][in][out] = Σ x[y + kh][x + kw][in] · dy[y][x][out].
//!
//! The tile is 8 neighbours in kw × in times 32 output channels (4 × 16 with few registers). Its sums stay in
//! registers while a loop runs over the pixels of some images:
//!
//! ```text
//!  bordered images, N × H × W × C            output gradient, N × H × W × C
//!  kernel row kh below pixel (y, x):         pixel (y, x):
//!     ░░░░████████░░░░                          ░░░░████████████████░░░░
//!         └ 8 of kw·in, broadcast                   └ 2 vectors of output channels
//! ```
//!
//! The result is in the order of [packed weights](super::pack). Rounding error: each element is a chain of
//! one multiply-add per pixel of the images processed together, added to the previous chains, so
//! |error| ≤ (pixels + 1)·ε·(|x| ∗ |dy|) to first order.

use simd::{Kernel, LANES, Simd, Vector};

use super::geometry::{Bordered, Geometry};
use super::images::Images;
use super::pack::block_len;
use crate::Beta;
use crate::tile::{Items, outer_product};

/// Bordered images are processed together as long as they fit into this many floats, about the L2 cache.
const CHUNK_LEN: usize = 1 << 16;

/// The layout of the bordered images that the kernel reads.
fn bordered(geometry: &Geometry) -> Bordered {
    Bordered::new(geometry, [1, 1])
}

/// The number of images that the kernel processes together.
fn images_per_chunk(geometry: &Geometry, n_images: usize) -> usize {
    (CHUNK_LEN / bordered(geometry).len().max(1)).clamp(1, n_images.max(1))
}

/// The number of scratch floats that the kernel needs for `n_images` with the gradient `dy`.
pub(crate) fn scratch_len(geometry: &Geometry, n_images: usize, dy: Images<'_>) -> usize {
    let dy_len = if dy.as_slice().is_some() { 0 } else { geometry.output_len() };
    images_per_chunk(geometry, n_images) * (bordered(geometry).len() + dy_len)
}

/// Writes the weight gradient of the images `x` to `packed`.
pub(crate) struct BackwardWeight<'a> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) packed: &'a mut [f32],
    pub(crate) dy: Images<'a>,
    pub(crate) x: Images<'a>,
    /// Space for [`scratch_len`] floats.
    pub(crate) scratch: &'a mut [f32],
}

impl Kernel for BackwardWeight<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { geometry, packed, dy, x, scratch } = self;
        let layout = bordered(geometry);
        let n_images = x.count(geometry.input_len());
        let chunk = images_per_chunk(geometry, n_images);
        scratch.fill(0.0);
        let mut beta = Beta::Zero;
        let (bordered, plain) = scratch.split_at_mut(chunk * layout.len());
        for first in (0..n_images).step_by(chunk) {
            let images = first..n_images.min(first + chunk);
            for (bordered, image) in bordered.chunks_exact_mut(layout.len()).zip(images.clone()) {
                x.fill(simd, &layout, bordered, image);
            }
            let dy = dy.range(&images, geometry.output_len());
            let dy = match dy.as_slice() {
                Some(dy) => dy,
                None => {
                    let plain = &mut plain[..images.len() * geometry.output_len()];
                    for (image, plain) in plain.chunks_exact_mut(geometry.output_len()).enumerate() {
                        dy.fill(simd, &geometry.output_layout([1, 1]), plain, image);
                    }
                    plain
                }
            };
            Chunk { geometry, layout, x: bordered, dy }.gradient(simd, packed, beta);
            beta = Beta::One;
        }
    }
}

/// Bordered images and their output gradients.
struct Chunk<'a> {
    geometry: &'a Geometry,
    layout: Bordered,
    x: &'a [f32],
    dy: &'a [f32],
}

impl Chunk<'_> {
    /// `packed = β·packed +` the gradient, for all blocks of output channels.
    #[inline(always)]
    fn gradient<S: Simd>(&self, simd: S, packed: &mut [f32], beta: Beta) {
        let block_len = block_len(self.geometry);
        let n_blocks = self.geometry.out_channels.div_ceil(LANES);
        let n_whole = self.geometry.out_channels / LANES;
        let mut block = 0;
        while block < n_blocks {
            let channel = block * LANES;
            if S::MANY_REGISTERS && n_whole - block.min(n_whole) >= 2 {
                let packed = &mut packed[block * block_len..][..2 * block_len];
                self.block::<S, 2, false>(simd, packed, channel, beta);
                block += 2;
            } else {
                let packed = &mut packed[block * block_len..][..block_len];
                if block < n_whole {
                    self.block::<S, 1, false>(simd, packed, channel, beta);
                } else {
                    self.block::<S, 1, true>(simd, packed, channel, beta);
                }
                block += 1;
            }
        }
    }

    /// Computes the gradient for `VECS` × 16 output channels from `channel` on; `PARTIAL` when the last
    /// vector is not full.
    #[inline(always)]
    fn block<S: Simd, const VECS: usize, const PARTIAL: bool>(
        &self,
        simd: S,
        packed: &mut [f32],
        channel: usize,
        beta: Beta,
    ) {
        let [kernel_height, kernel_width] = self.geometry.kernel_size;
        let run = kernel_width * self.geometry.in_channels;
        for kernel_row in 0..kernel_height {
            let mut k = 0;
            while k < run {
                let at = (kernel_row, k, channel);
                // The widest tile that fits. Nine is a row of a 3×3 kernel on RGB, and would be slow as
                // 8 + 1.
                k += match run - k {
                    9 if S::MANY_REGISTERS => self.tile::<S, 9, VECS, PARTIAL>(simd, packed, at, beta),
                    8.. if S::MANY_REGISTERS => self.tile::<S, 8, VECS, PARTIAL>(simd, packed, at, beta),
                    4.. => self.tile::<S, 4, VECS, PARTIAL>(simd, packed, at, beta),
                    2.. => self.tile::<S, 2, VECS, PARTIAL>(simd, packed, at, beta),
                    _ => self.tile::<S, 1, VECS, PARTIAL>(simd, packed, at, beta),
                };
            }
        }
    }

    /// Computes the gradient of `ROWS` weights of the kernel's row `kernel_row`, from its `k`-th on; returns
    /// `ROWS`.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const VECS: usize, const PARTIAL: bool>(
        &self,
        simd: S,
        packed: &mut [f32],
        (kernel_row, k, channel): (usize, usize, usize),
        beta: Beta,
    ) -> usize {
        let &Geometry { in_channels, out_channels, kernel_size: [_, kernel_width], .. } = self.geometry;
        let (out_height, out_width) = (self.geometry.out_height(), self.geometry.out_width());
        let n_images = self.dy.len() / self.geometry.output_len();
        let n_lanes = out_channels - channel;

        let pixels = Items { n: out_width, a_stride: in_channels, b_stride: out_channels, vec_stride: LANES };
        let mut sums = [[simd.zero(); VECS]; ROWS];
        for image in 0..n_images {
            for row in 0..out_height {
                let x_row = image * self.layout.len() + (row + kernel_row) * self.layout.row_len() + k;
                let dy_row = (image * out_height + row) * out_width * out_channels + channel;
                let (x, dy) = (&self.x[x_row..], &self.dy[dy_row..]);
                outer_product::<S, ROWS, VECS, PARTIAL>(simd, &mut sums, x, dy, pixels, n_lanes);
            }
        }

        let block_len = block_len(self.geometry);
        let first = (kernel_row * kernel_width * in_channels + k) * LANES;
        for vec in 0..VECS {
            let packed = &mut packed[vec * block_len + first..][..ROWS * LANES];
            for row in 0..ROWS {
                let packed = &mut packed[row * LANES..][..LANES];
                let sum = if beta == Beta::One { sums[row][vec] + simd.read(packed) } else { sums[row][vec] };
                sum.write(packed);
            }
        }
        ROWS
    }
}
