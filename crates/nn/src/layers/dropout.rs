//! Dropout.

use std::fmt;

use autograd::{Graph, Var};

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
        assert!((0.0..=1.0).contains(&p), "Dropout::new: the probability p is {p}, expected 0 ≤ p ≤ 1");
        Self { p }
    }
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
