//! The program from a user's point of view, in one test binary, which builds and links once. Tests of
//! critical properties (`docs/RELIABILITY.md`) are separate binaries, since they are often run alone.

#[path = "../common/mod.rs"]
mod common;

mod cli;
mod terminal;
#[cfg(unix)]
mod tutorial;
mod your_images;
