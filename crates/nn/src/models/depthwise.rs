//! A network of depthwise-separable convolutions.

use super::size::ImageSize;
use crate::init::Init;
use crate::layers::{BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, ReLU};
use crate::sequential::Sequential;

/// A small network whose convolutions are split in two, each followed by batch norm and ReLU: 3 × 3 within
/// each channel, then 1 × 1 across the 64 to 256 channels. After Howard et al., "MobileNets", 2017, for small
/// images.
///
/// `[n, h, w, channels]` to `[n, n_classes]`; 136,778 parameters for CIFAR-10.
pub fn depthwise([_, _, channels]: ImageSize, n_classes: usize) -> Sequential {
    let conv = |i, o, size| Conv2d::new(i, o, size).bias(false).weight_init(Init::HeNormalFanOut);
    let normed = |conv, n| Sequential::new().add(conv).add(BatchNorm2d::new(n)).add(ReLU);
    let mut net = Sequential::new().add_named("stem", normed(conv(channels, 32, 3).padding(1), 32));
    let mut width = 32;
    for (idx, (n_outputs, stride)) in
        [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1)].into_iter().enumerate()
    {
        let block = Sequential::new()
            .add_named(
                "depthwise",
                normed(conv(width, width, 3).padding(1).stride(stride).groups(width), width),
            )
            .add_named("pointwise", normed(conv(width, n_outputs, 1), n_outputs));
        net = net.add_named(format!("block{}", idx + 1), block);
        width = n_outputs;
    }
    net.add_named("avgpool", GlobalAvgPool2d).add_named("head", Linear::new(width, n_classes))
}
