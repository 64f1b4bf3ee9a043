//! Tests of the crate in one program, which builds and links once. On their own stand `allocations.rs`, which brings an
//! allocator, and those of strangers' files, which are often run by themselves.

#[path = "../encode/mod.rs"]
mod encode;

mod formats;
mod idx;
mod images;
mod loader;
mod shapes;
mod transforms;
