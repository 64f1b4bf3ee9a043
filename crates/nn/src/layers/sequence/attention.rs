//! Multi-head attention.

use std::fmt;

use autograd::{AttentionOptions, Graph, QueryKeyValue, Role, Var};
use tensor::Shape;

use super::RotaryPositions;
use crate::config::{self, Args, Describe};
use crate::init::Init;
use crate::layer::{Child, Handle, Layer, Scope};
use crate::layers::affine::check_divisible;
use crate::layers::last_axis::LastAxis;
use crate::layers::{Linear, Tensors};

/// The tokens hidden from attention; none by default.
///
/// The masks are added to the scores: 0 keeps a token and −∞ hides it, never 0 and 1.
/// [`attention_mask`](Graph::attention_mask) makes such a mask from booleans, where `true` hides, as in
/// PyTorch's `nn.MultiheadAttention` (in its `scaled_dot_product_attention`, `True` keeps).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Masks {
    /// Whether a token sees only itself and those before it.
    pub is_causal: bool,
    /// Added to the scores, `[t, s]` or `[n, heads, t, s]`: −∞ hides a token; a parameter is a learned bias.
    pub attn_mask: Option<Var>,
    /// Added to the scores of each key, `[n, s]`: −∞ for padding tokens.
    pub key_padding_mask: Option<Var>,
}

impl Tensors for Masks {
    fn map(self, f: &mut dyn FnMut(Var) -> Var) -> Self {
        let attn_mask = Tensors::map(self.attn_mask, f);
        Self { attn_mask, key_padding_mask: Tensors::map(self.key_padding_mask, f), ..self }
    }
}

/// Multi-head attention, where each head has its own projections of queries, keys and values;
/// `torch.nn.MultiheadAttention` with `batch_first=True`, without the attention weights that it also returns.
/// Vaswani et al., "Attention Is All You Need", 2017.
///
/// As a [`Layer`] it is self-attention, `[n, t, embed_dim]` to the same shape; [`attend`](Self::attend) takes
/// separate queries, keys and values, and masks. A token from which every key is hidden gets zeros, plus the
/// output bias.
///
/// Parameters as in PyTorch: `in_proj_weight` `[3 · embed_dim, embed_dim]` of queries, keys and values (or
/// `q_proj_weight`, `k_proj_weight` and `v_proj_weight` if keys or values have a different size),
/// Xavier-uniform; `in_proj_bias`, zeros; `out_proj.weight`, initialised like that of a [`Linear`]; and
/// `out_proj.bias`, zeros.
#[derive(Clone)]
#[must_use]
pub struct MultiheadAttention {
    embed_dim: usize,
    num_heads: usize,
    kdim: usize,
    vdim: usize,
    dropout: f32,
    has_bias: bool,
    is_causal: bool,
    rotary: Option<RotaryPositions>,
    /// One weight for all three, or three.
    weights: [Handle; 3],
    bias: Handle,
    out_proj: Child<Linear>,
}

impl MultiheadAttention {
    /// Creates a layer with biases and without dropout.
    ///
    /// # Panics
    /// When `embed_dim` is not divisible by `num_heads`.
    #[track_caller]
    pub fn new(embed_dim: usize, num_heads: usize) -> Self {
        if let Err(error) = check_divisible(("embed_dim", embed_dim), ("num_heads", num_heads)) {
            panic!("MultiheadAttention: {error}");
        }
        Self {
            embed_dim,
            num_heads,
            kdim: embed_dim,
            vdim: embed_dim,
            dropout: 0.0,
            has_bias: true,
            is_causal: false,
            rotary: None,
            weights: [Handle::default(); 3],
            bias: Handle::default(),
            out_proj: Child::new("out_proj", Self::output(embed_dim, true)),
        }
    }

    /// Sets the probability with which an attention weight is dropped in training.
    ///
    /// # Panics
    /// When it is not in [0, 1].
    #[track_caller]
    pub fn dropout(mut self, p: f32) -> Self {
        if let Err(error) = check_dropout(p) {
            panic!("MultiheadAttention: {error}");
        }
        self.dropout = p;
        self
    }

    /// Sets whether there are biases, including that of the output.
    pub fn bias(mut self, bias: bool) -> Self {
        self.has_bias = bias;
        self.out_proj.layer = self.out_proj.layer.bias(bias);
        self
    }

    /// Sets the number of features of keys; the default is `embed_dim`.
    pub fn kdim(mut self, kdim: usize) -> Self {
        self.kdim = kdim;
        self
    }

    /// Sets the number of features of values; the default is `embed_dim`.
    pub fn vdim(mut self, vdim: usize) -> Self {
        self.vdim = vdim;
        self
    }

    /// Sets whether, as a [`Layer`], a token sees only itself and those before it.
    pub fn causal(mut self, is_causal: bool) -> Self {
        self.is_causal = is_causal;
        self
    }

    /// Applies rotary positions to queries and keys; heads have `embed_dim / num_heads` features, an even
    /// number.
    ///
    /// # Panics
    /// When `rotary` is for heads of another size.
    #[track_caller]
    pub fn rotary(mut self, rotary: RotaryPositions) -> Self {
        if let Err(message) = rotary.check_heads(self.embed_dim / self.num_heads) {
            panic!("MultiheadAttention: {message}");
        }
        self.rotary = Some(rotary);
        self
    }

    fn output(embed_dim: usize, bias: bool) -> Linear {
        Linear::new(embed_dim, embed_dim).bias_value(0.0).bias(bias)
    }

