//! The command line: every flag, its default and its range.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use classifier::ranges::{
    any_seed, any_size, at_least_one, below_one, epochs, not_negative, positive, probability, threads, within,
};
use classifier::{DEFAULT_SIZE, Net, Source, Views};
use data::ImageShape;
use lecture::LectureArgs;
use serde::{Serialize, Serializer};

use crate::checkpoint::{CheckpointEvery, ResumeWith};
use crate::flags::{AugmentFlags, GroupFlag, RuleFlags, ScheduleFlags};
use crate::non_finite::OnNan;
use crate::recipe::Recipe;
use crate::recipes::RECIPES;

const EXAMPLES: &str = "\
Examples:
  descent                                   train on CIFAR-10, or on the built-in set where it is absent
  descent train --epochs 10 --lr 0.001      change what you like: every number is a flag
  descent train --val 5000 --patience 5     stop early and keep the best weights, by a validation split
  descent eval --model runs/NAME/model.safetensors
  descent predict cat.png --model runs/NAME/model.safetensors
  descent lecture                           every experiment of the lecture as figures, numbers and one page

Get CIFAR-10 with `cargo xtask fetch-cifar`.";

/// Deep learning from scratch: train a small convolutional network on this machine's CPU.
///
/// Without a command it trains.
#[derive(Debug, Parser)]
#[command(name = "descent", version, long_version = crate::shell::long_version(), after_help = EXAMPLES, max_term_width = 100, args_override_self = true)]
#[command(mut_subcommands = take_negative_numbers)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Print warnings, errors and what was asked for, and nothing of the way to it
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print more: every setting, the machine, each file that is written
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

impl Cli {
    /// The command, `train` with its defaults when none was given.
    pub fn command(self) -> Command {
        // Parsing an empty line yields every default, so they are written once, on the flags.
        self.command.or_else(|| Self::parse_from(["descent", "train"]).command).expect("`train` is a command")
    }
}

/// Takes `--lr -1` for a learning rate, to be refused with its range, and not for a flag of the name 1.
fn take_negative_numbers(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let takes_values = arg.get_action().takes_values();
        arg.allow_negative_numbers(takes_values)
    });
    command.mut_subcommands(take_negative_numbers)
}

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train the lecture's network.
    Train(Box<TrainArgs>),
    /// Say how good saved weights are: loss, accuracy, precision and recall by class, calibration.
    Eval(EvalArgs),
    /// Classify images.
    Predict(PredictArgs),
    /// Show what images are in a folder, and what is wrong with them.
    Data(DataCommand),
    /// Find a learning rate: train for some steps at rates that grow.
    FindLr(Box<FindLrArgs>),
    /// Print a script that completes commands and flags in a shell.
    Completions(CompletionsArgs),
    /// Print the manual page of the program or of a command, for man.
    Man(ManArgs),
    /// Print the recipes by name, or one of them: its flags and its network.
    Recipes(RecipesArgs),
    /// Make the lecture: every experiment, its figures and numbers, and a page that tells the story.
    Lecture(LectureArgs),
}

/// The flags of `descent train`.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
#[command(
    args_override_self = true,
    after_help = "\
Examples:
  descent train                                        the lecture's run: 50 epochs of Adam
  descent train --optimizer sgd --momentum 0.9 --lr 0.02 --schedule cosine
  descent train --limit 5000 --epochs 5 --threads 1    a quick look
  descent train --augment --normalize --val 5000 --patience 8
  descent train --recipe airbench94 --epochs 4         a recipe, changed by further flags
  descent train --net resnet18 --optimizer sgd --momentum 0.9 --nesterov --group 'biases: weight_decay=0'
  descent train --out runs/long --checkpoint-every 10m          stop it however you like, then
  descent train --out runs/long --checkpoint-every 10m --resume"
)]
pub struct TrainArgs {
    /// What the run computes.
    #[command(flatten)]
    #[serde(flatten)]
    pub settings: Settings,

    /// Where and how it does so.
    #[command(flatten)]
    #[serde(flatten)]
    pub session: Session,
}

/// The flags that decide what a run computes. A checkpoint keeps them, and a run resumes with the same ones unless
/// `--resume-with flags` is given. A new one also needs a row in `WHEN_MISSING` of `checkpoint/config.rs`.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
pub struct Settings {
    /// Start from the flags of a recipe, which `descent recipes NAME` prints; further flags change them [default: none,
    /// which on CIFAR-10 is lecture]
    #[arg(long, value_name = "NAME", value_parser = recipe)]
    pub recipe: Option<String>,

    /// The network: lecture, lenet5, mlp:512,256, resnet20, resnet18, resnet18-imagenet, airbench94, depthwise, vit
    #[arg(long, value_name = "NAME", default_value_t = Net::Lecture)]
    pub net: Net,

