//! y = x / (1 − p) where kept, 0 where dropped: element by element, or whole channels and images.

use keyed_random::skip;
use tensor::Shape;
use tensor::dropout::{channel_dropout_backward, channel_dropout_forward, dropout_backward, dropout_forward};
use tensor::parallel::Shards;

use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

struct Dropout {
    p: f32,
}

impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        let key = skip(f.key, f.shards.first_row(f.output.len()) as u64);
        dropout_forward(f.output, f.inputs.value(0), self.p, key);
    }

    /// dx = dy / (1 − p) where kept, 0 where dropped; the key reproduces which.
    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            let key = skip(b.key, b.shards.first_row(b.dy.len()) as u64);
            dropout_backward(dx.data, b.dy, self.p, key, dx.beta);
        }
    }

    fn is_random(&self) -> bool {
        true
    }
}

/// Dropout of units that share one random number: a channel of an image, an image, or the batch.
struct SharedDropout {
    name: &'static str,
    p: f32,
    shared: Shared,
}

#[derive(Clone, Copy)]
enum Shared {
    Channel,
    Row,
    Batch,
}

impl SharedDropout {
    /// The numbers of images, pixels and channels for the kernel, and the key for the images in this process.
    fn sizes_and_key(&self, shape: Shape, key: u64, shards: &Shards<'_>) -> ([usize; 3], u64) {
        let (n_rows, row_len) = match shape.split_first() {
            Some((&n_rows, rest)) => (n_rows, rest.iter().product()),
            None => (1, 1),
        };
        let (sizes, n_numbers) = match (self.shared, shape.last()) {
            (Shared::Channel, Some(&channels)) => {
                let pixels: usize = shape[1..shape.rank() - 1].iter().product();
                ([n_rows, pixels, channels], n_rows * channels)
            }
            (Shared::Batch, _) => ([1, n_rows * row_len, 1], 0),
            _ => ([n_rows, row_len, 1], n_rows),
        };
        (sizes, skip(key, shards.first_row(n_numbers) as u64))
    }
}

impl Op for SharedDropout {
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        match (self.shared, inputs[0]) {
            (Shared::Channel, x) if x.rank() < 2 => Err(ShapeError::new(format!(
                "the input is {x}, expected images [n, h, w, c]; reshape it, or add the missing axes"
            ))),
            (_, x) => Ok(x),
        }
    }

    fn forward(&self, f: Forward<'_>) {
        let (sizes, key) = self.sizes_and_key(f.shape, f.key, &f.shards);
        channel_dropout_forward(f.output, f.inputs.value(0), sizes, self.p, key);
    }

    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            let (sizes, key) = self.sizes_and_key(b.shape, b.key, &b.shards);
            channel_dropout_backward(dx.data, b.dy, sizes, self.p, key, dx.beta);
        }
    }

    fn is_random(&self) -> bool {
        true
    }
}

/// The unit that [`Graph::stochastic_depth`] drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StochasticDepthMode {
    /// Each image separately; `"row"` in torchvision.
    Row,
    /// All images of the batch, or none; `"batch"` in torchvision.
    Batch,
}

impl Graph<'_> {
    /// Dropout: in training, each element becomes 0 with probability p and the others are divided by 1 − p;
    /// in evaluation, returns `x` itself. `torch.nn.functional.dropout`; Srivastava et al. 2014.
    ///
    /// Which elements are dropped is a function of the run's seed, the layer's path, the step and the
    /// element's place in the whole batch. Each call drops differently, also those of a layer used twice.
    ///
    /// # Panics
    /// When p is not in [0, 1].
    #[track_caller]
    pub fn dropout(&self, x: Var, p: f32) -> Var {
        assert!((0.0..=1.0).contains(&p), "dropout{}: p is {p}, it must lie in [0, 1]", self.at());
        if self.mode().training { self.apply(Dropout { p }, &[x]) } else { x }
    }

    /// In training, each channel of each image of `x` [n, …, c] becomes 0 with probability p and the others
    /// are divided by 1 − p; in evaluation, returns `x` itself. `torch.nn.functional.dropout2d`, and 1d and
    /// 3d. Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.
    ///
    /// As in [`dropout`](Self::dropout), which are dropped depends on the image's place in the whole batch.
    /// Images `[n, c, h, w]` cannot be told from images `[n, h, w, c]` here: any sizes fit.
    ///
    /// # Panics
    /// When p is not in [0, 1], or `x` has fewer than two axes.
    #[track_caller]
    pub fn dropout2d(&self, x: Var, p: f32) -> Var {
        self.shared_dropout("dropout2d", x, p, Shared::Channel)
    }

    /// Stochastic depth: in training, `x`, the output of a residual block's body, becomes 0 with probability
    /// p, per image or for the whole batch at once, and is divided by 1 − p where it is kept; in evaluation,
    /// returns `x` itself. `torchvision.ops.stochastic_depth`; Huang et al., "Deep Networks with Stochastic
    /// Depth", 2016.
    ///
    /// As in [`dropout`](Self::dropout), which images are dropped depends on the image's place in the whole
    /// batch.
    ///
    /// # Panics
    /// When p is not in [0, 1].
    #[track_caller]
    pub fn stochastic_depth(&self, x: Var, p: f32, mode: StochasticDepthMode) -> Var {
        let shared = match mode {
            StochasticDepthMode::Row => Shared::Row,
            StochasticDepthMode::Batch => Shared::Batch,
        };
        self.shared_dropout("stochastic_depth", x, p, shared)
    }

    #[track_caller]
    fn shared_dropout(&self, name: &'static str, x: Var, p: f32, shared: Shared) -> Var {
        assert!((0.0..=1.0).contains(&p), "{name}{}: p is {p}, it must lie in [0, 1]", self.at());
        if self.mode().training { self.apply(SharedDropout { name, p, shared }, &[x]) } else { x }
    }
}
