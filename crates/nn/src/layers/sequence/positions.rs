//! What tells tokens where they stand.

use autograd::{Graph, Pairing, RotaryOptions, Var};

use crate::config::{Args, Describe, described, names};
use crate::layer::Layer;

/// Adds sines and cosines of each token's place to its features, `[n, t, features]`: to feature 2i of place p
/// sin(p / 10000^(2i / features)), to feature 2i + 1 the cosine. Vaswani et al., "Attention Is All You Need", 2017.
#[derive(Clone, Copy)]
pub struct SinusoidalPositions;

impl Layer for SinusoidalPositions {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.sinusoidal_positions(x)
    }
}

/// Rotates each pair of features of queries or keys by an angle that grows with the token's place:
/// `[n, t, heads · head_dim]` or `[n, heads, t, head_dim]`. Su et al., "RoFormer", 2021.
///
/// [`MultiheadAttention::rotary`](super::MultiheadAttention::rotary) does it within attention.
#[derive(Clone, Copy)]
#[must_use]
pub struct RotaryPositions {
    head_dim: usize,
    pairing: Pairing,
    base: f32,
}

impl RotaryPositions {
    /// Heads of `head_dim` features, pairs 2i and 2i + 1, the base 10000: as in the paper.
    pub fn new(head_dim: usize) -> Self {
        let RotaryOptions { pairing, base, .. } = RotaryOptions::default();
        Self { head_dim, pairing, base }
    }

    /// Which features make a pair: neighbours ([`Pairing::Interleaved`], the default), or those half a head apart.
    pub fn pairing(mut self, pairing: Pairing) -> Self {
        self.pairing = pairing;
        self
    }

    /// The base of the frequencies.
    pub fn base(mut self, base: f32) -> Self {
        self.base = base;
        self
    }

    /// The options, with the first `n_rotated` heads rotated.
    pub(super) fn options(&self, n_rotated: Option<usize>) -> RotaryOptions {
        let Self { head_dim, pairing, base } = *self;
        RotaryOptions { head_dim: Some(head_dim), n_rotated, pairing, base }
    }
}

impl Layer for RotaryPositions {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.rotary_positions(x, self.options(None))
    }
}

impl Describe for SinusoidalPositions {
    const NAME: &str = "SinusoidalPositions";

    fn blank() -> Self {
        Self
    }

    fn describe(&mut self, _: &mut Args<'_>) {}
}

impl Describe for RotaryPositions {
    const NAME: &str = "RotaryPositions";

    fn blank() -> Self {
        Self::new(2)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        let RotaryOptions { pairing, base, .. } = RotaryOptions::default();
        args.positional("head_dim", &mut self.head_dim);
        args.option("pairing", &mut self.pairing, pairing);
        args.option("base", &mut self.base, base);
    }
}

described!(SinusoidalPositions, RotaryPositions);

names!(Pairing, "Interleaved or Halves", { "Interleaved" => Self::Interleaved, "Halves" => Self::Halves });

impl RotaryPositions {
    /// The arguments of a layer that may rotate.
    pub(super) fn describe_within(rotary: &mut Option<Self>, args: &mut Args<'_>) {
        let mut head_dim = rotary.map(|rotary| rotary.head_dim);
        args.keyword("rotary_head_dim", &mut head_dim, None);
        let Some(head_dim) = head_dim else { return };
        let mut read = Self { head_dim, ..rotary.unwrap_or(Self::new(head_dim)) };
        let Self { pairing, base, .. } = Self::new(head_dim);
        args.keyword("rotary_pairing", &mut read.pairing, pairing);
        args.keyword("rotary_base", &mut read.base, base);
        *rotary = Some(read);
    }
}
