//! The network for images of some shape and a number of classes.

use anyhow::{Result, ensure};
use data::ImageShape;
use nn::{Sequential, models};

/// The hidden layer of the network for rows of numbers.
const HIDDEN: usize = 256;

/// The lecture's network for images of this shape, with dropout before its last layer; for rows of numbers (1 × 1 × n)
/// a perceptron with a hidden layer, without.
///
/// # Errors
/// When the images are smaller than 8 × 8.
pub fn network(shape: ImageShape, n_classes: usize, dropout: f32) -> Result<Sequential> {
    let ImageShape { height, width, channels } = shape;
    let image = [height, width, channels];
    if [height, width] == [1, 1] {
        return Ok(models::mlp(image, &[HIDDEN], n_classes));
    }
    ensure!(
        height.min(width) >= 8,
        "images of {height} × {width} are too small for the network, expected 8 × 8 or more (--image-size)"
    );
    Ok(models::lecture_cnn_for(image, n_classes, dropout))
}

/// How many parameters [`network`] has.
pub(crate) fn n_params(shape: ImageShape, n_classes: usize) -> usize {
    let ImageShape { height, width, channels } = shape;
    let head = |n_inputs| (n_inputs + 1) * HIDDEN + (HIDDEN + 1) * n_classes;
    if [height, width] == [1, 1] {
        return head(channels);
    }
    let convs = [(channels, 32), (32, 64), (64, 128)];
    convs.map(|(i, o)| (9 * i + 1) * o).iter().sum::<usize>() + head(128 * (height / 8) * (width / 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_of_a_network_are_counted_before_it_is_built() {
        for (height, width, channels) in [(32, 32, 3), (28, 28, 1), (65, 15, 3), (1, 1, 7)] {
            let shape = ImageShape { height, width, channels };
            let (_, params) = nn::build(network(shape, 37, 0.5).unwrap(), 0);
            assert_eq!(params.values().len(), n_params(shape, 37), "{shape:?}");
        }
        assert!(network(ImageShape { height: 7, width: 9, channels: 3 }, 2, 0.0).is_err());
    }
}
