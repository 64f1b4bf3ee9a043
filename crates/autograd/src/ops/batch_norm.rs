//! y = (x − mean) / √(var + ε) · weight + bias, channel by channel; and the same followed by an activation.

use tensor::Shape;
use tensor::activation::Activation;
use tensor::norm::{
    BatchNormSaved, BatchNormShape, Channels, Statistics, batch_norm_backward, batch_norm_statistics,
};

use super::shared::{
    Affine, channels_last_hint, count, rows_and_cols, rows_of_images, shards_of_rows, there_are,
};
use crate::{Backward, Commit, Forward, Graph, Images, Inputs, Op, Operands, Recipe, ShapeError, Var};

/// The options of [`Graph::batch_norm`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormOptions {
    /// How far the running statistics move towards those of a batch (default 0.1). With `None` they are the
    /// plain mean of all batches so far, which needs the number of batches as a third running statistic.
    pub momentum: Option<f32>,
    /// ε, added to the variance (default 1e-5).
    pub eps: f32,
}

impl Default for BatchNormOptions {
    fn default() -> Self {
        Self { momentum: Some(0.1), eps: 1e-5 }
    }
}

struct BatchNorm {
    name: &'static str,
    activation: Option<Activation>,
    options: BatchNormOptions,
    /// The number of running statistics among the inputs: none, mean and variance, or these and the number of
    /// batches.
    n_running: usize,
    affine: Affine,
    /// Frozen statistics are used in training too, and not updated.
    is_frozen: bool,
}

/// The order of the inputs; weight and bias follow, if present.
const X: usize = 0;
const RUNNING_MEAN: usize = 1;
const RUNNING_VAR: usize = 2;
const N_BATCHES: usize = 3;

impl BatchNorm {
    fn sizes(&self, x: Shape) -> BatchNormShape {
        let (rows, channels) = rows_and_cols(x);
        BatchNormShape { rows, channels, eps: self.options.eps, activation: self.activation }
    }

    /// Whether the batch's own mean and variance are used.
    fn takes_batch(&self, training: bool) -> bool {
        self.n_running == 0 || (training && !self.is_frozen)
    }

    /// What the op normalises and by what: the statistics `of_batch`, or the running ones.
    fn saved<'a>(
        &self,
        inputs: Inputs<'a>,
        of_batch: &'a [f32],
        training: bool,
    ) -> (BatchNormSaved<'a>, Statistics) {
        let (x, [weight, bias]) = (inputs.value(X), self.affine.values(inputs));
        if self.takes_batch(training) {
            let n = self.sizes(inputs.shape(X)).channels;
            let [mean, mean_rest, var, std] = [0, 1, 2, 3].map(|row| &of_batch[row * n..][..n]);
            let (mean_rest, std) = (Some(mean_rest), Some(std));
            (BatchNormSaved { x, mean, mean_rest, var, std, weight, bias }, Statistics::Batch)
        } else {
            let (mean, var) = (inputs.value(RUNNING_MEAN), inputs.value(RUNNING_VAR));
            (BatchNormSaved { x, mean, mean_rest: None, var, std: None, weight, bias }, Statistics::Running)
        }
    }
}

/// The rows of the batch's statistics, with a number for each channel: the mean in two floats, the variance and the
/// deviation. The factor that makes the variance unbiased follows.
const STATISTICS_ROWS: usize = 4;

/// Splits what forward saves: the table of the recipe, and the batch's statistics.
fn split(saved: &mut [f32], channels: usize) -> (&mut [f32], &mut [f32]) {
    saved.split_at_mut(Channels::TABLE_ROWS * channels)
}

