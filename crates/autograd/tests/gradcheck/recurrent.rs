//! Rows of the recurrent layers.

use autograd::{Graph, RecurrentOptions, RnnNonlinearity, Var};
use tensor::recurrent::{Cell, Recurrence, RecurrentShape};
use tensor::reference;

use super::case::{Case, Rng, Row, distance};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new("rnn", 5e-6, |rng| recurrent(rng, Cell::Tanh)),
        Row::new("rnn", 5e-6, |rng| recurrent(rng, Cell::Relu)),
        Row::new("gru", 5e-6, |rng| recurrent(rng, Cell::Gru)),
        Row::new("lstm", 5e-6, |rng| recurrent(rng, Cell::Lstm)),
        Row::composition("zero_past_end", 1e-6, |rng| {
            let (n, steps, features) = (rng.batch(1..=4), rng.size(1..=5), rng.size(1..=3));
            // None of the elements, or some, or all.
            let lengths = rng.indices_of_images(n, 1, steps + 1);
            let expected = lengths.clone();
            Case::new(
                vec![rng.images([n, steps, features])],
                move |g, v| g.zero_past_end(v[0], g.indices(&lengths)),
                move |x| {
                    let mut y = x[0].clone();
                    for (y, &length) in y.chunks_exact_mut(steps * features).zip(&expected) {
                        y[length as usize * features..].fill(0.0);
                    }
                    y
                },
            )
        }),
    ]
}

/// A layer of random sizes in either direction, with or without bias, state and lengths.
fn recurrent(rng: &mut Rng, cell: Cell) -> Case {
    let (batch, steps, hidden, reverse) = (rng.batch(1..=3), rng.size(1..=4), rng.size(1..=3), rng.bool());
    let shape = RecurrentShape { batch, steps, hidden, cell, reverse };
    let mut inputs = vec![rng.images([batch, steps, shape.gates()]), rng.variable([shape.gates(), hidden])];
    let bias = rng.bool().then(|| {
        inputs.push(rng.variable([shape.gates()]));
        2
    });
    let state = rng.bool().then(|| {
        inputs.extend((0..cell.n_states()).map(|_| rng.images([batch, hidden])));
        inputs.len() - cell.n_states()
    });
    let lengths = rng.bool().then(|| {
        let shorter = rng.indices_of_images(batch, 1, steps);
        shorter.iter().map(|&less| less + 1).collect::<Vec<u32>>()
    });
    let for_reference = lengths.clone().unwrap_or_default();
    let record = move |g: &Graph<'_>, v: &[Var]| {
        let options =
            RecurrentOptions { reverse, lengths: lengths.as_ref().map(|lengths| g.indices(lengths)) };
        let (bias, h) = (bias.map(|i| v[i]), state.map(|i| v[i]));
        match cell {
            Cell::Tanh => g.rnn(v[0], v[1], bias, h, RnnNonlinearity::Tanh, options),
            Cell::Relu => g.rnn(v[0], v[1], bias, h, RnnNonlinearity::Relu, options),
            Cell::Gru => g.gru(v[0], v[1], bias, h, options),
            Cell::Lstm => g.lstm(v[0], v[1], bias, state.map(|i| [v[i], v[i + 1]]), options),
        }
    };
    let for_margin = for_reference.clone();
    let case = Case::new(inputs, record, move |x| {
        let initial = [0, 1].map(|nth| match state {
            Some(i) if nth < cell.n_states() => Some(&x[i + nth][..]),
            _ => None,
        });
        let bias_hh = bias.map(|i| &x[i][..]);
        let layer = Recurrence { weight_hh: &x[1], bias_hh, initial, lengths: &for_reference, shape };
        reference::recurrent_forward(&x[0], &layer)
    });
    if cell != Cell::Relu {
        return case;
    }
    case.margin(move |x| {
        let (bias, h) = (bias.map(|i| &x[i][..]), state.map(|i| &x[i][..]));
        distance_of_sums(&x[0], &x[1], bias, h, &for_margin, &shape)
    })
}

/// How near to 0 the sums are that an RNN's ReLU cuts off.
fn distance_of_sums(
    gates: &[f64],
    weight: &[f64],
    bias: Option<&[f64]>,
    h: Option<&[f64]>,
    lengths: &[u32],
    shape: &RecurrentShape,
) -> f64 {
    let &RecurrentShape { batch, steps, hidden, reverse, .. } = shape;
    let mut nearest = f64::INFINITY;
    for sample in 0..batch {
        let mut h = h.map_or(vec![0.0; hidden], |h| h[sample * hidden..][..hidden].to_vec());
        let length = lengths.get(sample).map_or(steps, |&length| length as usize);
        for step in 0..length {
            let time = if reverse { length - 1 - step } else { step };
            let a = &gates[(sample * steps + time) * hidden..][..hidden];
            let sum = |k: usize| {
                let product: f64 = weight[k * hidden..][..hidden].iter().zip(&h).map(|(w, h)| w * h).sum();
                a[k] + product + bias.map_or(0.0, |bias| bias[k])
            };
            let sums: Vec<f64> = (0..hidden).map(sum).collect();
            nearest = nearest.min(distance(&sums, 0.0));
            h = sums.iter().map(|sum| sum.max(0.0)).collect();
        }
    }
    nearest
}
