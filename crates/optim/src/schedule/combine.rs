//! Schedules made of schedules.

use super::shared::{Schedule, between};
use crate::{Error, Interval};

/// The product of several schedules; give all but one the learning rate 1.
///
/// `torch.optim.lr_scheduler.ChainedScheduler`, for multiplicative schedules. The momentum is that of the
/// last schedule with one.
#[derive(Default)]
pub struct ChainedLr {
    /// The schedules to multiply, at least one.
    pub schedules: Vec<Box<dyn Schedule>>,
}

impl Schedule for ChainedLr {
    fn lr(&self, step: u64) -> f64 {
        self.schedules.iter().map(|schedule| schedule.lr(step)).product()
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        self.schedules.iter().rev().find_map(|schedule| schedule.momentum(step))
    }

    fn check(&self) -> Result<(), Error> {
        if self.schedules.is_empty() {
            return Err(Error::Combination { owner: "chained", rule: "takes at least one schedule" });
        }
        self.schedules.iter().try_for_each(|schedule| schedule.check())
    }
}

/// Several schedules in sequence, each counting from 0 where it begins.
///
/// `torch.optim.lr_scheduler.SequentialLR`.
pub struct SequentialLr {
    /// The schedules, at least one.
    pub schedules: Vec<Box<dyn Schedule>>,
    /// The steps at which the second, third, … schedules begin, in order; one fewer than the schedules.
    pub milestones: Vec<u64>,
}

impl SequentialLr {
    /// Checks the lengths and the order, not the schedules.
    fn check_sequence(&self) -> Result<(), Error> {
        let owner = "sequential";
        if self.schedules.len() != self.milestones.len() + 1 {
            return Err(Error::Combination { owner, rule: "takes one milestone fewer than schedules" });
        }
        match self.milestones.is_sorted() {
            true => Ok(()),
            false => Err(Error::Combination { owner, rule: "the milestones must be in order" }),
        }
    }

    /// The schedule at a step, and the step counted from its beginning.
    fn current(&self, step: u64) -> (&dyn Schedule, u64) {
        if let Err(error) = self.check_sequence() {
            panic!("{error}");
        }
        let n_passed = self.milestones.partition_point(|&milestone| milestone <= step);
        let start = if n_passed == 0 { 0 } else { self.milestones[n_passed - 1] };
        (self.schedules[n_passed].as_ref(), step - start)
    }
}

impl Schedule for SequentialLr {
    fn lr(&self, step: u64) -> f64 {
        let (schedule, step) = self.current(step);
        schedule.lr(step)
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        let (schedule, step) = self.current(step);
        schedule.momentum(step)
    }

    fn check(&self) -> Result<(), Error> {
        self.check_sequence()?;
        self.schedules.iter().try_for_each(|schedule| schedule.check())
    }
}

/// A linear warm-up to the first value of another schedule, which then begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Warmup<S> {
    /// The length of the warm-up; the other schedule begins at this step.
    pub warmup_steps: u64,
    /// The fraction of the other schedule's first value at step 0, in [0, 1].
    pub start_factor: f64,
    /// The other schedule.
    pub then: S,
}

impl<S: Schedule> Schedule for Warmup<S> {
    fn lr(&self, step: u64) -> f64 {
        if step >= self.warmup_steps {
            return self.then.lr(step - self.warmup_steps);
        }
        self.then.lr(0) * between(self.start_factor, 1.0, step as f64 / self.warmup_steps as f64)
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        self.then.momentum(step.saturating_sub(self.warmup_steps))
    }

    fn check(&self) -> Result<(), Error> {
        Interval::UNIT.check("warm-up", "start_factor", self.start_factor)?;
        self.then.check()
    }
}
