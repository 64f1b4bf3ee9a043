//! Pooling of images: the largest element or the mean of each window, and the mean of each channel.

use tensor::Shape;
use tensor::pool::{
    Pool2dShape, Windows, avg_pool2d_backward, avg_pool2d_forward, global_avg_pool2d_backward,
    global_avg_pool2d_forward, max_pool2d_backward, max_pool2d_forward,
};

use super::pool_options::{Pool1dOptions, Pool2dOptions};
use super::shared::{channels_last_hint, image_sizes};
use crate::{Backward, Forward, Grad, Graph, Inputs, Op, Saved, ShapeError, Var};

/// Pooling over windows: `forward(sizes, f)` and `backward(sizes, dx, dy, saved)`.
struct Pool2d<F, B> {
    name: &'static str,
    windows: [Windows; 2],
    forward: F,
    backward: B,
}

impl<F, B> Pool2d<F, B> {
    fn sizes(&self, x: Shape) -> Result<Pool2dShape, ShapeError> {
        sizes(x, image_sizes(x)?, self.windows)
    }

    fn checked_sizes(&self, inputs: Inputs<'_>) -> Pool2dShape {
        self.sizes(inputs.shape(0)).expect("checked by output_shape")
    }
}

impl<F, B> Op for Pool2d<F, B>
where
    F: Fn(&Pool2dShape, Forward<'_>) + Send + Sync + 'static,
    B: Fn(&Pool2dShape, Grad<'_>, &[f32], &Saved) + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let sizes = self.sizes(inputs[0])?;
        Ok(Shape::new(&[sizes.batch, sizes.out_height(), sizes.out_width(), sizes.channels]))
    }

    fn forward(&self, f: Forward<'_>) {
        (self.forward)(&self.checked_sizes(f.inputs), f);
    }

    fn backward(&self, mut b: Backward<'_>) {
        let sizes = self.checked_sizes(b.inputs);
        if let Some(dx) = b.grads.get(0) {
            (self.backward)(&sizes, dx, b.dy, b.saved);
        }
    }
}

/// The sizes of pooling `x` as these images: itself, or sequences as images one row high.
fn sizes(x: Shape, images: [usize; 4], windows: [Windows; 2]) -> Result<Pool2dShape, ShapeError> {
    let sizes = |[batch, height, width, channels]: [usize; 4]| {
        let sizes = Pool2dShape { batch, height, width, channels, windows };
        sizes.validate().map(|()| sizes)
    };
    sizes(images).map_err(|reason| {
        let (windows, larger, channels_last) = match (x.rank(), images) {
            (3, [n, one, c, t]) => (&windows[1..], "longer sequences", [n, one, t, c]),
            (_, [n, c, h, w]) => (&windows[..], "larger images", [n, h, w, c]),
        };
        let (mut kernel_size, mut stride) = (Vec::new(), Vec::new());
        for windows in windows {
            if let Windows::Sliding { kernel_size: k, stride: s, .. } = *windows {
                kernel_size.push(k);
                stride.push(s);
            }
        }
        let hint = channels_last_hint(x, |_| sizes(channels_last).is_ok());
        ShapeError::new(if kernel_size.is_empty() {
            let counts: Vec<usize> = windows.iter().map(|windows| windows.count(1)).collect();
            format!("windows {counts:?} do not fit the input {x}: {reason}{hint}")
        } else {
            format!(
                "a window {kernel_size:?} by {stride:?} does not fit the input {x}: {reason}; choose another window or \
                 other padding, or give {larger}{hint}"
            )
        })
    })
}

struct GlobalAvgPool2d;

/// Images, pixels, channels.
fn image_pixels(inputs: Inputs<'_>) -> [usize; 3] {
    let [n, h, w, c] = image_sizes(inputs.shape(0)).expect("checked by output_shape");
    [n, h * w, c]
}

impl Op for GlobalAvgPool2d {
    fn name(&self) -> &'static str {
        "global_avg_pool2d"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        image_sizes(inputs[0]).map(|[n, _, _, c]| Shape::new(&[n, c]))
    }

    fn forward(&self, f: Forward<'_>) {
        let [n, n_pixels, c] = image_pixels(f.inputs);
        global_avg_pool2d_forward(f.output, f.inputs.value(0), n, n_pixels, c);
    }

    /// dx = dy / number of pixels.
    fn backward(&self, mut b: Backward<'_>) {
        let [n, n_pixels, c] = image_pixels(b.inputs);
        if let Some(dx) = b.grads.get(0) {
            global_avg_pool2d_backward(dx.data, b.dy, n, n_pixels, c, dx.beta);
        }
    }
}

