//! Schedules by name, for a command line.

use super::*;

macro_rules! named_schedules {
    (|$lr:ident, $n:ident| $($name:literal, $over_the_run:literal => $schedule:expr;)+) => {
        /// The names that [`schedule_named`] knows.
        pub const SCHEDULE_NAMES: &[&str] = &[$($name),+];

        /// A schedule that fits a run of `total_steps` steps with the (largest) learning rate `lr`. A run of
        /// one step has `lr`, whatever the schedule.
        ///
        /// | name | over the run |
        /// |---|---|
        $(#[doc = concat!("| `", $name, "` | ", $over_the_run, " |")])+
        ///
        /// # Errors
        /// When there is no such schedule (the message lists the names), or `lr` is negative or not finite.
        pub fn schedule_named(name: &str, lr: f64, total_steps: u64) -> Result<Box<dyn Schedule>, Error> {
            let ($lr, $n) = (lr, total_steps.max(1));
            let (owner, schedule): (_, Box<dyn Schedule>) = match name {
                $($name => ($name, if $n == 1 { Box::new(ConstantLr::new(lr)) } else { Box::new($schedule) }),)+
                _ => {
                    let (name, known) = (name.into(), SCHEDULE_NAMES.join(", "));
                    return Err(Error::UnknownName { kind: "schedule", name, known });
                }
            };
            Interval::NON_NEGATIVE.check(owner, "lr", lr)?;
            schedule.check()?;
            Ok(schedule)
        }
    };
}

named_schedules! { |lr, n|
    "constant", "`lr`" => ConstantLr::new(lr);
    "linear", "in a line to 0" => LinearLr { lr, start_factor: 1.0, end_factor: 0.0, total_iters: n };
    "step", "×0.1 after each third" => steps_down(lr, n.div_ceil(3), 2 * n.div_ceil(3), n);
    "multi-step", "×0.1 at one half and at three quarters" => steps_down(lr, n / 2, n * 3 / 4, n);
    "exponential", "to 1 %" => ExponentialLr { lr, gamma: 0.01f64.powf(1.0 / n as f64) };
    "polynomial", "to 0 with power 2" => PolynomialLr { lr, total_iters: n, power: 2.0 };
    "cosine", "half a cosine to 0" => CosineAnnealingLr { lr, t_max: n, eta_min: 0.0 };
    "cosine-restarts", "periods of 1/7, 2/7 and 4/7, each to 0; one alone in a run of fewer than 14 steps"
        => cosine_restarts(lr, n);
    "cyclic", "up and down between `lr/10` and `lr`, an eighth of the run each way (one step at least), each cycle \
        half as high as the one before" => CyclicLr {
            base_lr: lr / 10.0,
            max_lr: lr,
            step_size_up: (n / 8).max(1),
            step_size_down: (n / 8).max(1),
            mode: CyclicMode::Triangular2,
            momentum: None,
        };
    "one-cycle", "PyTorch's defaults, momentum left alone"
        => OneCycleLr { momentum: None, ..OneCycleLr::new(lr, n) };
    "noam", "a tenth up, then the inverse square root" => NoamLr { lr, warmup_steps: (n / 10).max(1) };
    "trapezoid", "a twentieth up, a fifth down at the end" => TrapezoidLr {
        lr,
        warmup_steps: n / 20,
        stable_steps: n - n / 20 - n / 5,
        decay_steps: n / 5,
        final_lr: 0.0,
    };
}

/// ×0.1 at two steps, which a short run moves so that they differ and lie within it where there is room.
fn steps_down(lr: f64, first: u64, second: u64, n: u64) -> MultiStepLr {
    let first = first.max(1);
    MultiStepLr { lr, milestones: vec![first, second.min(n - 1).max(first + 1)], gamma: 0.1 }
}

/// Three periods that fill the run, the last not cut short.
fn cosine_restarts(lr: f64, n: u64) -> SequentialLr {
    let milestones = if n < 14 { vec![] } else { vec![n / 7, n * 3 / 7] };
    let starts = [0].into_iter().chain(milestones.iter().copied());
    let ends = milestones.iter().copied().chain([n]);
    let period = |(start, end)| -> Box<dyn Schedule> {
        Box::new(CosineAnnealingLr { lr, t_max: end - start, eta_min: 0.0 })
    };
    SequentialLr { schedules: starts.zip(ends).map(period).collect(), milestones }
}
