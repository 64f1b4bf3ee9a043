//! Rows of the element-wise ops.

use std::ops::{Range, RangeInclusive};
use std::rc::Rc;

use autograd::{Graph, Var};
use tensor::broadcast::broadcast_shapes;
use tensor::reference;

use super::case::{Case, Rng, Row, distance};

const INFINITY: RangeInclusive<f32> = f32::INFINITY..=f32::INFINITY;

pub(crate) fn rows() -> Vec<Row> {
    let unary = [
        unary("scale", 1e-6, -2.0..2.0, |g, x| g.scale(x, -1.75), |x| -1.75 * x),
        unary("add_scalar", 1e-6, -2.0..2.0, |g, x| g.add_scalar(x, 2.5), |x| x + 2.5),
        unary("exp", 1e-6, -2.0..2.0, |g, x| g.exp(x), f64::exp),
        unary("log", 1e-6, 0.1..4.0, |g, x| g.log(x), f64::ln),
        unary("sqrt", 1e-6, 0.1..4.0, |g, x| g.sqrt(x), f64::sqrt).at(0.0, INFINITY),
        pow(0.0).at(0.0, 0.0..=0.0).at(-2.0, 0.0..=0.0),
        pow(1.0),
        pow(2.0).at(0.0, 0.0..=0.0).at(-2.0, -4.0..=-4.0),
        pow(3.0),
        pow(-1.0),
        pow(0.5).at(0.0, INFINITY),
        pow(1.75),
        unary("abs", 1e-6, -2.0..2.0, |g, x| g.abs(x), f64::abs).at(0.0, 0.0..=0.0).at(-0.0, 0.0..=0.0),
        unary("sign", 1e-6, -2.0..2.0, |g, x| g.sign(x), f64::signum).at(0.0, 0.0..=0.0),
        clamp(-1.0, 0.5).at(-1.0, 0.0..=0.0).at(0.5, 0.0..=0.0),
        clamp(f32::NEG_INFINITY, 0.5).at(0.5, 0.0..=0.0),
        clamp(1.0, -1.0),
        unary("sin", 1e-6, -8.0..8.0, |g, x| g.sin(x), f64::sin),
        unary("cos", 1e-6, -8.0..8.0, |g, x| g.cos(x), f64::cos),
        unary("tan", 2e-6, -1.2..1.2, |g, x| g.tan(x), f64::tan),
        unary("asin", 2e-6, -0.95..0.95, |g, x| g.asin(x), f64::asin).at(1.0, INFINITY),
        unary("acos", 2e-6, -0.95..0.95, |g, x| g.acos(x), f64::acos)
            .at(1.0, f32::NEG_INFINITY..=f32::NEG_INFINITY),
        unary("atan", 1e-6, -8.0..8.0, |g, x| g.atan(x), f64::atan),
        unary("sinh", 2e-6, -4.0..4.0, |g, x| g.sinh(x), f64::sinh),
        unary("cosh", 2e-6, -4.0..4.0, |g, x| g.cosh(x), f64::cosh),
        // ANCHOR: activations
        unary("relu", 1e-6, -4.0..4.0, |g, x| g.relu(x), |x| x.max(0.0))
            .at(0.0, 0.0..=1.0)
            .at(-0.0, 0.0..=1.0),
        unary("leaky_relu", 1e-6, -4.0..4.0, |g, x| g.leaky_relu(x, 0.25), |x| x.max(0.25 * x))
            .at(0.0, 0.25..=1.0)
            .at(-0.0, 0.25..=1.0),
        unary("sigmoid", 1e-6, -4.0..4.0, |g, x| g.sigmoid(x), |x| 1.0 / (1.0 + (-x).exp())),
        unary("tanh", 1e-6, -4.0..4.0, |g, x| g.tanh(x), f64::tanh),
        unary("gelu", 2e-6, -4.0..4.0, |g, x| g.gelu(x), |x| reference::gelu_forward(&[x])[0]),
        // ANCHOR_END: activations
        unary("gelu_tanh", 2e-6, -4.0..4.0, |g, x| g.gelu_tanh(x), reference::gelu_tanh),
        unary("silu", 1e-6, -4.0..4.0, |g, x| g.silu(x), reference::silu),
        unary("mish", 1e-6, -4.0..4.0, |g, x| g.mish(x), reference::mish),
        // At the threshold the function jumps by ln(1 + e⁻⁵) / 2.
        unary(
            "softplus",
            1e-6,
            -4.0..4.0,
            |g, x| g.softplus(x, 2.0, 5.0),
            |x| reference::softplus(x, 2.0, 5.0),
        )
        .at(2.5, 0.99..=1.0),
        unary("log_sigmoid", 1e-6, -4.0..4.0, |g, x| g.log_sigmoid(x), reference::log_sigmoid),
        unary("elu", 1e-6, -4.0..4.0, |g, x| g.elu(x, 1.5), |x| reference::elu(x, 1.5, 1.0, 1.0))
            .at(0.0, 1.0..=1.5),
        unary("selu", 1e-6, -4.0..4.0, |g, x| g.selu(x), selu).at(0.0, 1.05..=1.7581),
        unary("celu", 1e-6, -4.0..4.0, |g, x| g.celu(x, 1.5), |x| reference::elu(x, 1.5, 1.0, 1.0 / 1.5))
            .at(0.0, 1.0..=1.0),
        unary("hardtanh", 1e-6, -4.0..4.0, |g, x| g.hardtanh(x, -1.5, 2.0), |x| x.clamp(-1.5, 2.0))
            .at(-1.5, 0.0..=1.0)
            .at(2.0, 0.0..=1.0),
        unary("hardtanh", 1e-6, -8.0..8.0, |g, x| g.relu6(x), |x| x.clamp(0.0, 6.0))
            .at(0.0, 0.0..=1.0)
            .at(6.0, 0.0..=1.0),
        unary("hardsigmoid", 1e-6, -4.0..4.0, |g, x| g.hardsigmoid(x), reference::hard_sigmoid)
            .at(-3.0, 0.0..=0.17)
            .at(3.0, 0.0..=0.17),
        unary("hardswish", 1e-6, -4.0..4.0, |g, x| g.hardswish(x), reference::hard_swish)
            .at(-3.0, -0.5..=0.0)
            .at(3.0, 1.0..=1.5),
    ];
    let others = [
        binary("add", 1e-6, -2.0..2.0, |g, a, b| g.add(a, b), |a, b| a + b),
        binary_apart(
            "add_relu",
            1e-6,
            -2.0..2.0,
            |g, a, b| g.add_relu(a, b),
            |a, b| (a + b).max(0.0),
            |a, b| (a + b).abs(),
        )
        .kink(&[&[0.5], &[-0.5]], |g, v| g.add_relu(v[0], v[1]), |dx| (0.0..=1.0).contains(&dx[0])),
        binary("sub", 1e-6, -2.0..2.0, |g, a, b| g.sub(a, b), |a, b| a - b),
        binary("mul", 1e-6, -2.0..2.0, |g, a, b| g.mul(a, b), |a, b| a * b),
        binary("div", 2e-6, 0.5..4.5, |g, a, b| g.div(a, b), |a, b| a / b),
        extreme("maximum", |g, a, b| g.maximum(a, b), f64::max),
        extreme("minimum", |g, a, b| g.minimum(a, b), f64::min),
        Row::new("prelu", 1e-6, prelu).margin(|x| distance(&x[0], 0.0)).kink(
            &[&[0.0], &[0.25]],
            |g, v| g.prelu(v[0], v[1]),
            |dx| (0.25..=1.0).contains(&dx[0]),
        ),
        Row::new("glu", 1e-6, glu),
        Row::new("dropout", 1e-6, dropout),
    ];
    unary.into_iter().map(Unary::row).chain(others).collect()
}

