//! The inner layer of one that is about to be read.

use autograd::{Graph, Var};

use crate::layer::Layer;

/// Stands for an inner layer until it is read.
#[derive(Clone, Debug)]
pub(super) struct Unread;

impl<X: 'static> Layer<X> for Unread {
    fn forward(&self, _: &Graph<'_>, _: X) -> Var {
        unreachable!("a configuration without the layer is an error")
    }
}
