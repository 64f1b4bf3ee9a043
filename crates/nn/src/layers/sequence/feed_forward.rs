//! The parts shared by encoder and decoder layers: sizes, options, and the feed-forward part.

use autograd::{Graph, Var};
use tensor::Shape;
use tensor::activation::Activation;

use super::MultiheadAttention;
use super::attention::check_dropout;
use crate::config::{Args, names};
use crate::layer::{Child, Scope};
use crate::layers::affine::check_divisible;
use crate::layers::last_axis::LastAxis;
use crate::layers::{Dropout, LayerNorm, Linear};

/// The activation between the two linear layers of a transformer layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransformerActivation {
    /// max(0, x).
    #[default]
    Relu,
    /// x · Φ(x), the exact form.
    Gelu,
}

/// Sizes and options.
#[derive(Clone, Copy)]
pub(super) struct Options {
    pub(super) d_model: usize,
    pub(super) nhead: usize,
    pub(super) dim_feedforward: usize,
    pub(super) dropout: f32,
    pub(super) activation: TransformerActivation,
    pub(super) layer_norm_eps: f32,
    pub(super) norm_first: bool,
    pub(super) bias: bool,
    pub(super) is_causal: bool,
}

impl Options {
    pub(super) fn new(d_model: usize, nhead: usize) -> Self {
        Self {
            d_model,
            nhead,
            dim_feedforward: 2048,
            dropout: 0.1,
            activation: TransformerActivation::Relu,
            layer_norm_eps: 1e-5,
            norm_first: false,
            bias: true,
            is_causal: false,
        }
    }

    /// Checks them for a layer of this name.
    ///
    /// # Panics
    /// When they do not fit together.
    #[track_caller]
    pub(super) fn expect_valid(&self, layer: &str) {
        if let Err(error) = self.check() {
            panic!("{layer}: {error}");
        }
    }

    /// The features that the layer's inputs have.
    pub(super) fn features(&self, layer: &'static str) -> LastAxis {
        let (option, divisor) = (("d_model", self.d_model), Some(("nhead", self.nhead)));
        LastAxis { layer, thing: "feature", option, divisor }
    }

    pub(super) fn attention(&self, name: &str) -> Child<MultiheadAttention> {
        let attention =
            MultiheadAttention::new(self.d_model, self.nhead).dropout(self.dropout).bias(self.bias);
        Child::new(name, attention)
    }

    pub(super) fn norm(&self, name: &str) -> Child<LayerNorm> {
        Child::new(name, LayerNorm::new([self.d_model]).eps(self.layer_norm_eps).bias(self.bias))
    }

    pub(super) fn dropout(&self, name: &str) -> Child<Dropout> {
        Child::new(name, Dropout::new(self.dropout))
    }
}

/// The builder methods of a layer with a field `options`, from which `of` creates the layer.
macro_rules! transformer_options {
    () => {
        /// Sets the number of features between the two linear layers; the default is 2048.
        pub fn dim_feedforward(self, dim_feedforward: usize) -> Self {
            Self::of(Options { dim_feedforward, ..self.options })
        }

        /// Sets the dropout probability in attention, between the linear layers and at the end of each
        /// branch; the default is 0.1.
        ///
        /// # Panics
        /// When it is not in [0, 1].
        #[track_caller]
        pub fn dropout(self, dropout: f32) -> Self {
            Self::of(Options { dropout, ..self.options })
        }

        /// Sets the activation between the two linear layers; the default is ReLU.
        pub fn activation(self, activation: TransformerActivation) -> Self {
            Self::of(Options { activation, ..self.options })
        }

        /// Sets the number that the layer norms add to the variance; the default is 1e-5.
        pub fn layer_norm_eps(self, layer_norm_eps: f32) -> Self {
            Self::of(Options { layer_norm_eps, ..self.options })
        }

        /// Sets whether each branch starts with its layer norm (`x + f(norm(x))`) instead of the sum being
        /// normalised (`norm(x + f(x))`); off by default.
        pub fn norm_first(self, norm_first: bool) -> Self {
            Self::of(Options { norm_first, ..self.options })
        }

        /// Sets whether there are biases, including those of the layer norms; on by default.
        pub fn bias(self, bias: bool) -> Self {
            Self::of(Options { bias, ..self.options })
        }

        /// Sets whether, as a [`Layer`](crate::Layer), a token sees only itself and those before it; off by
        /// default.
        pub fn causal(self, is_causal: bool) -> Self {
            Self::of(Options { is_causal, ..self.options })
        }
    };
}
pub(super) use transformer_options;

