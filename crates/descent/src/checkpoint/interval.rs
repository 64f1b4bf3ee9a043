//! When a checkpoint is due.

use std::time::Instant;

use crate::flags::CheckpointEvery;

/// Tells when the next checkpoint is due.
#[derive(Debug)]
pub struct Timer {
    every: CheckpointEvery,
    saved: Instant,
}

impl Timer {
    /// A timer that starts now.
    pub fn new(every: CheckpointEvery) -> Self {
        Self { every, saved: Instant::now() }
    }

    /// Whether a checkpoint is due after `step` steps, at the end of an epoch or within one.
    pub fn is_due(&self, step: u64, ends_epoch: bool) -> bool {
        match self.every {
            CheckpointEvery::Epoch => ends_epoch,
            // An epoch's last step was checkpointed before evaluation; it is not written twice.
            CheckpointEvery::Steps(n) => !ends_epoch && step.is_multiple_of(n),
            CheckpointEvery::Time(time) => self.saved.elapsed() >= time,
        }
    }

    /// Called after a checkpoint is written.
    pub fn restart(&mut self) {
        self.saved = Instant::now();
    }
}
