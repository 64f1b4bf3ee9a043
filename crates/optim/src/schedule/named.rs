//! Schedules by name, for a command line.

use super::*;

/// The names that [`schedule_named`] knows.
pub const SCHEDULE_NAMES: &[&str] = &[
    "constant",
    "linear",
    "step",
    "multi-step",
    "exponential",
    "polynomial",
    "cosine",
    "cosine-restarts",
    "cyclic",
    "one-cycle",
    "noam",
    "trapezoid",
];

/// A schedule that fits a run of `total_steps` steps with the (largest) learning rate `lr`.
///
/// | name | over the run |
/// |---|---|
/// | `constant` | `lr` |
/// | `linear` | in a line to 0 |
/// | `step` | ×0.1 after each third |
/// | `multi-step` | ×0.1 at one half and at three quarters |
/// | `exponential` | to 1 % |
/// | `polynomial` | to 0 with power 2 |
/// | `cosine` | half a cosine to 0 |
/// | `cosine-restarts` | periods of 1/7, 2/7 and 4/7, each to 0 |
/// | `cyclic` | four cycles between `lr/10` and `lr`, each half as high as the one before |
/// | `one-cycle` | PyTorch's defaults, momentum left alone |
/// | `noam` | a tenth up, then the inverse square root |
/// | `trapezoid` | a twentieth up, a fifth down at the end |
///
/// # Errors
/// When there is no such schedule (the message lists the names), or `lr` is negative or not finite.
pub fn schedule_named(name: &str, lr: f64, total_steps: u64) -> Result<Box<dyn Schedule>, Error> {
    let n = total_steps.max(1);
    let part = |divisor: u64| (n / divisor).max(1);
    let schedule: Box<dyn Schedule> = match name {
        "constant" => Box::new(ConstantLr::new(lr)),
        "linear" => Box::new(LinearLr { lr, start_factor: 1.0, end_factor: 0.0, total_iters: n }),
        "step" => Box::new(StepLr { lr, step_size: n.div_ceil(3), gamma: 0.1 }),
        "multi-step" => Box::new(MultiStepLr { lr, milestones: vec![n / 2, n * 3 / 4], gamma: 0.1 }),
        "exponential" => Box::new(ExponentialLr { lr, gamma: 0.01f64.powf(1.0 / n as f64) }),
        "polynomial" => Box::new(PolynomialLr { lr, total_iters: n, power: 2.0 }),
        "cosine" => Box::new(CosineAnnealingLr { lr, t_max: n, eta_min: 0.0 }),
        "cosine-restarts" => {
            Box::new(CosineAnnealingWarmRestarts { lr, t_0: n.div_ceil(7), t_mult: 2, eta_min: 0.0 })
        }
        "cyclic" => Box::new(CyclicLr {
            base_lr: lr / 10.0,
            max_lr: lr,
            step_size_up: part(8),
            step_size_down: part(8),
            mode: CyclicMode::Triangular2,
            momentum: None,
        }),
        "one-cycle" => Box::new(OneCycleLr { momentum: None, ..OneCycleLr::new(lr, n) }),
        "noam" => Box::new(NoamLr { lr, warmup_steps: part(10) }),
        "trapezoid" => {
            let (warmup_steps, decay_steps) = (n / 20, n / 5);
            let stable_steps = n - warmup_steps - decay_steps;
            Box::new(TrapezoidLr { lr, warmup_steps, stable_steps, decay_steps, final_lr: 0.0 })
        }
        _ => {
            let (name, known) = (name.into(), SCHEDULE_NAMES.join(", "));
            return Err(Error::UnknownName { kind: "schedule", name, known });
        }
    };
    schedule.check()?;
    Ok(schedule)
}
