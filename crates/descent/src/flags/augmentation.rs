//! The flags that change images as they are trained on.

use clap::{Args, ValueEnum};
use classifier::ranges::{any_size, not_negative, probability};
use data::{Augment, Border, Crop, Flip, Normalize, Transform};
use serde::Serialize;

/// How images are changed at random as they are trained on.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
#[command(next_help_heading = "Changes to training images")]
pub struct AugmentFlags {
    /// Flip images at random and crop them at random from a border of 4 pixels: --flip random --crop 4
    #[arg(long)]
    pub augment: bool,

    /// Mirror images left to right: never, at random, or at random in the first epoch and then every other one
    /// [default: never]
    #[arg(long, value_name = "HOW", value_enum)]
    pub flip: Option<FlipFlag>,

    /// Cut a window of the image's size at random from the image with a border of so many pixels [default: 0]
    #[arg(long, value_name = "PIXELS", value_parser = any_size)]
    pub crop: Option<usize>,

    /// What the border is filled with
    #[arg(long, value_name = "WHAT", default_value_t = BorderFlag::Zero, value_enum)]
    pub crop_border: BorderFlag,

    /// Multiply the brightness by a random factor that differs from 1 by up to this
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = not_negative)]
    pub brightness: f64,

    /// The same for the contrast
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = not_negative)]
    pub contrast: f64,

    /// The same for the saturation
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = not_negative)]
    pub saturation: f64,

    /// Turn by a random angle of up to so many degrees
    #[arg(long, value_name = "DEGREES", default_value_t = 0.0, value_parser = degrees)]
    pub rotate: f64,

    /// Put a square of zeros of this side at a random place
    #[arg(long, value_name = "PIXELS", default_value_t = 0, value_parser = any_size)]
    pub cutout: usize,

    /// Put a rectangle of zeros at a random place, with this probability
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

/// What lies around an image.
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

/// The pixels that `--augment` shifts an image by at most.
const CROP_PADDING: usize = 4;

impl AugmentFlags {
    /// The changes in their order, the normalisation among them; none but that where no flag asks for one.
    pub fn transforms(&self, normalize: Option<&Normalize>) -> Vec<Transform> {
        let (flip, padding) = match self.augment {
            true => (Flip::Random, CROP_PADDING),
            false => (Flip::Never, 0),
        };
        let flip = self.flip.map_or(flip, |flip| match flip {
            FlipFlag::Never => Flip::Never,
            FlipFlag::Random => Flip::Random,
            FlipFlag::Alternating => Flip::Alternating,
        });
        let border = match self.crop_border {
            BorderFlag::Zero => Border::Zero,
            BorderFlag::Reflect => Border::Reflect,
        };
        let padding = self.crop.unwrap_or(padding);
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
