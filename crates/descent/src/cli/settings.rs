//! The flags that decide what a run computes.

use clap::{ArgAction, Args, ValueEnum};
use classifier::ranges::{
    any_seed, at_least_one, below_one, epochs, not_negative, positive, probability, within,
};
use classifier::{NETS, Net, tip};
use serde::{Serialize, Serializer};

use crate::flags::{
    AugmentFlags, GroupFlag, LimitFlag, NormalizeFlag, RECIPES, RuleFlags, ScheduleFlags, ValFlag, ViewFlags,
    freezes, resizes,
};

/// The default of `--dropout`.
pub const DROPOUT: f64 = 0.5;

/// The default of `--lookahead-decay`.
pub const LOOKAHEAD_DECAY: f64 = 0.95;

/// The flags that decide what a run computes. A checkpoint saves them, and a run resumes with the same ones
/// unless `--resume-with flags` is given. A new flag also needs a row in `WHEN_MISSING` of
/// `checkpoint/config.rs`.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
pub struct Settings {
    /// Start from the flags of a recipe, as printed by `descent recipes NAME`; further flags override them
    /// [default: none, which on CIFAR-10 is lecture]
    #[arg(long, value_name = "NAME", value_parser = recipe)]
    pub recipe: Option<String>,

    /// The network.
    #[arg(long, help = format!("Network: {NETS}, as in mlp:512,256"), value_name = "NAME", default_value_t = Net::Lecture)]
    pub net: Net,

    /// Passes over the training images [default: 50 on CIFAR, 30 on a folder of images, 20 on MNIST's files,
    /// 100 on a table, 10 on the built-in set]
    #[arg(long, value_name = "N", value_parser = epochs)]
    pub epochs: Option<u64>,

    /// Stop after N steps, even in the middle of an epoch, unless the epochs end first
    #[arg(long, value_name = "N", value_parser = steps)]
    pub max_steps: Option<u64>,

