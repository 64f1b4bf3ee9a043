//! All tests of the crate but two, in one program, which builds and links once. On their own stand
//! `no_allocation.rs`, for it brings an allocator, and `new_rule.rs`, for it is what another crate would write.

#[path = "../common/mod.rs"]
mod common;

mod optimizer;
mod options;
mod properties;

mod golden_paths;
mod lbfgs;
mod papers;
mod parameters;
mod pytorch_rules;

mod helpers;
mod schedules;
