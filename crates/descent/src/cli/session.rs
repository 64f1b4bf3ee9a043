//! The flags for the data, and for where and how a run computes.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{ArgAction, Args};
use classifier::output::say;
use classifier::ranges::{at_least_one, threads, within};
use classifier::{DEFAULT_SIZE, Images, Kind, Source};
use data::ImageShape;
use serde::{Serialize, Serializer};

use crate::flags::{CheckpointEvery, ResumeWith};
use crate::non_finite::OnNan;
use crate::reading::read_images;

/// The flags for where and how a run computes: they may change when it resumes.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
#[command(next_help_heading = "Where and how (may change on resuming)")]
pub struct Session {
    /// Where the images are.
    #[command(flatten)]
    #[serde(flatten)]
    pub data: DataArgs,

    /// The size and channels of a folder's images.
    #[command(flatten)]
    #[serde(flatten)]
    pub size: SizeArgs,

    /// Read flags from a TOML file (lr = 0.01), or repeat a run by its folder or its config.json; flags given
    /// here take precedence
    #[arg(long, value_name = "PATH")]
    #[serde(serialize_with = "path")]
    pub config: Option<PathBuf>,

    /// Print one JSON object per line instead of text
    #[arg(long)]
    pub json: bool,

    /// Evaluate the test set after every epoch, and not only at the end [default: on CIFAR-10, as in the
    /// lecture; not with the recipes of airbench]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub watch_test: Option<bool>,

    /// Start from the weights in a safetensors file of the same network, PyTorch's too; a last layer for
    /// other classes is reinitialised. Ignored when a run resumes
    #[arg(long, value_name = "FILE")]
    #[serde(serialize_with = "path")]
    pub weights: Option<PathBuf>,

    /// Number of threads; with mpirun, of each process [default: one per core; with mpirun, a machine's cores
    /// divided among its processes]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,

    /// Folder for the results [default: runs/DATE-TIME]
    #[arg(long, value_name = "DIR")]
    #[serde(serialize_with = "path")]
    pub out: Option<PathBuf>,

    /// Seconds after which a process that is silent, or that neither computes nor waits for another, ends all;
    /// longer than the slowest read or write. For processes that mpirun started [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = within::<1, 86_400>)]
    pub rank_timeout: Option<usize>,

    /// Write a checkpoint at the end of each epoch (`epoch`), after a number of steps (500) or after a time
    /// (30s, 10m, 2h)
    #[arg(long, value_name = "WHEN", default_value_t = CheckpointEvery::Epoch)]
    pub checkpoint_every: CheckpointEvery,

    /// Keep the last N checkpoints, and the best on the validation set
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = at_least_one)]
    pub keep: usize,

    /// Resume from the newest intact checkpoint in --out, as if the run had never stopped; start from scratch
    /// if there is no checkpoint at all
    #[arg(long, requires = "out")]
    pub resume: bool,

    /// Settings to use if the checkpoint's differ from the flags: the saved ones or the flags
    #[arg(long, value_name = "WHICH", requires = "resume")]
    pub resume_with: Option<ResumeWith>,

    /// Action when the loss, a gradient or a running statistic is NaN or infinite: stop, skip the step, or
    /// continue
    #[arg(long, value_name = "WHAT", default_value_t = OnNan::Stop, value_enum)]
    pub on_nan: OnNan,

    /// Check all values and gradients of each step for NaN and infinity, and name the op they come from
    /// (slower)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub detect_anomaly: bool,

    /// The flags of a recipe or a file that were left out.
    #[arg(skip)]
    #[serde(skip)]
    pub left_out: Vec<String>,
}

impl Session {
    /// Tells which flags of a recipe or a file were left out.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn tell_left_out(&self) -> Result<()> {
        match self.left_out.is_empty() {
            true => Ok(()),
            false => say(format_args!(
                "Flags of the recipe or file without effect here, left out: {}",
                self.left_out.join("; ")
            )),
        }
    }
}

/// The flags for the location of the images.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
pub struct DataArgs {
    /// The images: a folder with CIFAR-10's, CIFAR-100's or MNIST's files; with a folder of image files for
    /// each class; or with train/ and val/ or test/ of such folders. Or a CSV file of numbers [default:
    /// datasets/cifar-10-batches-bin, or the built-in set if that is absent]
    #[arg(long, value_name = "PATH")]
    #[serde(serialize_with = "path")]
    pub data: Option<PathBuf>,

    /// Which of their classes to use.
    #[command(flatten)]
    #[serde(flatten)]
    pub classes: ClassArgs,