    /// Images per batch
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one)]
    pub batch_size: usize,

    /// Update rule: sgd, rmsprop, adam, adamw, … (an unknown name lists them all; with muon, adamw updates
    /// biases and other vectors)
    #[arg(long, value_name = "NAME", default_value = "adam", value_parser = optimizer)]
    pub optimizer: String,

    /// Momentum, for rules that have it (sgd, rmsprop, …) [default: the rule's own]
    #[arg(long, value_name = "X", value_parser = below_one)]
    pub momentum: Option<f64>,

    /// Separate settings for some parameters, chosen by path (head) or as filters, matrices, vectors or
    /// biases: "head: lr=0.67", "filters: rule=muon lr=0.24". Besides the rule's hyperparameters there are
    /// schedule, schedule_epochs and freeze_after (epochs). Can be repeated, or hold several groups separated
    /// by ;
    #[arg(long, value_name = "GROUP", value_parser = group, action = ArgAction::Append)]
    #[serde(serialize_with = "joined")]
    pub group: Vec<String>,

    /// Learning rate [default: for adam 0.005 on CIFAR-10, as in the lecture, and 0.001 elsewhere; 0.02 for
    /// sgd; 0.001 for the others]
    #[arg(long, value_name = "X", value_parser = not_negative)]
    pub lr: Option<f64>,

    /// Learning-rate schedule: constant, step, cosine, … (an unknown name lists them all)
    #[arg(long, value_name = "NAME", default_value = "constant", value_parser = schedule)]
    pub schedule: String,

    /// Every STEPS steps, set the weights to a slow average of them, which follows closely at first and
    /// hardly moves at the end
    #[arg(long, value_name = "STEPS", value_parser = at_least_one)]
    pub lookahead: Option<usize>,

    /// Decay per step of the slow average at the end of the run
    #[arg(long, value_name = "DECAY", default_value_t = LOOKAHEAD_DECAY, value_parser = probability)]
    pub lookahead_decay: f64,

    /// Weight decay: added to the gradient (L2) by sgd, rmsprop and adam, decoupled in adamw
    #[arg(long, value_name = "X", default_value_t = 1e-4, value_parser = not_negative)]
    pub weight_decay: f64,

    /// Dropout probability of the hidden layer's units
    #[arg(long, value_name = "P", default_value_t = DROPOUT, value_parser = probability)]
    pub dropout: f64,

    /// Freeze the parameters under these paths, running statistics too: conv1,bn1,layer1
    #[arg(long, value_name = "PATHS", value_delimiter = ',', action = ArgAction::Append)]
    #[serde(serialize_with = "listed")]
    pub freeze: Vec<String>,

    /// Freeze parts from an epoch on: "6=whiten,layers.1" freezes two parts after six epochs. The backward
    /// pass stops at the first part that is still trained. Can be repeated, or hold several epochs separated
    /// by ;
    #[arg(long, value_name = "EPOCHS=PATHS", value_parser = freeze_after, action = ArgAction::Append)]
    #[serde(serialize_with = "in_turn")]
    pub freeze_after: Vec<String>,

    /// Train on smaller images in the early epochs: "3=16,6=24" is 16 pixels per side for three epochs, then
    /// 24 up to the sixth, then full size. For networks that end in a pool over the whole image (airbench94,
    /// resnet18, …)
    #[arg(long, value_name = "EPOCHS=PIXELS", value_parser = resize_until)]
    pub resize_until: Option<String>,

    /// Train on this share of each batch, the images with the largest loss (selective backprop, Jiang et al.,
    /// 2019). Training loss and accuracy are those of the share
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub hardest: Option<f64>,

    /// Losses that --hardest goes by [default: now]
    #[arg(long, value_name = "LOSSES", requires = "hardest", value_enum)]
    pub hardest_by: Option<LossesFlag>,

    /// Epochs that --hardest is for; later steps train on their whole batch [default: all]
    #[arg(long, value_name = "EPOCHS", requires = "hardest", value_parser = positive)]
    pub hardest_until: Option<f64>,

    /// Give each colour channel mean 0 and standard deviation 1 (the lecture only divides by 255), over the
    /// training images (true), or over ImageNet (imagenet), as for torchvision's trained networks
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_value_t = NormalizeFlag::No, default_missing_value = "true")]
    pub normalize: NormalizeFlag,

    /// Compute the weight of the first layer from N images, so that it whitens patches, and freeze it
    /// (airbench94)
    #[arg(long, value_name = "IMAGES", value_parser = at_least_one)]
    pub whiten: Option<usize>,

    /// Drop the last batch of an epoch if it is not full
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub drop_last: bool,

    /// Share of a label that is spread evenly over all classes
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = below_one)]
    pub label_smoothing: f64,

    /// Reduction of the loss over the images of a batch: mean or sum
    #[arg(long, value_name = "WHICH", default_value_t = ReductionFlag::Mean, value_enum)]
    pub reduction: ReductionFlag,

    /// The views of each image in the last evaluation.
    #[command(flatten)]
    #[serde(flatten)]
    pub views: ViewFlags,

    /// Training images held out to choose the best weights: their number, or their share (0.2, 20%)
    /// [default: none on CIFAR-10, as in the lecture, nor if the data has a part val/; else a tenth]
    #[arg(long, value_name = "N")]
    pub val: Option<ValFlag>,

    /// Stop after N epochs without a better validation loss (needs a validation set, see --val)
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub patience: Option<usize>,

    /// Evaluate and save an exponential moving average of the weights with this decay, such as 0.999
    #[arg(long, value_name = "DECAY", value_parser = below_one)]
    pub ema: Option<f64>,

    /// Shards per batch, which decide the bits; more processes than shards idle [default: one for every eight
    /// images, 16 at most]
    #[arg(long, value_name = "N", value_parser = within::<1, 64>)]
    pub shards: Option<usize>,

    /// Seed for all randomness; the same seed gives the same bits on any number of threads
    #[arg(long, value_name = "N", default_value_t = 42, value_parser = any_seed)]
    pub seed: u64,

    /// Train on N images only
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,

    /// Which images --limit takes: the first ones, or random ones, of each class its share [default: class for
    /// folders of images and for tables; else first]
    #[arg(long, value_name = "WHICH", value_enum)]
    pub limit_by: Option<LimitFlag>,

    /// Class weights in the loss: `balanced` (inverse class frequency), or one number per class in the order
    /// of their names, 1,2,0.5
    #[arg(long, value_name = "WEIGHTS", value_parser = class_weights)]
    pub class_weights: Option<String>,

    /// Mix each image with another, in shares drawn from Beta(X, X); 0.2 is usual (Zhang et al., 2018), 0 is
    /// none
    #[arg(long, value_name = "X", value_parser = beta)]
    #[serde(serialize_with = "unless_zero")]
    pub mixup: Option<f64>,

    /// Paste a rectangle of another image into each, its size drawn from Beta(X, X); 1 is usual (Yun et al.,
    /// 2019); 0 switches it off
    #[arg(long, value_name = "X", value_parser = beta)]
    #[serde(serialize_with = "unless_zero")]
    pub cutmix: Option<f64>,

    /// Compute each batch in N parts and add up their gradients: the same step with less memory, except that
    /// batch norm uses the statistics of each part, and dropout draws other masks
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub accumulate: usize,

    /// Clip the gradient to this norm
    #[arg(long, value_name = "X", value_parser = positive)]
    pub clip_norm: Option<f64>,

    /// Run layer by layer instead of in fused blocks (slower; the same results up to rounding)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub no_fusion: bool,

    // Fields after a struct with a heading would have the same heading: these structs come last.
    /// The rule's other hyperparameters.
    #[command(flatten)]
    #[serde(flatten)]
    pub rule: RuleFlags,

    /// The schedule's other hyperparameters.
    #[command(flatten)]
    #[serde(flatten)]
    pub schedule_flags: ScheduleFlags,

    /// Image augmentation.
    #[command(flatten)]
    #[serde(flatten)]
    pub augmentation: AugmentFlags,
}

