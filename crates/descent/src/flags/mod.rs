//! The flags of update rule, schedule, changes to images and their views, and what they come to; and of what changes with the
//! epochs.

mod augmentation;
mod group;
mod rule;
mod until;
mod views;

pub use augmentation::AugmentFlags;
pub use group::GroupFlag;
pub use rule::{RuleFlags, ScheduleFlags};
pub use until::{freezes, resizes};
pub use views::{ViewFlags, ViewsFlag};
