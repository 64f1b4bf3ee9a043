//! What the experiments are made on: functions of one variable, a noisy regression, the trained network; and the
//! random numbers and statistics that several of them need.

pub mod curve;
pub mod network;

pub(crate) mod random;
pub(crate) mod regression;
pub(crate) mod statistics;
