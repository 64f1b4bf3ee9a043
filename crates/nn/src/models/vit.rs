//! A small vision transformer.

use super::size::ImageSize;
use crate::layers::{
    AvgPool1d, Conv2d, Flatten, LayerNorm, LearnedPositions, Linear, TransformerActivation,
    TransformerEncoder, TransformerEncoderLayer,
};
use crate::sequential::Sequential;

/// The side of a patch in pixels.
const PATCH: usize = 4;

/// Features of a token.
const WIDTH: usize = 128;

/// A small vision transformer. Each patch of 4 × 4 pixels is a token of 128 features plus a learnt position;
/// then come six pre-norm encoder layers with four attention heads and 256 hidden units, the mean of the
/// tokens, and a linear head. After Dosovitskiy et al., "An Image is Worth 16x16 Words", 2020, with the mean
/// in place of a class token, as in Beyer et al., "Better plain ViT baselines for ImageNet-1k", 2022.
///
/// `[n, h, w, channels]` to `[n, n_classes]`; 810,890 parameters for CIFAR-10. The layers' parameters have
/// the names of PyTorch's `nn.TransformerEncoder`.
///
/// # Panics
/// When the sides are not multiples of 4 pixels.
#[track_caller]
pub fn vit([height, width, channels]: ImageSize, n_classes: usize) -> Sequential {
    assert!(
        height.min(width) > 0 && height.is_multiple_of(PATCH) && width.is_multiple_of(PATCH),
        "vit: images of {height} × {width} pixels cannot be divided into patches of {PATCH} × {PATCH}; crop or \
         resize them to multiples of {PATCH}"
    );
    let n_tokens = (height / PATCH) * (width / PATCH);
    let layer = TransformerEncoderLayer::new(WIDTH, 4)
        .dim_feedforward(2 * WIDTH)
        .dropout(0.0)
        .activation(TransformerActivation::Gelu)
        .norm_first(true);
    Sequential::new()
        .add_named("patches", Conv2d::new(channels, WIDTH, PATCH).stride(PATCH))
        .add_named("tokens", Flatten.start_dim(1).end_dim(2))
        .add_named("positions", LearnedPositions::new(n_tokens, WIDTH))
        .add_named("encoder", TransformerEncoder::new(layer, 6).norm(LayerNorm::new([WIDTH])))
        .add_named("mean", AvgPool1d::new(n_tokens))
        .add_named("flatten", Flatten)
        .add_named("head", Linear::new(WIDTH, n_classes))
}
