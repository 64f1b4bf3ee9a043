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
    /// The number of the step: the same seed and step give the same random numbers.
    pub step: u64,
    /// Which micro-batch of the step this is, from 0: each has random numbers of its own.
    pub micro_batch: u64,
    /// Every value and gradient is searched for NaN and infinity; see [`Graph::anomaly`](crate::Graph::anomaly).
    pub detect_anomaly: bool,
    /// Images of the whole batch: told where inputs have several rows for an image, or only a part of the batch is
    /// here ([`Tape::exchange`](crate::Tape::exchange)). Else each input has one row for an image.
    pub n_images: Option<usize>,
    /// The shards that a batch is cut into, which decide the bits; usually by the rule of
    /// [`tensor::parallel::Shards::whole`].
    pub n_shards: Option<usize>,
}

impl Mode {
    /// Training mode, with gradients.
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

    /// The same with or without gradients: dropout without gradients gives MC-dropout,
    /// evaluation with gradients a saliency map.
    pub fn with_grad(self, grad: bool) -> Self {
        Self { grad, ..self }
    }

    /// The same, adding to the gradients of the steps before: the second and later micro-batches, whose random numbers
    /// [`micro_batch`](Self::micro_batch) keeps apart.
    pub fn accumulate(self) -> Self {
        Self { accumulate: true, ..self }
    }

    /// The same for the micro-batch number `k` of a step: dropout, and whatever else is random, draws anew in each. The
    /// first is number 0, which is a step that is not divided.
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

    /// The same, searching every value and gradient for NaN and infinity. Slow: for finding out
    /// where they come from, with [`Graph::anomaly`](crate::Graph::anomaly).
    pub fn detect_anomaly(self) -> Self {
        Self { detect_anomaly: true, ..self }
    }

    /// The same on a batch of `n_images`, whichever part of it is here.
    pub fn of_images(self, n_images: usize) -> Self {
        Self { n_images: Some(n_images), ..self }
    }

    /// The same with the batch cut into `n_shards`, if it has as many images.
    pub fn in_shards(self, n_shards: usize) -> Self {
        Self { n_shards: Some(n_shards), ..self }
    }
}
