//! A trained model on disk: the weights, and what is needed to use them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use autograd::Params;
use data::{Dataset, ImageShape, Normalize};
use foreign_text::{Foreign, shown_path};
use nn::Sequential;
use nn::weights::{self, Archive};
use serde::{Deserialize, Serialize};

use crate::Net;
use crate::images::MAX_AREA;

/// The description in a file of weights: one JSON entry of its metadata.
///
/// A file from PyTorch has none: then the classes are CIFAR-10's and the images are bytes / 255. A file
/// without a shape predates image shapes other than CIFAR's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The names of the classes, in the order of the outputs.
    pub classes: Vec<String>,
    /// Per channel, the value subtracted from byte / 255.
    pub mean: Vec<f64>,
    /// Per channel, the divisor of the difference.
    pub std: Vec<f64>,
    /// Height, width and channels of an image; 1, 1 and n for rows of n numbers.
    #[serde(default = "cifar")]
    pub shape: [usize; 3],
    /// The network, by its `--net` name. A file without it is older, and has the lecture's.
    #[serde(default)]
    pub net: Net,
    /// The names of the numbers in a row, in their order. None for images, and in older files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

fn cifar() -> [usize; 3] {
    [32, 32, 3]
}

/// The key of [`About`] in the metadata.
const ABOUT: &str = "descent";

impl About {
    /// A description of a network trained on these classes and images of this shape, with or without
    /// normalisation.
    pub fn new(classes: &[String], shape: ImageShape, normalize: Option<&Normalize>) -> Self {
        let ImageShape { height, width, channels } = shape;
        let plain = Normalize { mean: vec![0.0; channels], std: vec![1.0; channels] };
        let Normalize { mean, std } = normalize.unwrap_or(&plain).clone();
        let (shape, net) = ([height, width, channels], Net::default());
        Self { classes: classes.to_vec(), mean, std, shape, net, columns: Vec::new() }
    }

    /// The same for another network.
    pub fn with_net(self, net: Net) -> Self {
        Self { net, ..self }
    }

    /// The same for rows of a table with these columns.
    pub fn with_columns(self, columns: &[String]) -> Self {
        Self { columns: columns.to_vec(), ..self }
    }

    /// The shape of an image; 1 × 1 × n for rows of n numbers.
    pub fn image_shape(&self) -> ImageShape {
        let [height, width, channels] = self.shape;
        ImageShape { height, width, channels }
    }

    /// The normalisation of its input images.
    pub fn normalize(&self) -> Normalize {
        Normalize { mean: self.mean.clone(), std: self.std.clone() }
    }

    /// Rejects images whose classes or shape differ from those that the network was trained on.
    ///
    /// # Errors
    /// Names both lists of classes, or both shapes.
    pub fn check_classes(&self, images: &dyn Dataset, name: &str) -> Result<()> {
        let listed = |names: &[String]| {
            names.iter().map(|name| Foreign::new(name).to_string()).collect::<Vec<_>>().join(", ")
        };
        ensure!(
            self.classes == images.class_names(),
            "the network knows {}, but the classes of {name} are {}",
            listed(&self.classes),
            listed(images.class_names())
        );
        let ImageShape { height, width, channels } = crate::input_shape(images);
        let [h, w, c] = self.shape;
        ensure!(
            self.shape == [height, width, channels],
            "the network takes images of {h} × {w} with {c} channels, but an image of {name} is {height} × {width} with {channels}"
        );
        Ok(())
    }

