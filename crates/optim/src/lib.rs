#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

pub mod average;
mod clip;
mod early_stopping;
mod error;
mod finite;
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

pub use clip::{Norm, clip_global_norm, clip_norm, clip_value};
pub use early_stopping::{EarlyStopping, Mode, Progress, Stopper, Verdict};
pub use error::{Error, Interval};
pub use finite::check_finite;
pub use optimizer::Optimizer;
pub use param::{Group, Param};
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
