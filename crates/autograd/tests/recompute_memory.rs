//! How much memory a step takes whose parts are computed again in backward, or whose activations are fused. In a binary of its own, because the allocator
//! counts for all.

use autograd::{Graph, Mode, ParamId, Params, Role, Tape, Var};
use counting::Allocator;
use tensor::activation::Activation;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator::below_alignment(16);

/// One test, because the allocator counts what all threads hold.
#[test]
fn parts_save_memory_and_allocate_none_in_a_steady_step() {
    parts_take_a_fraction_of_the_memory();
    fused_activations_take_no_more_memory();
    a_steady_step_with_parts_allocates_nothing();
}

/// 36 layers tanh(W x), in parts of `n_layers`, or as a whole.
fn deep(g: &Graph<'_>, weights: &[ParamId], mut x: Var, n_layers: Option<usize>) -> Var {
    let layers = |g: &Graph<'_>, weights: &[ParamId], x: Var| {
        weights.iter().fold(x, |x, &weight| g.tanh(g.linear(x, g.param(weight), None)))
    };
    let Some(n_layers) = n_layers else { return g.sum(layers(g, weights, x)) };
    for weights in weights.chunks(n_layers) {
        x = g.recompute(&[x], |g, v| layers(g, weights, v[0]));
    }
    g.sum(x)
}

fn deep_params() -> (Params, Vec<ParamId>) {
    let mut params = Params::new();
    let ids: Vec<ParamId> = (0..36).map(|i| params.add(i.to_string(), [8, 8], Role::Trainable)).collect();
    params.values_mut().iter_mut().enumerate().for_each(|(i, w)| *w = (i as f32).sin());
    (params, ids)
}

fn parts_take_a_fraction_of_the_memory() {
    let values = vec![0.1; 2048 * 8];
    let peak = |n_layers: Option<usize>| {
        let (mut params, ids) = deep_params();
        let mut tape = Tape::new();
        ALLOCATOR.peak_of(|| {
            tape.step(&mut params, Mode::train(0, 0), |g| {
                deep(g, &ids, g.input([2048, 8], &values), n_layers)
            });
        })
    };
    // Values of 72 nodes; with parts, of 12 within one and of 6 without; and the few gradients that live at once.
    let (plain, parts) = (peak(None), peak(Some(6)));
    let value = size_of_val(&*values);
    assert!(plain > 72 * value && plain < 80 * value, "{plain} bytes, {} values", plain / value);
    assert!(parts < plain / 3, "{parts} bytes with parts, {plain} without");
}

fn fused_activations_take_no_more_memory() {
    let values = vec![0.1; 2048 * 8];
    let peak = |activation: Activation, is_fused: bool| {
        let (mut params, ids) = deep_params();
        let mut tape = Tape::new();
        ALLOCATOR.peak_of(|| {
            tape.step(&mut params, Mode::train(0, 0), |g| {
                let layer = |x, &weight: &ParamId| match (is_fused, activation) {
                    (true, _) => g.linear_activation(x, g.param(weight), None, activation),
                    (false, Activation::Relu) => g.relu(g.linear(x, g.param(weight), None)),
                    (false, _) => g.gelu(g.linear(x, g.param(weight), None)),
                };
                g.sum(ids.iter().fold(g.input([2048, 8], &values), layer))
            });
        })
    };
    let value = size_of_val(&*values);
    let of = |activation| [true, false].map(|is_fused| peak(activation, is_fused));
    let ([gelu, gelu_apart], [relu, relu_apart]) = (of(Activation::Gelu), of(Activation::Relu));
    // The kernels' scratch memory, two buffers for all layers, is as long as a value.
    assert!(gelu <= gelu_apart + 2 * value, "{gelu} bytes fused, {gelu_apart} apart, a value has {value}");
    // Of a ReLU only the output is kept.
    assert!(relu < relu_apart * 3 / 5, "{relu} bytes fused, {relu_apart} apart, a value has {value}");
}

fn a_steady_step_with_parts_allocates_nothing() {
    let values = vec![0.1; 16 * 8];
    let (mut params, ids) = deep_params();
    let (mut tape, mut step) = (Tape::new(), 0);
    let n_allocations = ALLOCATOR.usual_allocations(|| {
        tape.step(&mut params, Mode::train(0, step), |g| deep(g, &ids, g.input([16, 8], &values), Some(5)));
        step += 1;
    });
    assert_eq!(n_allocations, 0);
}
