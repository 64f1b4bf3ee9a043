//! Lowering the learning rate when a metric stops improving.

use crate::{Error, Goal, Interval};

/// When and by how much to lower the learning rate.
///
/// `torch.optim.lr_scheduler.ReduceLROnPlateau`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReduceLrOnPlateau {
    /// The initial learning rate.
    pub lr: f64,
    /// Whether the metric should fall or rise (default: fall).
    pub goal: Goal,
    /// The factor, in [0, 1) (default: 0.1).
    pub factor: f64,
    /// Epochs without improvement that are tolerated; the next one lowers the rate (default: 10).
    pub patience: u64,
    /// What counts as an improvement (default: [`Threshold::Relative`] with 1e-4).
    pub threshold: Threshold,
    /// Epochs after a change that are not counted (default: 0).
    pub cooldown: u64,
    /// The learning rate never falls below this (default: 0).
    pub min_lr: f64,
    /// The smallest change made to the learning rate (default: 1e-8).
    pub eps: f64,
}

/// By how much a metric must beat the best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// By this fraction of the best's absolute value, so that negative metrics such as a log-likelihood or a
    /// reward work. Same as PyTorch's `rel` except for negative metrics.
    Relative(f64),
    /// PyTorch's `rel` for metrics of either sign: below best·(1 − x), or above best·(1 + x). If the best is
    /// negative, a metric that gets worse by less than this fraction counts as an improvement.
    RelativeAsPyTorch(f64),
    /// By this amount.
    Absolute(f64),
}

impl ReduceLrOnPlateau {
    /// PyTorch's defaults, with this learning rate.
    pub fn new(lr: f64) -> Self {
        Self {
            lr,
            goal: Goal::Min,
            factor: 0.1,
            patience: 10,
            threshold: Threshold::Relative(1e-4),
            cooldown: 0,
            min_lr: 0.0,
            eps: 1e-8,
        }
    }

    fn is_better(&self, metric: f64, best: f64) -> bool {
        let margin = match self.threshold {
            _ if best.is_infinite() => 0.0, // nothing has been seen
            Threshold::Absolute(min_delta) => min_delta,
            Threshold::Relative(part) => part * best.abs(),
            Threshold::RelativeAsPyTorch(part) => part * best,
        };
        self.goal.is_better(metric, best, margin)
    }
}

/// Watches a metric and lowers the learning rate.
///
/// ```
/// use optim::{Plateau, ReduceLrOnPlateau};
///
/// let mut plateau = Plateau::new(ReduceLrOnPlateau { patience: 1, ..ReduceLrOnPlateau::new(0.1) })?;
/// let lrs: Vec<f64> = [1.0, 0.9, 0.9, 0.9, 0.9].iter().map(|&loss| plateau.observe(loss)).collect();
/// assert_eq!(lrs[..3], [0.1, 0.1, 0.1]);
/// assert!((lrs[3] - 0.01).abs() < 1e-15);
/// # Ok::<(), optim::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Plateau {
    config: ReduceLrOnPlateau,
    progress: PlateauProgress,
}

/// The progress of a [`Plateau`], to be saved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlateauProgress {
    /// The current learning rate.
    pub lr: f64,
    /// The best metric; ±∞ at first.
    pub best_metric: f64,
    /// Epochs without improvement.
    pub n_bad: u64,
    /// Remaining epochs that are not counted.
    pub cooldown: u64,
}

impl Plateau {
    /// A plateau that has observed no epoch.
    ///
    /// # Errors
    /// Names the first field outside its range.
    pub fn new(config: ReduceLrOnPlateau) -> Result<Self, Error> {
        let owner = "plateau";
        Interval::NON_NEGATIVE.check(owner, "lr", config.lr)?;
        Interval::DECAY_RATE.check(owner, "factor", config.factor)?;
        let (Threshold::Relative(threshold)
        | Threshold::RelativeAsPyTorch(threshold)
        | Threshold::Absolute(threshold)) = config.threshold;
        Interval::NON_NEGATIVE.check(owner, "threshold", threshold)?;
        Interval::NON_NEGATIVE.check(owner, "min_lr", config.min_lr)?;
        Interval::NON_NEGATIVE.check(owner, "eps", config.eps)?;
        let progress =
            PlateauProgress { lr: config.lr, best_metric: config.goal.worst(), n_bad: 0, cooldown: 0 };
        Ok(Self { config, progress })
    }

    /// Observes an epoch's metric and returns the learning rate for the next epoch. A NaN metric is never an
    /// improvement.
    pub fn observe(&mut self, metric: f64) -> f64 {
        let Self { config, progress } = self;
        if config.is_better(metric, progress.best_metric) {
            (progress.best_metric, progress.n_bad) = (metric, 0);
        } else {
            progress.n_bad += 1;
        }
        if progress.cooldown > 0 {
            progress.cooldown -= 1;
            progress.n_bad = 0;
        }
        if progress.n_bad > config.patience {
            let lr = (progress.lr * config.factor).max(config.min_lr);
            if progress.lr - lr > config.eps {
                progress.lr = lr;
            }
            (progress.cooldown, progress.n_bad) = (config.cooldown, 0);
        }
        progress.lr
    }

    /// The current learning rate.
    pub fn lr(&self) -> f64 {
        self.progress.lr
    }

    /// The progress so far, to be saved.
    pub fn progress(&self) -> PlateauProgress {
        self.progress
    }

    /// Resumes from saved progress.
    pub fn resume(&mut self, progress: PlateauProgress) {
        self.progress = progress;
    }
}
