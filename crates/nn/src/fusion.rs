//! The patterns of layers that [`Sequential`](crate::Sequential) runs as one op.
//!
//! A fused op does the same arithmetic with fewer passes over memory; a pattern whose sizes the fused
//! op does not take is run layer by layer. Names, printing and files know nothing of it.
//! [`Sequential::fuse`](crate::Sequential::fuse) switches it off.

use std::any::Any;

use autograd::{Graph, Var};

use crate::layer::Layer;
use crate::layers::{Linear, ReLU};

/// Runs the layers at the front of a slice as one op, or declines.
type Fused = fn(&[Box<dyn Layer>], &mut Graph<'_>, Var) -> Option<Var>;

/// How many layers a pattern takes, and the op that runs them.
const PATTERNS: [(usize, Fused); 1] = [
    (2, linear_relu), // Linear → ReLU
];

/// Runs the first pattern that fits the front of `layers`; says how many layers it took.
pub(crate) fn run(layers: &[Box<dyn Layer>], g: &mut Graph<'_>, x: Var) -> Option<(Var, usize)> {
    PATTERNS.iter().find_map(|&(n_layers, fused)| fused(layers.get(..n_layers)?, g, x).map(|y| (y, n_layers)))
}

fn linear_relu(layers: &[Box<dyn Layer>], g: &mut Graph<'_>, x: Var) -> Option<Var> {
    let linear = layer::<Linear>(&*layers[0])?;
    layer::<ReLU>(&*layers[1])?;
    Some(linear.forward_relu(g, x))
}

/// The layer, if it is of this kind.
fn layer<L: Layer>(layer: &dyn Layer) -> Option<&L> {
    let any: &dyn Any = layer;
    any.downcast_ref()
}
