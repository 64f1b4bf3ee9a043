//! Rows of the element-wise ops.

use autograd::{Graph, Var};
use tensor::broadcast::broadcast_shapes;
use tensor::reference;

use crate::case::{Case, Record, Rng, Row, distance};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new("Add", 1e-6, |rng| binary(rng, 0.0, |g, v| g.add(v[0], v[1]), |a, b| a + b)),
        Row::new("Sub", 1e-6, |rng| binary(rng, 0.0, |g, v| g.sub(v[0], v[1]), |a, b| a - b)),
        Row::new("Mul", 1e-6, |rng| binary(rng, 0.0, |g, v| g.mul(v[0], v[1]), |a, b| a * b)),
        Row::new("Div", 2e-6, |rng| binary(rng, 2.5, |g, v| g.div(v[0], v[1]), |a, b| a / b)),
        Row::new("Scale", 1e-6, |rng| {
            let factor = rng.float(-3.0..3.0);
            unary(rng, -2.0..2.0, move |g, x| g.scale(x, factor), move |x| f64::from(factor) * x)
        }),
        Row::new("AddScalar", 1e-6, |rng| {
            let number = rng.float(-3.0..3.0);
            unary(rng, -2.0..2.0, move |g, x| g.add_scalar(x, number), move |x| x + f64::from(number))
        }),
        Row::new("Exp", 1e-6, |rng| unary(rng, -2.0..2.0, |g, x| g.exp(x), f64::exp)),
        Row::new("Log", 1e-6, |rng| unary(rng, 0.1..4.0, |g, x| g.log(x), f64::ln)),
        Row::new("Sqrt", 1e-6, |rng| unary(rng, 0.1..4.0, |g, x| g.sqrt(x), f64::sqrt)).kink(
            &[&[0.0]],
            |g, v| g.sqrt(v[0]),
            |dx| dx == [f32::INFINITY],
        ),
        Row::new("Pow", 2e-6, |rng| {
            let exponent = [0.0, 1.0, 2.0, 3.0, -1.0, 0.5, 1.7][rng.size(0..=6)];
            unary(rng, 0.3..2.0, move |g, x| g.pow(x, exponent), move |x| x.powf(f64::from(exponent)))
        })
        .kink(&[&[0.0, -2.0]], |g, v| g.pow(v[0], 0.0), |dx| dx == [0.0, 0.0])
        .kink(&[&[0.0, -2.0]], |g, v| g.pow(v[0], 2.0), |dx| dx == [0.0, -4.0])
        .kink(&[&[0.0]], |g, v| g.pow(v[0], 0.5), |dx| dx == [f32::INFINITY]),
        Row::new("Relu", 1e-6, |rng| {
            activation(rng, |g, x| g.relu(x), reference::relu_forward).margin(|x| distance(&x[0], 0.0))
        })
        .kink(
            &[&[0.0, -0.0]],
            |g, v| g.relu(v[0]),
            |dx| dx.iter().all(|dx| (0.0..=1.0).contains(dx)),
        ),
        Row::new("LeakyRelu", 1e-6, |rng| {
            let slope = rng.float(0.01..0.5);
            let forward = move |x: &[f64]| reference::leaky_relu_forward(x, f64::from(slope));
            activation(rng, move |g, x| g.leaky_relu(x, slope), forward).margin(|x| distance(&x[0], 0.0))
        })
        .kink(
            &[&[0.0, -0.0]],
            |g, v| g.leaky_relu(v[0], 0.2),
            |dx| dx.iter().all(|dx| (0.2..=1.0).contains(dx)),
        ),
        Row::new("Sigmoid", 1e-6, |rng| activation(rng, |g, x| g.sigmoid(x), reference::sigmoid_forward)),
        Row::new("Tanh", 1e-6, |rng| activation(rng, |g, x| g.tanh(x), reference::tanh_forward)),
        Row::new("Gelu", 2e-6, |rng| activation(rng, |g, x| g.gelu(x), reference::gelu_forward)),
        Row::new("Dropout", 1e-6, dropout),
    ]
}

/// Two operands that broadcast; the second keeps `offset` away from 0 where that is not 0.
fn binary(rng: &mut Rng, offset: f32, record: Record, f: fn(f64, f64) -> f64) -> Case {
    let shape = rng.shape(0..=4);
    let shapes = [(); 2].map(|()| if rng.bool() { shape } else { rng.broadcasting_to(shape) });
    let y_shape = broadcast_shapes(&shapes[0], &shapes[1]).expect("both broadcast to one shape");
    let (a, mut b) = (rng.variable(shapes[0]), rng.variable(shapes[1]));
    b.values.iter_mut().for_each(|b| *b += offset);
    let alike = move |x: &[Vec<f64>], i: usize| reference::broadcast_forward(&x[i], &shapes[i], &y_shape);
    let expected =
        move |x: &[Vec<f64>]| alike(x, 0).into_iter().zip(alike(x, 1)).map(|(a, b)| f(a, b)).collect();
    Case::new(vec![a, b], record, expected).margin(move |x| {
        // A division keeps away from 0, also when a value stands for both operands.
        if offset == 0.0 { f64::INFINITY } else { distance(&x[1], 0.0) - 0.1 }
    })
}

fn unary(
    rng: &mut Rng,
    range: std::ops::Range<f32>,
    record: impl Fn(&Graph<'_>, Var) -> Var + 'static,
    f: impl Fn(f64) -> f64 + 'static,
) -> Case {
    let shape = rng.shape(0..=4);
    let x = rng.variable_in(shape, range);
    Case::new(vec![x], move |g, v| record(g, v[0]), move |x| x[0].iter().map(|&x| f(x)).collect())
}

fn activation(
    rng: &mut Rng,
    record: impl Fn(&Graph<'_>, Var) -> Var + 'static,
    forward: impl Fn(&[f64]) -> Vec<f64> + 'static,
) -> Case {
    let shape = rng.shape(0..=4);
    let x = rng.variable_in(shape, -4.0..4.0);
    Case::new(vec![x], move |g, v| record(g, v[0]), move |x| forward(&x[0]))
}

/// Which elements were dropped is read from the output.
fn dropout(rng: &mut Rng) -> Case {
    let (p, shape) = ([0.0, 0.3, 0.5, 1.0][rng.size(0..=3)], rng.shape(0..=4));
    let x = rng.variable_in(shape, 0.5..2.0);
    let mut case = Case::new(vec![x], move |g, v| g.dropout(v[0], p), <[_]>::concat);
    case.reference = Box::new(move |x, output| {
        let kept = |(x, &y): (&f64, &f32)| if y == 0.0 { 0.0 } else { x / (1.0 - f64::from(p)) };
        x[0].iter().zip(output).map(kept).collect()
    });
    case
}
