//! The built-in set: ten classes of drawn shapes, for use without CIFAR.
//!
//! Each image is 32 × 32 pixels in colour: one bright shape on a dark two-colour background with small scraps
//! around it, and noise. The position, size, direction and colour of the shape, and everything else in the
//! image, are random and independent of the class. A linear model therefore learns almost nothing (21 %
//! correct on the test part in PyTorch) and a convolutional network almost everything (the lecture's passes
//! 90 % in its third epoch over 10,000 images). The same seed gives the same bytes on every machine, because
//! the drawing uses no function whose rounding differs between machines.

mod draw;

use std::fs;
use std::path::Path;

use keyed_random::substream;
use rayon::prelude::*;

use crate::{Cifar, CifarKind, Error, Part, random};

/// The class names, in the order of the labels.
pub const CLASS_NAMES: [&str; 10] =
    ["circle", "ring", "triangle", "square", "star", "cross", "crescent", "heart", "arrow", "bar"];

/// The number of training images; the test part has a tenth as many.
const N_TRAIN: usize = 20_000;

/// Generates one part of the set in memory, in CIFAR-10's layout: 20,000 images for training or 2,000 for
/// testing, equally many per class.
///
/// ```
/// use data::{Dataset, Part, shapes};
/// let test = shapes::generate(Part::Test, 0);
/// assert_eq!((test.len(), test.class_names()[4].as_str()), (2_000, "star"));
/// ```
pub fn generate(part: Part, seed: u64) -> Cifar {
    let (n_images, purpose) = match part {
        Part::Train => (N_TRAIN, "shapes, train"),
        Part::Test => (N_TRAIN / 10, "shapes, test"),
    };
    let names = CLASS_NAMES.map(String::from).to_vec();
    Cifar::from_bytes_with_names(CifarKind::Cifar10, records(n_images, purpose, seed), names)
        .expect("the records that are written here are sound")
}

/// Writes both parts and the class names to the folder `dir`, as files that [`Cifar::open`] reads.
///
/// # Errors
/// When the folder cannot be created or a file cannot be written. Each file is written completely or not at
/// all.
pub fn write(dir: impl AsRef<Path>, seed: u64) -> Result<(), Error> {
    let dir = dir.as_ref();
    fs::create_dir_all(dir).map_err(Error::io(dir))?;
    let write = |path: &Path, bytes: &[u8]| atomic_file::write(path, bytes).map_err(Error::io(path));
    let kind = CifarKind::Cifar10;
    for part in [Part::Train, Part::Test] {
        let set = generate(part, seed);
        let names = kind.files(part);
        let file_len = set.bytes().len() / names.len();
        for (name, bytes) in names.iter().zip(set.bytes().chunks_exact(file_len)) {
            write(&dir.join(name), bytes)?;
        }
    }
    write(&dir.join(kind.class_names_file()), (CLASS_NAMES.join("\n") + "\n").as_bytes())
}

/// `n_images` records in CIFAR-10's layout: the label, then the red, green and blue planes.
fn records(n_images: usize, purpose: &str, seed: u64) -> Vec<u8> {
    let record_len = CifarKind::Cifar10.record_len();
    let mut bytes = vec![0; n_images * record_len];
    let base = random::stream(seed, purpose, 0);
    bytes.par_chunks_exact_mut(record_len).enumerate().for_each(|(image_idx, record)| {
        let label = image_idx % CLASS_NAMES.len();
        record[0] = label as u8;
        draw::image(label, &mut substream(&base, image_idx as u64), &mut record[1..]);
    });
    bytes
}
