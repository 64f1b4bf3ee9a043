//! Positional encodings.

use autograd::{Graph, Pairing, Role, RotaryOptions, Var};

use crate::config::{Args, Describe, described, names};
use crate::layer::{Handle, Layer, Scope};

/// Adds sines and cosines of each token's position to its features, `[n, t, features]`: feature 2i at
/// position p gets sin(p / 10000^(2i / features)), feature 2i + 1 the cosine. Vaswani et al., "Attention Is
/// All You Need", 2017.
#[derive(Clone, Copy)]
pub struct SinusoidalPositions;

impl Layer for SinusoidalPositions {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.sinusoidal_positions(x)
    }
}

/// Adds a learnt vector for each position, `[n, t, features]` with exactly `t` tokens. Dosovitskiy et al.,
/// "An Image is Worth 16x16 Words", 2020.
///
/// The parameter `weight`, `[t, features]`, is initially normal with standard deviation 0.02.
#[derive(Clone)]
#[must_use]
pub struct LearnedPositions {
    n_tokens: usize,
    features: usize,
    weight: Handle,
}

impl LearnedPositions {
    /// Creates a layer for `n_tokens` tokens of `features` numbers.
    pub fn new(n_tokens: usize, features: usize) -> Self {
        Self { n_tokens, features, weight: Handle::default() }
    }
}

impl Layer for LearnedPositions {
    fn register(&mut self, scope: &mut Scope<'_>) {
        let shape = [self.n_tokens, self.features];
        self.weight =
            scope.param("weight", shape, Role::Trainable, |values, rng| init::normal(values, 0.0, 0.02, rng));
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let (shape, expected) = (g.shape(x), [self.n_tokens, self.features]);
        assert!(
            shape.rank() == 3 && shape[1..] == expected,
            "learned_positions{}: the input is {shape}, expected [n, {}, {}]; create the layer for that many \
             tokens and features",
            g.at(),
            self.n_tokens,
            self.features
        );
        g.add(x, g.param(self.weight.id(self)))
    }
}

impl Describe for LearnedPositions {
    const NAME: &str = "LearnedPositions";

    fn blank() -> Self {
        Self::new(1, 1)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.positional("n_tokens", &mut self.n_tokens);
        args.positional("features", &mut self.features);
    }
}

/// Rotates each pair of features of queries or keys by an angle proportional to the token's position: `[n, t,
/// heads · head_dim]` or `[n, heads, t, head_dim]`. Su et al., "RoFormer", 2021.
///
/// [`MultiheadAttention::rotary`](super::MultiheadAttention::rotary) applies it inside attention.
#[derive(Clone, Copy)]
#[must_use]
pub struct RotaryPositions {
    head_dim: usize,
    pairing: Pairing,
    base: f32,
}

impl RotaryPositions {
    /// Creates a layer for heads of `head_dim` features, with pairs 2i and 2i + 1 and base 10000 as in the
    /// paper.
    pub fn new(head_dim: usize) -> Self {
        let RotaryOptions { pairing, base, .. } = RotaryOptions::default();
        Self { head_dim, pairing, base }
    }

    /// Sets which features form a pair: neighbours ([`Pairing::Interleaved`], the default), or those half a
    /// head apart ([`Pairing::Halves`]). Weights from Hugging Face's Llama and most models like it need
    /// `Halves`; Meta's own Llama files need the default.
    pub fn pairing(mut self, pairing: Pairing) -> Self {
        self.pairing = pairing;
        self
    }

    /// Sets the base of the frequencies.
    pub fn base(mut self, base: f32) -> Self {
        self.base = base;
        self
    }

    /// Checks that this is for the heads of an attention, of `head_dim` features each.
    pub(super) fn check_heads(&self, head_dim: usize) -> Result<(), String> {
        if self.head_dim == head_dim {
            return Ok(());
        }
        Err(format!(
            "the rotary positions are for heads of {} features, but the heads have {head_dim}; set their \
             head_dim to {head_dim}",
            self.head_dim
        ))
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

described!(LearnedPositions, SinusoidalPositions, RotaryPositions);

names!(Pairing, "Interleaved or Halves", { "Interleaved" => Self::Interleaved, "Halves" => Self::Halves });

impl RotaryPositions {
    /// Describes the arguments of a layer with optional rotary positions.
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
