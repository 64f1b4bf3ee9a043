//! The flags that say in which views an image is seen when a network is judged.

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use classifier::ranges::probability;
use classifier::{Asking, Views};
use data::Normalize;
use serde::Serialize;

/// In which views images are seen, and how many of them.
#[derive(Clone, Copy, Debug, PartialEq, Args, Serialize)]
pub struct ViewFlags {
    /// Views of an image whose answers are averaged when the network is judged at last: as it is, its mirror image too, or
    /// six
    #[arg(long, value_name = "WHICH", default_value_t = ViewsFlag::None, value_enum)]
    pub tta: ViewsFlag,

    /// The share of the images, those that the network is least certain of, that are seen in several views [default: all]
    #[arg(long, value_name = "P", value_parser = probability)]
    pub tta_share: Option<f64>,
}

/// In which views an image is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ViewsFlag {
    /// As it is.
    None,
    /// As it is and mirrored.
    Mirror,
    /// The two, and the two of the image shifted by a pixel in two directions.
    MirrorShift,
}

impl ViewFlags {
    /// Checks what no flag can know by itself.
    ///
    /// # Errors
    /// When a share is given and no view to be shared out.
    pub fn check(&self) -> Result<()> {
        ensure!(
            self.tta_share.is_none() || self.tta != ViewsFlag::None,
            "--tta-share needs --tta: without further views no image is seen in several"
        );
        Ok(())
    }

    /// Refuses views of what is no image.
    ///
    /// # Errors
    /// When the examples are the rows of a table and are to be seen in several views.
    pub fn check_images(&self, is_table: bool) -> Result<()> {
        ensure!(
            !is_table || self.tta == ViewsFlag::None,
            "--tta is for images, and these are rows of numbers"
        );
        Ok(())
    }

    /// How the network is asked about images that are normalised like this.
    pub fn asking(&self, normalize: Option<&Normalize>) -> Asking {
        let views = self.tta.views();
        Asking { views, least_certain: self.tta_share, normalize: normalize.cloned() }
    }
}

impl ViewsFlag {
    /// The views.
    pub fn views(self) -> Views {
        match self {
            Self::None => Views::Plain,
            Self::Mirror => Views::Mirror,
            Self::MirrorShift => Views::MirrorShift,
        }
    }
}
