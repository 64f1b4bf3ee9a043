//! Most tests of the crate in one program, which builds and links once. On their own stand `allocations.rs`, which brings
//! an allocator, and those that are often run by themselves.

#[path = "../common/mod.rs"]
mod common;

mod axes;
mod conv;
mod interpolate;
mod layout;
mod loss;
mod norm;
mod norms;
mod pad;
mod pool;
mod pytorch;
mod recurrent;
