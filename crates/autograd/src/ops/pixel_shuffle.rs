//! Rearranging channels into pixels and back, and splitting an axis into several.

use tensor::{MAX_RANK, Shape};

use super::shared::{channels_last_hint, count};
use crate::{Graph, Var};

impl Graph<'_> {
    /// Rearranges each pixel's channels into a square of `r × r` pixels: `[n, h, w, c·r²]` to
    /// `[n, h·r, w·r, c]`; `torch.nn.functional.pixel_shuffle` except for the layout.
    ///
    /// Channels are numbered as in PyTorch, channel · r² + row · r + column, so the weights of a preceding
    /// convolution are the same as in PyTorch. Shi et al., "Real-Time Single Image and Video Super-Resolution
    /// Using an Efficient Sub-Pixel Convolutional Neural Network", 2016.
    ///
    /// # Panics
    /// When `x` is not images, or the number of channels is not divisible by r².
    #[track_caller]
    pub fn pixel_shuffle(&self, x: Var, r: usize) -> Var {
        let [n, h, w, channels] = self.expect_images("pixel_shuffle", x);
        let divided = |channels: usize| {
            let area = r.checked_mul(r).filter(|&area| area > 0 && channels.is_multiple_of(area))?;
            Some(channels / area)
        };
        let Some(c) = divided(channels) else {
            let (shape, at) = (self.shape(x), self.at());
            let hint = channels_last_hint(shape, |first| divided(first).is_some());
            panic!(
                "pixel_shuffle{at}: the input {shape} has {}, which cannot be divided by {r} × {r}; change \
                 their number{hint}",
                count(channels, "channel")
            );
        };
        let x = self.reshape(x, [n, h, w, c, r, r]);
        let x = self.permute(x, &[0, 1, 4, 2, 5, 3]);
        self.reshape(x, [n, h * r, w * r, c])
    }

    /// Rearranges squares of `r × r` pixels into the channels of one: `[n, h·r, w·r, c]` to
    /// `[n, h, w, c·r²]`, the inverse of [`pixel_shuffle`](Self::pixel_shuffle);
    /// `torch.nn.functional.pixel_unshuffle` except for the layout.
    ///
    /// # Panics
    /// When `x` is not images, or its height or width is not divisible by r.
    #[track_caller]
    pub fn pixel_unshuffle(&self, x: Var, r: usize) -> Var {
        let [n, height, width, c] = self.expect_images("pixel_unshuffle", x);
        let fits = |size: usize| r > 0 && size.is_multiple_of(r);
        assert!(
            fits(height) && fits(width),
            "pixel_unshuffle{}: the height and the width of {} are not both divisible by {r}; pad or crop \
             the images{}",
            self.at(),
            self.shape(x),
            // With the channels first, height and width are the last two axes.
            channels_last_hint(self.shape(x), |_| fits(width) && fits(c))
        );
        let (h, w) = (height / r, width / r);
        let x = self.reshape(x, [n, h, r, w, r, c]);
        let x = self.permute(x, &[0, 1, 3, 5, 2, 4]);
        self.reshape(x, [n, h, w, c * r * r])
    }

    /// Splits one axis into several; `torch.unflatten`.
    ///
    /// With three `sizes`, `[h, w, c]`, the features of vectors `[n, c·h·w]` become images. They are read in
    /// PyTorch's order c × h × w, so this undoes [`flatten`](Self::flatten), and the weights of a preceding
    /// linear layer are those of a PyTorch model with `Unflatten(1, (c, h, w))`.
    ///
    /// # Panics
    /// When `x` does not have the axis, `sizes` do not multiply to its size, or there would be too many axes.
    #[track_caller]
    pub fn unflatten(&self, x: Var, axis: usize, sizes: &[usize]) -> Var {
        let shape = self.shape(x);
        let Some(&size) = shape.get(axis) else {
            panic!("unflatten{}: {shape} has no axis {axis}; axes count from 0", self.at());
        };
        let n = sizes.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
        let rank = shape.rank() - 1 + sizes.len();
        assert!(
            n == Some(size) && rank <= MAX_RANK && !sizes.is_empty(),
            "unflatten{}: axis {axis} of {shape} is {size}, which cannot be split into {sizes:?} within \
             {MAX_RANK} axes; give sizes whose product is {size}",
            self.at()
        );
        if let (2, 1, &[h, w, c]) = (shape.rank(), axis, sizes) {
            let x = self.reshape(x, [shape[0], c, h, w]);
            // One pixel or one channel: the order is the same.
            return if h * w == 1 || c == 1 {
                self.reshape(x, [shape[0], h, w, c])
            } else {
                self.permute(x, &[0, 2, 3, 1])
            };
        }
        let mut dims = [1; MAX_RANK];
        let parts = shape[..axis].iter().chain(sizes).chain(&shape[axis + 1..]);
        dims.iter_mut().zip(parts).for_each(|(dim, &size)| *dim = size);
        self.reshape(x, Shape::new(&dims[..rank]))
    }
}
