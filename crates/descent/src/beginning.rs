//! The initial state of a network besides random initialisation: weights from a file, a whitening layer,
//! frozen parts.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use autograd::Params;
use classifier::model;
use data::{Batch, Dataset, Loader, Normalize};
use foreign_text::shown_path;
use nn::models;
use nn::weights::WeightsError;

use crate::cli::Settings;

/// The weight of the first layer in a whitening network.
const WHITEN: &str = "whiten.weight";

/// Why `--whiten` is refused.
pub const NOTHING_WHITENS: &str = "--whiten: the network has no whitening layer; --net airbench94 has one";

/// Reads the weights of a file into a network. Only its last layer may have another shape, for other classes:
/// it keeps its random initialisation, and a sentence about that is returned.
///
/// # Errors
/// When the file cannot be read, or more than the last layer differs; all differences are listed.
pub fn read_weights(path: &Path, params: &mut Params) -> Result<Option<String>> {
    let archive = model::open(path)?;
    let mut read = params.clone();
    let matched = archive.load_matching(&mut read)?;
    let last = params.entries().iter().rfind(|entry| entry.is_trainable());
    let head = last.and_then(|entry| entry.name.rsplit_once('.')).map_or("", |(head, _)| head).to_owned();
    let of_head = |name: &str| name.strip_prefix(&head).is_some_and(|rest| rest.starts_with('.'));
    let left = &matched.left;
    let is_head_alone = left.missing.is_empty()
        && left.n_unexpected == 0
        && left.not_floats.is_empty()
        && left.reshaped.iter().all(|(name, ..)| of_head(name));
    ensure!(
        is_head_alone,
        WeightsError::Mismatch { path: path.to_owned(), differences: Box::new(matched.left) }
    );
    // Weight and bias of a head are kept together.
    let is_replaced = !left.reshaped.is_empty();
    for entry in params.entries().to_vec().iter().filter(|entry| !(is_replaced && of_head(&entry.name))) {
        params.values_mut()[entry.range.clone()].copy_from_slice(&read.values()[entry.range.clone()]);
    }
    Ok(left.reshaped.first().map(|(name, found, here)| {
        format!(
            "The last layer, {head}, is re-initialised for these classes: {name} is {found} in {}, but \
             {here} here.",
            shown_path(path)
        )
    }))
}

/// Freezes the parts that the flags name, and the first layer of a whitening network. If the run `begins`,
/// that layer's weight is computed from `images`; a resumed run already has it.
///
/// # Errors
/// When the network has no such part, or the images can no longer be read.
pub fn hold_still(
    settings: &Settings,
    params: &mut Params,
    images: &dyn Dataset,
    normalize: Option<&Normalize>,
    begins: bool,
) -> Result<()> {
    if settings.whiten.is_some() {
        ensure!(params.find(WHITEN).is_some(), NOTHING_WHITENS);
        if begins {
            whiten(params, images, normalize)?;
        }
        params.freeze(WHITEN)?;
    }
    for path in &settings.freeze {
        params.freeze(path).context("--freeze")?;
    }
    ensure!(params.n_trainable() > 0, "--freeze: nothing is left to train");
    Ok(())
}

fn whiten(params: &mut Params, images: &dyn Dataset, normalize: Option<&Normalize>) -> Result<()> {
    let loader = Loader::new(images, images.len().max(1));
    let mut loader = match normalize {
        Some(normalize) => loader.normalize(normalize),
        None => loader,
    };
    let mut batch = Batch::new();
    loader.next_into(&mut batch)?;
    models::whiten(params, batch.images(), batch.shape());
    Ok(())
}
