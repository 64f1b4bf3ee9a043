//! The built-in set: ten classes of drawn shapes, for whoever has no CIFAR at hand.
//!
//! Each image is 32 × 32 pixels in colour: one bright shape before a dark background of two colours with some
//! scraps around it, under noise. The place, size, direction and colour of the shape, and everything else in
//! the image, are drawn at random and say nothing about the class, so that a linear model learns next to
//! nothing (21 % of the test part right in PyTorch) and a convolutional network nearly everything (the
//! lecture's passes 90 % in its third epoch over 10,000 images). The same seed gives the same bytes on every
//! machine: the drawing uses no function that rounds differently elsewhere.

mod draw;

use std::fs;
use std::path::Path;

use keyed_random::substream;
use rayon::prelude::*;

use crate::{Cifar, CifarKind, Error, Part, random};

/// The names of the classes, in the order of their labels.
pub const CLASS_NAMES: [&str; 10] =
    ["circle", "ring", "triangle", "square", "star", "cross", "crescent", "heart", "arrow", "bar"];

/// How many images the training part has; a tenth of that the test part.
const N_TRAIN: usize = 20_000;

/// One part of the set in memory, read as CIFAR-10 is: 20,000 images to train on, 2,000 to test on, as many
/// of each class.
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

/// Writes both parts into the folder `dir` as files that [`Cifar::open`] reads, and the names of the classes.
///
/// # Errors
/// When the folder cannot be made or a file cannot be written. Each file is written whole or not at all.
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

/// `n_images` records of CIFAR-10's layout: the label, then the planes of red, green and blue.
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