    /// Passes over the training images [default: 50; 10 on the built-in set]
    #[arg(long, value_name = "N", value_parser = epochs)]
    pub epochs: Option<u64>,

    /// Images in a step
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one)]
    pub batch_size: usize,

    /// Update rule: sgd, rmsprop, adam, adamw, … (an unknown name lists them all; muon leaves to adamw what is no
    /// matrix)
    #[arg(long, value_name = "NAME", default_value = "adam", value_parser = optimizer)]
    pub optimizer: String,

    /// Momentum, for rules that have it (sgd, rmsprop, …) [default: the rule's own]
    #[arg(long, value_name = "X", value_parser = below_one)]
    pub momentum: Option<f64>,

    /// What else the rule has.
    #[command(flatten)]
    #[serde(flatten)]
    pub rule: RuleFlags,

    /// Settings of their own for some parameters, a path (head), filters, matrices, vectors or biases: "head: lr=0.67",
    /// "filters: rule=muon lr=0.24". Beside hyperparameters of the rule there are schedule, schedule_epochs and
    /// freeze_after (epochs). May be given several times, or with a ; between groups
    #[arg(long, value_name = "GROUP", value_parser = group, action = ArgAction::Append)]
    #[serde(serialize_with = "joined")]
    pub group: Vec<String>,

    /// Learning rate [default: for adam 0.005 as in the lecture, 0.001 on the built-in set; 0.02 for sgd;
    /// 0.001 for the others]
    #[arg(long, value_name = "X", value_parser = not_negative)]
    pub lr: Option<f64>,

    /// Learning-rate schedule: constant, step, cosine, … (an unknown name lists them all)
    #[arg(long, value_name = "NAME", default_value = "constant", value_parser = schedule)]
    pub schedule: String,

    /// What else the schedule has.
    #[command(flatten)]
    #[serde(flatten)]
    pub schedule_flags: ScheduleFlags,

    /// Every so many steps, draw the weights to a slow copy of them, which follows at first and hardly at the end
    #[arg(long, value_name = "STEPS", value_parser = at_least_one)]
    pub lookahead: Option<usize>,

    /// What the slow copy keeps of itself at the end, for each step
    #[arg(long, value_name = "DECAY", default_value_t = 0.95, value_parser = probability)]
    pub lookahead_decay: f64,

    /// Weight decay: added to the gradient (L2) by sgd, rmsprop and adam, decoupled in adamw
    #[arg(long, value_name = "X", default_value_t = 1e-4, value_parser = not_negative)]
    pub weight_decay: f64,

    /// Probability with which the hidden layer's units are dropped
    #[arg(long, value_name = "P", default_value_t = 0.5, value_parser = probability)]
    pub dropout: f64,

    /// How the images are changed.
    #[command(flatten)]
    #[serde(flatten)]
    pub augmentation: AugmentFlags,

    /// Hold still what lies under these paths, running statistics too: conv1,bn1,layer1
    #[arg(long, value_name = "PATHS", value_delimiter = ',', action = ArgAction::Append)]
    #[serde(serialize_with = "listed")]
    pub freeze: Vec<String>,

    /// Give each colour channel mean 0 and standard deviation 1 (the lecture only divides by 255)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub normalize: bool,

    /// Compute the weight of the first layer from so many images, so that it whitens patches, and keep it (airbench94)
    #[arg(long, value_name = "IMAGES", value_parser = at_least_one)]
    pub whiten: Option<usize>,

    /// Leave out the last batch of an epoch when it is not full
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub drop_last: bool,

    /// The share of a label that goes to all classes alike
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = below_one)]
    pub label_smoothing: f64,

    /// Whether the loss of a batch is the mean or the sum over its images
    #[arg(long, value_name = "WHICH", default_value_t = ReductionFlag::Mean, value_enum)]
    pub reduction: ReductionFlag,

    /// Views of an image in the last evaluation, whose answers are averaged: as it is, its mirror image too, or six
    #[arg(long, value_name = "WHICH", default_value_t = ViewsFlag::None, value_enum)]
    pub tta: ViewsFlag,

    /// The share of the images, those that the network is least certain of, that are seen in several views [default: all]
    #[arg(long, value_name = "P", value_parser = probability)]
    pub tta_share: Option<f64>,

    /// Hold out this many training images to choose the best weights by [default: none on CIFAR-10, as in the lecture, nor
    /// where the data has a part val/; else a tenth]
    #[arg(long, value_name = "N", value_parser = any_size)]
    pub val: Option<usize>,

    /// Stop after this many epochs without a better validation loss (needs images to validate, see --val)
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub patience: Option<usize>,

    /// Evaluate and save the exponential moving average of the weights with this decay, 0.999 say
    #[arg(long, value_name = "DECAY", value_parser = below_one)]
    pub ema: Option<f64>,

    /// Shards that a batch is cut into, which decide the bits; more processes than shards idle [default: one for every
    /// eight images, 16 at most]
    #[arg(long, value_name = "N", value_parser = within::<1, 64>)]
    pub shards: Option<usize>,

    /// Seed of everything random; the same seed gives the same bits on any number of threads
    #[arg(long, value_name = "N", default_value_t = 42, value_parser = any_seed)]
    pub seed: u64,

    /// Train on the first N images only
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,

    /// Weigh the classes in the loss: `balanced`, each by the inverse of how often it occurs, or a number for each in the
    /// order of their names, 1,2,0.5
    #[arg(long, value_name = "WEIGHTS", value_parser = class_weights)]
    pub class_weights: Option<String>,

    /// Mix each image with another one, by shares from Beta(X, X); 0.2 is usual (Zhang et al., 2018)
    #[arg(long, value_name = "X", value_parser = share)]
    pub mixup: Option<f64>,

    /// Put a rectangle of another image into each, its size by Beta(X, X); 1 is usual (Yun et al., 2019)
    #[arg(long, value_name = "X", value_parser = share)]
    pub cutmix: Option<f64>,

    /// Compute each batch in N parts and add up their gradients: the same step with less memory
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub accumulate: usize,

    /// Shorten the gradient to this length where it is longer
    #[arg(long, value_name = "X", value_parser = positive)]
    pub clip_norm: Option<f64>,

    /// Run layer by layer instead of in fused blocks (slower; the same results to rounding)
    #[arg(long)]
    pub no_fusion: bool,
}