/// The error that a statistic, a weight or a bias does not have one element per channel.
pub(super) fn unlike_channels(x: Shape, channels: usize, name: &str, shape: Shape) -> ShapeError {
    let hint = channels_last_hint(x, |first| shape.dims() == [first]);
    ShapeError::new(format!(
        "the input {x} has {}, the {name} is {shape}; make it [{channels}], or change the preceding layer{hint}",
        count(channels, "channel")
    ))
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let x = inputs[X];
        let Some(&channels) = x.last() else {
            return Err(ShapeError::new(
                "the input is a scalar, expected [n, c] or [n, h, w, c]; reshape it",
            ));
        };
        let names = ["running_mean", "running_var"];
        let running = names.into_iter().take(self.n_running).zip(&inputs[RUNNING_MEAN..]);
        for (name, shape) in running.chain(self.affine.named(inputs)) {
            if shape.dims() != [channels] {
                return Err(unlike_channels(x, channels, name, *shape));
            }
        }
        if self.n_running > 2 && inputs[N_BATCHES].numel() != 1 {
            return Err(ShapeError::new(format!(
                "the number of batches is {}, expected a scalar; make it []",
                inputs[N_BATCHES]
            )));
        }
        Ok(x)
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        rows_of_images(inputs, output)
    }

    fn recipe(&self) -> Option<Recipe> {
        Some(Recipe::Normalised(self.activation))
    }

    fn forward(&self, f: Forward<'_>) {
        let (sizes, shards) = (self.sizes(f.shape), shards_of_rows(f.inputs));
        let n = sizes.channels;
        f.saved.floats.resize((Channels::TABLE_ROWS + STATISTICS_ROWS) * n + 1, 0.0);
        let (table, of_batch) = split(&mut f.saved.floats, n);
        if self.takes_batch(f.training) {
            let (means, vars) = of_batch.split_at_mut(2 * n);
            let ((mean, mean_rest), (var, vars)) = (means.split_at_mut(n), vars.split_at_mut(n));
            let (std, unbiased) = vars.split_at_mut(n);
            let x = f.inputs.value(X);
            let n_rows = batch_norm_statistics([mean, mean_rest], [var, std], x, &sizes, &shards) as f32;
            unbiased[0] = n_rows / (n_rows - 1.0);
        }
        self.saved(f.inputs, of_batch, f.training).0.write_channels(table, sizes.eps);
    }

    /// With x̂ the normalised input, and dz = dy · f′(x̂ · weight + bias) for an activation f, otherwise dy:
    /// dbias = Σ dz, dweight = Σ dz · x̂; in evaluation dx = weight / √(var + ε) · dz, in training
    /// weight / √(var + ε) · (dz − mean(dz) − x̂ · mean(dz · x̂)).
    fn backward(&self, mut b: Backward<'_>) {
        let (sizes, shards, dy) = (self.sizes(b.shape), shards_of_rows(b.inputs), b.dy);
        let (_, of_batch) = split(&mut b.saved.floats, sizes.channels);
        let (saved, statistics) = self.saved(b.inputs, of_batch, b.training);
        self.affine.backward(&mut b.grads, sizes.channels, |dx, dweight, dbias| {
            batch_norm_backward(dx, dweight, dbias, dy, &saved, statistics, &sizes, &shards);
        });
    }

    fn has_statistics(&self) -> bool {
        self.n_running > 0 && !self.is_frozen
    }

    /// running = (1 − momentum) · running + momentum · batch, the variance unbiased (· rows / (rows − 1)). If
    /// momentum is `None`, it is 1 / the number of batches including this one.
    fn commit(&self, mut c: Commit<'_>) {
        let n = self.sizes(c.shape(X)).channels;
        let of_batch = &c.saved.floats[Channels::TABLE_ROWS * n..];
        let ([mean, var], unbiased) =
            ([0, 2].map(|row| &of_batch[row * n..][..n]), of_batch[STATISTICS_ROWS * n]);
        if self.n_running > 2 {
            c.statistic(N_BATCHES)[0] += 1.0;
        }
        let momentum = match self.options.momentum {
            Some(momentum) => momentum,
            None => 1.0 / c.statistic(N_BATCHES)[0],
        };
        for (i, batch, factor) in [(RUNNING_MEAN, mean, 1.0), (RUNNING_VAR, var, unbiased)] {
            for (running, batch) in c.statistic(i).iter_mut().zip(batch) {
                *running += momentum * (factor * batch - *running);
            }
        }
    }
}

