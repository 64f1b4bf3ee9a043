//! Batch norm needs two values of each channel, or there is no variance: whether every batch of a run has them.

use anyhow::{Result, bail};
use autograd::Params;
use data::ImageShape;
use nn::{Layer, Sequential};

use crate::cli::Settings;

/// Checks that no batch of the run leaves a batch norm with one value per channel. The run has `n_steps` steps
/// on `n_images` images; `nets` are its networks, each with the shape of its images.
///
/// # Errors
/// When one does; the error says what to change.
pub fn check_batches<'n>(
    settings: &Settings,
    params: &Params,
    n_images: usize,
    n_steps: u64,
    nets: impl IntoIterator<Item = (&'n Sequential, ImageShape)>,
) -> Result<()> {
    let Some(cause) = batch_of_one(settings, n_images, n_steps) else { return Ok(()) };
    for (net, shape) in nets {
        if let Some(path) = norm_of_one_value(net, params, shape) {
            let ImageShape { height, width, .. } = shape;
            bail!(
                "{cause}. For images of {height} × {width}, batch norm ({path}) would have one value of each channel, \
                 and needs two"
            );
        }
    }
    Ok(())
}

/// Why a batch, or a part of one that is computed by itself, has one image, and what to do about it.
fn batch_of_one(settings: &Settings, n_images: usize, n_steps: u64) -> Option<String> {
    let Settings { batch_size, accumulate, hardest, drop_last, .. } = settings;
    let whole = n_images.min(*batch_size).max(1);
    let rest = n_images % whole;
    let has_rest = rest > 0 && !drop_last && n_steps > (n_images / whole) as u64;
    for (n, is_rest) in [(whole, false)].into_iter().chain(has_rest.then_some((rest, true))) {
        let n_kept = hardest.map_or(n, |share| (share * n as f64).ceil() as usize);
        if n_kept / accumulate.min(&n_kept).max(&1) != 1 {
            continue;
        }
        let batch = if is_rest { "the last batch of an epoch" } else { "a batch" };
        let or = if is_rest { ", or --drop-last to leave that batch out" } else { "" };
        return Some(match () {
            () if n == 1 && is_rest => {
                format!("{batch} has 1 image: leave it out with --drop-last, or choose another --batch-size")
            }
            () if n == 1 => format!("{batch} has 1 image: choose a larger --batch-size"),
            () if n_kept == 1 => format!(
                "--hardest {}: of {n} images, {batch} keeps 1: choose a larger share{or}",
                hardest.unwrap_or(1.0)
            ),
            () => format!(
                "--accumulate {accumulate}: of {n_kept} images, a part of {batch} has 1: choose a smaller \
                 number{or}"
            ),
        });
    }
    None
}

/// The path of a layer that takes its statistics from the batch and has one value of each channel for an image.
fn norm_of_one_value(net: &Sequential, params: &Params, shape: ImageShape) -> Option<String> {
    let ImageShape { height, width, channels } = shape;
    let summary = net.summary(params, [1, height, width, channels]);
    let is_still = |path: &str| {
        let mean = format!("{path}.running_mean");
        params.entries().iter().any(|entry| entry.name == mean && entry.is_frozen)
    };
    let mut rows = summary.rows.into_iter();
    let found = rows.find(|row| {
        row.layer.starts_with("BatchNorm")
            && row.output.last() == Some(&row.output.numel())
            && !is_still(&row.path)
    });
    found.map(|row| row.path)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn a_batch_of_one_image_is_refused_where_its_pixels_are_one() {
        let check = |line: &str, side: usize, n_images: usize, n_steps: u64| {
            let words = ["descent", "train"].into_iter().chain(line.split_whitespace());
            let Command::Train(args) = Cli::parse_from(words).command() else { unreachable!() };
            let shape = ImageShape { height: side, width: side, channels: 3 };
            let (net, params) = nn::build(args.settings.net.network(shape, 10, 0.0).unwrap(), 0);
            let checked = check_batches(&args.settings, &params, n_images, n_steps, [(&net, shape)]);
            checked.err().map(|error| error.to_string()).unwrap_or_default()
        };
        for (line, side, n_images, n_steps, expected) in [
            (
                "--net resnet18 --batch-size 16",
                8,
                17,
                2,
                "the last batch of an epoch has 1 image: leave it out",
            ),
            ("--net resnet18 --batch-size 16 --drop-last", 8, 17, 2, ""),
            // The last batch is never reached.
            ("--net resnet18 --batch-size 16", 8, 17, 1, ""),
            ("--net resnet18 --batch-size 16", 8, 16, 9, ""),
            ("--net resnet18 --batch-size 16", 8, 1, 9, "a batch has 1 image: choose a larger --batch-size"),
            (
                "--net resnet18 --batch-size 1",
                8,
                9,
                9,
                "images of 8 × 8, batch norm (layer4.0.bn1) would have one",
            ),
            ("--net resnet18 --batch-size 1", 64, 9, 9, ""),
            (
                "--net resnet18 --batch-size 16 --accumulate 16",
                8,
                32,
                9,
                "--accumulate 16: of 16 images, a part",
            ),
            (
                "--net resnet18 --batch-size 16 --accumulate 20",
                8,
                32,
                9,
                "--accumulate 20: of 16 images, a part",
            ),
            (
                "--net resnet18 --batch-size 16 --accumulate 8",
                8,
                25,
                9,
                "of 9 images, a part of the last batch",
            ),
            ("--net resnet18 --batch-size 16 --accumulate 8", 8, 32, 9, ""),
            (
                "--net resnet18 --batch-size 16 --hardest 0.01",
                8,
                32,
                9,
                "--hardest 0.01: of 16 images, a batch keeps 1",
            ),
            ("--net airbench94 --batch-size 1", 9, 32, 9, "a batch has 1 image"),
            ("--net lecture --batch-size 1", 32, 32, 9, ""),
        ] {
            let found = check(line, side, n_images, n_steps);
            assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{line}: {found:?}");
        }
    }
}
