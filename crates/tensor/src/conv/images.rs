//! The images that a kernel reads: stored in memory, or computed while being copied into the bordered
//! layout.

use std::ops::Range;

use simd::Simd;

use super::geometry::Bordered;
use crate::norm::Pointwise;

/// Images of one size, one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Images<'a> {
    Dense(&'a [f32]),
    /// Normalised or activated values. Kernels read each image once or twice in a training step, so computing
    /// it takes less time than storing it would, and no memory until backward.
    Pointwise(Pointwise<'a>),
    Unpooled(Unpooled<'a>),
}

impl<'a> From<Pointwise<'a>> for Images<'a> {
    fn from(values: Pointwise<'a>) -> Self {
        values.as_slice().map_or(Self::Pointwise(values), Self::Dense)
    }
}

impl<'a> Images<'a> {
    /// The number of images, of `image_len` elements each.
    pub(crate) fn count(&self, image_len: usize) -> usize {
        match self {
            Self::Dense(values) => values.len() / image_len,
            Self::Pointwise(values) => values.len() / image_len,
            Self::Unpooled(gradient) => gradient.dy.len() / gradient.pooled_len(),
        }
    }

    /// Some of the images, of `image_len` elements each.
    pub(crate) fn range(&self, images: &Range<usize>, image_len: usize) -> Self {
        match self {
            Self::Dense(values) => Self::Dense(rows(values, images, image_len)),
            Self::Pointwise(values) => {
                Self::Pointwise(values.range(images.start * image_len..images.end * image_len))
            }
            Self::Unpooled(gradient) => Self::Unpooled(gradient.range(images)),
        }
    }

    /// The images as a slice, if they are stored in memory.
    pub(crate) fn as_slice(&self) -> Option<&'a [f32]> {
        match self {
            Self::Dense(values) => Some(values),
            Self::Pointwise(_) | Self::Unpooled(_) => None,
        }
    }

    /// Writes one of the images into a bordered image that is zero or contains another one.
    #[inline(always)]
    pub(crate) fn fill<S: Simd>(&self, simd: S, layout: &Bordered, bordered: &mut [f32], image: usize) {
        match self {
            Self::Dense(values) => {
                let image_len = layout.image_len();
                layout.fill(bordered, &values[image * image_len..][..image_len]);
            }
            Self::Pointwise(values) => {
                let image_len = layout.image_len();
                let image = values.range(image * image_len..(image + 1) * image_len);
                image.fill(&mut bordered[layout.row_start(0, 0)..], layout.lines());
            }
            Self::Unpooled(gradient) => gradient.fill(simd, layout, bordered, image),
        }
    }
}

/// Gradients before a 2×2 pool without a ReLU: `dy` where the maximum was, otherwise 0.
///
/// A quarter of the values are always non-zero, too many for events to be faster than dense kernels. Stored
/// for a whole batch, they would be the largest array of a training step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unpooled<'a> {
    pub(crate) dy: &'a [f32],
    /// The position of each maximum in its window, 2 · row + column.
    pub(crate) argmax: &'a [u8],
    /// The size before the pool; an odd last row or column belongs to no window.
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl Unpooled<'_> {
    fn pooled_row_len(&self) -> usize {
        self.width / 2 * self.channels
    }

    fn pooled_len(&self) -> usize {
        self.height / 2 * self.pooled_row_len()
    }

    fn range(&self, images: &Range<usize>) -> Self {
        let len = self.pooled_len();
        Self { dy: rows(self.dy, images, len), argmax: rows(self.argmax, images, len), ..*self }
    }

    /// Leaves an odd last row or column at zero.
    #[inline(always)]
    fn fill<S: Simd>(&self, _: S, layout: &Bordered, bordered: &mut [f32], image: usize) {
        let (row_len, channels) = (self.pooled_row_len(), self.channels);
        let Self { dy, argmax, .. } = self.range(&(image..image + 1));
        let pooled = dy.chunks_exact(row_len).zip(argmax.chunks_exact(row_len));
        for (pooled_row, (dy, argmax)) in pooled.enumerate() {
            for row in 0..2 {
                let pixels = &mut bordered[layout.row_start(0, 2 * pooled_row + row)..][..2 * row_len];
                let pooled = dy.chunks_exact(channels).zip(argmax.chunks_exact(channels));
                for (pixels, (dy, argmax)) in pixels.chunks_exact_mut(2 * channels).zip(pooled) {
                    for (col, pixel) in pixels.chunks_exact_mut(channels).enumerate() {
                        let position = (2 * row + col) as u8;
                        for (dz, (&dy, &argmax)) in pixel.iter_mut().zip(dy.iter().zip(argmax)) {
                            *dz = if argmax == position { dy } else { 0.0 };
                        }
                    }
                }
            }
        }
    }
}

/// The rows `range` of `values`, with rows of length `len`.
pub(crate) fn rows<'a, T>(values: &'a [T], range: &Range<usize>, len: usize) -> &'a [T] {
    &values[range.start * len..range.end * len]
}
