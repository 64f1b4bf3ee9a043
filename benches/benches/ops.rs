//! Ops on the tape: forward and backward of one op between an input and a sum, tape included.

use autograd::{Graph, Mode, Params, Tape, Var};
use bench_protocol::uniform;
use benches::criterion;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// The elements of an op's input: a batch of 64 with 4,096 each.
const SHAPE: [usize; 2] = [64, 4096];

/// An op of one input.
type Op = fn(&Graph<'_>, Var) -> Var;

const OPS: [(&str, Op); 20] = [
    ("add", |g, x| g.add(x, x)),
    ("sub", |g, x| g.sub(x, x)),
    ("mul", |g, x| g.mul(x, x)),
    ("div", |g, x| g.div(x, x)),
    ("add_scalar", |g, x| g.add_scalar(x, 1.0)),
    ("scale", |g, x| g.scale(x, 2.0)),
    ("pow", |g, x| g.pow(x, 3.0)),
    ("exp", |g, x| g.exp(x)),
    ("log", |g, x| g.log(x)),
    ("sqrt", |g, x| g.sqrt(x)),
    ("relu", |g, x| g.relu(x)),
    ("sigmoid", |g, x| g.sigmoid(x)),
    ("tanh", |g, x| g.tanh(x)),
    ("gelu", |g, x| g.gelu(x)),
    ("softmax", |g, x| g.softmax(x)),
    ("log_softmax", |g, x| g.log_softmax(x)),
    ("dropout", |g, x| g.dropout(x, 0.5)),
    ("mean_axes", |g, x| g.mean_axes(x, 0, false)),
    ("transpose", |g, x| g.transpose(x, 0, 1)),
    ("concat", |g, x| g.concat(&[x, x], 1)),
];

fn ops(c: &mut Criterion) {
    let mut group = c.benchmark_group("ops");
    // Positive, for the roots and logarithms.
    let values: Vec<f32> = uniform(0, SHAPE[0] * SHAPE[1], 1.0).into_iter().map(|v| v.abs() + 0.1).collect();
    group.throughput(Throughput::Elements(values.len() as u64));
    let (mut tape, mut params) = (Tape::new(), Params::new());
    // What the input and the sum cost without an op between them.
    let bare: [(&str, Op); 1] = [("nothing", |_, x| x)];
    for (name, op) in bare.into_iter().chain(OPS) {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut g = tape.begin(&mut params, Mode::train(0, 0));
                let x = g.variable(SHAPE, &values);
                let y = op(&g, x);
                let sum = g.sum(y);
                g.backward(sum);
            });
        });
    }
}

criterion_group! { name = benches; config = criterion(); targets = ops }
criterion_main!(benches);
