//! `--limit`: which of the training images a run takes.

use classifier::{Images, Kind};
use data::Subset;

use crate::cli::Settings;
use crate::flags::LimitFlag;

/// The training images within `--limit`.
pub fn limited<'a>(settings: &Settings, images: &'a Images) -> Subset<'a> {
    let n = settings.limit.unwrap_or(usize::MAX).min(images.train.len());
    match settings.limit_by.unwrap_or(usual(images)) {
        LimitFlag::Class if settings.limit.is_some() => {
            Subset::stratified_split(&images.train, n, settings.seed).1
        }
        _ => Subset::first(&images.train, n),
    }
}

/// Which images `--limit` takes by default: folders and tables are often sorted by class.
pub fn usual(images: &Images) -> LimitFlag {
    match images.kind {
        Kind::Folder | Kind::Table => LimitFlag::Class,
        _ => LimitFlag::First,
    }
}
