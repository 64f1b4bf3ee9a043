//! Position encodings of tokens.

use tensor::Shape;
use tensor::elementwise::copy_or_add;
use tensor::positions::{Pairing, RotaryShape, rotary_backward, rotary_forward, sinusoidal_forward};

use super::shared::count;
use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

/// The sizes t and features of `[…, t, features]`.
fn tokens_and_features(x: Shape) -> Result<[usize; 2], ShapeError> {
    match *x.dims() {
        [_, .., tokens, features] => Ok([tokens, features]),
        _ => Err(ShapeError::new(format!("the input is {x}, expected tokens [n, t, features]; reshape it"))),
    }
}

struct Sinusoidal;

impl Op for Sinusoidal {
    fn name(&self) -> &'static str {
        "sinusoidal_positions"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        tokens_and_features(inputs[0]).map(|_| inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        let [tokens, features] = tokens_and_features(f.shape).expect("checked by output_shape");
        sinusoidal_forward(f.output, f.inputs.value(0), tokens, features);
    }

    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            copy_or_add(dx.data, b.dy, dx.beta);
        }
    }
}

/// The options of [`Graph::rotary_positions`]; the default is the paper's, for one head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RotaryOptions {
    /// The features of a head; all features of a token if `None`.
    pub head_dim: Option<usize>,
    /// How many heads are rotated, counted from the first of a token; all if `None`. With packed queries,
    /// keys and values, use the first two thirds.
    pub n_rotated: Option<usize>,
    /// Which features form a pair (default: interleaved).
    pub pairing: Pairing,
    /// The base of the frequencies (default 10000).
    pub base: f32,
}

impl Default for RotaryOptions {
    fn default() -> Self {
        Self { head_dim: None, n_rotated: None, pairing: Pairing::Interleaved, base: 10_000.0 }
    }
}

struct Rotary(RotaryOptions);

impl Rotary {
    fn sizes(&self, x: Shape) -> Result<RotaryShape, ShapeError> {
        let ([tokens, features], RotaryOptions { head_dim, n_rotated, pairing, base }) =
            (tokens_and_features(x)?, self.0);
        let head_dim = head_dim.unwrap_or(features);
        let n_heads = features.checked_div(head_dim).unwrap_or(0);
        if !head_dim.is_multiple_of(2) || n_heads * head_dim != features {
            return Err(ShapeError::new(format!(
                "the input {x} has {}, which cannot be divided into heads of an even head_dim = {head_dim}; change \
                 head_dim",
                count(features, "feature")
            )));
        }
        let n_rotated = n_rotated.unwrap_or(n_heads);
        if n_rotated > n_heads {
            return Err(ShapeError::new(format!(
                "the input {x} has {} of {}, but n_rotated is {n_rotated}; reduce it",
                count(n_heads, "head"),
                count(head_dim, "feature")
            )));
        }
        Ok(RotaryShape { tokens, features, head_dim, n_rotated, pairing, base })
    }
}

impl Op for Rotary {
    fn name(&self) -> &'static str {
        "rotary_positions"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        self.sizes(inputs[0]).map(|_| inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        let sizes = self.sizes(f.shape).expect("checked by output_shape");
        rotary_forward(f.output, f.inputs.value(0), &sizes);
    }

    /// Rotates dy back.
    fn backward(&self, mut b: Backward<'_>) {
        let sizes = self.sizes(b.shape).expect("checked by output_shape");
        if let Some(dx) = b.grads.get(0) {
            rotary_backward(dx.data, b.dy, &sizes, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// x plus sines and cosines of each token's position, `[n, t, features]`: feature 2i at position p gets
    /// sin(p / 10000^(2i / features)), feature 2i + 1 the cosine. Vaswani et al. 2017.
    ///
    /// # Panics
    /// When `x` has fewer than three axes.
    #[track_caller]
    pub fn sinusoidal_positions(&self, x: Var) -> Var {
        self.apply(Sinusoidal, &[x])
    }

    /// Rotary positions (Su et al., *RoFormer*, 2021) of queries or keys, `[n, t, heads · head_dim]` or
    /// `[n, heads, t, head_dim]`: pair i of the features at position p is rotated by
    /// p · base^(−2i / head_dim), so that the product of a query and a key depends on their distance.
    ///
    /// # Panics
    /// When `x` has fewer than three axes, its last axis is not a whole number of heads of even size, or
    /// there are fewer heads than `n_rotated`.
    #[track_caller]
    pub fn rotary_positions(&self, x: Var, options: RotaryOptions) -> Var {
        self.apply(Rotary(options), &[x])
    }
}
