#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod average;
mod clip;
mod early_stopping;
mod error;
mod finite;
mod groups;
mod lanes;
mod optimizer;
mod param;
mod plateau;
mod product;
mod range_test;
mod real;
mod reduce;
mod registry;
pub mod regularize;
mod rule;
mod rules;
pub mod schedule;
mod state;

pub use clip::{Norm, clip_norm, clip_norm_slices, clip_value, clip_value_slice};
pub use early_stopping::{EarlyStopping, Goal, Progress, Stopper, Verdict};
pub use error::{Error, Interval};
pub use finite::{check_finite, check_finite_slice};
pub use groups::{Groups, Pattern};
pub use optimizer::Optimizer;
pub use param::{Group, Param};
pub use parameters::Parameters;
pub use plateau::{Plateau, PlateauProgress, ReduceLrOnPlateau, Threshold};
pub use product::{Product, SmallProduct};
pub use range_test::{LrRangeTest, RangeTest};
pub use real::Real;
pub use registry::{RULE_NAMES, rule_named};
pub use rule::{AnyRule, Coordinates, Elementwise, Minimizer, Outcome, Rule, Stop, WholeTensor};
pub use rules::{
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Adan, Asgd, Lamb, Lars, Lbfgs, LineSearch, Lion,
    LrAdjustment, Muon, NAdam, RAdam, RmsProp, Rprop, Sgd,
};
pub use state::{Slot, State};
