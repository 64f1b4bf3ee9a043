#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod active;
pub mod average;
mod check_finite;
mod clip;
mod early_stopping;
mod elementwise;
mod error;
mod groups;
mod matrix_product;
mod optimizer;
mod param;
mod plateau;
mod range_test;
mod real;
mod reduce;
pub mod regularize;
mod rule;
mod rules;
pub mod schedule;
mod state;

pub use check_finite::{check_finite, check_finite_slice};
pub use clip::{Norm, clip_norm, clip_norm_slices, clip_norm_under, clip_value, clip_value_slice};
pub use early_stopping::{EarlyStopping, Goal, Progress, Stopper, Verdict};
pub use error::{Error, Interval};
pub use groups::{Groups, Pattern};
pub use optimizer::Optimizer;
pub use param::{Group, Param};
pub use parameters::Parameters;
pub use plateau::{Plateau, PlateauProgress, ReduceLrOnPlateau, Threshold};
pub use range_test::{LrRangeTest, RangeTest};
pub use real::Real;
pub use rule::{AnyRule, Coordinates, Elementwise, Minimizer, Outcome, Rule, Stop, WholeTensor};
pub use rules::*;
pub use state::{Slot, State};
