//! The larger networks: which they are, and the numbers that each entry of their state begins with.

use crate::network::uniform;

/// A network that a driver has ready-made, or writes in its own layers.
///
/// None has dropout, so that the losses of all drivers agree. Each begins with [`initial_entry`] and is trained by the
/// rules below; the learning rates are small, so that rounding does not grow from one step to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Model {
    /// The network of airbench94_muon (Jordan, 2024) with its optimizers. The first convolution is frozen. The other
    /// filters: Muon with rate 0.01, momentum 0.6 and three Newton–Schulz steps, each bank brought to norm √rows before
    /// its step. The rest: SGD with Nesterov's momentum 0.85, rate 1e-4 and weight decay 0.004. The loss is the sum of
    /// the cross-entropy over the batch, under label smoothing 0.2.
    Airbench94,
    /// ResNet-18 in its form for small images: SGD with Nesterov's momentum 0.9, rate 1e-3 and weight decay 5e-4; the
    /// mean of the cross-entropy.
    ResNet18,
    /// A small network of depthwise-separable convolutions, trained as ResNet-18.
    Depthwise,
    /// A transformer that predicts the next of 64 bytes (those of images, in the order of the file): four layers, 128
    /// wide, four heads; AdamW with rate 1e-4 and weight decay 0.01, the gradient clipped to norm 1 before.
    Transformer,
}

impl Model {
    /// How many bytes of an image make a window of text: one more than the transformer looks back.
    pub const WINDOW: usize = 65;

    /// The tokens that the transformer tells apart: every byte is one.
    pub const N_TOKENS: usize = 256;
}

/// What entry `idx` of a network's state begins with, in the order of PyTorch's `state_dict` without the counts of
/// batches: weights of two or more dimensions from U(±√(6/fan_in)); scales and running variances 1; all else 0.
pub fn initial_entry(idx: usize, name: &str, shape: &[usize]) -> Vec<f32> {
    let len = shape.iter().product();
    match shape {
        [_, rest @ ..] if !rest.is_empty() => {
            uniform(idx as u64, len, (6.0 / rest.iter().product::<usize>() as f64).sqrt())
        }
        _ if name.ends_with("weight") || name.ends_with("running_var") => vec![1.0; len],
        _ => vec![0.0; len],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_fill_their_range_and_statistics_change_nothing() {
        let weights = initial_entry(3, "conv.weight", &[8, 6, 5, 5]);
        let bound = (6.0_f32 / 150.0).sqrt();
        assert_eq!(weights.len(), 8 * 150);
        assert!(weights.iter().all(|w| w.abs() <= bound) && weights.iter().any(|w| w.abs() > 0.99 * bound));
        assert_ne!(weights, initial_entry(4, "conv.weight", &[8, 6, 5, 5]));
        for (name, value) in
            [("norm.weight", 1.0), ("norm.running_var", 1.0), ("norm.running_mean", 0.0), ("fc.bias", 0.0)]
        {
            assert_eq!(initial_entry(1, name, &[3]), [value; 3], "{name}");
        }
    }
}
