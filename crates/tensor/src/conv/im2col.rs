//! Convolution as a matrix product over copied patches: the general algorithm.
//!
//! The patches of a few output rows are copied into a matrix, one patch per row in the order (kernel row, kernel
//! column, channel), so that a kernel row is one contiguous run of the image. It stays in the L2 cache unless patches
//! have more than about 512 numbers. Weights are repacked to that order once per call. The error bound is that of the
//! product: |Δ| ≤ (k + 2)·ε·(|x| ∗ |w|), with k the number of terms of the sum and ε = 2⁻²⁴.

use std::ops::Range;

use super::Conv2dShape;
use crate::matmul::{Matrix, MatrixMut, gemm, product_work, sum_of_rows};
use crate::parallel::{Shards, for_each_chunk, rows_mut, sum_over_shards};
use crate::{Beta, scratch};

/// The number of floats in the patch matrix of one product, a quarter of a megabyte, unless [`MIN_PATCHES`] or one row of
/// the output take more.
const PATCHES_LEN: usize = 1 << 16;

/// The number of patches that a product has, if there are as many, even where they are long: each product packs the
/// whole weight, or adds to all of its gradient. A thread's matrix is still no larger than that weight, if a group has
/// as many output channels.
const MIN_PATCHES: usize = 128;

/// Forward and the gradient of the input have about this many tasks for the threads before their products grow to
/// [`MIN_PATCHES`].
const N_TASKS: usize = 16;

/// y = x ∗ w + bias, a few output rows at a time.
pub(super) fn forward(y: &mut [f32], x: &[f32], w: &[f32], bias: Option<&[f32]>, shape: &Conv2dShape) {
    let plan = Plan::new(shape);
    plan.with_transposed_weight(w, |w| {
        let y_rows = rows_mut(y, plan.out_width * shape.out_channels);
        for_each_chunk(plan.n_rows(), plan.task_rows, plan.work(), y_rows, |rows, y| {
            let y = y.into_slice();
            if let Some(bias) = bias {
                y.chunks_exact_mut(shape.out_channels).for_each(|y| y.copy_from_slice(bias));
            }
            let beta = if bias.is_some() { Beta::One } else { Beta::Zero };
            for group in 0..shape.groups {
                plan.with_patches(x, rows.clone(), group, |patches| {
                    let w = Matrix::new(&w[group * plan.group_out..], [shape.out_channels, 1]);
                    gemm(plan.channels_mut(y, rows.len(), group), patches, w, plan.patch_len, beta);
                });
            }
        });
    });
}

/// dx = β·dx + dy · w added back over the patches. Patches overlap, so a task processes whole images.
pub(super) fn backward_input(dx: &mut [f32], dy: &[f32], w: &[f32], shape: &Conv2dShape, beta: Beta) {
    let plan = Plan::new(shape);
    let image_len = shape.height * shape.width * shape.in_channels;
    let dy_image_len = plan.out_height * plan.out_width * shape.out_channels;
    let images_per_task = (plan.task_rows / plan.out_height).max(1);
    plan.with_packed_weight(w, |w| {
        let dx = rows_mut(dx, image_len);
        for_each_chunk(shape.batch, images_per_task, plan.work(), dx, |images, dx| {
            let (dx, dy) = (dx.into_slice(), &dy[images.start * dy_image_len..]);
            beta.prepare(dx);
            for rows in plan.blocks(0..images.len()) {
                for group in 0..shape.groups {
                    let w = Matrix::new(plan.group_of(w, group), [plan.patch_len, 1]);
                    let dy = plan.channels(dy, &rows, group, false);
                    plan.add_patches(dx, rows.clone(), group, |patches, beta| {
                        gemm(patches, dy, w, plan.group_out, beta);
                    });
                }
            }
        });
    });
}

/// dw = β·dw + dyᵀ · patches, summed within shards of the batch that are combined in the tree.
pub(super) fn backward_weight(
    dw: &mut [f32],
    dy: &[f32],
    x: &[f32],
    shape: &Conv2dShape,
    shards: &Shards<'_>,
    beta: Beta,
) {
    let plan = Plan::new(shape);
    scratch::with(dw.len(), |sum| {
        sum_over_shards(sum, shards, plan.work(), (), |images, partial, ()| {
            partial.fill(0.0);
            for rows in plan.blocks(images) {
                for group in 0..shape.groups {
                    plan.with_patches(x, rows.clone(), group, |patches| {
                        let dy = plan.channels(dy, &rows, group, true);
                        let (mut dw, n_pixels) =
                            (plan.group_of_mut(partial, group), rows.len() * plan.out_width);
                        match plan.group_out {
                            1 => sum_of_rows(&mut dw, dy, patches, n_pixels, Beta::One),
                            _ => gemm(dw, dy, patches, n_pixels, Beta::One),
                        }
                    });
                }
            }
        });
        plan.unpack_weight(dw, sum, beta);
    });
}

