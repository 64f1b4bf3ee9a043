//! The flags of update rule, schedule and changes to images, and what they come to.

mod augmentation;
mod group;
mod rule;

pub use augmentation::AugmentFlags;
pub use group::{GroupFlag, MAX_GROUPS_LEN};
pub use rule::{RuleFlags, ScheduleFlags};
