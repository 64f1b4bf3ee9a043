//! How a step is run.

/// How a step is run: training or evaluation, with or without gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Dropout drops and batch normalisation uses the batch's statistics.
    pub training: bool,
    /// A backward pass may follow.
    pub grad: bool,
    /// Backward adds to the gradients that [`Params`](crate::Params) holds instead of overwriting them.
    pub accumulate: bool,
    /// The run's seed, for ops that draw random numbers.
    pub seed: u64,
    /// The number of the step: the same seed and step give the same random numbers, so it must differ at every
    /// step.
    pub step: u64,
    /// Which micro-batch of the step this is, from 0: each has its own random numbers.
    pub micro_batch: u64,
    /// Every value and gradient is checked for NaN and infinity; see
    /// [`Graph::anomaly`](crate::Graph::anomaly).
    pub detect_anomaly: bool,
    /// The number of images in the whole batch. Set it if inputs have several rows per image, or if this
    /// process has only a part of the batch ([`Tape::exchange`](crate::Tape::exchange)). Otherwise each input
    /// has one row per image.
    pub n_images: Option<usize>,
    /// How many shards a batch is split into; the rounding of sums depends on it. The default is the rule of
    /// [`tensor::parallel::Shards::whole`].
    pub n_shards: Option<usize>,
}

impl Mode {
    /// Training mode, with gradients.
    ///
    /// `step` must differ at every step: with the same step every mask and all noise repeat. The optimizer's
    /// `n_steps()` will do.
    pub fn train(seed: u64, step: u64) -> Self {
        Self {
            training: true,
            grad: true,
            accumulate: false,
            seed,
            step,
            micro_batch: 0,
            detect_anomaly: false,
            n_images: None,
            n_shards: None,
        }
    }

    /// Evaluation mode, without gradients.
    pub fn eval() -> Self {
        Self { training: false, grad: false, ..Self::train(0, 0) }
    }

    /// The same mode with or without gradients. Training without gradients keeps dropout on, for the mean and
    /// the spread of several predictions (Monte Carlo dropout, with another step for each); batch normalisation
    /// then uses the batch's statistics unless it is [frozen](crate::Params::freeze). Evaluation with gradients
    /// gives a saliency map.
    pub fn with_grad(self, grad: bool) -> Self {
        Self { grad, ..self }
    }

    /// The same mode, but adding to the existing gradients: for the second and later micro-batches.
    /// [`micro_batch`](Self::micro_batch) gives each its own random numbers.
    pub fn accumulate(self) -> Self {
        Self { accumulate: true, ..self }
    }

    /// The same mode for micro-batch `k` of a step: dropout and other random ops draw new numbers in each.
    /// The first micro-batch is number 0, as is a step that is not divided.
    ///
    /// ```
    /// use autograd::{Mode, Params, Role, Tape};
    /// let (mut tape, mut params) = (Tape::new(), Params::new());
    /// let w = params.add("w", [1], Role::Trainable);
    /// for k in 0..4 {
    ///     let mode = Mode::train(42, 7).micro_batch(k);
    ///     let mode = if k > 0 { mode.accumulate() } else { mode };
    ///     tape.step(&mut params, mode, |g| g.sum(g.dropout(g.param(w), 0.5)));
    /// }
    /// // Here the optimizer makes its step, with the sum of four gradients.
    /// ```
    pub fn micro_batch(self, k: u64) -> Self {
        Self { micro_batch: k, ..self }
    }

    /// The same mode, but checking every value and gradient for NaN and infinity. Slow: meant for finding
    /// where they come from, with [`Graph::anomaly`](crate::Graph::anomaly).
    pub fn detect_anomaly(self) -> Self {
        Self { detect_anomaly: true, ..self }
    }

    /// The same mode on a batch of `n_images` in total, even if only a part of it is in this process.
    pub fn of_images(self, n_images: usize) -> Self {
        Self { n_images: Some(n_images), ..self }
    }

    /// The same mode with the batch split into `n_shards`, from 1 to [`tensor::parallel::MAX_SHARDS`], or
    /// into as many as it has images if that is less.
    pub fn in_shards(self, n_shards: usize) -> Self {
        Self { n_shards: Some(n_shards), ..self }
    }
}
