//! Dropout.

use std::fmt;

use autograd::{Graph, StochasticDepthMode, Var};

use crate::layer::Layer;

/// In training, each element becomes 0 with probability `p`, and what is kept is divided by `1 − p`;
/// in evaluation, the identity.
///
/// The draws are a function of the run's seed, the layer's path, the step and the element's place.
/// Srivastava et al., "Dropout", JMLR 2014.
#[derive(Clone, Copy)]
pub struct Dropout {
    p: f32,
}

impl Dropout {
    /// Drops with probability `p`.
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
    assert!((0.0..=1.0).contains(&p), "{layer}::new: the probability p is {p}, expected 0 ≤ p ≤ 1");
    p
}

impl Layer for Dropout {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.dropout(x, self.p)
    }
}

impl fmt::Debug for Dropout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dropout(p={})", self.p)
    }
}

/// In training, each channel of each image `[n, …, c]` becomes 0 with probability `p`, and the others are divided by
/// `1 − p`; in evaluation, the identity.
///
/// The draws are a function of the run's seed, the layer's path, the step and the image's place in the batch. Tompson et
/// al., "Efficient Object Localization Using Convolutional Networks", 2015.
#[derive(Clone, Copy)]
pub struct Dropout2d {
    p: f32,
}

impl Dropout2d {
    /// Drops a channel with probability `p`; 0.5 in PyTorch unless told otherwise.
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

impl fmt::Debug for Dropout2d {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dropout2d(p={})", self.p)
    }
}

/// At the end of a residual block's body: in training, what the body made becomes 0 with probability `p`, for an image or
/// for the whole batch, and is divided by `1 − p` where it is kept; in evaluation, the identity.
///
/// `torchvision.ops.StochasticDepth`; the draws are a function of the run's seed, the layer's path, the step and the
/// image's place in the batch. Huang et al., "Deep Networks with Stochastic Depth", 2016.
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

impl fmt::Debug for StochasticDepth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            StochasticDepthMode::Row => "row",
            StochasticDepthMode::Batch => "batch",
        };
        write!(f, "StochasticDepth(p={}, mode={mode})", self.p)
    }
}
