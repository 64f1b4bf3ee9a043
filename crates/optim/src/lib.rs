#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod early_stopping;
mod error;
mod lanes;
mod optimizer;
mod param;
mod real;
mod registry;
mod rule;
mod rules;
pub mod schedule;
mod state;

pub use early_stopping::{EarlyStopping, Mode, Progress, Stopper, Verdict};
pub use error::{Error, Interval};
pub use optimizer::Optimizer;
pub use param::{Group, Param};
pub use real::Real;
pub use registry::{RULE_NAMES, rule_named};
pub use rule::{AnyRule, Coordinates, Elementwise, Rule, WholeTensor};
pub use rules::{Adam, AdamW, RmsProp, Sgd};
pub use state::{Slot, State};
