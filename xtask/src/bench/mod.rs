//! `cargo xtask bench`: our speed, compared with other frameworks on the same cores at the same time.

mod args;
mod chart;
mod compare;
mod contender;
mod documents;
mod driver;
mod format;
mod machine;
mod measure;
mod memory;
mod networks;
mod operations;
mod plan;
pub mod results;
mod setup;
mod stats;
mod table;

use std::path::Path;

use anyhow::{Context, Result, ensure};

pub use args::Args;
pub use chart::svg as chart_svg;
pub use documents::{SECTIONS, Section};
use results::Results;

/// Runs what the arguments ask for.
///
/// # Errors
/// If a driver cannot be built or fails, drivers disagree about the work, or a file cannot be read or written.
pub fn run(args: &Args) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
    if let Some([before, after]) = args.compare.as_deref() {
        print!("{}", compare::report(&Results::read(before)?, &Results::read(after)?));
        return Ok(());
    }
    if let Some(file) = &args.readme {
        return documents::update(root, file);
    }
    if args.setup {
        setup::make_environment(root)?;
        if !args.peers {
            return Ok(());
        }
    }
    ensure!(
        args.before.is_none() || args.rounds >= 6,
        "--rounds {}: an interval of 95 % takes at least 6 rounds",
        args.rounds
    );
    let (mut results, images) = measure::prepare(root, args)?;
    let path = args.out.clone().unwrap_or_else(|| root.join(results.default_path()));
    let cannot_add = || format!("cannot add to {}", path.display());
    let earlier = if args.add && path.exists() { Some(Results::read(&path)?) } else { None };
    if let Some(earlier) = &earlier {
        // Before the minutes of measuring, whose results would be lost.
        earlier.check_origin(&results).with_context(cannot_add)?;
    }
    measure::measure(root, args, images, &mut results)?;
    print!("\n{}", table::text(&results));
    if let Some(earlier) = earlier {
        results = earlier.with(results).with_context(cannot_add)?;
    }
    results.write(&path)?;
    if args.before.is_some() {
        let table = path.with_extension("md");
        atomic_file::write(&table, compare::interleaved(&results).as_bytes())
            .with_context(|| format!("cannot write {}", table.display()))?;
        println!("\nwritten: {} and {}", path.display(), table.display());
    } else {
        let and_chart =
            if chart::write(&results, &path.with_extension("svg"))? { " and its chart" } else { "" };
        println!("\nwritten: {}{and_chart}", path.display());
    }
    Ok(())
}
