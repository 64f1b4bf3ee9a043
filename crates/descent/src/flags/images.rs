//! The values of the flags for the training images: `--normalize`, `--val` and `--limit-by`.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Serialize, Serializer};

/// The statistics that images are normalised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormalizeFlag {
    /// None: bytes are divided by 255.
    No,
    /// Those of the training images.
    Measured,
    /// Those of ImageNet, which torchvision's networks are trained with.
    ImageNet,
}

impl FromStr for NormalizeFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "false" => Ok(Self::No),
            "true" => Ok(Self::Measured),
            "imagenet" => Ok(Self::ImageNet),
            _ => Err("expected true, false or imagenet".to_owned()),
        }
    }
}

impl fmt::Display for NormalizeFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "false",
            Self::Measured => "true",
            Self::ImageNet => "imagenet",
        })
    }
}

/// As a truth value where it is one: scripts and earlier versions read that.
impl Serialize for NormalizeFlag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::No => false.serialize(serializer),
            Self::Measured => true.serialize(serializer),
            Self::ImageNet => serializer.collect_str(self),
        }
    }
}

/// The images to hold out. A run records their number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValFlag {
    /// So many.
    Images(usize),
    /// This share of the training images, below 1.
    Share(f64),
}

impl ValFlag {
    /// Their number, of `n_images`.
    pub fn of(self, n_images: usize) -> usize {
        match self {
            Self::Images(n) => n,
            Self::Share(share) => (share * n_images as f64).round() as usize,
        }
    }
}

impl FromStr for ValFlag {
    type Err = String;

    /// A whole number is a number of images; another below 1, or one of percent, is a share.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(n) = text.parse() {
            return Ok(Self::Images(n));
        }
        let (number, whole) = text.strip_suffix('%').map_or((text, 1.0), |number| (number.trim(), 100.0));
        let share = number.parse::<f64>().ok().map(|number| number / whole);
        share.filter(|share| (0.0..1.0).contains(share)).map(Self::Share).ok_or_else(|| {
            "expected a number of images, such as 500, or a share of them below 1, such as 0.2 or 20%"
                .to_owned()
        })
    }
}

impl fmt::Display for ValFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Images(n) => write!(f, "{n}"),
            Self::Share(share) => write!(f, "{}%", 100.0 * share),
        }
    }
}

impl Serialize for ValFlag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Images(n) => n.serialize(serializer),
            Self::Share(_) => serializer.collect_str(self),
        }
    }
}

/// Which images `--limit` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LimitFlag {
    /// The first ones.
    First,
    /// Random ones, of each class its share.
    Class,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_numbers_are_told_apart() {
        for (text, n) in [("0", 0), ("1", 1), ("60", 60), ("0.2", 12), ("20%", 12), ("33 %", 20), ("0.0", 0)]
        {
            assert_eq!(text.parse::<ValFlag>().unwrap().of(60), n, "{text}");
        }
        for wrong in ["", "-1", "1.5", "1.0", "100%", "-5%", "all", "nan", "%"] {
            assert!(wrong.parse::<ValFlag>().unwrap_err().contains("such as 0.2 or 20%"), "{wrong}");
        }
    }
}
