//! Where the images come from: CIFAR-10 where it is present, else the built-in set.

use std::path::Path;

use anyhow::{Context, Result};
use data::{Cifar, CifarKind, Dataset, Normalize, Part, shapes};
use foreign_text::shown_path;

/// Where `cargo xtask fetch-cifar` puts CIFAR-10, seen from the project's root.
pub const DEFAULT_DIR: &str = "datasets/cifar-10-batches-bin";

const CIFAR10: &str = "CIFAR-10";

/// The seed of the built-in set: the same for everybody.
const BUILT_IN_SEED: u64 = 0;

/// Training and test images of ten classes.
pub struct Images {
    /// The name of the set.
    pub name: &'static str,
    /// The training images.
    pub train: Cifar,
    /// The test images.
    pub test: Cifar,
    /// The default number of epochs.
    pub default_epochs: u64,
    /// Adam's default learning rate: the lecture's on CIFAR-10; on the built-in set one at which every seed learns
    /// (at the lecture's, some networks die in the first steps).
    pub adam_lr: f64,
}

impl Images {
    /// CIFAR-10 from `dir`; without a `dir` from [`DEFAULT_DIR`], or the built-in set when that is absent.
    ///
    /// # Errors
    /// When files are missing or broken; the message says how to get them.
    pub fn open(dir: Option<&Path>) -> Result<Self> {
        let dir = match dir {
            Some(dir) => dir,
            None if Path::new(DEFAULT_DIR).exists() => Path::new(DEFAULT_DIR),
            None => return Ok(Self::built_in()),
        };
        let open = |part| {
            Cifar::open(dir, CifarKind::Cifar10, part).with_context(|| {
                format!(
                    "no readable CIFAR-10 in {} (get it with `cargo xtask fetch-cifar`, or leave out --data to use \
                     the built-in set)",
                    shown_path(dir)
                )
            })
        };
        let (train, test) = (open(Part::Train)?, open(Part::Test)?);
        Ok(Self { name: CIFAR10, train, test, default_epochs: 50, adam_lr: 5e-3 })
    }

    /// Ten classes of drawn shapes, the same on every machine.
    fn built_in() -> Self {
        Self {
            name: "the built-in shapes",
            train: shapes::generate(Part::Train, BUILT_IN_SEED),
            test: shapes::generate(Part::Test, BUILT_IN_SEED),
            default_epochs: 10,
            adam_lr: 1e-3,
        }
    }

    /// What is trained on, in a line or two.
    pub fn describe(&self, n_training: usize, n_validation: usize) -> String {
        let validation =
            if n_validation > 0 { format!(", {n_validation} to validate") } else { String::new() };
        let counts = format!("{n_training} images to train on{validation}, {} to test", self.test.len());
        if self.name == CIFAR10 {
            return format!("CIFAR-10: {counts}");
        }
        format!(
            "CIFAR-10 is not in {DEFAULT_DIR} (get it with `cargo xtask fetch-cifar`): using {}.\n{counts}",
            self.name
        )
    }

    /// Mean and standard deviation of each channel over the training images.
    pub fn normalize(&self) -> Normalize {
        Normalize::measure(&self.train)
    }
}