impl Graph<'_> {
    #[track_caller]
    fn pool2d(
        &self,
        name: &'static str,
        x: Var,
        windows: [Windows; 2],
        forward: impl Fn(&Pool2dShape, Forward<'_>) + Send + Sync + 'static,
        backward: impl Fn(&Pool2dShape, Grad<'_>, &[f32], &Saved) + Send + Sync + 'static,
    ) -> Var {
        self.apply(Pool2d { name, windows, forward, backward }, &[x])
    }

    /// The mean of each window, `[n, h, w, c]` to `[n, h', w', c]`; `torch.nn.functional.avg_pool2d` except
    /// for the layout.
    ///
    /// h' = ⌊(h + 2·padding − dilation·(kernel_size − 1) − 1) / stride⌋ + 1, and w' likewise; in ceil mode
    /// with ⌈ ⌉, without a window that would start after the image. An element gets the sum of
    /// dy / (elements counted) over the windows that contain it.
    ///
    /// # Panics
    /// When `x` is not images, the window is larger than a padded image, or the padding is more than half the
    /// window.
    #[track_caller]
    pub fn avg_pool2d(&self, x: Var, options: Pool2dOptions) -> Var {
        let include_pad = options.count_include_pad;
        let forward = move |sizes: &Pool2dShape, f: Forward<'_>| {
            avg_pool2d_forward(f.output, f.inputs.value(0), sizes, include_pad);
        };
        self.pool2d("avg_pool2d", x, options.windows(), forward, move |sizes, dx, dy, _| {
            avg_pool2d_backward(dx.data, dy, sizes, include_pad, dx.beta);
        })
    }

    /// The largest element of each window, `[n, h, w, c]` to `[n, h', w', c]`;
    /// `torch.nn.functional.max_pool2d` except for the layout. Padding never wins, NaN always does; of equal
    /// elements the first gets the gradient. Sizes are those of [`avg_pool2d`](Self::avg_pool2d).
    ///
    /// # Panics
    /// When `x` is not images, the window is larger than a padded image, or the padding is more than half the
    /// window.
    #[track_caller]
    pub fn max_pool2d(&self, x: Var, options: Pool2dOptions) -> Var {
        self.pool2d("max_pool2d", x, options.windows(), largest, largest_backward)
    }

    /// The means of as many windows as requested, rows before columns: `[n, h, w, c]` to `[n, h', w', c]`;
    /// `torch.nn.functional.adaptive_avg_pool2d` except for the layout. Window `i` of `n` spans ⌊i·h / n⌋ to
    /// ⌈(i + 1)·h / n⌉.
    ///
    /// # Panics
    /// When `x` is not images, or a size is 0.
    #[track_caller]
    pub fn adaptive_avg_pool2d(&self, x: Var, output_size: [usize; 2]) -> Var {
        let windows = output_size.map(|output_size| Windows::Adaptive { output_size });
        let forward = |sizes: &Pool2dShape, f: Forward<'_>| {
            avg_pool2d_forward(f.output, f.inputs.value(0), sizes, false);
        };
        self.pool2d("adaptive_avg_pool2d", x, windows, forward, |sizes, dx, dy, _| {
            avg_pool2d_backward(dx.data, dy, sizes, false, dx.beta);
        })
    }

    /// The largest elements of as many windows as requested; `torch.nn.functional.adaptive_max_pool2d` except
    /// for the layout. Windows are those of [`adaptive_avg_pool2d`](Self::adaptive_avg_pool2d).
    ///
    /// # Panics
    /// When `x` is not images, or a size is 0.
    #[track_caller]
    pub fn adaptive_max_pool2d(&self, x: Var, output_size: [usize; 2]) -> Var {
        let windows = output_size.map(|output_size| Windows::Adaptive { output_size });
        self.pool2d("adaptive_max_pool2d", x, windows, largest, largest_backward)
    }

    /// Records `pool` of sequences `[n, t, c]` as images one row high; an error speaks of the sequences.
    #[track_caller]
    fn pool1d(&self, name: &str, x: Var, windows: Windows, pool: impl FnOnce(&Self, Var) -> Var) -> Var {
        let shape = self.expect_rank_3(name, x);
        let images = [shape[0], 1, shape[1], shape[2]];
        if let Err(error) = sizes(shape, images, [Windows::new(1, 1, 0), windows]) {
            panic!("{name}{}: {error}", self.at());
        }
        self.one_row_high(x, pool)
    }

    /// The largest element of each window of sequences, `[n, t, c]` to `[n, t', c]`;
    /// `torch.nn.functional.max_pool1d` except for the layout. It is recorded as the
    /// [`max_pool2d`](Self::max_pool2d) of images one row high.
    ///
    /// # Panics
    /// As [`max_pool2d`](Self::max_pool2d), and when `x` is not sequences.
    #[track_caller]
    pub fn max_pool1d(&self, x: Var, options: Pool1dOptions) -> Var {
        let options = options.one_row_high();
        self.pool1d("max_pool1d", x, options.windows()[1], |g, x| g.max_pool2d(x, options))
    }

    /// The mean of each window of sequences, `[n, t, c]` to `[n, t', c]`; `torch.nn.functional.avg_pool1d`
    /// except for the layout. It is recorded as the [`avg_pool2d`](Self::avg_pool2d) of images one row high.
    ///
    /// # Panics
    /// As [`avg_pool2d`](Self::avg_pool2d), and when `x` is not sequences.
    #[track_caller]
    pub fn avg_pool1d(&self, x: Var, options: Pool1dOptions) -> Var {
        let options = options.one_row_high();
        self.pool1d("avg_pool1d", x, options.windows()[1], |g, x| g.avg_pool2d(x, options))
    }

    /// The means of as many windows of sequences as requested, `[n, t, c]` to `[n, t', c]`;
    /// `torch.nn.functional.adaptive_avg_pool1d` except for the layout. It is recorded as the
    /// [`adaptive_avg_pool2d`](Self::adaptive_avg_pool2d) of images one row high.
    ///
    /// # Panics
    /// When `x` is not sequences, or a size is 0.
    #[track_caller]
    pub fn adaptive_avg_pool1d(&self, x: Var, output_size: usize) -> Var {
        self.pool1d("adaptive_avg_pool1d", x, Windows::Adaptive { output_size }, |g, x| {
            g.adaptive_avg_pool2d(x, [1, output_size])
        })
    }

    /// The largest elements of as many windows of sequences as requested;
    /// `torch.nn.functional.adaptive_max_pool1d` except for the layout. Windows are those of
    /// [`adaptive_avg_pool1d`](Self::adaptive_avg_pool1d).
    ///
    /// # Panics
    /// When `x` is not sequences, or a size is 0.
    #[track_caller]
    pub fn adaptive_max_pool1d(&self, x: Var, output_size: usize) -> Var {
        self.pool1d("adaptive_max_pool1d", x, Windows::Adaptive { output_size }, |g, x| {
            g.adaptive_max_pool2d(x, [1, output_size])
        })
    }

    /// The mean of each channel over the image, `[n, h, w, c]` to `[n, c]`; `adaptive_avg_pool2d(x, 1)` and
    /// `flatten` in PyTorch. NaN for images without pixels. Images `[n, c, h, w]` cannot be told from images
    /// `[n, h, w, c]` here: any sizes fit.
    ///
    /// # Panics
    /// When `x` is not images.
    #[track_caller]
    pub fn global_avg_pool2d(&self, x: Var) -> Var {
        self.apply(GlobalAvgPool2d, &[x])
    }
}

fn largest(sizes: &Pool2dShape, f: Forward<'_>) {
    f.saved.indices.resize(f.output.len(), 0);
    max_pool2d_forward(f.output, &mut f.saved.indices, f.inputs.value(0), sizes);
}

fn largest_backward(sizes: &Pool2dShape, dx: Grad<'_>, dy: &[f32], saved: &Saved) {
    max_pool2d_backward(dx.data, dy, &saved.indices, sizes, dx.beta);
}
