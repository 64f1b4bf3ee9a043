//! The chores of the project: `cargo xtask <chore>`.

mod fetch;

use clap::Parser;

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
enum Chore {
    FetchCifar(fetch::Args),
}

fn main() -> anyhow::Result<()> {
    match Chore::parse() {
        Chore::FetchCifar(args) => fetch::run(&args),
    }
}
