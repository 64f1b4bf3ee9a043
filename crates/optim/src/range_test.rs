//! The learning-rate range test.

use crate::{Error, Interval};

/// Raises the learning rate at each step of a trial run and watches the loss.
///
/// The rate grows by a constant factor from `start_lr` to `end_lr`. The loss is smoothed by an exponential
/// average with bias correction. The test ends when the average is not finite or has risen too far above its
/// smallest value so far:
/// ```text
/// s − s_min > (divergence − 1)·max(|s_min|, |s₀|)
/// ```
/// As long as a positive loss does not fall, the limit is `divergence` times the smallest value. A loss may be
/// negative, such as a log-likelihood, or cross 0: once one is not positive, the range of the averages so far also
/// counts as the scale, beside |s_min| and |s₀|. The first 1/(1 − smoothing) steps (at most a quarter of them) do
/// not end the test, unless the average is not finite: an average of a few batches is still noisy.
///
/// Smith, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186, section 3.3.
///
/// ```
/// use optim::{LrRangeTest, RangeTest};
///
/// let mut test = LrRangeTest::new(RangeTest { start_lr: 1e-3, end_lr: 10.0, ..RangeTest::default() })?;
/// let mut w = 1.0;
/// while let Some(lr) = test.next_lr() {
///     let loss = w * w;
///     w -= lr * 2.0 * w;
///     test.observe(loss);
/// }
/// let lr = test.suggestion().unwrap();
/// assert!(lr > 1e-2 && lr < 1.0, "{lr}");
/// # Ok::<(), optim::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LrRangeTest {
    config: RangeTest,
    running: f64,
    best: f64,
    worst: f64,
    /// Whether a loss was 0 or negative.
    is_signed: bool,
    history: Vec<(f64, f64)>,
    has_diverged: bool,
}

/// The options of a [`LrRangeTest`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RangeTest {
    /// The learning rate of the first step, > 0 (default: 1e-7).
    pub start_lr: f64,
    /// The learning rate of the last step, > `start_lr` (default: 10).
    pub end_lr: f64,
    /// The number of steps, at least 2 (default: 100).
    pub n_steps: usize,
    /// The decay rate of the smoothing, in [0, 1) (default: 0.9).
    pub smoothing: f64,
    /// The test ends when the smoothed loss has risen by more than this factor allows, > 1 (default: 4).
    pub divergence: f64,
}

impl Default for RangeTest {
    fn default() -> Self {
        Self { start_lr: 1e-7, end_lr: 10.0, n_steps: 100, smoothing: 0.9, divergence: 4.0 }
    }
}

impl LrRangeTest {
    /// A test before its first step.
    ///
    /// # Errors
    /// Names the first field outside its range, or says that `start_lr` must be smaller than `end_lr`, by a finite
    /// factor.
    pub fn new(config: RangeTest) -> Result<Self, Error> {
        let owner = "range test";
        Interval::POSITIVE.check(owner, "start_lr", config.start_lr)?;
        Interval::POSITIVE.check(owner, "end_lr", config.end_lr)?;
        Interval::ABOVE_ONE.check(owner, "n_steps", config.n_steps as f64)?;
        Interval::DECAY_RATE.check(owner, "smoothing", config.smoothing)?;
        Interval::ABOVE_ONE.check(owner, "divergence", config.divergence)?;
        if config.start_lr >= config.end_lr {
            return Err(Error::Combination { owner, rule: "start_lr must be smaller than end_lr" });
        }
        if (config.end_lr / config.start_lr).is_infinite() {
            return Err(Error::Combination { owner, rule: "end_lr / start_lr must be finite" });
        }
        Ok(Self {
            config,
            running: 0.0,
            best: f64::INFINITY,
            worst: f64::NEG_INFINITY,
            is_signed: false,
            history: Vec::new(),
            has_diverged: false,
        })
    }

    /// The learning rate of the next step; `None` once the test has ended.
    pub fn next_lr(&self) -> Option<f64> {
        let RangeTest { start_lr, end_lr, n_steps, .. } = self.config;
        let step = self.history.len();
        if self.has_diverged || step == n_steps {
            return None;
        }
        Some(start_lr * (end_lr / start_lr).powf(step as f64 / (n_steps - 1) as f64))
    }

    /// Records the loss of the batch for which [`next_lr`](Self::next_lr) was used.
    ///
    /// # Panics
    /// When the test has ended.
    #[track_caller]
    pub fn observe(&mut self, loss: f64) {
        let lr = self.next_lr().expect("LrRangeTest::observe: the test has ended");
        let smoothing = self.config.smoothing;
        self.running = smoothing * self.running + (1.0 - smoothing) * loss;
        let smoothed = self.running / (1.0 - smoothing.powf(self.history.len() as f64 + 1.0));
        let first = self.history.first().map_or(smoothed, |(_, first)| *first);
        self.is_signed |= loss <= 0.0;
        let range = if self.is_signed { (self.worst - self.best).max(0.0) } else { 0.0 };
        (self.best, self.worst) = (self.best.min(smoothed), self.worst.max(smoothed));
        let scale = self.best.abs().max(first.abs()).max(range);
        let has_scale = !self.is_signed || range > 0.0;
        let is_settled = self.history.len() >= self.span(self.config.n_steps) && has_scale;
        let rises = smoothed - self.best > (self.config.divergence - 1.0) * scale;
        self.has_diverged = !smoothed.is_finite() || is_settled && rises;
        self.history.push((lr, smoothed));
    }

    /// (Learning rate, smoothed loss) of each step so far, to be plotted.
    pub fn history(&self) -> &[(f64, f64)] {
        &self.history
    }

    /// The learning rate after which the smoothed loss falls furthest within w steps, the span of the
    /// smoothing; `None` if it never falls.
    ///
    /// ```text
    /// the rate of the step k ≥ w with the largest sₖ − sₖ₊w,   w = 1/(1 − smoothing)
    /// ```
    /// w is rounded, and at most a quarter of the steps so far. The first w steps are ignored because the
    /// average of a few batches is still noisy. Over w steps the fall outweighs the noise. It shows up late
    /// in the average, so the rate at the start of the fall is taken to compensate.
    pub fn suggestion(&self) -> Option<f64> {
        let w = self.span(self.history.len());
        let settled = self.history.get(w..)?;
        let falls = settled.iter().zip(settled.get(w..)?).map(|((lr, loss), (_, later))| (lr, loss - later));
        falls.filter(|(_, fall)| *fall > 0.0).max_by(|a, b| a.1.total_cmp(&b.1)).map(|(lr, _)| *lr)
    }

    /// The steps that the average spans, at most a quarter of `n_steps`.
    fn span(&self, n_steps: usize) -> usize {
        let looks_back = (1.0 / (1.0 - self.config.smoothing)).round() as usize;
        looks_back.min(n_steps / 4).max(1)
    }
}
