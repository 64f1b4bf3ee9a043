//! The `descent` program.
fn main() {}