    fn has_one_weight(&self) -> bool {
        [self.kdim, self.vdim] == [self.embed_dim; 2]
    }

    /// Attends with queries `[n, t, embed_dim]` to keys `[n, s, kdim]` and values `[n, s, vdim]`; returns
    /// `[n, t, embed_dim]`. Self-attention, where all three are the same, uses one projection for them.
    ///
    /// # Panics
    /// When shapes or masks do not fit, or a sequence has no tokens.
    #[track_caller]
    pub fn attend(&self, g: &Graph<'_>, [query, key, value]: [Var; 3], masks: Masks) -> Var {
        let heads = Some(("num_heads", self.num_heads));
        for (what, x, option, divisor) in [
            ("query", query, ("embed_dim", self.embed_dim), heads),
            ("key", key, ("kdim", self.kdim), None),
            ("value", value, ("vdim", self.vdim), None),
        ] {
            let layer = "multi_head_attention";
            LastAxis { layer, thing: "feature", option, divisor }.check_sequences(g, what, x);
        }
        let Masks { is_causal, attn_mask, key_padding_mask } = masks;
        let options =
            AttentionOptions { is_causal, attn_mask, key_padding_mask, dropout_p: self.dropout, scale: None };
        // ANCHOR: projections
        let bias = self.has_bias.then(|| g.param(self.bias.id(self)));
        let rotate = |x: Var, n_rotated: Option<usize>| match self.rotary {
            Some(rotary) => g.rotary_positions(x, rotary.options(n_rotated)),
            None => x,
        };
        let inputs = if self.has_one_weight() && query == key && key == value {
            let packed = g.linear(query, g.param(self.weights[0].id(self)), bias);
            QueryKeyValue::Packed(rotate(packed, Some(2 * self.num_heads)))
        } else {
            let d = self.embed_dim;
            let [q, k, v] = [(query, 0), (key, 1), (value, 2)].map(|(x, part)| {
                let weight = if self.has_one_weight() {
                    g.slice(g.param(self.weights[0].id(self)), 0, part * d..(part + 1) * d)
                } else {
                    g.param(self.weights[part].id(self))
                };
                g.linear(x, weight, bias.map(|bias| g.slice(bias, 0, part * d..(part + 1) * d)))
            });
            QueryKeyValue::Separate([rotate(q, None), rotate(k, None), v])
        };
        self.out_proj.forward(g, g.multi_head_attention(inputs, self.num_heads, options))
        // ANCHOR_END: projections
    }
}

impl Layer for MultiheadAttention {
    fn register(&mut self, scope: &mut Scope<'_>) {
        let d = self.embed_dim;
        let mut weight = |name: &str, dims: [usize; 2]| {
            let shape = Shape::new(&dims);
            scope.param(name, shape, Role::Trainable, |values, rng| {
                Init::XavierUniform.fill(values, &shape, rng)
            })
        };
        if [self.kdim, self.vdim] == [d; 2] {
            self.weights = [weight("in_proj_weight", [3 * d, d]); 3];
        } else {
            let names = ["q_proj_weight", "k_proj_weight", "v_proj_weight"];
            let n_features = [d, self.kdim, self.vdim];
            self.weights = [0, 1, 2].map(|part| weight(names[part], [d, n_features[part]]));
        }
        if self.has_bias {
            self.bias = scope.param("in_proj_bias", [3 * d], Role::Trainable, |values, _| values.fill(0.0));
        }
        scope.layer(&mut self.out_proj);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        self.attend(g, [x; 3], Masks { is_causal: self.is_causal, ..Masks::default() })
    }
}

impl fmt::Debug for MultiheadAttention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return config::write(self, f);
        }
        write!(f, "MultiheadAttention(\n  (out_proj): {:?}\n)", self.out_proj)
    }
}

impl Describe for MultiheadAttention {
    const NAME: &str = "MultiheadAttention";

    fn blank() -> Self {
        Self::new(1, 1)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        let features = |n: usize, embed_dim: usize| (n != embed_dim).then_some(n);
        let mut kdim = features(self.kdim, self.embed_dim);
        let mut vdim = features(self.vdim, self.embed_dim);
        args.positional("embed_dim", &mut self.embed_dim);
        args.positional("num_heads", &mut self.num_heads);
        args.option("dropout", &mut self.dropout, 0.0);
        args.option("bias", &mut self.has_bias, true);
        args.only("add_bias_kv", false);
        args.only("add_zero_attn", false);
        args.option("kdim", &mut kdim, None);
        args.option("vdim", &mut vdim, None);
        args.only("batch_first", true);
        args.keyword("causal", &mut self.is_causal, false);
        RotaryPositions::describe_within(&mut self.rotary, args);
        let embed_dim = self.embed_dim;
        (self.kdim, self.vdim) = (kdim.unwrap_or(embed_dim), vdim.unwrap_or(embed_dim));
        self.out_proj.layer = Self::output(embed_dim, self.has_bias);
    }

    fn check(&self) -> Result<(), String> {
        check_divisible(("embed_dim", self.embed_dim), ("num_heads", self.num_heads))?;
        check_dropout(self.dropout)?;
        self.rotary.map_or(Ok(()), |rotary| rotary.check_heads(self.embed_dim / self.num_heads))
    }
}

/// Checks the dropout probability.
pub(super) fn check_dropout(p: f32) -> Result<(), String> {
    if (0.0..=1.0).contains(&p) { Ok(()) } else { Err(format!("dropout is {p}, expected 0 ≤ p ≤ 1")) }
}
