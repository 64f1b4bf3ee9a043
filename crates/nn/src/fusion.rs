//! The patterns of layers that [`Sequential`](crate::Sequential) runs as one op.
//!
//! A fused op computes the same, to rounding, with fewer passes over memory. If the fused op does not support
//! a pattern's sizes, or [`Tape::eval_under`](autograd::Tape::eval_under) names one of its layers, the
//! pattern runs layer by layer. Names, printing and files are unaffected.
//! [`Sequential::fuse`](crate::Sequential::fuse) switches fusion off.

use std::any::Any;

use autograd::{Graph, Var};
use tensor::activation::Activation;

use crate::layer::{Child, Layer};
use crate::layers::{BatchNorm1d, BatchNorm2d, Conv2d, GELU, Linear, MaxPool2d, ReLU, Residual, SiLU};

/// Runs the layers at the front of a slice as one op, or declines.
type Fused = fn(&[Child], &Graph<'_>, Var) -> Option<Var>;

/// How many layers a pattern takes, and the op that runs them; the longest first.
const PATTERNS: [(usize, Fused); 6] = [
    (3, conv_relu_pool),        // Conv2d → ReLU → MaxPool2d(2)
    (2, conv_pool),             // Conv2d → MaxPool2d(2)
    (2, conv_batch_norm),       // Conv2d → BatchNorm2d, in evaluation
    (2, linear_activation),     // Linear → ReLU, GELU or SiLU
    (2, batch_norm_activation), // BatchNorm → ReLU, GELU or SiLU
    (2, residual_relu),         // Residual → ReLU
];

const LONGEST: usize = PATTERNS[0].0;

/// Runs the first pattern that matches the front of `layers`, under the name of the first layer; also returns
/// the number of layers it took.
pub(crate) fn run(layers: &[Child], g: &Graph<'_>, x: Var) -> Option<(Var, usize)> {
    // A layer that `Tape::eval_under` names has a mode of its own.
    let n_alike = layers.iter().take(LONGEST).take_while(|layer| !g.is_evaluated(&layer.name)).count();
    let layers = &layers[..n_alike];
    // A scope takes longer than all the checks within it, and no pattern is a single layer.
    let [first, _, ..] = layers else { return None };
    g.scope(&first.name, |g| {
        PATTERNS.iter().find_map(|&(n_layers, fused)| {
            let y = fused(layers.get(..n_layers)?, g, x)?;
            Some((y, n_layers))
        })
    })
}

fn conv_relu_pool(layers: &[Child], g: &Graph<'_>, x: Var) -> Option<Var> {
    let conv = layer::<Conv2d>(&layers[0])?;
    layer::<ReLU>(&layers[1])?;
    layer::<MaxPool2d>(&layers[2]).filter(|pool| pool.is_2x2())?;
    conv.forward_pool(g, x, true)
}

fn conv_pool(layers: &[Child], g: &Graph<'_>, x: Var) -> Option<Var> {
    let conv = layer::<Conv2d>(&layers[0])?;
    layer::<MaxPool2d>(&layers[1]).filter(|pool| pool.is_2x2())?;
    conv.forward_pool(g, x, false)
}

/// In evaluation, folds a batch norm into the weights of the preceding convolution, which saves a pass over
/// the images.
fn conv_batch_norm(layers: &[Child], g: &Graph<'_>, x: Var) -> Option<Var> {
    let conv = layer::<Conv2d>(&layers[0]).filter(|conv| conv.is_small_beside(g.shape(x)))?;
    let norm = layer::<BatchNorm2d>(&layers[1])?;
    Some(conv.forward_scaled(g, x, norm.scale_and_shift(g)?))
}

fn linear_activation(layers: &[Child], g: &Graph<'_>, x: Var) -> Option<Var> {
    let linear = layer::<Linear>(&layers[0])?;
    Some(linear.forward_activation(g, x, activation(&layers[1])?))
}

fn batch_norm_activation(layers: &[Child], g: &Graph<'_>, x: Var) -> Option<Var> {
    let activation = activation(&layers[1])?;
    let of_vectors = layer::<BatchNorm1d>(&layers[0]).map(|norm| norm.forward_activation(g, x, activation));
    of_vectors
        .or_else(|| layer::<BatchNorm2d>(&layers[0]).map(|norm| norm.forward_activation(g, x, activation)))
}

fn residual_relu(layers: &[Child], g: &Graph<'_>, x: Var) -> Option<Var> {
    let residual = layer::<Residual>(&layers[0])?;
    layer::<ReLU>(&layers[1])?;
    Some(residual.forward_relu(g, x))
}

/// The layer as an activation that other ops compute in the same pass, if it is one.
fn activation(child: &Child) -> Option<Activation> {
    layer::<ReLU>(child)
        .map(|_| Activation::Relu)
        .or_else(|| layer::<SiLU>(child).map(|_| Activation::Silu))
        .or_else(|| layer::<GELU>(child).map(|gelu| gelu.as_activation()))
}

/// The layer, if it is of this type, however many `Box<dyn Layer>` it is in.
fn layer<L: Layer>(child: &Child) -> Option<&L> {
    let mut any: &dyn Any = &*child.layer;
    while let Some(boxed) = any.downcast_ref::<Box<dyn Layer>>() {
        any = &**boxed;
    }
    any.downcast_ref()
}

#[cfg(test)]
mod tests {
    use autograd::{Mode, Tape};
    use tensor::conv::Algorithm;

    use super::*;
    use crate::layers::{Approximate, Flatten, PaddingMode, Tanh};
    use crate::sequential::Sequential;

    /// How many layers at the front of the model run as one; 0 if none do.
    fn n_fused(net: Sequential, shape: &[usize]) -> usize {
        let (net, mut params) = crate::build(net, 0);
        let mut tape = Tape::new();
        let g = tape.begin(&mut params, Mode::eval());
        let x = g.input(shape, &vec![0.0; shape.iter().product()]);
        run(&net.children, &g, x).map_or(0, |(_, n_layers)| n_layers)
    }

    #[test]
    fn patterns_are_seen_where_they_are_and_nowhere_else() {
        let conv = || Conv2d::new(3, 8, 3).padding(1);
        let block = |conv, pool| Sequential::new().add(conv).add(ReLU).add(pool).add(Flatten);
        let image = [2, 8, 8, 3];
        assert_eq!(n_fused(block(conv(), MaxPool2d::new(2)), &image), 3);
        assert_eq!(n_fused(block(conv().bias(false), MaxPool2d::new([2, 2]).stride(2)), &image), 3);
        let same = || Conv2d::new(3, 8, 3).padding_same();
        assert_eq!(n_fused(block(same(), MaxPool2d::new(2)), &image), 3);
        assert_eq!(n_fused(block(same().padding_mode(PaddingMode::Reflect), MaxPool2d::new(2)), &image), 0);
        assert_eq!(n_fused(block(conv(), MaxPool2d::new(3)), &image), 0);
        assert_eq!(n_fused(block(conv(), MaxPool2d::new(2).ceil_mode(true)), &image), 0);
        assert_eq!(n_fused(block(conv(), MaxPool2d::new(2).stride(1)), &image), 0);
        assert_eq!(n_fused(block(conv().stride(2), MaxPool2d::new(2)), &image), 0);
        assert_eq!(n_fused(block(conv().algorithm(Algorithm::Im2col), MaxPool2d::new(2)), &image), 0);
        assert_eq!(n_fused(Sequential::new().add(conv()).add(ReLU), &image), 0);
        assert_eq!(n_fused(Sequential::new().add(conv()).add(MaxPool2d::new(2)).add(ReLU), &image), 2);
        assert_eq!(n_fused(Sequential::new().add(conv()).add(MaxPool2d::new(3)), &image), 0);

        let linear = || Linear::new(4, 5);
        let boxed: Box<dyn Layer> = Box::new(linear());
        assert_eq!(n_fused(Sequential::new().add(boxed).add_named("act", ReLU), &[2, 4]), 2);
        assert_eq!(n_fused(Sequential::new().add(linear()).add(Tanh), &[2, 4]), 0);
        assert_eq!(n_fused(Sequential::new().add(linear()), &[2, 4]), 0);
        assert_eq!(n_fused(Sequential::new(), &[2, 4]), 0);

        let norm = || Sequential::new().add(BatchNorm1d::new(4));
        let activations: [Box<dyn Layer>; 4] = [
            Box::new(ReLU),
            Box::new(SiLU),
            Box::new(GELU::default()),
            Box::new(GELU::new(Approximate::Tanh)),
        ];
        for activation in activations {
            assert_eq!(n_fused(Sequential::new().add(linear()).add(activation.clone()), &[2, 4]), 2);
            assert_eq!(n_fused(norm().add(activation), &[2, 4]), 2);
        }
        assert_eq!(n_fused(Sequential::new().add(BatchNorm2d::new(3)).add(ReLU), &image), 2);
        assert_eq!(n_fused(norm().add(Tanh), &[2, 4]), 0);

        // The unit test's graph is in evaluation mode; training uses the batch's statistics.
        let folds = |conv: Conv2d, norm: BatchNorm2d| n_fused(Sequential::new().add(conv).add(norm), &image);
        assert_eq!(folds(Conv2d::new(3, 7, 3), BatchNorm2d::new(7)), 2);
        assert_eq!(
            folds(Conv2d::new(3, 8, 3), BatchNorm2d::new(8)),
            0,
            "more weights than numbers of an image"
        );
        assert_eq!(folds(Conv2d::new(3, 7, 3), BatchNorm2d::new(7).track_running_stats(false)), 0);

        let residual = || Sequential::new().add(Residual::new(Linear::new(4, 4)));
        assert_eq!(n_fused(residual().add(ReLU), &[2, 4]), 2);
        assert_eq!(n_fused(residual().add(SiLU), &[2, 4]), 0);
        assert_eq!(n_fused(norm().add(norm()), &[2, 4]), 0);
    }
}
