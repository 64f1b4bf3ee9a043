//! The flags of update rule, schedule, augmentation, views and checkpoints, those for changes at given epochs,
//! and their values; and the recipes, named sets of flags.

mod augmentation;
mod checkpoints;
mod group;
mod images;
mod recipes;
mod rule;
mod until;
mod views;

use serde::Serialize;
use serde_json::{Map, Value};

pub use augmentation::AugmentFlags;
pub use checkpoints::{CheckpointEvery, ResumeWith};
pub use group::GroupFlag;
pub use images::{LimitFlag, NormalizeFlag, ValFlag};
pub use recipes::{RECIPES, recipe, words_of_recipe, words_on_cifar_10};
pub use rule::{RuleFlags, ScheduleFlags};
pub use until::{freezes, resizes};
pub use views::{ViewFlags, ViewsFlag};

/// Flags and their values, by their names with underscores.
pub fn by_name(flags: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(flags) {
        Ok(Value::Object(flags)) => flags,
        _ => unreachable!("flags are a JSON object"),
    }
}