impl Settings {
    /// Checks what no flag can know by itself.
    ///
    /// # Errors
    /// When flags do not fit together.
    pub fn check(&self) -> Result<()> {
        ensure!(
            self.tta_share.is_none() || self.tta != ViewsFlag::None,
            "--tta-share needs --tta: without further views no image is seen in several"
        );
        Recipe::check(self)
    }
}

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

    /// Resume from the newest good checkpoint in --out, as if the run had never stopped; start from scratch if
    /// there is none
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

/// What `descent recipes` takes.
#[derive(Clone, Debug, Args)]
pub struct RecipesArgs {
    /// The recipe to print [default: the names of all]
    #[arg(value_name = "NAME", value_parser = recipe)]
    pub name: Option<String>,
}

/// The flags of `descent eval`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example:
  descent eval --model runs/2026-01-31-120000/model.safetensors")]
pub struct EvalArgs {
    /// Weights to evaluate: the folder of a run, or a safetensors file of this program or of PyTorch for the same network
    #[arg(long, value_name = "PATH")]
    pub model: PathBuf,

    /// Where the images are.
    #[command(flatten)]
    pub data: DataArgs,

    /// Which of them [default: test, or val where there is no test set, or all]
    #[arg(long, value_name = "PART", value_parser = ["train", "val", "test"])]
    pub part: Option<String>,

    /// Folder for the numbers and figures [default: evaluation/ beside the weights]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Print one object of JSON instead of text
    #[arg(long)]
    pub json: bool,

    /// Images in a step
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one)]
    pub batch_size: usize,

    /// Threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

/// The flags of `descent predict`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example:
  descent predict cat.png --model runs/2026-01-31-120000 --top 5
  descent predict photos/ 'more/*.jpg' --model runs/2026-01-31-120000 --json")]
pub struct PredictArgs {
    /// Images of any size (PNG, JPEG, WebP, BMP, GIF), folders of them, patterns such as 'photos/*.jpg', or - for an image
    /// on standard input
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<PathBuf>,

    /// Weights: the folder of a run, or a safetensors file of this program or of PyTorch for the same network
    #[arg(long, value_name = "PATH")]
    pub model: PathBuf,

    /// Print an object of JSON for each image, a line each: file, class, probability, classes
    #[arg(long)]
    pub json: bool,

    /// How many classes to print
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    pub top: usize,
}

/// The flags of `descent find-lr`.
#[derive(Clone, Debug, Args)]
#[command(
    args_override_self = true,
    after_help = "\
Example:
  descent find-lr --data photos --optimizer sgd --momentum 0.9"
)]
pub struct FindLrArgs {
    /// Learning rate of the first step
    #[arg(long, value_name = "X", default_value_t = 1e-6, value_parser = positive)]
    pub from: f64,

