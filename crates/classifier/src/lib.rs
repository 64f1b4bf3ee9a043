#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod evaluation;
mod images;
mod nearest;
mod net;
mod views;

pub mod exact;
pub mod model;
pub mod output;
pub mod ranges;

pub use evaluation::{Evaluation, Parts, Score, Whole, are_finite, softmax};
pub use images::{
    BrokenFile, CACHE_DIR, DEFAULT_DIR, DEFAULT_SIZE, ImageFile, Images, Interrupted, Kind, Part, Source,
    Watch, clear_cache, duplicates, holds_classes, input, input_shape, normalized, read_rows, shown,
    size_in_words,
};
pub use nearest::tip;
pub use net::{NETS, Net};
pub use views::{Asking, Views};
