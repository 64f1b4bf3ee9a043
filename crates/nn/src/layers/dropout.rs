//! Dropout.

use autograd::{Graph, StochasticDepthMode, Var};

use crate::config::{Args, Describe, described, names};
use crate::layer::Layer;

/// In training, each element becomes 0 with probability `p` and the others are divided by `1 − p`; in
/// evaluation, the identity.
///
/// The draws are a function of the run's seed, the layer's path, the step and the element's position.
/// Srivastava et al., "Dropout", JMLR 2014.
#[derive(Clone, Copy)]
pub struct Dropout {
    p: f32,
}

impl Dropout {
    /// Drops with probability `p`; PyTorch's default is 0.5.
    ///
    /// # Panics
    /// When `p` is not in [0, 1].
    #[track_caller]
    pub fn new(p: f32) -> Self {
        Self { p: probability("Dropout", p) }
    }
}

#[track_caller]
fn probability(layer: &str, p: f32) -> f32 {
    match check_probability(p) {
        Ok(()) => p,
        Err(error) => panic!("{layer}::new: {error}"),
    }
}

/// Checks that 0 ≤ p ≤ 1.
pub(super) fn check_probability(p: f32) -> Result<(), String> {
    if (0.0..=1.0).contains(&p) {
        Ok(())
    } else {
        Err(format!("the probability p is {p}, expected 0 ≤ p ≤ 1"))
    }
}

impl Layer for Dropout {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.dropout(x, self.p)
    }
}

/// In training, each channel of each image `[n, …, c]` becomes 0 with probability `p` and the others are
/// divided by `1 − p`; in evaluation, the identity.
///
/// The draws are a function of the run's seed, the layer's path, the step and the image's position in the
/// batch. Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.
#[derive(Clone, Copy)]
pub struct Dropout2d {
    p: f32,
}

impl Dropout2d {
    /// Drops a channel with probability `p`; PyTorch's default is 0.5.
    ///
    /// # Panics
    /// When `p` is not in [0, 1].
    #[track_caller]
    pub fn new(p: f32) -> Self {
        Self { p: probability("Dropout2d", p) }
    }
}

impl Layer for Dropout2d {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.dropout2d(x, self.p)
    }
}

/// At the end of a residual block's body: in training, the body's output becomes 0 with probability `p`, per
/// image or for the whole batch, and is divided by `1 − p` if kept; in evaluation, the identity.
///
/// `torchvision.ops.StochasticDepth`; the draws are a function of the run's seed, the layer's path, the step
/// and the image's position in the batch. Huang et al., "Deep Networks with Stochastic Depth", 2016.
///
/// ```
/// use autograd::StochasticDepthMode;
/// use nn::{Linear, Residual, Sequential, StochasticDepth};
/// let body = Sequential::new().add(Linear::new(8, 8)).add(StochasticDepth::new(0.2, StochasticDepthMode::Row));
/// let _block = Residual::new(body);
/// ```
#[derive(Clone, Copy)]
pub struct StochasticDepth {
    p: f32,
    mode: StochasticDepthMode,
}

impl StochasticDepth {
    /// Drops with probability `p`.
    ///
    /// # Panics
    /// When `p` is not in [0, 1].
    #[track_caller]
    pub fn new(p: f32, mode: StochasticDepthMode) -> Self {
        Self { p: probability("StochasticDepth", p), mode }
    }
}

impl Layer for StochasticDepth {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.stochastic_depth(x, self.p, self.mode)
    }
}

impl Describe for Dropout {
    const NAME: &str = "Dropout";

    fn blank() -> Self {
        Self { p: 0.5 }
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.shown("p", &mut self.p, 0.5);
        args.only("inplace", false);
    }

    fn check(&self) -> Result<(), String> {
        check_probability(self.p)
    }
}

impl Describe for Dropout2d {
    const NAME: &str = "Dropout2d";

    fn blank() -> Self {
        Self { p: 0.5 }
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.shown("p", &mut self.p, 0.5);
        args.only("inplace", false);
    }

    fn check(&self) -> Result<(), String> {
        check_probability(self.p)
    }
}

impl Describe for StochasticDepth {
    const NAME: &str = "StochasticDepth";

    fn blank() -> Self {
        Self { p: 0.0, mode: StochasticDepthMode::Row }
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.named("p", &mut self.p);
        args.named("mode", &mut self.mode);
    }

    fn check(&self) -> Result<(), String> {
        check_probability(self.p)
    }
}

described!(Dropout, Dropout2d, StochasticDepth);

names!(StochasticDepthMode, "row or batch", { "row" => Self::Row, "batch" => Self::Batch });
