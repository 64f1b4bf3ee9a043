//! The weight and bias shared by `Linear` and the convolutions.

use std::fmt;

use autograd::{Graph, Role, Var};
use tensor::Shape;

use crate::config::Args;
use crate::init::Init;
use crate::layer::{Handle, Scope};

/// A weight and optionally a bias, one number per output.
#[derive(Clone, Copy)]
pub(crate) struct Affine {
    pub(crate) has_bias: bool,
    pub(crate) weight_init: Init,
    /// The initial value of the bias, instead of PyTorch's default.
    pub(crate) bias_value: Option<f32>,
    weight: Handle,
    bias: Handle,
}

impl Affine {
    pub(crate) fn new() -> Self {
        Self {
            has_bias: true,
            weight_init: Init::Default,
            bias_value: None,
            weight: Handle::default(),
            bias: Handle::default(),
        }
    }

    /// Registers weight and bias; the bias has `n_outputs` numbers.
    pub(crate) fn register(&mut self, scope: &mut Scope<'_>, weight: Shape, n_outputs: usize) {
        let (weight_init, bias_value) = (self.weight_init, self.bias_value);
        self.weight = scope
            .param("weight", weight, Role::Trainable, |values, rng| weight_init.fill(values, &weight, rng));
        if self.has_bias {
            self.bias = scope.param("bias", [n_outputs], Role::Trainable, |values, rng| match bias_value {
                Some(value) => values.fill(value),
                None => init::default_bias(values, &weight, rng),
            });
        }
    }

    /// The options for initialising weight and bias.
    pub(crate) fn describe(&mut self, args: &mut Args<'_>) {
        args.hidden("weight_init", &mut self.weight_init, Init::Default);
        args.hidden("bias_value", &mut self.bias_value, None);
    }

    /// Weight and bias on the graph; `layer` is printed if they were never registered.
    #[track_caller]
    pub(crate) fn vars(&self, g: &Graph<'_>, layer: &dyn fmt::Debug) -> (Var, Option<Var>) {
        let weight = self.weight(g, layer);
        let bias = self.has_bias.then(|| g.param(self.bias.id(layer)));
        (weight, bias)
    }

    /// The weight on the graph; `layer` is printed if it was never registered.
    #[track_caller]
    pub(crate) fn weight(&self, g: &Graph<'_>, layer: &dyn fmt::Debug) -> Var {
        g.param(self.weight.id(layer))
    }
}

/// The builder methods of a layer with a field `affine`.
macro_rules! affine_options {
    () => {
        /// Sets whether the layer has a bias; the default is true.
        pub fn bias(mut self, bias: bool) -> Self {
            self.affine.has_bias = bias;
            self
        }

        /// Sets how the weight is initialised; the default is [`Init::Default`].
        pub fn weight_init(mut self, init: Init) -> Self {
            self.affine.weight_init = init;
            self
        }

        /// Initialises the bias to one number; the default is uniform in ±1/√fan_in, as in PyTorch.
        pub fn bias_value(mut self, value: f32) -> Self {
            self.affine.bias_value = Some(value);
            self
        }
    };
}
pub(crate) use affine_options;

/// Checks that a size divides into a number of parts; both have names.
pub(crate) fn check_divisible(
    (whole, size): (&str, usize),
    (parts, n_parts): (&str, usize),
) -> Result<(), String> {
    match n_parts {
        0 => Err(format!("{parts} is 0, expected at least 1")),
        _ if size.is_multiple_of(n_parts) => Ok(()),
        _ => Err(format!("{whole} = {size} is not divisible by {parts} = {n_parts}; change one of them")),
    }
}

/// Checks that the channels divide into groups.
pub(crate) fn check_groups(groups: usize, channels: [usize; 2]) -> Result<(), String> {
    for (name, channels) in ["in_channels", "out_channels"].into_iter().zip(channels) {
        check_divisible((name, channels), ("groups", groups))?;
    }
    Ok(())
}
