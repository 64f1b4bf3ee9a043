//! Early stopping on a validation metric.

use crate::{Error, Interval, Real};

/// Whether a metric should fall or rise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Goal {
    /// Smaller is better, as for a loss.
    #[default]
    Min,
    /// Larger is better, as for an accuracy.
    Max,
}

impl Goal {
    /// Whether `metric` beats `best` by more than `min_delta`; NaN beats nothing.
    pub(crate) fn is_better(self, metric: f64, best: f64, min_delta: f64) -> bool {
        match self {
            Self::Min => metric < best - min_delta,
            Self::Max => metric > best + min_delta,
        }
    }

    pub(crate) fn worst(self) -> f64 {
        match self {
            Self::Min => f64::INFINITY,
            Self::Max => f64::NEG_INFINITY,
        }
    }
}

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
// ANCHOR: options
pub struct EarlyStopping {
    /// Stop when the metric has not improved for this many epochs in a row (default: 10).
    pub patience: u64,
    /// The smallest change that counts as an improvement, exclusive (default: 0).
    pub min_delta: f64,
    /// Whether the metric should fall or rise (default: fall).
    pub goal: Goal,
    /// Epochs at the start that do not count towards the patience (default: 0).
    pub warm_up: u64,
}
// ANCHOR_END: options

impl Default for EarlyStopping {
    fn default() -> Self {
        Self { patience: 10, min_delta: 0.0, goal: Goal::Min, warm_up: 0 }
    }
}

/// The result of observing an epoch's metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The best so far; the values were kept.
    Improved,
    /// Not better. The number of epochs since the best that count towards the patience.
    Waiting(u64),
    /// The patience is used up.
    Stop,
}

/// Watches a validation metric and keeps the best values.
///
/// Use a metric of the *validation* set: stopping on the test set overfits to it.
///
/// ```
/// use optim::{EarlyStopping, Stopper, Verdict};
///
/// let mut values = vec![0.0f32];
/// let mut stopper = Stopper::new(EarlyStopping { patience: 2, ..EarlyStopping::default() })?;
/// for (epoch, val_loss) in [1.0, 0.5, 0.6, 0.7, 0.1].into_iter().enumerate() {
///     values[0] = epoch as f32; // an epoch of training
///     if stopper.observe(val_loss, &values) == Verdict::Stop {
///         break;
///     }
/// }
/// stopper.restore_best(&mut values);
/// assert_eq!((stopper.best_epoch(), values[0]), (Some(1), 1.0));
/// # Ok::<(), optim::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Stopper<F> {
    config: EarlyStopping,
    progress: Progress,
    best_values: Vec<F>,
}

/// The progress of a [`Stopper`], to be saved with the best values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The number of epochs observed.
    pub n_epochs: u64,
    /// The best metric; ±∞ before the first improvement.
    pub best_metric: f64,
    /// The epoch of the best metric, from 0.
    pub best_epoch: Option<u64>,
    /// Epochs since then that count towards the patience.
    pub n_bad: u64,
}

impl<F: Real> Stopper<F> {
    /// A stopper that has observed no epoch.
    ///
    /// # Errors
    /// When `min_delta` is negative or not finite.
    pub fn new(config: EarlyStopping) -> Result<Self, Error> {
        Interval::NON_NEGATIVE.check("early stopping", "min_delta", config.min_delta)?;
        let progress = Progress { n_epochs: 0, best_metric: config.goal.worst(), best_epoch: None, n_bad: 0 };
        Ok(Self { config, progress, best_values: Vec::new() })
    }

    /// Observes an epoch's metric and copies the values if it is the best so far. A NaN metric is never an
    /// improvement.
    pub fn observe(&mut self, metric: f64, values: &[F]) -> Verdict {
        let Progress { n_epochs, best_metric, best_epoch, n_bad } = &mut self.progress;
        let epoch = *n_epochs;
        *n_epochs += 1;
        if self.config.goal.is_better(metric, *best_metric, self.config.min_delta) {
            (*best_metric, *best_epoch, *n_bad) = (metric, Some(epoch), 0);
            self.best_values.clear();
            self.best_values.extend_from_slice(values);
            return Verdict::Improved;
        }
        if epoch >= self.config.warm_up {
            *n_bad += 1;
        }
        let n_bad = *n_bad;
        if self.is_out_of_patience() { Verdict::Stop } else { Verdict::Waiting(n_bad) }
    }

    /// Whether the last verdict was to stop; kept when resuming.
    pub fn is_out_of_patience(&self) -> bool {
        let n_bad = self.progress.n_bad;
        n_bad > 0 && n_bad >= self.config.patience
    }

    /// The best metric so far; `None` before the first improvement.
    pub fn best_metric(&self) -> Option<f64> {
        self.progress.best_epoch.map(|_| self.progress.best_metric)
    }

    /// The epoch of the best metric, from 0.
    pub fn best_epoch(&self) -> Option<u64> {
        self.progress.best_epoch
    }

    /// The values at the best epoch; empty before the first improvement.
    pub fn best_values(&self) -> &[F] {
        &self.best_values
    }

