//! The flags that decide what a run computes.

use anyhow::Result;
use clap::{ArgAction, Args, ValueEnum};
use classifier::Net;
use classifier::ranges::{
    any_seed, any_size, at_least_one, below_one, epochs, not_negative, positive, probability, within,
};
use serde::{Serialize, Serializer};

use crate::checkpoint::check_length;
use crate::flags::{AugmentFlags, GroupFlag, RuleFlags, ScheduleFlags, ViewFlags, freezes, resizes};
use crate::recipe::Recipe;
use crate::recipes::RECIPES;

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

    /// End after so many steps, in the middle of an epoch if need be, unless the epochs are over before
    #[arg(long, value_name = "N", value_parser = steps)]
    pub max_steps: Option<u64>,

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

    /// Hold parts still from an epoch on: "6=whiten,layers.1" are two parts after six epochs. The backward pass ends at the
    /// first part that is still trained. May be given several times, or with a ; between epochs
    #[arg(long, value_name = "EPOCHS=PATHS", value_parser = freeze_after, action = ArgAction::Append)]
    #[serde(serialize_with = "in_turn")]
    pub freeze_after: Vec<String>,

    /// Train on smaller images in the early epochs: "3=16,6=24" are 16 pixels a side for three epochs, then 24 up to the
    /// sixth, then all. For networks that end in a pool over the whole image (airbench94, resnet18, …)
    #[arg(long, value_name = "EPOCHS=PIXELS", value_parser = resize_until)]
    pub resize_until: Option<String>,

    /// Take each step on this share of its batch, the images of the largest loss; all go through the network once, as in
    /// evaluation, to find them (selective backprop, Jiang et al., 2019). Loss and accuracy of training are those of the share
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub hardest: Option<f64>,

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

    /// In which views the last evaluation sees images.
    #[command(flatten)]
    #[serde(flatten)]
    pub views: ViewFlags,

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
        self.views.check()?;
        check_length(self)?;
        Recipe::check(self)
    }
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

/// Weights of classes; how many there are is known with the images.
fn class_weights(text: &str) -> Result<String, String> {
    let is_weight = |number: &str| number.trim().parse::<f32>().is_ok_and(|x| x.is_finite() && x >= 0.0);
    if text == "balanced" || text.split(',').all(is_weight) {
        return Ok(text.to_owned());
    }
    Err("expected `balanced`, or numbers from 0 up with commas between them".to_owned())
}

/// A share of something, or the parameter of a Beta distribution.
fn share(text: &str) -> Result<f64, String> {
    positive(text).ok().filter(|x| *x <= 1.0).ok_or_else(|| "expected a number above 0, to 1".to_owned())
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

/// The length of a run.
fn steps(text: &str) -> Result<u64, String> {
    at_least_one(text).map(|n| n as u64)
}

/// Epochs and what is held still from them on.
fn freeze_after(text: &str) -> Result<String, String> {
    freezes(&[text.to_owned()]).map(|_| text.to_owned())
}

/// Epochs and the sizes until them.
fn resize_until(text: &str) -> Result<String, String> {
    resizes(text).map(|_| text.to_owned())
}

/// Texts as one.
fn in_turn<S: Serializer>(texts: &[String], serializer: S) -> Result<S::Ok, S::Error> {
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

/// The name of a recipe.
pub(super) fn recipe(name: &str) -> Result<String, String> {
    let known = RECIPES.map(|(known, _)| known);
    match known.contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!("there are the recipes {}", known.join(", "))),
    }
}
