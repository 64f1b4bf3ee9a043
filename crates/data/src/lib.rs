#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod augment;
mod batch;
mod cifar;
pub mod class_names;
mod dataset;
mod error;
mod fields;
mod files;
mod folder;
mod folds;
mod idx;
mod images;
mod in_memory;
mod loader;
#[allow(unsafe_code)]
mod mapped;
mod normalize;
mod npy;
mod order;
mod pixel_transforms;
mod pixels;
mod portable;
mod prefetch;
pub mod published;
mod random;
mod records;
pub mod shapes;
mod subset;
mod table;
mod transform;

pub use augment::{Augment, Border, Crop, Flip, View};
pub use batch::Batch;
pub use cifar::{Cifar, CifarKind, Part};
pub use dataset::{Dataset, ImageShape};
pub use error::Error;
pub use fields::{Field, Kind, ValuesMut};
pub use folder::{ImageFolder, is_image_name};
pub use idx::{holds_idx, read_idx};
pub use images::{Picture, read_image};
pub use in_memory::InMemory;
pub use loader::{Loader, Position};
pub use normalize::Normalize;
pub use prefetch::Prefetch;
pub use published::{Published, PublishedFile};
pub use records::Records;
pub use subset::Subset;
pub use table::{Csv, CsvColumn};
pub use transform::Transform;
