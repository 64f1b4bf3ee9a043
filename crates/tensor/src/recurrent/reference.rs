//! Recurrent cells, one sample and step at a time.

use super::{Cell, Recurrence, RecurrentShape};

/// h of each step, and the final state: `[batch, steps + states, hidden]`.
pub fn recurrent_forward(gates: &[f64], layer: &Recurrence<'_, f64>) -> Vec<f64> {
    let RecurrentShape { batch, steps, hidden, cell, .. } = layer.shape;
    let mut all = Vec::new();
    for sample in 0..batch {
        let mut y = vec![0.0; steps * hidden];
        let visits = visits(sample, gates, layer);
        for step in visits.windows(2) {
            y[step[0].time * hidden..][..hidden].copy_from_slice(&step[1].h);
        }
        all.extend(y);
        let last = visits.last().expect("the state before the first step");
        all.extend(&last.h);
        if cell == Cell::Lstm {
            all.extend(&last.c);
        }
    }
    all
}

/// The gradients of a recurrent layer.
pub struct RecurrentGrads {
    /// Those of the gates of the inputs, `[batch, steps, gates · hidden]`.
    pub gates: Vec<f64>,
    /// Those of the gates of the states, `[batch, steps, gates · hidden]`: the sum of the rows is the gradient
    /// of `bias_hh`.
    pub state_gates: Vec<f64>,
    /// `[gates · hidden, hidden]`.
    pub weight_hh: Vec<f64>,
    /// Those of h, and c for an LSTM, before the first step, `[states, batch, hidden]`.
    pub initial: Vec<f64>,
}

/// The gradients, given `dy` of [`recurrent_forward`]'s output and its arguments.
pub fn recurrent_backward(dy: &[f64], gates: &[f64], layer: &Recurrence<'_, f64>) -> RecurrentGrads {
    let &Recurrence { weight_hh, shape, .. } = layer;
    let RecurrentShape { batch, steps, hidden, cell, .. } = shape;
    let mut grads = RecurrentGrads {
        gates: vec![0.0; gates.len()],
        state_gates: vec![0.0; gates.len()],
        weight_hh: vec![0.0; weight_hh.len()],
        initial: vec![0.0; cell.n_states() * batch * hidden],
    };
    for sample in 0..batch {
        let (dy, of_state) = dy[sample * shape.output_len()..][..shape.output_len()].split_at(steps * hidden);
        let mut dh = of_state[..hidden].to_vec();
        let mut dc = if cell == Cell::Lstm { of_state[hidden..].to_vec() } else { vec![0.0; hidden] };
        let visits = visits(sample, gates, layer);
        for Visit { time, h, c, gates: (a, b) } in visits[..visits.len() - 1].iter().rev() {
            let row = (sample * steps + time) * shape.gates();
            for k in 0..hidden {
                let gate = |gate: usize| (a[gate * hidden + k], b[gate * hidden + k]);
                let dh_next = dh[k] + dy[time * hidden + k];
                let before;
                (before, [dh[k], dc[k]]) = unit_backward(cell, h[k], c[k], gate, dh_next, dc[k]);
                for (gate, (da, db)) in before.into_iter().enumerate().take(cell.n_gates()) {
                    grads.gates[row + gate * hidden + k] = da;
                    grads.state_gates[row + gate * hidden + k] = db;
                }
            }
            for (gate, db) in grads.state_gates[row..][..shape.gates()].iter().enumerate() {
                for k in 0..hidden {
                    grads.weight_hh[gate * hidden + k] += db * h[k];
                    dh[k] += db * weight_hh[gate * hidden + k];
                }
            }
        }
        for (state, gradient) in [dh, dc].iter().take(cell.n_states()).enumerate() {
            grads.initial[(state * batch + sample) * hidden..][..hidden].copy_from_slice(gradient);
        }
    }
    grads
}

/// What a step of a sample starts from.
struct Visit {
    /// Where the step is in the sequence.
    time: usize,
    h: Vec<f64>,
    c: Vec<f64>,
    /// The gates of the input, and those of the state.
    gates: (Vec<f64>, Vec<f64>),
}

