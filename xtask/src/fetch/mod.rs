//! `cargo xtask fetch-cifar`: brings CIFAR-10 or CIFAR-100 into `datasets/`.

/// Download CIFAR-10 or CIFAR-100, check it and put it in place.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Runs the chore.
///
/// # Errors
/// When the data set could not be brought whole; what was there before is unchanged.
pub(crate) fn run(_args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("fetch-cifar is being written")
}
