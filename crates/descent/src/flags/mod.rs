//! The flags of update rule, schedule, augmentation and views, and those for changes at given epochs; and
//! their values.

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
