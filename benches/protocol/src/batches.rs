//! Batches from CIFAR-10's binary files, and files of the same format for machines that have none.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use keyed_random::splitmix64;

/// The bytes of an image: three planes of 32 × 32.
pub const IMAGE_BYTES: usize = 3072;

/// A record is a label and an image.
const RECORD_BYTES: usize = 1 + IMAGE_BYTES;

/// The images of a file.
const IMAGES_PER_FILE: usize = 10_000;

/// Batches in the order of `data_batch_1.bin`, round and round.
///
/// They are read piece by piece, so that a driver's memory is its framework's and not the data set's.
#[derive(Debug)]
pub struct Batches {
    file: File,
    path: PathBuf,
    n_images: usize,
    next_image: usize,
    records: Vec<u8>,
}

impl Batches {
    /// Opens `data_batch_1.bin` in `folder`.
    ///
    /// # Errors
    /// If the file cannot be read or is not a whole number of records.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("data_batch_1.bin");
        let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let len = file.metadata()?.len() as usize;
        let n_images = len / RECORD_BYTES;
        ensure!(
            n_images > 0 && len.is_multiple_of(RECORD_BYTES),
            "{}: {len} bytes are not a whole number of records of {RECORD_BYTES} bytes",
            path.display()
        );
        Ok(Self { file, path, n_images, next_image: 0, records: Vec::new() })
    }

    /// Puts the first `n_inputs` bytes of the next images, divided by 255, into `inputs` (`[batch, n_inputs]`,
    /// planes as they lie in the file) and their labels into `labels`, whose length is the batch's.
    ///
    /// # Errors
    /// If the file cannot be read, or has fewer images than the batch.
    ///
    /// # Panics
    /// If `inputs` is not `n_inputs` times as long as `labels`.
    pub fn next(&mut self, n_inputs: usize, inputs: &mut [f32], labels: &mut [u8]) -> Result<()> {
        let batch = labels.len();
        assert_eq!(inputs.len(), batch * n_inputs, "inputs for {batch} images of {n_inputs}");
        ensure!(batch <= self.n_images, "{} has {} images, not {batch}", self.path.display(), self.n_images);
        if self.next_image + batch > self.n_images {
            self.next_image = 0;
        }
        self.records.resize(batch * RECORD_BYTES, 0);
        self.file.seek(SeekFrom::Start((self.next_image * RECORD_BYTES) as u64))?;
        self.file
            .read_exact(&mut self.records)
            .with_context(|| format!("cannot read {}", self.path.display()))?;
        self.next_image += batch;

        let records = self.records.chunks_exact(RECORD_BYTES);
        for ((record, input), label) in records.zip(inputs.chunks_exact_mut(n_inputs)).zip(labels) {
            *label = record[0];
            for (x, &byte) in input.iter_mut().zip(&record[1..]) {
                *x = f32::from(byte) / 255.0;
            }
        }
        Ok(())
    }
}

/// Writes the six files of CIFAR-10's binary form with images of coloured noise, bright where the label says.
///
/// # Errors
/// If a file cannot be written.
pub fn write_synthetic(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let names = (1..=5).map(|n| format!("data_batch_{n}.bin")).chain(["test_batch.bin".to_owned()]);
    for (file_idx, name) in names.enumerate() {
        let path = folder.join(name);
        let mut bytes = Vec::with_capacity(IMAGES_PER_FILE * RECORD_BYTES);
        for image_idx in 0..IMAGES_PER_FILE {
            push_synthetic((file_idx * IMAGES_PER_FILE + image_idx) as u64, &mut bytes);
        }
        let mut file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        file.write_all(&bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Ten classes, ten horizontal bands: the label's is brighter by 96.
fn push_synthetic(image_idx: u64, bytes: &mut Vec<u8>) {
    let label = (splitmix64(0, image_idx) >> 8) % 10;
    bytes.push(label as u8);
    for word in 0..(IMAGE_BYTES / 8) as u64 {
        let noise = splitmix64(0, (image_idx + 1) << 16 | word).to_le_bytes();
        let row = word * 8 % 1024 / 32;
        let light = if row * 10 / 32 == label { 96 } else { 0 };
        bytes.extend(noise.map(|byte| byte % 160 + light));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synthetic_files_have_the_format_and_repeat() -> Result<()> {
        let folder = tempfile::tempdir()?;
        write_synthetic(folder.path())?;
        let first = fs::read(folder.path().join("data_batch_1.bin"))?;
        assert_eq!(first.len(), IMAGES_PER_FILE * RECORD_BYTES);
        let second = fs::read(folder.path().join("data_batch_2.bin"))?;
        assert_ne!(first, second);

        let mut batches = Batches::open(folder.path())?;
        let (mut inputs, mut labels) = (vec![0.0; 6_000 * 16], vec![0; 6_000]);
        batches.next(16, &mut inputs, &mut labels)?;
        let (first_inputs, first_labels) = (inputs.clone(), labels.clone());
        assert!(first_labels.iter().all(|&label| label < 10));
        assert_eq!(first_labels[3], first[3 * RECORD_BYTES]);
        assert_eq!(first_inputs[3 * 16 + 5], f32::from(first[3 * RECORD_BYTES + 6]) / 255.0);
        // The rest of the file is shorter than a batch, so the next one is the first again.
        batches.next(16, &mut inputs, &mut labels)?;
        assert_eq!((inputs, labels), (first_inputs, first_labels));
        Ok(())
    }

    #[test]
    fn a_missing_or_broken_file_is_named() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let missing = Batches::open(folder.path()).unwrap_err().to_string();
        assert!(missing.contains("data_batch_1.bin"), "{missing}");
        fs::write(folder.path().join("data_batch_1.bin"), [0; 5000])?;
        let broken = Batches::open(folder.path()).unwrap_err().to_string();
        assert!(broken.contains("5000 bytes"), "{broken}");
        Ok(())
    }
}
