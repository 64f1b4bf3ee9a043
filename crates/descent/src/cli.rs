//! The command line: every flag, its default and its range.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand};
use classifier::ranges::{
    any_seed, any_size, at_least_one, below_one, epochs, not_negative, probability, threads,
};
use lecture::LectureArgs;
use serde::{Serialize, Serializer};

use crate::checkpoint::{CheckpointEvery, ResumeWith};
use crate::non_finite::OnNan;
use crate::recipe::Recipe;

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
#[command(name = "descent", version, after_help = EXAMPLES, max_term_width = 100, args_override_self = true)]
#[command(mut_subcommands = take_negative_numbers)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
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
    /// Print the accuracy of saved weights on the test set.
    Eval(EvalArgs),
    /// Classify an image.
    Predict(PredictArgs),
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

    /// Learning rate [default: for adam 0.005 as in the lecture, 0.001 on the built-in set; 0.02 for sgd;
    /// 0.001 for the others]
    #[arg(long, value_name = "X", value_parser = not_negative)]
    pub lr: Option<f64>,

    /// Learning-rate schedule: constant, step, cosine, … (an unknown name lists them all)
    #[arg(long, value_name = "NAME", default_value = "constant", value_parser = schedule)]
    pub schedule: String,

    /// Weight decay: added to the gradient (L2) by sgd, rmsprop and adam, decoupled in adamw
    #[arg(long, value_name = "X", default_value_t = 1e-4, value_parser = not_negative)]
    pub weight_decay: f64,

    /// Probability with which the hidden layer's units are dropped
    #[arg(long, value_name = "P", default_value_t = 0.5, value_parser = probability)]
    pub dropout: f64,

    /// Flip images at random and crop them at random from a border of 4 pixels
    #[arg(long)]
    pub augment: bool,

    /// Give each colour channel mean 0 and standard deviation 1 (the lecture only divides by 255)
    #[arg(long)]
    pub normalize: bool,

    /// Hold out this many training images to choose the best weights by [default: none]
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = any_size)]
    pub val: usize,

    /// Stop after this many epochs without a better validation loss (needs --val)
    #[arg(long, value_name = "N", requires = "val", value_parser = at_least_one)]
    pub patience: Option<usize>,

    /// Evaluate and save the exponential moving average of the weights with this decay, 0.999 say
    #[arg(long, value_name = "DECAY", value_parser = below_one)]
    pub ema: Option<f64>,

    /// Seed of everything random; the same seed gives the same bits on any number of threads
    #[arg(long, value_name = "N", default_value_t = 42, value_parser = any_seed)]
    pub seed: u64,

    /// Train on the first N images only
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,

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
            self.patience.is_none() || self.val > 0,
            "--patience needs --val: without images to validate there is nothing to be patient about"
        );
        Recipe::check(self)
    }
}

/// The flags that say where and how a run computes: they may change whenever it resumes.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
#[command(next_help_heading = "Where and how (may change when a run resumes)")]
pub struct Session {
    /// Folder with CIFAR-10's .bin files [default: datasets/cifar-10-batches-bin, or the built-in set
    /// where that is absent]
    #[arg(long, value_name = "DIR")]
    #[serde(serialize_with = "path")]
    pub data: Option<PathBuf>,

    /// Threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,

    /// Folder for the results [default: runs/DATE-TIME]
    #[arg(long, value_name = "DIR")]
    #[serde(serialize_with = "path")]
    pub out: Option<PathBuf>,

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

/// The flags of `descent eval`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example:
  descent eval --model runs/2026-01-31-120000/model.safetensors")]
pub struct EvalArgs {
    /// Weights to evaluate: a safetensors file of this program or of PyTorch for the same network
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,

    /// Folder with CIFAR-10's .bin files [default: datasets/cifar-10-batches-bin, or the built-in set
    /// where that is absent]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

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
  descent predict cat.png --model runs/2026-01-31-120000/model.safetensors --top 5")]
pub struct PredictArgs {
    /// A PNG or JPEG image of any size
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,

    /// Weights: a safetensors file of this program or of PyTorch for the same network
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,

    /// How many classes to print
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    pub top: usize,
}

/// The name of an update rule.
fn optimizer(name: &str) -> Result<String, String> {
    optim::rule_named::<f32>(name).map(|_| name.to_owned()).map_err(|error| error.to_string())
}

/// The name of a learning-rate schedule.
fn schedule(name: &str) -> Result<String, String> {
    optim::schedule::schedule_named(name, 0.0, 1).map(|_| name.to_owned()).map_err(|error| error.to_string())
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
