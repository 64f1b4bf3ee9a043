//! The tasks of the project that are worth a test of their own.

#![forbid(unsafe_code)]

pub mod bench;
pub mod doc;
pub mod fetch;
pub mod minutes;
pub mod pictures;
mod program;
pub mod scaling;
pub mod seeds;
pub mod torture;
