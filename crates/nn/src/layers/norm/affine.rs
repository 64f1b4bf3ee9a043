//! The scale, shift and running statistics shared by the normalisation layers.

use std::fmt;

use autograd::{Graph, Role, Var};
use tensor::Shape;

use crate::layer::{Handle, Scope};

/// Whether there are a scale and a shift, and their handles.
#[derive(Clone, Copy)]
pub(super) struct ScaleAndShift {
    pub(super) has_weight: bool,
    pub(super) has_bias: bool,
    weight: Handle,
    bias: Handle,
}

impl ScaleAndShift {
    pub(super) fn new(has_weight: bool, has_bias: bool) -> Self {
        Self { has_weight, has_bias, weight: Handle::default(), bias: Handle::default() }
    }

    /// Registers a scale of 1 and a shift of 0, PyTorch's initial values.
    pub(super) fn register(&mut self, scope: &mut Scope<'_>, shape: impl Into<Shape> + Copy) {
        let mut filled =
            |name, value| scope.param(name, shape, Role::Trainable, |values, _| values.fill(value));
        if self.has_weight {
            self.weight = filled("weight", 1.0);
        }
        if self.has_bias {
            self.bias = filled("bias", 0.0);
        }
    }

    /// Scale and shift on the graph; `layer` is printed if they were never registered.
    #[track_caller]
    pub(super) fn vars(&self, g: &Graph<'_>, layer: &dyn fmt::Debug) -> [Option<Var>; 2] {
        let there = [(self.has_weight, self.weight), (self.has_bias, self.bias)];
        there.map(|(is_there, handle)| is_there.then(|| g.param(handle.id(layer))))
    }
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