impl Graph<'_> {
    /// Batch normalisation over all axes but the last, which are the channels;
    /// `torch.nn.functional.batch_norm`. For N × H × W × C images the one- and two-dimensional layers are the
    /// same. Ioffe and Szegedy 2015.
    ///
    /// `running` holds mean and variance, entries of [`Params`](crate::Params) with
    /// [`Role::Statistic`](crate::Role::Statistic), and optionally the number of batches, which a momentum of
    /// `None` needs; or it is empty. `affine` is weight and bias, by default 1 and 0. In training the batch's
    /// own statistics are used, and [`backward`](Self::backward) moves the running ones towards them. In
    /// evaluation, or if they are [frozen](crate::Params::freeze), the running ones are used. Without running
    /// statistics, the batch's own are always used.
    ///
    /// # Panics
    /// When the shapes do not fit, `running` has another number of entries or lacks the number of batches
    /// that a momentum of `None` needs, or there are fewer than two values per channel where the batch's own
    /// statistics are used; in backward, when `running` are not statistics.
    #[track_caller]
    pub fn batch_norm(
        &self,
        x: Var,
        running: &[Var],
        affine: [Option<Var>; 2],
        options: BatchNormOptions,
    ) -> Var {
        self.batch_normalised("batch_norm", x, running, affine, options, None)
    }

    /// `activation(batch_norm(x))`, with the same result in one pass after the statistics; if only convolutions
    /// read it, [computed there](Op::recipe). Backward takes two passes and recomputes the value between the
    /// two ops, which is not stored.
    ///
    /// # Panics
    /// As [`batch_norm`](Self::batch_norm).
    #[track_caller]
    pub fn batch_norm_activation(
        &self,
        x: Var,
        running: &[Var],
        affine: [Option<Var>; 2],
        options: BatchNormOptions,
        activation: Activation,
    ) -> Var {
        self.batch_normalised("batch_norm_activation", x, running, affine, options, Some(activation))
    }

    #[track_caller]
    fn batch_normalised(
        &self,
        name: &'static str,
        x: Var,
        running: &[Var],
        affine: [Option<Var>; 2],
        options: BatchNormOptions,
        activation: Option<Activation>,
    ) -> Var {
        let (n_running, at) = (running.len(), || self.at());
        assert!(
            matches!(n_running, 0 | 2 | 3),
            "{name}{}: {}; give none, the mean and the variance, or these two and the number of batches",
            at(),
            there_are(n_running, "running statistic")
        );
        assert!(
            options.momentum.is_some() || n_running != 2,
            "{name}{}: a momentum of None needs the number of batches; give it as the third running statistic",
            at()
        );
        let shape = self.shape(x);
        let ((rows, _), shards) = (rows_and_cols(shape), self.shards(x));
        let is_frozen = running.iter().any(|&statistic| self.is_frozen(statistic));
        let affine_inputs = Affine::new(1 + n_running, affine);
        let op = BatchNorm { name, activation, options, n_running, affine: affine_inputs, is_frozen };
        // If this process has no images, other processes check the number of rows.
        let is_elsewhere = shards.images().is_empty() && shards.n_images() > 0;
        assert!(
            !op.takes_batch(self.mode().training)
                || is_elsewhere
                || (shape.rank() > 1 && shards.rows_of_batch(rows) > 1),
            "{name}{}: {shape} has {} per channel, training needs at least 2; make the batch larger",
            at(),
            count(rows, "value")
        );
        let [mean, var, n_batches] = [0, 1, 2].map(|i| running.get(i).copied());
        self.apply_present(op, x, [mean, var, n_batches, affine[0], affine[1]])
    }
}