    /// Copies the best epoch's values back into `values`; without any improvement `values` is unchanged.
    ///
    /// # Panics
    /// When `values` differs in length from the observed values.
    #[track_caller]
    pub fn restore_best(&self, values: &mut [F]) {
        if self.best_epoch().is_none() {
            return;
        }
        let (n, n_best) = (values.len(), self.best_values.len());
        assert!(n == n_best, "Stopper::restore_best: values has {n} elements, the best has {n_best}");
        values.copy_from_slice(&self.best_values);
    }

    /// The progress so far, to be saved with [`best_values`](Self::best_values).
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Resumes from saved progress and best values.
    pub fn resume(&mut self, progress: Progress, best_values: &[F]) {
        self.progress = progress;
        self.best_values = best_values.to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(config: EarlyStopping, metrics: &[f64]) -> Vec<Verdict> {
        let mut stopper = Stopper::new(config).unwrap();
        metrics.iter().map(|&metric| stopper.observe(metric, &[metric])).collect()
    }

    #[test]
    fn patience_counts_epochs_since_the_best() {
        let config = EarlyStopping { patience: 2, ..EarlyStopping::default() };
        use Verdict::*;
        assert_eq!(
            verdicts(config, &[3.0, 2.0, 2.0, 1.0, 1.5, 1.0]),
            [Improved, Improved, Waiting(1), Improved, Waiting(1), Stop]
        );
    }

    #[test]
    fn patience_zero_stops_at_the_first_epoch_that_is_not_better() {
        let config = EarlyStopping { patience: 0, ..EarlyStopping::default() };
        assert_eq!(verdicts(config, &[3.0, 2.0, 2.0]), [Verdict::Improved, Verdict::Improved, Verdict::Stop]);
        assert!(!Stopper::<f64>::new(config).unwrap().is_out_of_patience(), "nothing has been seen yet");
    }

    #[test]
    fn min_delta_must_be_exceeded_in_either_mode() {
        let config = EarlyStopping { min_delta: 0.5, ..EarlyStopping::default() };
        assert_eq!(
            verdicts(config, &[3.0, 2.5, 2.4]),
            [Verdict::Improved, Verdict::Waiting(1), Verdict::Improved]
        );
        let config = EarlyStopping { goal: Goal::Max, ..config };
        assert_eq!(
            verdicts(config, &[3.0, 3.5, 3.6]),
            [Verdict::Improved, Verdict::Waiting(1), Verdict::Improved]
        );
    }

    #[test]
    fn warm_up_epochs_improve_but_do_not_count_against_the_patience() {
        let config = EarlyStopping { patience: 1, warm_up: 3, ..EarlyStopping::default() };
        use Verdict::*;
        assert_eq!(verdicts(config, &[1.0, 2.0, 0.5, 2.0]), [Improved, Waiting(0), Improved, Stop]);
    }

    #[test]
    fn nan_is_never_the_best() {
        let mut stopper = Stopper::new(EarlyStopping { patience: 2, ..EarlyStopping::default() }).unwrap();
        assert_eq!(stopper.observe(f64::NAN, &[1.0f32]), Verdict::Waiting(1));
        assert_eq!(stopper.best_metric(), None);
        let mut values = [5.0];
        stopper.restore_best(&mut values);
        assert_eq!(values, [5.0]);
        assert_eq!(stopper.observe(1.0, &[2.0]), Verdict::Improved);
        assert_eq!((stopper.best_metric(), stopper.best_epoch()), (Some(1.0), Some(1)));
    }

    #[test]
    fn a_resumed_stopper_continues_where_the_first_was() {
        let config = EarlyStopping { patience: 3, ..EarlyStopping::default() };
        let mut first = Stopper::new(config).unwrap();
        first.observe(1.0, &[1.0, 2.0]);
        first.observe(2.0, &[3.0, 4.0]);
        let mut second = Stopper::new(config).unwrap();
        second.resume(first.progress(), first.best_values());
        assert_eq!(second, first);
        assert!(!second.is_out_of_patience());
        first.observe(2.0, &[3.0, 4.0]);
        assert_eq!(first.observe(2.0, &[3.0, 4.0]), Verdict::Stop);
        second.resume(first.progress(), first.best_values());
        assert!(second.is_out_of_patience());
    }

    #[test]
    fn the_best_values_come_back() {
        let mut stopper = Stopper::new(EarlyStopping::default()).unwrap();
        for (metric, value) in [(3.0, 1.0), (1.0, 2.0), (2.0, 3.0)] {
            stopper.observe(metric, &[value, -value]);
        }
        let mut values = [3.0, -3.0];
        stopper.restore_best(&mut values);
        assert_eq!((values, stopper.best_values()), ([2.0, -2.0], &[2.0, -2.0][..]));
        assert_eq!(stopper.progress().n_epochs, 3);
    }

    #[test]
    #[should_panic(expected = "Stopper::restore_best: values has 3 elements, the best has 2")]
    fn best_values_of_another_length_panic() {
        let mut stopper = Stopper::new(EarlyStopping::default()).unwrap();
        stopper.observe(1.0, &[0.0; 2]);
        stopper.restore_best(&mut [0.0; 3]);
    }

    #[test]
    fn a_negative_min_delta_is_refused() {
        let config = EarlyStopping { min_delta: -1.0, ..EarlyStopping::default() };
        assert_eq!(
            Stopper::<f32>::new(config).unwrap_err().to_string(),
            "early stopping: min_delta = -1 is outside [0, ∞)"
        );
    }
}
