//! The decoder of the transformer: self-attention, attention to the encoder's output, and two linear layers.

use std::fmt;

use autograd::{Graph, Var};

use super::feed_forward::{FeedForward, Options, around, transformer_options};
use super::stack::Stack;
use super::{Masks, MultiheadAttention, TransformerActivation};
use crate::config::{self, Args, Describe, write_children};
use crate::layer::{Child, Layer, Scope};
use crate::layers::{Dropout, LayerNorm};

/// Self-attention, attention to the memory (an encoder's output), and two linear layers, each with a residual
/// connection: `[n, t, d_model]` and the memory `[n, s, d_model]` to `[n, t, d_model]`;
/// `torch.nn.TransformerDecoderLayer` with `batch_first=True`. Vaswani et al., "Attention Is All You
/// Need", 2017.
///
/// As a [`Layer`] over `(x, memory)` its only mask is [`causal`](Self::causal), for the self-attention;
/// [`run`](Self::run) takes others. Parameters as in PyTorch: those of `self_attn`, `multihead_attn`,
/// `linear1`, `linear2`, `norm1`, `norm2` and `norm3`.
#[derive(Clone)]
#[must_use]
pub struct TransformerDecoderLayer {
    options: Options,
    self_attn: Child<MultiheadAttention>,
    multihead_attn: Child<MultiheadAttention>,
    feed_forward: FeedForward,
    norm1: Child<LayerNorm>,
    norm2: Child<LayerNorm>,
    norm3: Child<LayerNorm>,
    dropout1: Child<Dropout>,
    dropout2: Child<Dropout>,
    dropout3: Child<Dropout>,
}

impl TransformerDecoderLayer {
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
            multihead_attn: options.attention("multihead_attn"),
            feed_forward: FeedForward::new(&options),
            norm1: options.norm("norm1"),
            norm2: options.norm("norm2"),
            norm3: options.norm("norm3"),
            dropout1: options.dropout("dropout1"),
            dropout2: options.dropout("dropout2"),
            dropout3: options.dropout("dropout3"),
        }
    }

    transformer_options!();

    /// Records the layer with masks for its self-attention and for the attention to the memory.
    ///
    /// # Panics
    /// When shapes or masks do not fit, or a sequence has no tokens.
    #[track_caller]
    pub fn run(&self, g: &Graph<'_>, x: Var, memory: Var, masks: Masks, memory_masks: Masks) -> Var {
        for (what, x) in [("input", x), ("memory", memory)] {
            self.options.features("transformer_decoder_layer").check_sequences(g, what, x);
        }
        let norm_first = self.options.norm_first;
        let attend = |x| self.self_attn.run(g, |attention, g| attention.attend(g, [x; 3], masks));
        let x = around(g, x, &self.norm1, &self.dropout1, norm_first, attend);
        let look_up = |x| {
            self.multihead_attn.run(g, |attention, g| attention.attend(g, [x, memory, memory], memory_masks))
        };
        let x = around(g, x, &self.norm2, &self.dropout2, norm_first, look_up);
        around(g, x, &self.norm3, &self.dropout3, norm_first, |x| self.feed_forward.forward(g, x))
    }
}

impl Layer<(Var, Var)> for TransformerDecoderLayer {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.layer(&mut self.self_attn);
        scope.layer(&mut self.multihead_attn);
        self.feed_forward.register(scope);
        scope.layer(&mut self.norm1);
        scope.layer(&mut self.norm2);
        scope.layer(&mut self.norm3);
    }

    fn forward(&self, g: &Graph<'_>, (x, memory): (Var, Var)) -> Var {
        let masks = Masks { is_causal: self.options.is_causal, ..Masks::default() };
        self.run(g, x, memory, masks, Masks::default())
    }
}

impl fmt::Debug for TransformerDecoderLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return config::write(self, f);
        }
        let FeedForward { linear1, dropout, linear2, .. } = &self.feed_forward;
        let children: [(&str, &dyn fmt::Debug); 11] = [
            ("self_attn", &self.self_attn),
            ("multihead_attn", &self.multihead_attn),
            ("linear1", linear1),
            ("dropout", dropout),
            ("linear2", linear2),
            ("norm1", &self.norm1),
            ("norm2", &self.norm2),
            ("norm3", &self.norm3),
            ("dropout1", &self.dropout1),
            ("dropout2", &self.dropout2),
            ("dropout3", &self.dropout3),
        ];
        write_children(
            f,
            "TransformerDecoderLayer",
            None,
            children.map(|(name, child)| (name, format!("{child:?}"))),
        )
    }
}

/// A stack of decoder layers over the same memory, optionally followed by a layer norm;
/// `torch.nn.TransformerDecoder`.
///
/// Parameters as in PyTorch: `layers.0.…`, `layers.1.…`, `norm.…`. Each layer is initialised separately,
/// whereas PyTorch copies the first layer's values.
#[derive(Clone)]
#[must_use]
pub struct TransformerDecoder {
    stack: Stack<TransformerDecoderLayer>,
}

impl TransformerDecoder {
    /// Creates a stack of `num_layers` layers like this one.
    pub fn new(layer: TransformerDecoderLayer, num_layers: usize) -> Self {
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

    /// Records the layers with masks for their self-attention and for the attention to the memory.
    ///
    /// # Panics
    /// When shapes or masks do not fit, or a sequence has no tokens.
    pub fn run(&self, g: &Graph<'_>, x: Var, memory: Var, masks: Masks, memory_masks: Masks) -> Var {
        self.stack.run(
            g,
            x,
            (memory, (masks, memory_masks)),
            |layer, g, x, (memory, (masks, memory_masks))| layer.run(g, x, memory, masks, memory_masks),
        )
    }
}

impl Layer<(Var, Var)> for TransformerDecoder {
    fn register(&mut self, scope: &mut Scope<'_>) {
        self.stack.register(scope);
    }

    fn forward(&self, g: &Graph<'_>, (x, memory): (Var, Var)) -> Var {
        self.stack.run(g, x, memory, |layer, g, x, memory| layer.forward(g, (x, memory)))
    }
}

impl fmt::Debug for TransformerDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return config::write(self, f);
        }
        self.stack.write(f, "TransformerDecoder")
    }
}

impl Describe for TransformerDecoderLayer {
    const NAME: &str = "TransformerDecoderLayer";

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

impl Describe for TransformerDecoder {
    const NAME: &str = "TransformerDecoder";

    fn blank() -> Self {
        Self::new(TransformerDecoderLayer::blank(), 0)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        self.stack.describe(args);
    }
}
