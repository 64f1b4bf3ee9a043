//! What the experiments are made on: functions of one variable, a noisy regression, the trained network; and the
//! random draws that several of them need.

pub mod curve;
pub mod network;

pub(crate) mod draws;
pub(crate) mod regression;