/// The steps of a sample in the order in which they are made; the last is not a step, but the final state.
fn visits(sample: usize, gates: &[f64], layer: &Recurrence<'_, f64>) -> Vec<Visit> {
    let &Recurrence { weight_hh, bias_hh, initial, shape, .. } = layer;
    let RecurrentShape { steps, hidden, cell, reverse, .. } = shape;
    let begin = |state: usize| {
        initial[state].map_or(vec![0.0; hidden], |state| state[sample * hidden..][..hidden].to_vec())
    };
    let [mut h, mut c] = [begin(0), begin(1)];
    let length = layer.length(sample);
    let mut visits = Vec::new();
    for step in 0..length {
        let time = if reverse { length - 1 - step } else { step };
        let a = gates[(sample * steps + time) * shape.gates()..][..shape.gates()].to_vec();
        let product = |(gate, row): (usize, &[f64])| {
            let product: f64 = row.iter().zip(&h).map(|(w, h)| w * h).sum();
            product + bias_hh.map_or(0.0, |bias| bias[gate])
        };
        let b: Vec<f64> = weight_hh.chunks(hidden).enumerate().map(product).collect();
        let (before_h, before_c) = (h.clone(), c.clone());
        for k in 0..hidden {
            (h[k], c[k]) = unit(cell, h[k], c[k], |gate| (a[gate * hidden + k], b[gate * hidden + k]));
        }
        visits.push(Visit { time, h: before_h, c: before_c, gates: (a, b) });
    }
    visits.push(Visit { time: 0, h, c, gates: (Vec::new(), Vec::new()) });
    visits
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + f64::exp(-x))
}

/// The next h and c of one unit, whose gates come from the input and from the state.
fn unit(cell: Cell, h: f64, c: f64, gate: impl Fn(usize) -> (f64, f64)) -> (f64, f64) {
    let sum = |idx| gate(idx).0 + gate(idx).1;
    match cell {
        Cell::Tanh => (sum(0).tanh(), c),
        Cell::Relu => (sum(0).max(0.0), c),
        Cell::Gru => {
            let [r, z] = [0, 1].map(|idx| sigmoid(sum(idx)));
            let n = (gate(2).0 + r * gate(2).1).tanh();
            ((1.0 - z) * n + z * h, c)
        }
        Cell::Lstm => {
            let [i, f, o] = [0, 1, 3].map(|idx| sigmoid(sum(idx)));
            let c = f * c + i * sum(2).tanh();
            (o * c.tanh(), c)
        }
    }
}

/// The gradients of one unit's gates, from the input and from the state, and those of the h and c before it,
/// except for the part through the gates.
fn unit_backward(
    cell: Cell,
    h: f64,
    c: f64,
    gate: impl Fn(usize) -> (f64, f64),
    dh: f64,
    dc: f64,
) -> ([(f64, f64); 4], [f64; 2]) {
    let sum = |idx| gate(idx).0 + gate(idx).1;
    let both = |d: f64| (d, d);
    let none = (0.0, 0.0);
    match cell {
        Cell::Tanh => ([both(dh * (1.0 - sum(0).tanh().powi(2))), none, none, none], [0.0, dc]),
        Cell::Relu => ([both(if sum(0) > 0.0 { dh } else { 0.0 }), none, none, none], [0.0, dc]),
        Cell::Gru => {
            let [r, z] = [0, 1].map(|idx| sigmoid(sum(idx)));
            let n = (gate(2).0 + r * gate(2).1).tanh();
            let dn = dh * (1.0 - z) * (1.0 - n * n);
            let dr = dn * gate(2).1 * r * (1.0 - r);
            let dz = dh * (h - n) * z * (1.0 - z);
            ([both(dr), both(dz), (dn, dn * r), none], [dh * z, dc])
        }
        Cell::Lstm => {
            let [i, f, o] = [0, 1, 3].map(|idx| sigmoid(sum(idx)));
            let g = sum(2).tanh();
            let tanh_c = (f * c + i * g).tanh();
            let dc = dc + dh * o * (1.0 - tanh_c * tanh_c);
            let [di, df] = [dc * g * i * (1.0 - i), dc * c * f * (1.0 - f)];
            let [dg, d_o] = [dc * i * (1.0 - g * g), dh * tanh_c * o * (1.0 - o)];
            ([di, df, dg, d_o].map(both), [0.0, dc * f])
        }
    }
}
