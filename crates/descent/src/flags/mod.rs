//! The flags of update rule, schedule, augmentation, views and checkpoints, those for changes at given epochs,
//! and their values; and the recipes, named sets of flags.

mod augmentation;
mod checkpoints;
mod group;
mod recipes;
mod rule;
mod until;
mod views;

pub use augmentation::AugmentFlags;
pub use checkpoints::{CheckpointEvery, ResumeWith};
pub use group::GroupFlag;
pub use recipes::{RECIPES, recipe, words_of_recipe};
pub use rule::{RuleFlags, ScheduleFlags};
pub use until::{freezes, resizes};
pub use views::{ViewFlags, ViewsFlag};
