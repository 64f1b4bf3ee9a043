//! The network of airbench94, which reaches 94 % on CIFAR-10 in a few hundred steps.

use autograd::Params;

use super::size::{ImageSize, check_size};
use crate::init::Init;
use crate::layer::Layer;
use crate::layers::{BatchNorm2d, Conv2d, Flatten, GELU, Linear, MaxPool2d, Scale};
use crate::sequential::Sequential;

/// The network of airbench94: a whitening convolution, three blocks of two convolutions with 64, 256 and 256
/// channels, and a scaled linear head. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024.
///
/// `[n, h, w, channels]` to `[n, n_classes]`; 1,971,640 parameters for CIFAR-10. Parameters have the names
/// used in airbench's program, where a batch norm also has a `weight` of ones that is not trained.
///
/// The 2 × 2 convolution `whiten` is initialised like any other; [`whiten`] computes its weight from images
/// and freezes it. Batch norms shift but do not scale, with eps 1e-12 and momentum 0.4. Filters start from
/// PyTorch's default, with the identity in as many of them as there are input channels; the head starts with
/// a standard deviation of 1, and its output is divided by the number of its inputs.
///
/// # Panics
/// When a side has fewer than 9 pixels.
#[track_caller]
pub fn airbench94(image: ImageSize, n_classes: usize) -> Sequential {
    airbench(image, n_classes, [64, 256, 256], GELU::default())
}

/// [`airbench94`] with other block widths (128, 384 and 384 in airbench95) or another activation.
///
/// # Panics
/// As [`airbench94`].
#[track_caller]
// ANCHOR: airbench
pub fn airbench(
    image: ImageSize,
    n_classes: usize,
    widths: [usize; 3],
    activation: impl Layer + Copy,
) -> Sequential {
    check_size("airbench", image, 9);
    let [height, width, channels] = image;
    // The eigenvectors of all 2 × 2 patches, and their negatives.
    let n_whitened = 2 * 4 * channels;
    let mut layers = Sequential::new().add(activation);
    let mut n_inputs = n_whitened;
    for n_outputs in widths {
        layers = layers.add(block(n_inputs, n_outputs, activation));
        n_inputs = n_outputs;
    }
    let pooled = [height, width].map(|side| (side - 1) / 8);
    Sequential::new()
        .add_named("whiten", Conv2d::new(channels, n_whitened, 2))
        .add_named("layers", layers.add(MaxPool2d::new(pooled)))
        .add_named("flatten", Flatten)
        .add_named("head", Linear::new(n_inputs, n_classes).bias(false).weight_init(Init::UnitVariance))
        .add_named("scale", Scale::new(1.0 / n_inputs as f32))
}
// ANCHOR_END: airbench

/// Computes the weight of the first layer of [`airbench94`] from normalised images of shape `size` (`[n, h,
/// w, channels]`), so that its outputs are uncorrelated with variance 1 (`init::whitening`, with 5e-4 added
/// to the eigenvalues), and freezes it. Jordan uses the first 5,000 training images.
///
/// ```
/// use nn::models;
/// let (net, mut params) = nn::build(models::airbench94([16, 16, 1], 10), 0);
/// let images: Vec<f32> = (0..4 * 16 * 16).map(|i| (i as f32).sin()).collect();
/// models::whiten(&mut params, &images, [4, 16, 16, 1]);
/// assert!(!params.entries()[0].is_trainable());
/// # let _ = net;
/// ```
///
/// # Panics
/// When the network has no such layer or the images do not fit it.
#[track_caller]
pub fn whiten(params: &mut Params, images: &[f32], size: [usize; 4]) {
    let weight =
        params.find(WHITEN).unwrap_or_else(|| panic!("whiten: the network has no parameter `{WHITEN}`"));
    let shape = params.entry(weight).shape;
    init::whitening(params.value_mut(weight), &shape, images, size, 5e-4);
    params.freeze(WHITEN).expect("it was found above");
}

/// The name of the weight that [`whiten`] computes.
const WHITEN: &str = "whiten.weight";

fn block(n_inputs: usize, n_outputs: usize, activation: impl Layer + Copy) -> Sequential {
    let conv = |i, o| Conv2d::new(i, o, 3).padding_same().bias(false).weight_init(Init::Dirac);
    let norm = |n| BatchNorm2d::new(n).scale(false).eps(1e-12).momentum(0.4);
    Sequential::new()
        .add_named("conv1", conv(n_inputs, n_outputs))
        .add_named("pool", MaxPool2d::new(2))
        .add_named("norm1", norm(n_outputs))
        .add_named("activ1", activation)
        .add_named("conv2", conv(n_outputs, n_outputs))
        .add_named("norm2", norm(n_outputs))
        .add_named("activ2", activation)
}
