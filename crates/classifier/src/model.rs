//! A trained model on disk: the weights, and what is needed to use them.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use autograd::Params;
use data::{Dataset, Normalize};
use foreign_text::{Foreign, shown_path};
use nn::weights::{self, Archive};
use nn::{Sequential, models};
use serde::{Deserialize, Serialize};

/// The description in a file of weights: one JSON entry of its metadata.
///
/// A file from PyTorch has none: then the classes are CIFAR-10's and the images are bytes / 255.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The names of the classes, in the order of the outputs.
    pub classes: Vec<String>,
    /// Per channel, what was subtracted from byte / 255.
    pub mean: Vec<f32>,
    /// Per channel, what the difference was divided by.
    pub std: Vec<f32>,
}

/// The key of [`About`] in the metadata.
const ABOUT: &str = "descent";

impl About {
    /// For a network trained on these classes, with or without normalisation.
    pub fn new(classes: &[String], normalize: Option<&Normalize>) -> Self {
        let plain = Normalize { mean: vec![0.0; 3], std: vec![1.0; 3] };
        let Normalize { mean, std } = normalize.unwrap_or(&plain).clone();
        Self { classes: classes.to_vec(), mean, std }
    }

    /// The normalisation that images must go through.
    pub fn normalize(&self) -> Normalize {
        Normalize { mean: self.mean.clone(), std: self.std.clone() }
    }

    /// Refuses images of other classes than those that the network was trained on.
    ///
    /// # Errors
    /// Names both lists of classes.
    pub fn check_classes(&self, images: &dyn Dataset, name: &str) -> Result<()> {
        let listed = |names: &[String]| {
            names.iter().map(|name| Foreign::new(name).to_string()).collect::<Vec<_>>().join(", ")
        };
        ensure!(
            self.classes == images.class_names(),
            "the network knows {}, but {name} has {}",
            listed(&self.classes),
            listed(images.class_names())
        );
        Ok(())
    }

    /// Whether there is a mean and a deviation for each of three channels, and a name for each output.
    fn is_sound(&self) -> bool {
        self.classes.len() == 10
            && self.mean.len() == 3
            && self.std.len() == 3
            && self.mean.iter().all(|mean| mean.is_finite())
            && self.std.iter().all(|std| std.is_finite() && *std > 0.0)
    }
}

/// Writes weights with their description; the old file remains until the new one is complete.
///
/// # Errors
/// When the file cannot be written.
pub fn save(path: &Path, params: &Params, about: &About) -> Result<()> {
    let about = serde_json::to_string(about).expect("names and numbers are JSON");
    Ok(weights::save(path, params, &[(ABOUT, &about)])?)
}

/// Reads weights into the lecture's network.
///
/// # Errors
/// When the file cannot be read or belongs to another network; all differences are listed.
pub fn load(path: &Path) -> Result<(Sequential, Params, About)> {
    let (net, mut params) = nn::build(models::lecture_cnn(0.0), 0);
    let archive = Archive::open(path)?;
    archive.load_into(&mut params)?;
    let about = match archive.metadata(ABOUT)? {
        None => About::new(&data::class_names::CIFAR10.map(String::from), None),
        Some(json) => serde_json::from_str(&json)
            .ok()
            .filter(About::is_sound)
            .with_context(|| format!("{}: the metadata entry {ABOUT:?} is damaged", shown_path(path)))?,
    };
    Ok((net, params, about))
}
