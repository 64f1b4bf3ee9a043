//! Checkpoints: all that a run needs to resume as if it had never stopped.
//!
//! A checkpoint is one safetensors file in the run's folder, `checkpoints/step-0000001234.safetensors`:
//!
//! | where | what |
//! |---|---|
//! | `model.NAME` | parameters and running statistics |
//! | `optimizer.NAME.SLOT` | the optimizer's state |
//! | `average.NAME` | the moving average of the weights, with `--ema` |
//! | `lookahead.NAME` | the slow weights, with `--lookahead` |
//! | `losses.last` | the last loss of each training image, with `--hardest-by last` |
//! | `best.NAME` | the best weights on the validation set, if there is one |
//! | metadata `checkpoint` | JSON: format, configuration, counters, position in the epoch, history |
//! | metadata `sha256` | the SHA-256 of the file with zeros in place of these 64 digits |
//!
//! Schedules and random numbers are functions of the step and need not be saved. A file is written under a
//! temporary name, synced and renamed: a checkpoint is the old one or the new one, never a part of it.

mod bounds;
mod checksum;
mod config;
mod folder;
mod interval;
mod state;
mod tensors;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use foreign_text::shown_path;
use nn::weights::{self, Archive};
use serde::{Deserialize, Serialize};
use tensor::SimdLevel;

pub use checksum::sha256_of_file;
pub use config::{Config, Start, check_length};
pub use folder::Folder;
pub use interval::Timer;
pub use state::{Divergence, State, Sums};
pub use tensors::Tensors;

/// The keys of the metadata.
const CHECKPOINT: &str = "checkpoint";
const CHECKSUM: &str = "sha256";

/// The format that this program reads and writes; another number is another format.
const FORMAT: u64 = 1;

/// A run at the end of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The version of this layout.
    format: u64,
    /// The configuration of the run.
    pub config: Config,
    /// The run's position and measurements.
    pub state: State,
    /// Optimizer steps: fewer than the run's if some were skipped.
    pub n_updates: u64,
    /// Weights in the moving average.
    pub n_averaged: u64,
    /// The instruction set that it was computed with, as spelled by `DESCENT_SIMD`; `None` if the checkpoint
    /// predates this field.
    #[serde(default)]
    pub instruction_set: Option<String>,
    /// The state of early stopping.
    #[serde(with = "state::ProgressDef")]
    pub stopper: optim::Progress,
    /// Weights, averages and the optimizer's state.
    #[serde(skip)]
    pub tensors: Tensors,
}

impl Checkpoint {
    /// A run at `state`; the rest is empty, to be filled in.
    pub fn new(config: Config, state: State, stopper: optim::Progress) -> Self {
        Self {
            format: FORMAT,
            config,
            state,
            n_updates: 0,
            n_averaged: 0,
            instruction_set: Some(SimdLevel::current().name().to_owned()),
            stopper,
            tensors: Tensors::default(),
        }
    }

    /// The bytes of the file, checksum included.
    pub fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_string(self).expect("numbers and names are JSON");
        let mut bytes = weights::encode(
            self.tensors.iter(),
            &[(CHECKPOINT, &json), (CHECKSUM, checksum::DIGEST_PLACEHOLDER)],
        );
        checksum::sign(&mut bytes);
        bytes
    }

    /// Reads a checkpoint after verifying its checksum. For any file, this takes no more memory than twice
    /// its size and 128 KiB.
    ///
    /// # Errors
    /// When the file cannot be read, its checksum is wrong, or it is not a checkpoint of this program.
    pub fn read(path: &Path) -> Result<Self> {
        let archive = Archive::open(path)?;
        let named = || shown_path(path);
        checksum::check(path, archive.metadata(CHECKSUM)?.as_deref()).with_context(named)?;
        let json = archive.metadata(CHECKPOINT)?.context("it is not a checkpoint").with_context(named)?;
        bounds::check(&json).with_context(named)?;
        let mut checkpoint: Self = serde_json::from_str(&json)
            .context("it was written by another version of this program")
            .with_context(named)?;
        drop(json);
        ensure!(
            checkpoint.format == FORMAT,
            "{}: it is a checkpoint of format {}, expected format {FORMAT}",
            shown_path(path),
            checkpoint.format
        );
        checkpoint.check_counters().with_context(named)?;
        checkpoint.tensors = Tensors::read(&archive).with_context(named)?;
        Ok(checkpoint)
    }

    /// The instruction set that the checkpoint was computed with, if it is known to differ from the current
    /// one.
    pub fn other_instruction_set(&self) -> Option<&str> {
        self.instruction_set.as_deref().filter(|&name| name != SimdLevel::current().name())
    }

    /// Checks that the counters are consistent.
    fn check_counters(&self) -> Result<()> {
        let State { step, epoch, batch, history, .. } = &self.state;
        let (step, epoch, batch) = (*step, *epoch as u64, *batch as u64);
        let is_run = history.len() as u64 == epoch
            && self.stopper.n_epochs <= epoch
            && self.stopper.best_epoch.is_none_or(|best| best < epoch)
            && batch <= step
            && self.n_updates <= step
            && step < 1 << 53;
        ensure!(is_run, "its counters are inconsistent");
        Ok(())
    }
}
