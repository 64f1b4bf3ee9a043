//! The program as a user meets it, in one program of tests, which builds and links once. On their own stand the tests
//! of what must not break (`docs/RELIABILITY.md`), which are often run by themselves.

#[path = "../common/mod.rs"]
mod common;

mod cli;
mod terminal;
#[cfg(unix)]
mod tutorial;
mod your_images;
