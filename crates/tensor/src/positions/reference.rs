//! Positions, one feature at a time.

use super::{Pairing, RotaryShape};

/// x plus sines and cosines of the position.
pub fn sinusoidal_forward(x: &[f64], tokens: usize, dim: usize) -> Vec<f64> {
    let sine = |at: usize| {
        let (place, i) = (at / dim % tokens, at % dim);
        let angle = place as f64 / 10_000f64.powf((i - i % 2) as f64 / dim as f64);
        if i.is_multiple_of(2) { angle.sin() } else { angle.cos() }
    };
    x.iter().enumerate().map(|(at, x)| x + sine(at)).collect()
}

/// Rotates pairs of features.
pub fn rotary_forward(x: &[f64], shape: &RotaryShape) -> Vec<f64> {
    let &RotaryShape { tokens, features, head_dim, n_rotated, pairing, base } = shape;
    let rotated = |at: usize| {
        let (place, head, i) = (at / features % tokens, at % features / head_dim, at % head_dim);
        if head >= n_rotated {
            return x[at];
        }
        let half = head_dim / 2;
        let (pair, is_second, step) = match pairing {
            Pairing::Interleaved => (i / 2, i % 2 == 1, 1),
            Pairing::Halves => (i % half, i >= half, half),
        };
        let angle = place as f64 / f64::from(base).powf((2 * pair) as f64 / head_dim as f64);
        if is_second {
            x[at - step] * angle.sin() + x[at] * angle.cos()
        } else {
            x[at] * angle.cos() - x[at + step] * angle.sin()
        }
    };
    (0..x.len()).map(rotated).collect()
}
