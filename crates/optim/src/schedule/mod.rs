//! Learning-rate schedules: pure functions of the step.
//!
//! A step is whatever the caller counts, batches or epochs, from 0. The value depends only on the schedule's
//! fields and the step, so a resumed run needs no saved schedule. Pass the value to
//! [`Optimizer::set_lr`](crate::Optimizer::set_lr), or the schedule to
//! [`Optimizer::follow`](crate::Optimizer::follow).
//!
//! The fields are public; [`Schedule::check`] validates them, and `follow` calls it.
//!
//! | here | `torch.optim.lr_scheduler` |
//! |---|---|
//! | [`ConstantLr`], [`LinearLr`], [`StepLr`], [`MultiStepLr`] | the same |
//! | [`ExponentialLr`], [`PolynomialLr`] | the same |
//! | [`CosineAnnealingLr`], [`CosineAnnealingWarmRestarts`] | the same |
//! | [`CyclicLr`], [`OneCycleLr`] | the same, momentum included |
//! | [`LambdaLr`], [`MultiplicativeLr`] | the same |
//! | [`ChainedLr`], [`SequentialLr`] | `ChainedScheduler`, `SequentialLR` |
//! | [`ReduceLrOnPlateau`](crate::ReduceLrOnPlateau), which has state | `ReduceLROnPlateau` |
//! | [`NoamLr`], [`TrapezoidLr`], [`Warmup`] | not there |

mod combine;
mod constant;
mod cosine;
mod cyclic;
mod decay;
mod lambda;
mod linear;
mod named;
mod noam;
mod one_cycle;
mod shared;
mod step;
mod trapezoid;

pub use combine::{ChainedLr, SequentialLr, Warmup};
pub use constant::ConstantLr;
pub use cosine::{CosineAnnealingLr, CosineAnnealingWarmRestarts};
pub use cyclic::{CyclicLr, CyclicMode};
pub use decay::{ExponentialLr, PolynomialLr};
pub use lambda::{LambdaLr, MultiplicativeLr};
pub use linear::LinearLr;
pub use named::{SCHEDULE_NAMES, options_in_effect, schedule_named};
pub use noam::NoamLr;
pub use one_cycle::{Anneal, OneCycleLr};
pub use shared::Schedule;
pub use step::{MultiStepLr, StepLr};
pub use trapezoid::TrapezoidLr;