    /// Learning rate of the last step
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = positive)]
    pub to: f64,

    /// Steps, one batch each
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = within::<10, 100_000>)]
    pub steps: usize,

    /// The run that a learning rate is looked for.
    #[command(flatten)]
    pub train: TrainArgs,
}

/// The argument of `descent completions`.
#[derive(Clone, Copy, Debug, Args)]
#[command(after_help = "\
Example:
  descent completions bash > ~/.local/share/bash-completion/completions/descent")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// The argument of `descent man`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example:
  descent man train | man -l -")]
pub struct ManArgs {
    /// The command whose page it is [default: the page of the program]
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

/// The flags of `descent data`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  descent data photos --out photos-survey
  descent data photos --clear-cache")]
pub struct DataCommand {
    /// What --data of the other commands takes
    #[arg(value_name = "PATH")]
    pub path: PathBuf,

    /// The classes of CIFAR-100: the hundred (fine) or the twenty (coarse)
    #[arg(long, value_name = "WHICH", default_value = "fine", value_parser = ["fine", "coarse"])]
    pub labels: String,

    /// The column of a CSV file that says the class
    #[arg(long, value_name = "NAME", default_value = "label")]
    pub label_column: String,

    /// What a folder's images become.
    #[command(flatten)]
    pub size: SizeArgs,

    /// Folder for the figure of samples [default: none is drawn]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Remove the decoded images that are kept in the folder, and do nothing else
    #[arg(long)]
    pub clear_cache: bool,
}

/// Weights of classes; how many there are is known with the images.
fn class_weights(text: &str) -> Result<String, String> {
    let is_weight = |number: &str| number.trim().parse::<f32>().is_ok_and(|x| x.is_finite() && x >= 0.0);
    if text == "balanced" || text.split(',').all(is_weight) {
        return Ok(text.to_owned());
    }
    Err("expected `balanced`, or numbers from 0 up with commas between them".to_owned())
}

/// The parameter of a Beta distribution.
fn share(text: &str) -> Result<f64, String> {
    positive(text).ok().filter(|x| *x <= 1.0).ok_or_else(|| "expected a number above 0, to 1".to_owned())
}

/// What the loss of a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ReductionFlag {
    /// The mean over its images.
    Mean,
    /// Their sum.
    Sum,
}

/// In which views an image is seen in the last evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ViewsFlag {
    /// As it is.
    None,
    /// As it is and mirrored.
    Mirror,
    /// The two, and the two of the image shifted by a pixel in two directions.
    MirrorShift,
}

impl ViewsFlag {
    /// The views.
    pub fn views(self) -> Views {
        match self {
            Self::None => Views::Plain,
            Self::Mirror => Views::Mirror,
            Self::MirrorShift => Views::MirrorShift,
        }
    }
}

/// The name of a recipe.
fn recipe(name: &str) -> Result<String, String> {
    let known = RECIPES.map(|(known, _)| known);
    match known.contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!("there are the recipes {}", known.join(", "))),
    }
}

/// A group, or several.
fn group(text: &str) -> Result<String, String> {
    GroupFlag::all(&[text.to_owned()]).map(|_| text.to_owned())
}

/// Paths as one text.
fn listed<S: Serializer>(paths: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    (!paths.is_empty()).then(|| paths.join(",")).serialize(serializer)
}

/// Groups as one text, each said once: a checkpoint keeps it, and a record that is repeated on top of its recipe says the same.
fn joined<S: Serializer>(texts: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    let groups = GroupFlag::all(texts).map_err(serde::ser::Error::custom)?;
    let texts: Vec<String> = groups.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join("; ")).serialize(serializer)
}

/// The name of an update rule.
fn optimizer(name: &str) -> Result<String, String> {
    optim::rule_named::<f32>(name).map(|_| name.to_owned()).map_err(|error| error.to_string())
}

/// The name of a learning-rate schedule.
fn schedule(name: &str) -> Result<String, String> {
    optim::schedule::schedule_named(name, 0.0, 1, &[])
        .map(|_| name.to_owned())
        .map_err(|error| error.to_string())
}

/// A path as text: what is not Unicode is replaced, since JSON cannot hold it.
fn path<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_argument_trains_with_the_defaults() {
        let Command::Train(args) = Cli::parse_from(["descent"]).command() else { panic!("it should train") };
        let Command::Train(explicit) = Cli::parse_from(["descent", "train"]).command() else { panic!() };
        assert_eq!(args, explicit);
        let Settings { batch_size, weight_decay, dropout, .. } = args.settings;
        assert_eq!((batch_size, weight_decay, dropout), (64, 1e-4, 0.5));
    }

    #[test]
    fn the_definitions_are_consistent() {
        use clap::CommandFactory;
        Cli::command_for_update();
        <Cli as CommandFactory>::command().debug_assert();
    }
}