fn pow(p: f32) -> Unary {
    unary("pow", 2e-6, 0.3..2.0, move |g, x| g.pow(x, p), move |x| x.powf(f64::from(p)))
}

fn clamp(min: f32, max: f32) -> Unary {
    let f = move |x: f64| x.max(f64::from(min)).min(f64::from(max));
    unary("clamp", 1e-6, -2.0..2.0, move |g, x| g.clamp(x, min, max), f)
}

/// The larger or the smaller of two operands.
fn extreme(op: &'static str, record: fn(&Graph<'_>, Var, Var) -> Var, f: fn(f64, f64) -> f64) -> Row {
    let row = binary_apart(op, 1e-6, -2.0..2.0, record, f, |a, b| (a - b).abs());
    row.kink(&[&[0.5], &[0.5]], move |g, v| record(g, v[0], v[1]), |dx| dx == [0.5])
}

/// An op of one input, drawn from a range, and its formula in f64.
struct Unary {
    op: &'static str,
    tolerance: f64,
    range: Range<f32>,
    record: Rc<RecordUnary>,
    f: Rc<dyn Fn(f64) -> f64>,
    points: Vec<(f32, RangeInclusive<f32>)>,
}

type RecordUnary = dyn Fn(&Graph<'_>, Var) -> Var;

fn unary(
    op: &'static str,
    tolerance: f64,
    range: Range<f32>,
    record: impl Fn(&Graph<'_>, Var) -> Var + 'static,
    f: impl Fn(f64) -> f64 + 'static,
) -> Unary {
    Unary { op, tolerance, range, record: Rc::new(record), f: Rc::new(f), points: Vec::new() }
}

impl Unary {
    /// Adds a point without a derivative, and the gradients that are allowed there.
    fn at(mut self, x: f32, allowed: RangeInclusive<f32>) -> Self {
        self.points.push((x, allowed));
        self
    }

    fn row(self) -> Row {
        let Self { op, tolerance, range, record, f, points } = self;
        let (record_case, kinks) = (record.clone(), points.clone());
        let row = Row::new(op, tolerance, move |rng| {
            let (shape, record, f) = (rng.batch_shape(0..=4), record_case.clone(), f.clone());
            let x = rng.images_in(shape, range.clone());
            Case::new(vec![x], move |g, v| record(g, v[0]), move |x| x[0].iter().map(|&x| f(x)).collect())
        });
        let row = row.margin(move |x| {
            kinks.iter().map(|&(kink, _)| distance(&x[0], kink.into())).fold(f64::INFINITY, f64::min)
        });
        points.into_iter().fold(row, |row, (x, allowed)| {
            let record = record.clone();
            row.kink(&[&[x]], move |g, v| record(g, v[0]), move |dx| allowed.contains(&dx[0]))
        })
    }
}

/// An op of two operands that broadcast, the second drawn from a range.
fn binary(
    op: &'static str,
    tolerance: f64,
    b_range: Range<f32>,
    record: fn(&Graph<'_>, Var, Var) -> Var,
    f: fn(f64, f64) -> f64,
) -> Row {
    // A divisor keeps away from 0, also when one value stands for both operands.
    let is_divisor = b_range.start > 0.0;
    let margin: fn(f64, f64) -> f64 = if is_divisor { |_, b| b.abs() - 0.1 } else { |_, _| f64::INFINITY };
    binary_apart(op, tolerance, b_range, record, f, margin)
}

/// The same, of operands that keep the distance `margin(a, b)` from a kink.
fn binary_apart(
    op: &'static str,
    tolerance: f64,
    b_range: Range<f32>,
    record: fn(&Graph<'_>, Var, Var) -> Var,
    f: fn(f64, f64) -> f64,
    margin: fn(f64, f64) -> f64,
) -> Row {
    Row::new(op, tolerance, move |rng| {
        let shape = rng.batch_shape(0..=4);
        // Of a batch at least one operand has the images.
        let whole = if rng.is_batch() { rng.size(0..=1) } else { 2 };
        let is_whole = [0, 1].map(|i| i == whole || rng.bool());
        let shapes = is_whole.map(|is_whole| if is_whole { shape } else { rng.broadcasting_to(shape) });
        let inputs = [(0, -2.0..2.0), (1, b_range.clone())].map(|(i, range)| {
            if is_whole[i] { rng.images_in(shapes[i], range) } else { rng.variable_in(shapes[i], range) }
        });
        let y_shape = broadcast_shapes(&shapes[0], &shapes[1]).expect("both broadcast to one shape");
        let wide = move |x: &[Vec<f64>], i: usize| reference::broadcast_forward(&x[i], &shapes[i], &y_shape);
        Case::new(
            inputs.into(),
            move |g, v| record(g, v[0], v[1]),
            move |x| wide(x, 0).into_iter().zip(wide(x, 1)).map(|(a, b)| f(a, b)).collect(),
        )
        .margin(move |x| {
            wide(x, 0).into_iter().zip(wide(x, 1)).map(|(a, b)| margin(a, b)).fold(f64::INFINITY, f64::min)
        })
    })
}

/// Which elements were dropped is read from the output.
fn dropout(rng: &mut Rng) -> Case {
    let (p, shape) = ([0.0, 0.3, 0.5, 1.0][rng.size(0..=3)], rng.batch_shape(0..=4));
    let x = rng.images_in(shape, 0.5..2.0);
    let mut case = Case::new(vec![x], move |g, v| g.dropout(v[0], p), <[_]>::concat);
    case.reference = Box::new(move |x, output| {
        let kept = |(x, &y): (&f64, &f32)| if y == 0.0 { 0.0 } else { x / (1.0 - f64::from(p)) };
        x[0].iter().zip(output).map(kept).collect()
    });
    case
}

fn selu(x: f64) -> f64 {
    reference::elu(x, 1.6732632423543772, 1.0507009873554805, 1.0)
}

/// With one weight, or one for each channel.
fn prelu(rng: &mut Rng) -> Case {
    let shape = rng.batch_shape(1..=4);
    let channels = if rng.bool() { shape[shape.rank() - 1] } else { 1 };
    // A batch of vectors has its images where the channels would be.
    let channels = if rng.is_batch() && shape.rank() == 1 { 1 } else { channels };
    Case::new(
        vec![rng.images(shape), rng.variable([channels])],
        |g, v| g.prelu(v[0], v[1]),
        move |x| {
            let leaky = |(i, &v): (usize, &f64)| if v > 0.0 { v } else { x[1][i % channels] * v };
            x[0].iter().enumerate().map(leaky).collect()
        },
    )
}

fn glu(rng: &mut Rng) -> Case {
    let rest = rng.batch_shape(1..=3);
    let half = rng.size(0..=3);
    let shape = [rest.dims(), &[2 * half]].concat();
    Case::new(vec![rng.images(&shape[..])], |g, v| g.glu(v[0]), move |x| reference::glu(&x[0], half))
}
