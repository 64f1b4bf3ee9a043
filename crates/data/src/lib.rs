#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod augment;
mod batch;
mod cifar;
pub mod class_names;
mod dataset;
mod error;
mod files;
mod folder;
mod images;
mod in_memory;
mod loader;
#[allow(unsafe_code)]
mod mapped;
mod pixels;
pub mod published;
mod random;
pub mod shapes;
mod subset;

pub use augment::{Augment, Border, Crop, Flip};
pub use batch::Batch;
pub use cifar::{Cifar, CifarKind, Part};
pub use dataset::{Dataset, ImageShape};
pub use error::Error;
pub use folder::ImageFolder;
pub use images::read_image;
pub use in_memory::InMemory;
pub use loader::{Loader, Normalize, Position};
pub use published::{Published, PublishedFile};
pub use subset::Subset;