/// The shape and values derived from it. "Rows" are output rows, counted through the whole batch.
struct Plan<'a> {
    shape: &'a Conv2dShape,
    out_height: usize,
    out_width: usize,
    /// Channels of one group.
    group_in: usize,
    group_out: usize,
    /// Columns of the patch matrix.
    patch_len: usize,
    /// How many output rows have their patches in one product, if a task has as many.
    block_rows: usize,
    /// How many output rows a task has, in forward and, about, in the gradient of the input. The tasks of the weight's are
    /// the shards.
    task_rows: usize,
    /// Whether a patch is a single pixel, so that the image itself is the patch matrix.
    pointwise: bool,
}

impl<'a> Plan<'a> {
    fn new(shape: &'a Conv2dShape) -> Self {
        let (out_height, out_width) = (shape.out_height(), shape.out_width());
        let patch_len = shape.patch_len();
        let fitting = (PATCHES_LEN / (out_width * patch_len)).max(1);
        let block_rows = fitting.max(MIN_PATCHES.div_ceil(out_width));
        let rows_of_a_task = (shape.batch * out_height).div_ceil(N_TASKS);
        Self {
            shape,
            out_height,
            out_width,
            group_in: shape.in_channels / shape.groups,
            group_out: shape.out_channels / shape.groups,
            patch_len,
            block_rows,
            task_rows: block_rows.min(rows_of_a_task).max(fitting),
            pointwise: (shape.kernel_size, shape.stride, shape.padding) == ([1, 1], [1, 1], [0, 0]),
        }
    }

    fn n_rows(&self) -> usize {
        self.shape.batch * self.out_height
    }

    fn work(&self) -> usize {
        product_work(self.n_rows() * self.out_width, self.patch_len, self.shape.out_channels)
    }

    /// The output rows of the images in blocks; a block may span images.
    fn blocks(&self, images: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let (start, end) = (images.start * self.out_height, images.end * self.out_height);
        (start..end).step_by(self.block_rows).map(move |row| row..end.min(row + self.block_rows))
    }