    /// Whether there is a mean and a deviation for each channel, a name for each output, and a shape that
    /// some network takes; a network that needs larger images refuses it itself.
    fn is_sound(&self) -> bool {
        let [height, width, channels] = self.shape;
        let is_row = [height, width] == [1, 1] && (1..=1 << 20).contains(&channels);
        let is_image = height.checked_mul(width).is_some_and(|area| (1..=MAX_AREA).contains(&area))
            && matches!(channels, 1 | 3);
        (1..=1 << 20).contains(&self.classes.len())
            && (is_row || is_image)
            && (self.columns.is_empty() || is_row && self.columns.len() == channels)
            && self.mean.len() == channels
            && self.std.len() == channels
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

/// Reads weights into the network that they were trained in. `path` may be the folder of a run, in which case
/// its `model.safetensors` is read.
///
/// # Errors
/// When the file cannot be read or belongs to another network; all differences are listed.
pub fn load(path: &Path) -> Result<(Sequential, Params, About)> {
    let archive = open(path)?;
    let path = &*of_run(path);
    let about = match archive.metadata(ABOUT)? {
        None => About::new(&data::class_names::CIFAR10.map(String::from), ImageShape::CIFAR, None),
        Some(json) => serde_json::from_str(&json)
            .ok()
            .filter(About::is_sound)
            .with_context(|| format!("{}: the metadata entry {ABOUT:?} is damaged", shown_path(path)))?,
    };
    let net = about.net.network(about.image_shape(), about.classes.len(), 0.0)?;
    let n_values: usize = nn::shapes(net.clone()).iter().map(|(_, shape)| shape.numel()).sum();
    let n_stored: usize = archive.tensors().filter_map(|tensor| Some(tensor.shape()?.numel())).sum();
    // Whatever an untrusted file says of its network, its parameters take no more memory than its tensors
    // fill; what the layers compute is limited by the size of an image. If a small network does not match,
    // the archive lists the differences.
    ensure!(
        n_values <= n_stored.max(1 << 20),
        "{}: it holds {n_stored} numbers, and the network that it describes has {n_values}",
        shown_path(path)
    );
    let (net, mut params) = nn::build(net, 0);
    let loaded = archive.load_into(&mut params);
    if archive.metadata(ABOUT)?.is_none() {
        loaded.with_context(|| {
            format!(
                "{} does not name its network, and is not a file for the lecture's; to train on from it, \
                 `descent train --net NAME --weights {}`",
                shown_path(path),
                shown_path(path)
            )
        })?;
    } else {
        loaded?;
    }
    Ok((net, params, about))
}

/// Whether a file of weights says which network and classes it is for.
///
/// # Errors
/// As [`open`].
pub fn is_described(path: &Path) -> Result<bool> {
    Ok(open(path)?.metadata(ABOUT)?.is_some())
}

/// The names of the columns that the network in a file of weights takes; none if it does not say.
///
/// # Errors
/// As [`open`].
pub fn columns(path: &Path) -> Result<Vec<String>> {
    let about = open(path)?.metadata(ABOUT)?.and_then(|json| serde_json::from_str::<About>(&json).ok());
    Ok(about.map_or(Vec::new(), |about| about.columns))
}

/// Opens a file of weights, which may be given by the folder of a run.
///
/// # Errors
/// When it is not a safetensors file; for one from `torch.save` the error says how to convert it.
pub fn open(path: &Path) -> Result<Archive> {
    let path = of_run(path);
    check_is_no_pickle(&path)?;
    Ok(Archive::open(&path)?)
}

/// The weights in the folder of a run; any other path is returned as it is.
pub fn of_run(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("model.safetensors") } else { path.to_owned() }
}

/// Rejects files from `torch.save`, and says how to convert them.
fn check_is_no_pickle(path: &Path) -> Result<()> {
    let mut start = Vec::new();
    if path.is_file() {
        // Unreadable files are an error when the archive is opened.
        let _ = File::open(path).and_then(|file| file.take(8).read_to_end(&mut start));
    }
    // safetensors files begin with the length of a header, eight bytes of which the last four are 0.
    let is_length = start.len() == 8 && start[4..] == [0; 4];
    let is_pickle = start.starts_with(b"PK\x03\x04") || matches!(start[..], [0x80, 2..=5, ..]) && !is_length;
    ensure!(
        !is_pickle,
        "{}: a file of torch.save, expected safetensors. In Python: from safetensors.torch import save_file; \
         save_file({{k: v.contiguous() for k, v in torch.load(FILE, map_location=\"cpu\", weights_only=True).items()}}, \
         \"model.safetensors\"), where FILE is that of a state_dict",
        shown_path(path)
    );
    Ok(())
}
