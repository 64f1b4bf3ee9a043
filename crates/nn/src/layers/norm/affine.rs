//! The scale, shift and running statistics shared by the normalisation layers.

use std::fmt;

use autograd::{Graph, Role, Var};
use tensor::Shape;

use crate::config::Args;
use crate::layer::{Handle, Scope};
use crate::layers::last_axis::LastAxis;

/// Whether there are a scale and a shift, and their handles. The options are combined at the end, so the order in
/// which they are set does not matter.
#[derive(Clone, Copy)]
pub(super) struct ScaleAndShift {
    /// Whether there is any of the two.
    pub(super) is_affine: bool,
    /// Whether an affine layer has a scale.
    pub(super) scale: bool,
    /// Whether an affine layer has a shift.
    pub(super) bias: bool,
    handles: [Handle; 2],
}

impl ScaleAndShift {
    /// With both if `is_affine`.
    pub(super) fn new(is_affine: bool) -> Self {
        Self { is_affine, scale: true, bias: true, handles: [Handle::default(); 2] }
    }

    pub(super) fn has_weight(&self) -> bool {
        self.is_affine && self.scale
    }

    pub(super) fn has_bias(&self) -> bool {
        self.is_affine && self.bias
    }

    /// Registers a scale of 1 and a shift of 0, PyTorch's initial values.
    pub(super) fn register(&mut self, scope: &mut Scope<'_>, shape: impl Into<Shape> + Copy) {
        let mut filled =
            |name, value| scope.param(name, shape, Role::Trainable, |values, _| values.fill(value));
        if self.has_weight() {
            self.handles[0] = filled("weight", 1.0);
        }
        if self.has_bias() {
            self.handles[1] = filled("bias", 0.0);
        }
    }

    /// Scale and shift on the graph; `layer` is printed if they were never registered.
    #[track_caller]
    pub(super) fn vars(&self, g: &Graph<'_>, layer: &dyn fmt::Debug) -> [Option<Var>; 2] {
        let [weight, bias] = self.handles;
        let there = [(self.has_weight(), weight), (self.has_bias(), bias)];
        there.map(|(is_there, handle)| is_there.then(|| g.param(handle.id(layer))))
    }

    /// The options as PyTorch prints them: `affine` under this name, and `bias`, which follows it by default.
    pub(super) fn describe(&mut self, args: &mut Args<'_>, affine: &'static str, default: bool) {
        let mut bias = self.has_bias();
        args.shown(affine, &mut self.is_affine, default);
        args.shown("bias", &mut bias, self.is_affine);
        self.bias = bias;
    }
}

/// The builder methods of a layer with a field `affine`; takes the name of the first and its default in words.
macro_rules! scale_and_shift_options {
    ($affine:ident, $default:literal) => {
        #[doc = concat!("Sets whether the layer has `weight` and `bias`; ", $default, " by default.")]
        pub fn $affine(mut self, affine: bool) -> Self {
            self.affine.is_affine = affine;
            self
        }

        #[doc = concat!("Sets whether the layer, if it is `", stringify!($affine), "`, has `bias`; on by default.")]
        pub fn bias(mut self, bias: bool) -> Self {
            self.affine.bias = bias;
            self
        }
    };
}
pub(super) use scale_and_shift_options;

/// The check of the last axis. An op sees the number of channels only in its parameters, and a layer may have none.
pub(super) fn channels(layer: &'static str, option: (&'static str, usize)) -> LastAxis {
    LastAxis { layer, thing: "channel", option, divisor: None }
}

/// Running mean and variance of each feature.
#[derive(Clone, Copy, Default)]
pub(super) struct Running([Handle; 2]);

impl Running {
    pub(super) fn register(&mut self, scope: &mut Scope<'_>, n_features: usize) {
        self.0 = [("running_mean", 0.0), ("running_var", 1.0)].map(|(name, value)| {
            scope.param(name, [n_features], Role::Statistic, |values, _| values.fill(value))
        });
    }

    #[track_caller]
    pub(super) fn vars(&self, g: &Graph<'_>, layer: &dyn fmt::Debug) -> [Var; 2] {
        self.0.map(|handle| g.param(handle.id(layer)))
    }
}
