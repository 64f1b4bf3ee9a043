//! Predefined networks, for images of any suitable size and any number of channels and classes.
//!
//! If PyTorch or torchvision has the network, its parameters have the same names. An image is `[height,
//! width, channels]`, as in a data set; `Layer::summary` returns a table of the network with its parameters
//! and multiply-adds.
//!
//! | here | parameters | multiply-adds | where it is from |
//! |---|---|---|---|
//! | [`lecture_cnn`] | 620,362 | 10.8 million | the lecture |
//! | [`lenet5`] | 61,706 (grey, 32 × 32) | 0.42 million | LeCun et al., 1998 |
//! | [`mlp`] | by the sizes given | | |
//! | [`dropout_mlp`] | 820,874 | 0.82 million | |
//! | [`resnet20`] | 272,474 | 41 million | He et al., 2015, section 4.2 |
//! | [`resnet18`] | 11,173,962 | 556 million | the same for images of 32 pixels |
//! | [`resnet18_imagenet`] | 11,689,512 (1000 classes) | 1.81 billion at 224 pixels | torchvision's `resnet18` |
//! | [`airbench94`] | 1,971,640 | 118 million | Jordan, 2024 |
//! | [`depthwise`] | 136,778 | 17 million | after Howard et al., "MobileNets", 2017 |
//! | [`vit`] | 810,890 | 57 million | after Dosovitskiy et al., 2020 |
//!
//! Ten classes and 32 × 32 colour pixels unless stated otherwise.

mod airbench;
pub(crate) mod basic_block;
mod classic;
mod depthwise;
mod resnet;
mod size;
mod vit;

pub use airbench::{airbench, airbench94, whiten};
pub use classic::{lecture_cnn, lecture_cnn_for, lenet5, mlp};
pub use depthwise::depthwise;
pub use resnet::{resnet18, resnet18_imagenet, resnet20};
pub use size::ImageSize;
pub use vit::vit;

use crate::layers::{Dropout, Flatten, Linear, ReLU};
use crate::sequential::Sequential;

/// An MLP with dropout on two hidden layers: 256 units at p = 0.5, 128 at p = 0.3.
///
/// Input `[n, 32, 32, 3]`, output `[n, 10]`; 820,874 parameters, PyTorch's default initialisation.
pub fn dropout_mlp() -> Sequential {
    Sequential::new()
        .add(Flatten)
        .add(Linear::new(3072, 256))
        .add(ReLU)
        .add(Dropout::new(0.5))
        .add(Linear::new(256, 128))
        .add(ReLU)
        .add(Dropout::new(0.3))
        .add(Linear::new(128, 10))
}
