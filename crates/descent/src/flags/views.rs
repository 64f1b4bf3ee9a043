//! The flags for the views of each image when a network is evaluated.

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use classifier::ranges::probability;
use classifier::{Asking, Views};
use data::{ImageShape, Normalize};
use serde::Serialize;

/// The views of an image, and the share of the images that get them.
#[derive(Clone, Copy, Debug, PartialEq, Args, Serialize)]
pub struct ViewFlags {
    /// Views of an image whose predictions are averaged (in training only at the end): the image itself, its
    /// mirror image too, or six
    #[arg(long, value_name = "WHICH", default_value_t = ViewsFlag::None, value_enum)]
    pub tta: ViewsFlag,

    /// Share of the images, the least certain ones, that get several views [default: all]
    #[arg(long, value_name = "P", value_parser = probability)]
    pub tta_share: Option<f64>,
}

/// The views of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ViewsFlag {
    /// The image itself.
    None,
    /// The image and its mirror image.
    Mirror,
    /// Both, and both of the image shifted by one pixel in two directions.
    MirrorShift,
}

impl ViewFlags {
    /// Checks combinations of flags.
    ///
    /// # Errors
    /// When a share is given but no further views.
    pub fn check(&self) -> Result<()> {
        ensure!(
            self.tta_share.is_none() || self.tta != ViewsFlag::None,
            "--tta-share needs --tta: without it each image has only one view"
        );
        Ok(())
    }

    /// Rejects views that the examples cannot have.
    ///
    /// # Errors
    /// When several views are requested and the examples are rows of a table, or too small to be shifted.
    pub fn check_images(&self, is_table: bool, shape: ImageShape) -> Result<()> {
        ensure!(
            !is_table || self.tta == ViewsFlag::None,
            "--tta needs images, but the examples are rows of numbers"
        );
        self.tta.check_shape(shape)
    }

    /// The evaluation settings for images that are normalised like this.
    pub fn asking(&self, normalize: Option<&Normalize>) -> Asking {
        let views = self.tta.views();
        Asking { views, least_certain: self.tta_share, normalize: normalize.cloned() }
    }
}

impl ViewsFlag {
    /// Rejects images that cannot be shifted if views are.
    ///
    /// # Errors
    /// When they are less than two pixels high or wide.
    pub fn check_shape(self, ImageShape { height, width, .. }: ImageShape) -> Result<()> {
        ensure!(
            self != Self::MirrorShift || height.min(width) > 1,
            "--tta mirror-shift: expected images of 2 × 2 or more, found {height} × {width}"
        );
        Ok(())
    }

    /// The views.
    pub fn views(self) -> Views {
        match self {
            Self::None => Views::Plain,
            Self::Mirror => Views::Mirror,
            Self::MirrorShift => Views::MirrorShift,
        }
    }
}
