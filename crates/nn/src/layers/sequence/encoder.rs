//! The encoder of the transformer: self-attention and two linear layers, repeated.

use std::fmt;

use autograd::{Graph, Var};

use super::feed_forward::{FeedForward, Options, around, transformer_options};
use super::stack::Stack;
use super::{Masks, MultiheadAttention, TransformerActivation};
use crate::config::{self, Args, Describe, write_children};
use crate::layer::{Child, Layer, Scope};
use crate::layers::{Dropout, LayerNorm};

/// Self-attention, then two linear layers, each with a residual connection: `[n, t, d_model]` to the same
/// shape; `torch.nn.TransformerEncoderLayer` with `batch_first=True`. Vaswani et al., "Attention Is All You
/// Need", 2017.
///
/// As a [`Layer`] its only mask is [`causal`](Self::causal); [`run`](Self::run) takes others. Parameters as
/// in PyTorch: those of `self_attn`, `linear1`, `linear2`, `norm1` and `norm2`.
///
/// ```
/// use nn::{Sequential, TransformerActivation, TransformerEncoderLayer};
/// let block = || TransformerEncoderLayer::new(32, 4)
///     .dim_feedforward(128)
///     .activation(TransformerActivation::Gelu)
///     .norm_first(true)
///     .causal(true);
/// let (net, params) = nn::build(Sequential::new().add(block()).add(block()), 0);
/// assert_eq!(params.entries()[0].name, "0.self_attn.in_proj_weight");
/// # let _ = net;
/// ```
#[derive(Clone)]
#[must_use]
pub struct TransformerEncoderLayer {
    options: Options,
    self_attn: Child<MultiheadAttention>,
    feed_forward: FeedForward,
    norm1: Child<LayerNorm>,
    norm2: Child<LayerNorm>,
    dropout1: Child<Dropout>,
    dropout2: Child<Dropout>,
}

impl TransformerEncoderLayer {
    /// Creates a layer with PyTorch's defaults: 2048 features between the linear layers, dropout 0.1, ReLU,
    /// layer norm after each sum.
    ///
    /// # Panics
    /// When `d_model` is not divisible by `nhead`.
    #[track_caller]
    pub fn new(d_model: usize, nhead: usize) -> Self {
        Self::of(Options::new(d_model, nhead))
    }

    #[track_caller]
    fn of(options: Options) -> Self {
        options.expect_valid(Self::NAME);
        Self {
            options,
            self_attn: options.attention("self_attn"),
            feed_forward: FeedForward::new(&options),
            norm1: options.norm("norm1"),
            norm2: options.norm("norm2"),
            dropout1: options.dropout("dropout1"),
            dropout2: options.dropout("dropout2"),
        }
    }

    transformer_options!();

    /// Records the layer with masks for its self-attention.
    ///
    /// # Panics
    /// When shapes or masks do not fit, or a sequence has no tokens.
    #[track_caller]
    pub fn run(&self, g: &Graph<'_>, x: Var, masks: Masks) -> Var {
        self.options.features("transformer_encoder_layer").check_sequences(g, "input", x);
        let norm_first = self.options.norm_first;
        let attend = |x| self.self_attn.run(g, |attention, g| attention.attend(g, [x; 3], masks));
        let x = around(g, x, &self.norm1, &self.dropout1, norm_first, attend);
        around(g, x, &self.norm2, &self.dropout2, norm_first, |x| self.feed_forward.forward(g, x))
    }
}

impl Layer for TransformerEncoderLayer {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.layer(&mut self.self_attn);
        self.feed_forward.register(scope);
        scope.layer(&mut self.norm1);
        scope.layer(&mut self.norm2);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        self.run(g, x, Masks { is_causal: self.options.is_causal, ..Masks::default() })
    }
}

impl fmt::Debug for TransformerEncoderLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return config::write(self, f);
        }
        let Self { self_attn, feed_forward: FeedForward { linear1, dropout, linear2, .. }, .. } = self;
        let children: [(&str, &dyn fmt::Debug); 8] = [
            ("self_attn", self_attn),
            ("linear1", linear1),
            ("dropout", dropout),
            ("linear2", linear2),
            ("norm1", &self.norm1),
            ("norm2", &self.norm2),
            ("dropout1", &self.dropout1),
            ("dropout2", &self.dropout2),
        ];
        write_children(
            f,
            "TransformerEncoderLayer",
            None,
            children.map(|(name, child)| (name, format!("{child:?}"))),
        )
    }
}

/// A stack of encoder layers, optionally followed by a layer norm; `torch.nn.TransformerEncoder`.
///
/// Parameters as in PyTorch: `layers.0.…`, `layers.1.…`, `norm.…`. Each layer is initialised separately,
/// whereas PyTorch copies the first layer's values.
#[derive(Clone)]
#[must_use]
pub struct TransformerEncoder {
    stack: Stack<TransformerEncoderLayer>,
}

impl TransformerEncoder {
    /// Creates a stack of `num_layers` layers like this one.
    pub fn new(layer: TransformerEncoderLayer, num_layers: usize) -> Self {
        Self { stack: Stack::new(layer, num_layers) }
    }

    /// Adds a layer norm after the last layer, which layers with `norm_first` need.
    pub fn norm(self, norm: LayerNorm) -> Self {
        Self { stack: self.stack.norm(norm) }
    }

    /// Sets whether the values within each layer are computed again in the backward pass instead of being kept,
    /// with the same results: see [`Recompute`](crate::Recompute). Off by default.
    pub fn recompute(mut self, recompute: bool) -> Self {
        self.stack.recompute = recompute;
        self
    }

    /// Records the layers with masks for their self-attention.
    ///
    /// # Panics
    /// When shapes or masks do not fit, or a sequence has no tokens.
    pub fn run(&self, g: &Graph<'_>, x: Var, masks: Masks) -> Var {
        self.stack.run(g, x, masks, TransformerEncoderLayer::run)
    }
}

impl Layer for TransformerEncoder {
    fn register(&mut self, scope: &mut Scope<'_>) {
        self.stack.register(scope);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        self.stack.run(g, x, (), |layer, g, x, ()| layer.forward(g, x))
    }
}

impl fmt::Debug for TransformerEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return config::write(self, f);
        }
        self.stack.write(f, "TransformerEncoder")
    }
}

impl Describe for TransformerEncoderLayer {
    const NAME: &str = "TransformerEncoderLayer";

    fn blank() -> Self {
        Self::new(1, 1)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        self.options.describe(args);
        if self.options.check().is_ok() {
            *self = Self::of(self.options);
        }
    }

    fn check(&self) -> Result<(), String> {
        self.options.check()
    }
}

impl Describe for TransformerEncoder {
    const NAME: &str = "TransformerEncoder";

    fn blank() -> Self {
        Self::new(TransformerEncoderLayer::blank(), 0)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        self.stack.describe(args);
    }
}