impl Settings {
    /// The parameter of mixup, if images are mixed.
    pub fn mixup(&self) -> Option<f64> {
        self.mixup.filter(|x| *x > 0.0)
    }

    /// The parameter of CutMix, if images are mixed.
    pub fn cutmix(&self) -> Option<f64> {
        self.cutmix.filter(|x| *x > 0.0)
    }

    /// The learning rate that was given, or the rule's default; `adam_lr` is Adam's.
    pub fn learning_rate(&self, adam_lr: f64) -> f64 {
        self.lr.unwrap_or(match self.optimizer.as_str() {
            "adam" => adam_lr,
            "sgd" => 0.02,
            _ => 1e-3,
        })
    }
}

/// The reduction of a batch's loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ReductionFlag {
    /// The mean over its images.
    Mean,
    /// Their sum.
    Sum,
}

/// The losses by which images are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LossesFlag {
    /// Those of a forward pass over the whole batch before each step, as in evaluation.
    Now,
    /// Those of the last step that trained on the image, which take no time; images without one come first.
    Last,
}

/// Class weights; their number is checked when the images are known.
fn class_weights(text: &str) -> Result<String, String> {
    let is_weight = |number: &str| number.trim().parse::<f32>().is_ok_and(|x| x.is_finite() && x >= 0.0);
    if text == "balanced" || text.split(',').all(is_weight) {
        return Ok(text.to_owned());
    }
    Err("expected `balanced`, or non-negative numbers separated by commas".to_owned())
}

/// The parameter of a Beta distribution, or 0.
fn beta(text: &str) -> Result<f64, String> {
    match text {
        "none" | "0" | "0.0" => Ok(0.0),
        text => share(text).map_err(|expected| format!("{expected}, or 0 for none")),
    }
}

/// A share of something.
fn share(text: &str) -> Result<f64, String> {
    positive(text)
        .ok()
        .filter(|x| *x <= 1.0)
        .ok_or_else(|| "expected a number above 0 and at most 1".to_owned())
}

/// A number, unless it is 0, which stands for none.
fn unless_zero<S: Serializer>(x: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    x.filter(|x| *x > 0.0).serialize(serializer)
}

/// A group, or several.
fn group(text: &str) -> Result<String, String> {
    match GroupFlag::all(&[text.to_owned()])?.is_empty() {
        // For the error that says what a group looks like.
        true => text.parse::<GroupFlag>().map(|_| text.to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// Joins paths.
fn listed<S: Serializer>(paths: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    (!paths.is_empty()).then(|| paths.join(",")).serialize(serializer)
}

/// Groups as one text, each listed once: a checkpoint keeps it, and repeating a record on top of its recipe
/// gives the same text.
fn joined<S: Serializer>(texts: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    let groups = GroupFlag::all(texts).map_err(serde::ser::Error::custom)?;
    let texts: Vec<String> = groups.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join("; ")).serialize(serializer)
}

/// A number of steps.
fn steps(text: &str) -> Result<u64, String> {
    at_least_one(text).map(|n| n as u64)
}

/// Epochs and the parts frozen after them.
fn freeze_after(text: &str) -> Result<String, String> {
    freezes(&[text.to_owned()]).map(|_| text.to_owned())
}

/// Epochs and the image sizes up to them.
fn resize_until(text: &str) -> Result<String, String> {
    resizes(text).map(|_| text.to_owned())
}

/// Joins texts.
fn in_turn<S: Serializer>(texts: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    (!texts.is_empty()).then(|| texts.join("; ")).serialize(serializer)
}

/// The name of an update rule.
fn optimizer(name: &str) -> Result<String, String> {
    optim::rule_named::<f32>(name)
        .map(|_| name.to_owned())
        .map_err(|error| format!("{error}{}", tip(name, optim::RULE_NAMES.iter().copied())))
}

/// The name of a learning-rate schedule.
fn schedule(name: &str) -> Result<String, String> {
    optim::schedule::schedule_named(name, 0.0, 1, &[])
        .map(|_| name.to_owned())
        .map_err(|error| format!("{error}{}", tip(name, optim::schedule::SCHEDULE_NAMES.iter().copied())))
}

/// The name of a recipe.
pub(super) fn recipe(name: &str) -> Result<String, String> {
    let known = RECIPES.map(|(known, _)| known);
    match known.contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!("expected one of the recipes {}{}", known.join(", "), tip(name, known))),
    }
}
