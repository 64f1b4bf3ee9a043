//! Residual networks. He et al., "Deep Residual Learning for Image Recognition", 2015.

use super::basic_block::BasicBlock;
use super::size::ImageSize;
use crate::init::Init;
use crate::layers::{BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, MaxPool2d, ReLU};
use crate::sequential::Sequential;

/// ResNet-20 for small images: a 3 × 3 convolution and three stages of three blocks with 16, 32 and 64
/// channels.
///
/// `[n, h, w, channels]` to `[n, n_classes]`; 272,474 parameters for CIFAR-10, where a shortcut into a new
/// stage is a 1 × 1 convolution. Parameters have the names of torchvision's residual networks.
pub fn resnet20([_, _, channels]: ImageSize, n_classes: usize) -> Sequential {
    let stem = small_stem(channels, 16);
    stages(stem, 16, &[(16, 1), (32, 2), (64, 2)], 3).add_named("fc", Linear::new(64, n_classes))
}

/// ResNet-18 for small images: a 3 × 3 convolution, without a pool, before the four stages.
///
/// `[n, h, w, channels]` to `[n, n_classes]`; 11,173,962 parameters for CIFAR-10. Parameters have
/// torchvision's names.
pub fn resnet18([_, _, channels]: ImageSize, n_classes: usize) -> Sequential {
    let stem = small_stem(channels, 64);
    stages(stem, 64, &RESNET18, 2).add_named("fc", Linear::new(512, n_classes))
}

/// ResNet-18 as in torchvision, for images of about 224 pixels: a 7 × 7 convolution with stride 2 and a 3 × 3
/// max-pool with stride 2 before the four stages.
///
/// `[n, h, w, channels]` to `[n, n_classes]`; 11,689,512 parameters for three channels and 1000 classes.
/// Parameters have torchvision's names, so its weight files load.
pub fn resnet18_imagenet([_, _, channels]: ImageSize, n_classes: usize) -> Sequential {
    let stem = Sequential::new()
        .add_named("conv1", conv(channels, 64, 7).stride(2).padding(3))
        .add_named("bn1", BatchNorm2d::new(64))
        .add_named("relu", ReLU)
        .add_named("maxpool", MaxPool2d::new(3).stride(2).padding(1));
    stages(stem, 64, &RESNET18, 2).add_named("fc", Linear::new(512, n_classes))
}

/// Channels and stride of each stage.
const RESNET18: [(usize, usize); 4] = [(64, 1), (128, 2), (256, 2), (512, 2)];

fn conv(in_channels: usize, out_channels: usize, kernel_size: usize) -> Conv2d {
    Conv2d::new(in_channels, out_channels, kernel_size).bias(false).weight_init(Init::HeNormalFanOut)
}

fn small_stem(channels: usize, width: usize) -> Sequential {
    Sequential::new()
        .add_named("conv1", conv(channels, width, 3).padding(1))
        .add_named("bn1", BatchNorm2d::new(width))
        .add_named("relu", ReLU)
}

/// `layer1`, `layer2`, …, each of `n_blocks` blocks, then the mean of each channel.
fn stages(stem: Sequential, mut width: usize, stages: &[(usize, usize)], n_blocks: usize) -> Sequential {
    let mut net = stem;
    for (idx, &(channels, stride)) in stages.iter().enumerate() {
        let mut stage = Sequential::new().add(BasicBlock::new(width, channels, stride));
        for _ in 1..n_blocks {
            stage = stage.add(BasicBlock::new(channels, channels, 1));
        }
        net = net.add_named(format!("layer{}", idx + 1), stage);
        width = channels;
    }
    net.add_named("avgpool", GlobalAvgPool2d)
}
