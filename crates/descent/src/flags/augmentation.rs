//! The flags for image augmentation.

use anyhow::{Result, ensure};
use clap::{ArgAction, Args, ValueEnum};
use classifier::ranges::{any_size, not_negative, probability, within};
use data::{Augment, Border, Crop, Flip, ImageShape, Normalize, Transform};
use serde::Serialize;

/// Random changes to training images.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
#[command(next_help_heading = "Changes to training images")]
pub struct AugmentFlags {
    /// Flip images at random and take random crops with a border of 4 pixels: --flip random --crop 4
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub augment: bool,

    /// Mirror images left to right: never, at random, or at random in the first epoch and then in every other
    /// one [default: never]
    #[arg(long, value_name = "HOW", value_enum)]
    pub flip: Option<FlipFlag>,

    /// Take a random crop of the image's size after adding a border of this width [default: 0]
    #[arg(long, value_name = "PIXELS", value_parser = within::<0, 65_536>)]
    pub crop: Option<usize>,

    /// Fill of the border
    #[arg(long, value_name = "WHAT", default_value_t = BorderFlag::Zero, value_enum)]
    pub crop_border: BorderFlag,

    /// Multiply the brightness by a random factor that differs from 1 by at most this
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = not_negative)]
    pub brightness: f64,

    /// The same for the contrast
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = not_negative)]
    pub contrast: f64,

    /// The same for the saturation
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = not_negative)]
    pub saturation: f64,

    /// Rotate by a random angle of up to this many degrees
    #[arg(long, value_name = "DEGREES", default_value_t = 0.0, value_parser = degrees)]
    pub rotate: f64,

    /// Zero out a square with this side at a random place
    #[arg(long, value_name = "PIXELS", default_value_t = 0, value_parser = any_size)]
    pub cutout: usize,

    /// Zero out a rectangle at a random place, with this probability
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability)]
    pub erase: f64,
}

/// When an image is mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum FlipFlag {
    /// Never.
    Never,
    /// In each epoch with probability ½.
    Random,
    /// In the first epoch with probability ½, then every other one.
    Alternating,
}

/// The border around an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum BorderFlag {
    /// Black.
    Zero,
    /// The image mirrored at its edge.
    Reflect,
}

fn degrees(text: &str) -> Result<f64, String> {
    not_negative(text).ok().filter(|x| *x <= 180.0).ok_or_else(|| "expected a number from 0 to 180".into())
}

/// The most pixels by which `--augment` shifts an image.
const CROP_PADDING: usize = 4;

impl AugmentFlags {
    /// Rejects a border that images of this shape cannot have.
    ///
    /// # Errors
    /// When it reflects as many pixels as an image has, or more.
    pub fn check_images(&self, ImageShape { height, width, .. }: ImageShape) -> Result<()> {
        let padding = self.padding();
        ensure!(
            self.crop_border == BorderFlag::Zero || padding == 0 || padding < height.min(width),
            "--crop {padding} with --crop-border reflect: expected fewer than {} pixels, for images of \
             {height} × {width}",
            height.min(width)
        );
        Ok(())
    }

    /// Rejects flags without effect.
    ///
    /// # Errors
    /// When `--crop-border` is given without a crop, which would have a border.
    pub fn check_effect(&self) -> Result<()> {
        ensure!(
            self.crop_border == BorderFlag::Zero || self.padding() > 0,
            "--crop-border needs --crop: without it there is no border"
        );
        Ok(())
    }

    /// When an image is mirrored.
    pub fn flip(&self) -> FlipFlag {
        self.flip.unwrap_or(if self.augment { FlipFlag::Random } else { FlipFlag::Never })
    }

    /// The width of the border, in which crops are taken.
    pub fn padding(&self) -> usize {
        self.crop.unwrap_or(if self.augment { CROP_PADDING } else { 0 })
    }

    /// The transforms in order, including the normalisation; only that if no flag asks for another.
    pub fn transforms(&self, normalize: Option<&Normalize>) -> Vec<Transform> {
        let flip = match self.flip() {
            FlipFlag::Never => Flip::Never,
            FlipFlag::Random => Flip::Random,
            FlipFlag::Alternating => Flip::Alternating,
        };
        let border = match self.crop_border {
            BorderFlag::Zero => Border::Zero,
            BorderFlag::Reflect => Border::Reflect,
        };
        let padding = self.padding();
        let crop = (padding > 0).then_some(Crop { padding, border });
        let mut transforms = Vec::new();
        if flip != Flip::Never || crop.is_some() {
            transforms.push(Transform::Augment(Augment { flip, crop }));
        }
        let [brightness, contrast, saturation] =
            [self.brightness, self.contrast, self.saturation].map(|x| x as f32);
        if [brightness, contrast, saturation] != [0.0; 3] {
            transforms.push(Transform::Jitter { brightness, contrast, saturation });
        }
        if self.rotate > 0.0 {
            transforms.push(Transform::Rotate { degrees: self.rotate as f32 });
        }
        transforms.extend(normalize.cloned().map(Transform::Normalize));
        if self.erase > 0.0 {
            let probability = self.erase as f32;
            transforms.push(Transform::Erase { probability, area: [0.02, 0.33], ratio: [0.3, 3.3] });
        }
        if self.cutout > 0 {
            transforms.push(Transform::Cutout { size: self.cutout });
        }
        transforms
    }

    /// Whether images are changed at all.
    pub fn is_none(&self) -> bool {
        self.transforms(None).is_empty()
    }
}
