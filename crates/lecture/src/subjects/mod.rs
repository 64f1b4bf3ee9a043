//! The subjects of the experiments: functions of one variable, a noisy regression and the trained network,
//! with the random numbers and statistics that several of them need.

pub mod curve;
pub mod network;

pub(crate) mod random;
pub(crate) mod regression;
pub(crate) mod statistics;
