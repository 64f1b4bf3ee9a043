//! Images mixed with others of their batch: mixup and CutMix.

use keyed_random::{child_key, draw_key, seed_key, splitmix64};

use crate::cli::Settings;

/// Which images are mixed, and how.
pub(super) struct Mixing {
    mixup: Option<f64>,
    cutmix: Option<f64>,
    key: u64,
}

impl Mixing {
    /// The mixing that the settings select, if any.
    pub(super) fn of(settings: &Settings) -> Option<Self> {
        let (mixup, cutmix) = (settings.mixup(), settings.cutmix());
        let key = child_key(seed_key(settings.seed), "mix");
        (mixup.is_some() || cutmix.is_some()).then_some(Self { mixup, cutmix, key })
    }

    /// Writes the images `values` to `mixed`, each mixed with the one at the other end of the batch, as a
    /// function of seed and step only. Returns the share left of the image itself.
    pub(super) fn apply(&self, mixed: &mut Vec<f32>, values: &[f32], shape: [usize; 4], step: u64) -> f64 {
        let mut draws = Draws { key: draw_key(self.key, step, 0), n: 0 };
        let (alpha, cuts) = match (self.mixup, self.cutmix) {
            (Some(mixup), Some(cutmix)) => {
                if draws.unit() < 0.5 {
                    (mixup, false)
                } else {
                    (cutmix, true)
                }
            }
            (Some(mixup), None) => (mixup, false),
            (None, cutmix) => (cutmix.expect("one of both"), true),
        };
        let lambda = draws.beta(alpha);
        mixed.clear();
        mixed.extend_from_slice(values);
        if cuts {
            cut_in(mixed, values, shape, lambda, &mut draws)
        } else {
            mix(mixed, values, shape, lambda)
        }
    }
}

/// Mixes each image with a share of the one at the other end of the batch (Zhang et al., "mixup", 2018).
fn mix(mixed: &mut [f32], values: &[f32], [n, h, w, c]: [usize; 4], lambda: f64) -> f64 {
    let len = h * w * c;
    for (at, image) in mixed.chunks_exact_mut(len).enumerate() {
        let other = &values[(n - 1 - at) * len..][..len];
        for (value, other) in image.iter_mut().zip(other) {
            *value = lambda as f32 * *value + (1.0 - lambda) as f32 * other;
        }
    }
    lambda
}

/// Pastes into each image a rectangle of the one at the other end of the batch (Yun et al., "CutMix", 2019).
/// Returns the share left of the image itself.
fn cut_in(
    mixed: &mut [f32],
    values: &[f32],
    [n, h, w, c]: [usize; 4],
    lambda: f64,
    draws: &mut Draws,
) -> f64 {
    let ratio = (1.0 - lambda).sqrt();
    let mut span = |side: usize| {
        let half = (side as f64 * ratio / 2.0) as usize;
        let centre = (draws.unit() * side as f64) as usize;
        (centre.saturating_sub(half), (centre + half).min(side))
    };
    let ((top, bottom), (left, right)) = (span(h), span(w));
    for (at, image) in mixed.chunks_exact_mut(h * w * c).enumerate() {
        let other = &values[(n - 1 - at) * h * w * c..];
        for y in top..bottom {
            let range = (y * w + left) * c..(y * w + right) * c;
            image[range.clone()].copy_from_slice(&other[range]);
        }
    }
    1.0 - ((bottom - top) * (right - left)) as f64 / (h * w) as f64
}

/// Random numbers of one step.
struct Draws {
    key: u64,
    n: u64,
}

impl Draws {
    fn unit(&mut self) -> f64 {
        self.n += 1;
        f64::from(keyed_random::unit(splitmix64(self.key, self.n)))
    }

    /// From Beta(α, α), 0 < α ≤ 1, by Jöhnk's method: of pairs (u^(1/α), v^(1/α)) the first whose sum is at most 1.
    fn beta(&mut self, alpha: f64) -> f64 {
        loop {
            let [u, v] = [self.unit(), self.unit()];
            let [x, y] = [u, v].map(|u| u.powf(1.0 / alpha));
            if x + y > 0.0 && x + y <= 1.0 {
                return x / (x + y);
            }
            // Both are too small to be numbers: their quotient comes from the logarithms.
            if x + y == 0.0 && u + v > 0.0 {
                return 1.0 / (1.0 + ((v.ln() - u.ln()) / alpha).exp());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_the_mean_and_the_variance_of_beta() {
        for alpha in [0.2, 0.5, 1.0] {
            let mut draws = Draws { key: 7, n: 0 };
            let n = 20_000;
            let all: Vec<f64> = (0..n).map(|_| draws.beta(alpha)).collect();
            let mean = all.iter().sum::<f64>() / f64::from(n);
            let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!(
                (mean - 0.5).abs() < 0.01 && (variance - expected).abs() < 0.01,
                "{alpha}: {mean}, {variance}"
            );
        }
    }

    /// There the powers are all 0; the shares are near 0 and 1.
    #[test]
    fn the_smallest_parameters_give_shares_too() {
        for alpha in [1e-3, 1e-12, 1e-310] {
            let mut draws = Draws { key: 7, n: 0 };
            let all: Vec<f64> = (0..1000).map(|_| draws.beta(alpha)).collect();
            assert!(all.iter().all(|x| (0.0..=1.0).contains(x)), "{alpha}");
            let mean = all.iter().sum::<f64>() / 1000.0;
            assert!((mean - 0.5).abs() < 0.1, "{alpha}: {mean}");
        }
    }

    #[test]
    fn a_rectangle_of_the_other_image_is_as_large_as_it_is_said() {
        let shape = [2, 6, 8, 1];
        let values: Vec<f32> = [vec![1.0; 48], vec![2.0; 48]].concat();
        for n in 0..50 {
            let mut draws = Draws { key: n, n: 0 };
            let mut mixed = values.clone();
            let lambda = cut_in(&mut mixed, &values, shape, 0.4, &mut draws);
            let of_the_other = mixed[..48].iter().filter(|value| **value == 2.0).count();
            assert!((lambda - (1.0 - of_the_other as f64 / 48.0)).abs() < 1e-12);
            assert_eq!(of_the_other, mixed[48..].iter().filter(|value| **value == 1.0).count());
        }
        let mut mixed = values.clone();
        mix(&mut mixed, &values, shape, 0.75);
        assert_eq!((mixed[0], mixed[48]), (1.25, 1.75));
    }
}
