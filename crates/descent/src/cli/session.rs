//! The flags that say where the images are, and where and how a run computes.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use classifier::ranges::{at_least_one, threads, within};
use classifier::{DEFAULT_SIZE, Source};
use data::ImageShape;
use serde::{Serialize, Serializer};

use crate::checkpoint::{CheckpointEvery, ResumeWith};
use crate::non_finite::OnNan;

/// The flags that say where and how a run computes: they may change whenever it resumes.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
#[command(next_help_heading = "Where and how (may change when a run resumes)")]
pub struct Session {
    /// Where the images are.
    #[command(flatten)]
    #[serde(flatten)]
    pub data: DataArgs,

    /// What a folder's images become.
    #[command(flatten)]
    #[serde(flatten)]
    pub size: SizeArgs,

    /// Flags from a TOML file (lr = 0.01), or from the config.json of a run, which is repeated; those given here win
    #[arg(long, value_name = "FILE")]
    #[serde(serialize_with = "path")]
    pub config: Option<PathBuf>,

    /// Print an object of JSON a line instead of text
    #[arg(long)]
    pub json: bool,

    /// Evaluate the test set after every epoch, and not only at the end [default: on CIFAR-10, as in the lecture; not with
    /// the recipes of airbench]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub watch_test: Option<bool>,

    /// Begin with the weights of a safetensors file of the same network, PyTorch's too; a last layer for other classes begins
    /// anew. A run that resumes does not read it
    #[arg(long, value_name = "FILE")]
    #[serde(serialize_with = "path")]
    pub weights: Option<PathBuf>,

    /// Threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,

    /// Folder for the results [default: runs/DATE-TIME]
    #[arg(long, value_name = "DIR")]
    #[serde(serialize_with = "path")]
    pub out: Option<PathBuf>,

    /// Seconds after which a process of which nothing is heard is given up, and all end (with mpirun)
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = within::<1, 86_400>)]
    pub rank_timeout: usize,

    /// Write a checkpoint at each epoch's end (`epoch`), after every so many steps (500) or after a time
    /// (30s, 10m, 2h)
    #[arg(long, value_name = "WHEN", default_value_t = CheckpointEvery::Epoch)]
    pub checkpoint_every: CheckpointEvery,

    /// Keep the last N checkpoints, and the best by the validation split
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = at_least_one)]
    pub keep: usize,

    /// Resume from the newest good checkpoint in --out, as if the run had never stopped; start from scratch
    /// when no checkpoint is found
    #[arg(long, requires = "out")]
    pub resume: bool,

    /// Which settings to use where the checkpoint's differ from the flags: the saved ones or the flags
    #[arg(long, value_name = "WHICH", requires = "resume")]
    pub resume_with: Option<ResumeWith>,

    /// When the loss or a gradient is NaN or infinite: stop, skip the step, or continue
    #[arg(long, value_name = "WHAT", default_value_t = OnNan::Stop, value_enum)]
    pub on_nan: OnNan,

    /// Check all values and gradients of each step for NaN and infinity, and name the op they come from
    /// (slower)
    #[arg(long)]
    pub detect_anomaly: bool,
}

/// The flags that say where the images are.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
pub struct DataArgs {
    /// The images: a folder with CIFAR-10's, CIFAR-100's or MNIST's files; with a folder of image files for each class; or
    /// with train/ and val/ or test/ of such folders. Or a CSV file of numbers [default:
    /// datasets/cifar-10-batches-bin, or the built-in set where that is absent]
    #[arg(long, value_name = "PATH")]
    #[serde(serialize_with = "path")]
    pub data: Option<PathBuf>,

    /// The classes of CIFAR-100: the hundred (fine) or the twenty (coarse)
    #[arg(long, value_name = "WHICH", default_value = "fine", value_parser = ["fine", "coarse"])]
    pub labels: String,

    /// The column of a CSV file that says the class
    #[arg(long, value_name = "NAME", default_value = "label")]
    pub label_column: String,

    /// Leave out image files that cannot be read, and count them
    #[arg(long)]
    pub skip_broken: bool,
}

impl DataArgs {
    /// Where the images are, a folder's brought to `shape`.
    pub fn source(&self, shape: ImageShape) -> Source<'_> {
        Source {
            data: self.data.as_deref(),
            coarse: self.labels == "coarse",
            shape,
            label_column: &self.label_column,
            skip_broken: self.skip_broken,
        }
    }
}

/// The flags that say what the image files of a folder become.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
pub struct SizeArgs {
    /// Pixels a side to which the images of a folder are resized, the middle of long ones cut out
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SIZE, value_parser = within::<8, 1024>)]
    pub image_size: usize,

    /// Read the images of a folder in gray
    #[arg(long)]
    pub gray: bool,
}

impl SizeArgs {
    /// Size and channels.
    pub fn shape(&self) -> ImageShape {
        let (height, width) = (self.image_size, self.image_size);
        ImageShape { height, width, channels: if self.gray { 1 } else { 3 } }
    }
}

/// A path as text: what is not Unicode is replaced, since JSON cannot hold it.
fn path<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(serializer)
}