    /// The group's channels of some rows of `y`, as a matrix for writing.
    fn channels_mut<'y>(&self, y: &'y mut [f32], n_rows: usize, group: usize) -> MatrixMut<'y> {
        let y = &mut y[group * self.group_out..];
        MatrixMut::new(y, n_rows * self.out_width, self.group_out, self.shape.out_channels)
    }

    /// The group's channels of some rows of `dy`, pixels × channels or transposed.
    fn channels<'y>(&self, dy: &'y [f32], rows: &Range<usize>, group: usize, transpose: bool) -> Matrix<'y> {
        let out_channels = self.shape.out_channels;
        let dy = &dy[rows.start * self.out_width * out_channels + group * self.group_out..];
        Matrix::new(dy, if transpose { [1, out_channels] } else { [out_channels, 1] })
    }

    /// The rows of a packed weight that belong to a group.
    fn group_of<'w>(&self, packed: &'w [f32], group: usize) -> &'w [f32] {
        let len = self.group_out * self.patch_len;
        &packed[group * len..][..len]
    }

    fn group_of_mut<'w>(&self, packed: &'w mut [f32], group: usize) -> MatrixMut<'w> {
        let len = self.group_out * self.patch_len;
        MatrixMut::new(&mut packed[group * len..], self.group_out, self.patch_len, self.patch_len)
    }

    /// Calls `f` with the weight as [out_channels, kh, kw, in_channels / groups].
    fn with_packed_weight(&self, w: &[f32], f: impl FnOnce(&[f32])) {
        let n_taps = self.shape.kernel_size[0] * self.shape.kernel_size[1];
        if n_taps == 1 {
            return f(w);
        }
        scratch::with(w.len(), |packed| {
            for (packed, w) in packed.chunks_exact_mut(self.patch_len).zip(w.chunks_exact(self.patch_len)) {
                for (tap, packed) in packed.chunks_exact_mut(self.group_in).enumerate() {
                    let taps = w[tap..].iter().step_by(n_taps);
                    packed.iter_mut().zip(taps).for_each(|(packed, &w)| *packed = w);
                }
            }
            f(packed);
        });
    }

    /// Calls `f` with the weight as [kh, kw, in_channels / groups, out_channels], the order in which
    /// `matrixmultiply` is fastest at packing a right operand.
    fn with_transposed_weight(&self, w: &[f32], f: impl FnOnce(&[f32])) {
        let n_taps = self.shape.kernel_size[0] * self.shape.kernel_size[1];
        let out_channels = self.shape.out_channels;
        scratch::with(w.len(), |packed| {
            for (out_channel, w) in w.chunks_exact(self.patch_len).enumerate() {
                for (channel, w) in w.chunks_exact(n_taps).enumerate() {
                    for (tap, w) in w.iter().enumerate() {
                        packed[(tap * self.group_in + channel) * out_channels + out_channel] = *w;
                    }
                }
            }
            f(packed);
        });
    }

    /// dw = β·dw + a packed gradient, converted back to PyTorch's order.
    fn unpack_weight(&self, dw: &mut [f32], packed: &[f32], beta: Beta) {
        let n_taps = self.shape.kernel_size[0] * self.shape.kernel_size[1];
        beta.prepare(dw);
        for (dw, packed) in dw.chunks_exact_mut(self.patch_len).zip(packed.chunks_exact(self.patch_len)) {
            for (tap, packed) in packed.chunks_exact(self.group_in).enumerate() {
                let taps = dw[tap..].iter_mut().step_by(n_taps);
                taps.zip(packed).for_each(|(dw, packed)| *dw += packed);
            }
        }
    }

    /// Calls `f` with the patches of some rows and of a group's channels, pixels × patch_len.
    fn with_patches(&self, x: &[f32], rows: Range<usize>, group: usize, f: impl FnOnce(Matrix)) {
        let in_channels = self.shape.in_channels;
        if self.pointwise {
            let x = &x[rows.start * self.out_width * in_channels + group * self.group_in..];
            return f(Matrix::new(x, [in_channels, 1]));
        }
        scratch::with(rows.len() * self.out_width * self.patch_len, |patches| {
            let x = &x[group * self.group_in..];
            for (patch, [row, column]) in self.patches_mut(patches, rows) {
                let image = row / self.out_height * self.shape.height;
                self.for_each_run(patch, row % self.out_height, column, |run, place| match place {
                    Some((y, x_column)) => {
                        let start = ((image + y) * self.shape.width + x_column) * in_channels;
                        run.copy_from_slice(&x[start..start + run.len()]);
                    }
                    None => run.fill(0.0),
                });
            }
            f(Matrix::new(patches, [self.patch_len, 1]));
        });
    }

    /// Calls `product` to compute the gradient of the patches of some rows, and adds each element to the
    /// pixel of `dx` that it was copied from.
    fn add_patches(
        &self,
        dx: &mut [f32],
        rows: Range<usize>,
        group: usize,
        product: impl FnOnce(MatrixMut, Beta),
    ) {
        let in_channels = self.shape.in_channels;
        let n_pixels = rows.len() * self.out_width;
        if self.pointwise {
            let start = rows.start * self.out_width * in_channels + group * self.group_in;
            return product(
                MatrixMut::new(&mut dx[start..], n_pixels, self.group_in, in_channels),
                Beta::One,
            );
        }
        scratch::with(n_pixels * self.patch_len, |patches| {
            product(MatrixMut::new(patches, n_pixels, self.patch_len, self.patch_len), Beta::Zero);
            let dx = &mut dx[group * self.group_in..];
            for (patch, [row, column]) in self.patches_mut(patches, rows) {
                let image = row / self.out_height * self.shape.height;
                self.for_each_run(patch, row % self.out_height, column, |run, place| {
                    if let Some((y, x_column)) = place {
                        let start = ((image + y) * self.shape.width + x_column) * in_channels;
                        dx[start..start + run.len()].iter_mut().zip(run).for_each(|(dx, g)| *dx += *g);
                    }
                });
            }
        });
    }

    /// Each patch with its output row and column.
    fn patches_mut<'p>(
        &self,
        patches: &'p mut [f32],
        rows: Range<usize>,
    ) -> impl Iterator<Item = (&'p mut [f32], [usize; 2])> {
        let width = self.out_width;
        let places = rows.flat_map(move |row| (0..width).map(move |column| [row, column]));
        patches.chunks_exact_mut(self.patch_len).zip(places)
    }

    /// Splits one patch into runs that are contiguous in the image: calls `f(run, Some((row, column)))` for a
    /// run that starts there, `f(run, None)` for one in the padding.
    fn for_each_run(
        &self,
        patch: &mut [f32],
        row: usize,
        column: usize,
        mut f: impl FnMut(&mut [f32], Option<(usize, usize)>),
    ) {
        let s = self.shape;
        let [_, kernel_width] = s.kernel_size;
        let whole_rows = s.groups == 1 && s.dilation[1] == 1;
        for (kernel_row, patch) in patch.chunks_exact_mut(kernel_width * self.group_in).enumerate() {
            let y = row * s.stride[0] + kernel_row * s.dilation[0];
            let Some(y) = y.checked_sub(s.padding[0]).filter(|&y| y < s.height) else {
                f(patch, None);
                continue;
            };
            let padded_column = column * s.stride[1];
            if whole_rows {
                let before = s.padding[1].saturating_sub(padded_column).min(kernel_width);
                let after =
                    (s.width + s.padding[1]).saturating_sub(padded_column).clamp(before, kernel_width);
                let (left, rest) = patch.split_at_mut(before * self.group_in);
                let (inside, right) = rest.split_at_mut((after - before) * self.group_in);
                f(left, None);
                if after > before {
                    f(inside, Some((y, padded_column + before - s.padding[1])));
                }
                f(right, None);
            } else {
                for (tap, patch) in patch.chunks_exact_mut(self.group_in).enumerate() {
                    let x = (padded_column + tap * s.dilation[1]).checked_sub(s.padding[1]);
                    f(patch, x.filter(|&x| x < s.width).map(|x| (y, x)));
                }
            }
        }
    }
}
