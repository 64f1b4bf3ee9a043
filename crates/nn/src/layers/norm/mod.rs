//! Normalisation.

mod affine;
mod batch;
mod group;
mod instance;
mod layer;
mod local_response;

pub use batch::{BatchNorm, BatchNorm1d, BatchNorm2d};
pub use group::GroupNorm;
pub use instance::InstanceNorm2d;
pub use layer::{LayerNorm, RMSNorm};
pub use local_response::LocalResponseNorm;