/// `linear2(dropout(activation(linear1(x))))`.
#[derive(Clone)]
pub(super) struct FeedForward {
    activation: TransformerActivation,
    pub(super) linear1: Child<Linear>,
    pub(super) dropout: Child<Dropout>,
    pub(super) linear2: Child<Linear>,
}

impl FeedForward {
    pub(super) fn new(options: &Options) -> Self {
        let &Options { d_model, dim_feedforward, activation, bias, .. } = options;
        Self {
            activation,
            linear1: Child::new("linear1", Linear::new(d_model, dim_feedforward).bias(bias)),
            dropout: options.dropout("dropout"),
            linear2: Child::new("linear2", Linear::new(dim_feedforward, d_model).bias(bias)),
        }
    }

    pub(super) fn register(&mut self, scope: &mut Scope<'_>) {
        scope.layer(&mut self.linear1);
        scope.layer(&mut self.linear2);
    }

    pub(super) fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let activation = match self.activation {
            TransformerActivation::Relu => Activation::Relu,
            TransformerActivation::Gelu => Activation::Gelu,
        };
        let h = self.linear1.run(g, |linear, g| linear.forward_activation(g, x, activation));
        let h = self.dropout.forward(g, h);
        self.linear2.forward(g, h)
    }
}

/// A residual branch: `norm(x + dropout(branch(x)))`, or `x + dropout(branch(norm(x)))` if the norm is first.
pub(super) fn around(
    g: &Graph<'_>,
    x: Var,
    norm: &Child<LayerNorm>,
    dropout: &Child<Dropout>,
    norm_first: bool,
    branch: impl FnOnce(Var) -> Var,
) -> Var {
    if norm_first {
        let normal = norm.forward(g, x);
        g.add(x, dropout.forward(g, branch(normal)))
    } else {
        let sum = g.add(x, dropout.forward(g, branch(x)));
        norm.forward(g, sum)
    }
}

impl Options {
    pub(super) fn describe(&mut self, args: &mut Args<'_>) {
        let default = Self::new(1, 1);
        args.positional("d_model", &mut self.d_model);
        args.positional("nhead", &mut self.nhead);
        args.shown("dim_feedforward", &mut self.dim_feedforward, default.dim_feedforward);
        args.shown("dropout", &mut self.dropout, default.dropout);
        args.shown("activation", &mut self.activation, default.activation);
        args.option("layer_norm_eps", &mut self.layer_norm_eps, default.layer_norm_eps);
        args.only("batch_first", true);
        args.option("norm_first", &mut self.norm_first, false);
        args.option("bias", &mut self.bias, true);
        args.keyword("causal", &mut self.is_causal, false);
    }

    pub(super) fn check(&self) -> Result<(), String> {
        check_divisible(("d_model", self.d_model), ("nhead", self.nhead))?;
        check_dropout(self.dropout)?;
        // The layer norms have a shape of their own.
        match Shape::fits(&[self.d_model]) {
            true => Ok(()),
            false => Err(format!("d_model is {}, more than memory can address", self.d_model)),
        }
    }
}

names!(TransformerActivation, "relu or gelu", { "relu" => Self::Relu, "gelu" => Self::Gelu });
