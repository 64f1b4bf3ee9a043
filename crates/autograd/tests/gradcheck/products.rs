//! Rows of the matrix products and softmaxes.

use autograd::{Graph, Var};
use tensor::activation::Activation;
use tensor::linear::LinearShape;
use tensor::matmul::MatmulShape;
use tensor::reference;

use super::activations::ACTIVATIONS;
use super::case::{Case, Rng, Row, distance};
use super::norms::activated;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new("matmul", 2e-6, |rng| {
            let [mut m, mut k, n] = [(); 3].map(|()| rng.size(1..=5));
            // The images of a batch are the rows of a, or are summed over.
            let (transpose_a, transpose_b) = (rng.bool(), rng.bool());
            let transpose_b = transpose_b && !(rng.is_batch() && transpose_a);
            if transpose_a {
                k = rng.batch(k..=k)
            } else {
                m = rng.batch(m..=m)
            }
            let shape = MatmulShape { m, k, n, transpose_a, transpose_b };
            let a = rng.images(if transpose_a { [k, m] } else { [m, k] });
            let b = if transpose_b { [n, k] } else { [k, n] };
            let b = if transpose_a { rng.images(b) } else { rng.variable(b) };
            Case::new(
                vec![a, b],
                move |g, v| g.matmul_transposed(v[0], v[1], [transpose_a, transpose_b]),
                move |x| reference::matmul(&x[0], &x[1], &shape),
            )
        }),
        Row::new("matmul", 2e-6, batched_matmul),
        Row::new("linear", 2e-6, |rng| linear(rng).0),
        Row::new("linear_activation", 1e-5, |rng| {
            let activation = ACTIVATIONS[rng.size(0..=3)];
            let (case, linear) = linear(rng);
            let record = move |g: &Graph<'_>, v: &[Var]| {
                g.linear_activation(v[0], v[1], v.get(2).copied(), activation)
            };
            let forward = linear.clone();
            let case = Case::new(case.inputs, record, move |x| activated(forward(x), activation));
            match activation {
                Activation::Relu => case.margin(move |x| distance(&linear(x), 0.0)),
                _ => case,
            }
        })
        .kink(&[&[0.0]], linear_relu_of_numbers, |dx| (0.0..=3.0).contains(&dx[0])),
        Row::new("softmax", 2e-6, |rng| {
            let shape = if rng.is_batch() { rng.batch_shape(2..=3) } else { rng.shape(0..=3) };
            let cols = shape.last().copied().unwrap_or(1);
            Case::new(
                vec![rng.images(shape)],
                |g, v| g.softmax(v[0]),
                move |x| reference::softmax_forward(&x[0], cols),
            )
        }),
        Row::new("log_softmax", 2e-6, |rng| {
            let shape = if rng.is_batch() { rng.batch_shape(2..=3) } else { rng.shape(0..=3) };
            let cols = shape.last().copied().unwrap_or(1);
            Case::new(
                vec![rng.images(shape)],
                |g, v| g.log_softmax(v[0]),
                move |x| reference::log_softmax_forward(&x[0], cols),
            )
        }),
    ]
}

/// At least one of the operands has all leading axes; of a batch, that one has the images. A vector is one without rows.
fn batched_matmul(rng: &mut Rng) -> Case {
    let leading = rng.batch_shape(1..=3);
    let [m, k, n] = [(); 3].map(|()| rng.size(1..=4));
    let product = MatmulShape { m, k, n, transpose_a: rng.bool(), transpose_b: rng.bool() };
    let MatmulShape { transpose_a, transpose_b, .. } = product;
    let whole = rng.size(0..=1);
    let is_whole = [0, 1].map(|i| i == whole || rng.bool());
    let axes = is_whole.map(|is_whole| if is_whole { leading } else { rng.broadcasting_to(leading) });
    let sizes = [if transpose_a { [k, m] } else { [m, k] }, if transpose_b { [n, k] } else { [k, n] }];
    let inputs = [0, 1].map(|i| {
        let shape = [axes[i].dims(), &sizes[i]].concat();
        if is_whole[i] { rng.images(&shape[..]) } else { rng.variable(&shape[..]) }
    });
    Case::new(
        inputs.into(),
        move |g, v| g.matmul_transposed(v[0], v[1], [transpose_a, transpose_b]),
        move |x| reference::batched_matmul((&x[0], &axes[0]), (&x[1], &axes[1]), &leading, &product),
    )
}

/// relu(3 · x).
fn linear_relu_of_numbers(g: &Graph<'_>, v: &[Var]) -> Var {
    let (x, w) = (g.reshape(v[0], [1, 1]), g.input([1, 1], &[3.0]));
    g.linear_activation(x, w, None, Activation::Relu)
}

// ANCHOR: linear
/// A linear layer of random sizes, and its forward.
fn linear(rng: &mut Rng) -> (Case, impl Fn(&[Vec<f64>]) -> Vec<f64> + Clone + 'static) {
    let leading = rng.batch_shape(0..=2);
    let (in_features, out_features) = (rng.size(1..=5), rng.size(1..=5));
    let dims = [leading.dims(), &[in_features]].concat();
    let mut inputs = vec![rng.images(dims.as_slice()), rng.variable([out_features, in_features])];
    if rng.bool() {
        inputs.push(rng.variable([out_features]));
    }
    let shape = LinearShape { batch: leading.numel(), in_features, out_features };
    let forward =
        move |x: &[Vec<f64>]| reference::linear_forward(&x[0], &x[1], x.get(2).map(Vec::as_slice), &shape);
    let record = |g: &Graph<'_>, v: &[Var]| g.linear(v[0], v[1], v.get(2).copied());
    (Case::new(inputs, record, forward), forward)
}
// ANCHOR_END: linear
