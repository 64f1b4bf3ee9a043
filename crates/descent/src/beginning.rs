//! The initial state of a network besides random initialisation: weights from a file, a whitening layer,
//! frozen parts.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use autograd::Params;
use classifier::output::warn;
use classifier::{Images, Kind, Net, model, shown};
use data::{Batch, Dataset, Loader, Normalize};
use foreign_text::shown_path;
use nn::models;
use nn::weights::WeightsError;

use crate::cli::Settings;
use crate::flags::NormalizeFlag;

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

/// Mean and standard deviation of ImageNet's channels, as in torchvision.
const IMAGENET: ([f64; 3], [f64; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

/// How the network's inputs are normalised. The columns of a table always are: they can have any scale.
///
/// # Errors
/// When ImageNet's statistics are asked for, and the examples are no colour images.
pub fn normalization(settings: &Settings, images: &Images) -> Result<Option<Normalize>> {
    let (is_table, n_channels) = (images.kind == Kind::Table, images.input_shape().channels);
    Ok(match settings.normalize {
        NormalizeFlag::ImageNet => {
            ensure!(!is_table && n_channels == 3, "--normalize=imagenet needs images in colour");
            let (mean, std) = IMAGENET;
            Some(Normalize { mean: mean.to_vec(), std: std.to_vec() })
        }
        NormalizeFlag::No if !is_table => None,
        NormalizeFlag::No | NormalizeFlag::Measured => Some(images.normalize()),
    })
}

/// Checks that a table has the columns that weights were trained on, in the same order.
///
/// # Errors
/// When it has others, or the file cannot be read.
pub fn check_columns(weights: &Path, images: &Images) -> Result<()> {
    let (known, found) = (model::columns(weights)?, &images.columns);
    let listed = |names: &[String]| names.iter().map(|name| shown(name)).collect::<Vec<_>>().join(", ");
    ensure!(
        known.is_empty() || found.is_empty() || known == *found,
        "--weights: the network in {} takes the columns {}, in this order, but {} has {}",
        shown_path(weights),
        listed(&known),
        images.name,
        listed(found)
    );
    Ok(())
}

/// Warns if the weights are probably torchvision's, and the images are not normalised as those that they were
/// trained on.
///
/// # Errors
/// When the file cannot be read.
pub fn check_normalization(settings: &Settings, weights: &Path) -> Result<()> {
    let is_of_imagenet = settings.net == Net::ResNet18ImageNet && !model::is_described(weights)?;
    if is_of_imagenet && settings.normalize == NormalizeFlag::No {
        warn(
            "warning: torchvision trains this network on images normalised by ImageNet's statistics, and they are not \
             normalised here: --normalize=imagenet does so (--normalize=true by those of the training images)",
        );
    }
    Ok(())
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
