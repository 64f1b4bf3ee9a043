//! The tasks of the project that are worth a test of their own.

#![forbid(unsafe_code)]

pub mod bench;
pub mod fetch;
pub mod torture;
