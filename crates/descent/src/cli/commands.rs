//! The flags of the commands other than `train`.

use std::path::PathBuf;

use clap::Args;
use classifier::ranges::{at_least_one, positive, threads, within};

use super::settings::recipe;
use super::{ClassArgs, DataArgs, SizeArgs, TrainArgs};
use crate::flags::{ViewFlags, ViewsFlag};

/// The argument of `descent recipes`.
#[derive(Clone, Debug, Args)]
pub struct RecipesArgs {
    /// Recipe to print [default: list all names]
    #[arg(value_name = "NAME", value_parser = recipe)]
    pub name: Option<String>,

    /// Print one JSON object per recipe and line: name, description and flags
    #[arg(long)]
    pub json: bool,
}

/// The flags of `descent eval`.
#[derive(Clone, Debug, Args)]
#[command(
    // clap does not break this line.
    override_usage = "descent eval [OPTIONS]\n           --model <PATH>",
    after_help = "\
Example:
  descent eval --model runs/NAME"
)]
pub struct EvalArgs {
    /// Weights to evaluate, without --data on the images of their run: the folder of a run, or a safetensors file of this program or of PyTorch for the same network
    #[arg(long, value_name = "PATH")]
    pub model: PathBuf,

    /// Where the images are.
    #[command(flatten)]
    pub data: DataArgs,

    /// Part to evaluate [default: test, or val without a test set, or the images that the run held out, or all]
    #[arg(long, value_name = "PART", value_parser = ["train", "val", "test"])]
    pub part: Option<String>,

    /// The views of each image.
    #[command(flatten)]
    pub views: ViewFlags,

    /// Folder for the numbers and figures [default: evaluation/ beside the weights]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,

    /// Images per batch
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one)]
    pub batch_size: usize,

    /// Number of threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

/// The flags of `descent predict`.
#[derive(Clone, Debug, Args)]
#[command(
    override_usage = "descent predict [OPTIONS]\n           --model <PATH> <IMAGE>...",
    after_help = "\
Examples:
  descent predict cat.png --top 1 \\
      --model runs/NAME
  descent predict photos/ 'more/*.jpg' \\
      --model runs/NAME --json"
)]
pub struct PredictArgs {
    /// Images of any size (PNG, JPEG, WebP, BMP, GIF), folders of them, patterns such as 'photos/*.jpg', or -
    /// for an image on standard input. For a network of a table: CSV files with its columns, or - for one
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<PathBuf>,

    /// Weights: the folder of a run, or a safetensors file of this program or of PyTorch for the same network
    #[arg(long, value_name = "PATH")]
    pub model: PathBuf,

    /// Views of an image whose predictions are averaged: the image itself, its mirror image too, or six
    #[arg(long, value_name = "WHICH", default_value_t = ViewsFlag::None, value_enum)]
    pub tta: ViewsFlag,

    /// Column of a CSV file that is left out, if it is there [default: label]
    #[arg(long, value_name = "NAME")]
    pub label_column: Option<String>,

    /// Print one JSON object per image and line: file, class, probability, classes (of a CSV file per row, with
    /// its number)
    #[arg(long)]
    pub json: bool,

    /// Number of classes to print
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    pub top: usize,
}

/// The flags of `descent find-lr`.
#[derive(Clone, Debug, Args)]
#[command(
    args_override_self = true,
    after_help = "\
Example:
  descent find-lr --data photos \\
      --optimizer sgd --momentum 0.9"
)]
pub struct FindLrArgs {
    /// Learning rate of the first step
    #[arg(long, value_name = "X", default_value_t = 1e-6, value_parser = positive)]
    pub from: f64,

    /// Learning rate of the last step
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = positive)]
    pub to: f64,

    /// Number of steps, one batch each
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = within::<10, 100_000>)]
    pub steps: usize,

    /// The run for which a learning rate is searched.
    #[command(flatten)]
    pub train: TrainArgs,
}

/// The argument of `descent completions`.
#[derive(Clone, Copy, Debug, Args)]
#[command(
    override_usage = "descent completions [OPTIONS]\n           <SHELL>",
    after_help = "\
Example:
  # in ~/.bashrc
  eval \"$(descent completions bash)\""
)]
pub struct CompletionsArgs {
    /// Shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// The argument of `descent man`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example:
  descent man train | man -l -")]
pub struct ManArgs {
    /// Command to print the page of [default: the program]
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

/// The flags of `descent data`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  descent data photos --out survey
  descent data photos --clear-cache")]
pub struct DataCommand {
    /// Images, as for --data of the other commands
    #[arg(value_name = "PATH")]
    pub path: PathBuf,

    /// Which of their classes to use.
    #[command(flatten)]
    pub classes: ClassArgs,

    /// The size and channels of a folder's images.
    #[command(flatten)]
    pub size: SizeArgs,

    /// Folder for the figure of samples [default: runs/data-NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Delete the folder's cache of decoded images, and do nothing else
    #[arg(long, conflicts_with_all = ["labels", "label_column", "image_size", "gray", "out", "json"])]
    pub clear_cache: bool,

    /// Print JSON objects, one per line, instead of text: the set, and each class, broken file, file that is not
    /// an image, and group of duplicates
    #[arg(long)]
    pub json: bool,
}