    /// Skip image files that cannot be read, and count them [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    #[serde(serialize_with = "or_false")]
    pub skip_broken: Option<bool>,
}

impl DataArgs {
    /// Where the images are; a folder's images are resized to `shape`.
    pub fn source(&self, shape: ImageShape) -> Source<'_> {
        Source {
            data: self.data.as_deref(),
            coarse: self.classes.are_coarse(),
            shape,
            label_column: self.classes.label_column(),
            columns: &[],
            skip_broken: self.skip_broken.unwrap_or(false),
            only_looks: false,
            watch: None,
        }
    }

    /// These flags; those that are not given are the ones of `other`.
    pub fn or(&self, other: &Self) -> Self {
        let either = |own: &Option<String>, other: &Option<String>| own.clone().or(other.clone());
        let (classes, of_other) = (&self.classes, &other.classes);
        Self {
            data: self.data.clone().or(other.data.clone()),
            classes: ClassArgs {
                labels: either(&classes.labels, &of_other.labels),
                label_column: either(&classes.label_column, &of_other.label_column),
            },
            skip_broken: self.skip_broken.or(other.skip_broken),
        }
    }
}

/// The flags for the classes of the images.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
pub struct ClassArgs {
    /// Classes of CIFAR-100: the hundred (fine) or the twenty (coarse) [default: fine]
    #[arg(long, value_name = "WHICH", value_parser = ["fine", "coarse"])]
    #[serde(serialize_with = "or_fine")]
    pub labels: Option<String>,

    /// Column of a CSV file that holds the class [default: label]
    #[arg(long, value_name = "NAME")]
    #[serde(serialize_with = "or_label")]
    pub label_column: Option<String>,
}

impl ClassArgs {
    /// Whether they are CIFAR-100's twenty.
    pub fn are_coarse(&self) -> bool {
        self.labels.as_deref() == Some("coarse")
    }

    /// The column of a table that holds the class.
    pub fn label_column(&self) -> &str {
        self.label_column.as_deref().unwrap_or(LABEL_COLUMN)
    }
}

/// The column of a table that holds the class, if none is given.
pub const LABEL_COLUMN: &str = "label";

/// The images at the source that the flags give, none of which is without effect there.
///
/// # Errors
/// As [`Images::find`], and when a flag is for data of another kind.
pub fn find_images(source: &Source<'_>) -> Result<Images> {
    let images = read_images(source)?;
    check_kind(source, &images).map(|()| images)
}

/// Checks that no flag of the source is for data of another kind than the images are.
///
/// # Errors
/// When one is.
pub fn check_kind(source: &Source<'_>, images: &Images) -> Result<()> {
    let usual = Source::default();
    let [height, width] = [source.shape.height, source.shape.width];
    for (flag, is_given, kind, about) in [
        ("--labels coarse", source.coarse, Kind::Cifar100, "only CIFAR-100 has coarse labels"),
        (
            "--label-column",
            source.label_column != usual.label_column,
            Kind::Table,
            "only a CSV file has columns",
        ),
        ("--gray", source.shape.channels != 3, Kind::Folder, "only image files of a folder are read as grey"),
        (
            "--image-size",
            [height, width] != [usual.shape.height, usual.shape.width],
            Kind::Folder,
            "only image files of a folder are resized",
        ),
        ("--skip-broken", source.skip_broken, Kind::Folder, "only image files of a folder are skipped"),
    ] {
        ensure!(!is_given || images.kind == kind, "{flag}: {about}, not {}; leave it out", images.name);
    }
    Ok(())
}

/// The flags for the size and channels of a folder's images.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
pub struct SizeArgs {
    /// Side in pixels to which the images of a folder are resized; longer sides are centre-cropped
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SIZE, value_parser = within::<8, 1024>)]
    pub image_size: usize,

    /// Read the images of a folder as greyscale
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub gray: bool,
}

impl SizeArgs {
    /// Size and channels.
    pub fn shape(&self) -> ImageShape {
        let (height, width) = (self.image_size, self.image_size);
        ImageShape { height, width, channels: if self.gray { 1 } else { 3 } }
    }
}

/// A path as text. Invalid Unicode is replaced, since JSON cannot hold it.
fn path<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(serializer)
}

// A record has the values in effect, not which of them were given.

fn or_false<S: Serializer>(given: &Option<bool>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(given.unwrap_or(false))
}

fn or_fine<S: Serializer>(given: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(given.as_deref().unwrap_or("fine"))
}

fn or_label<S: Serializer>(given: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(given.as_deref().unwrap_or(LABEL_COLUMN))
}
