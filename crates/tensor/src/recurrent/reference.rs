//! Recurrent cells, one sample and step at a time.

use super::{Cell, RecurrentShape};

/// h of each step, and the final state: `[batch, steps + states, hidden]`.
pub fn recurrent_forward(
    gates: &[f64],
    weight_hh: &[f64],
    bias_hh: Option<&[f64]>,
    initial: [Option<&[f64]>; 2],
    lengths: &[u32],
    shape: &RecurrentShape,
) -> Vec<f64> {
    let &RecurrentShape { batch, steps, hidden, cell, reverse } = shape;
    let mut all = Vec::new();
    for sample in 0..batch {
        let begin = |state: usize| {
            initial[state].map_or(vec![0.0; hidden], |state| state[sample * hidden..][..hidden].to_vec())
        };
        let [mut h, mut c] = [begin(0), begin(1)];
        let length = lengths.get(sample).map_or(steps, |&length| length as usize);
        let mut y = vec![0.0; steps * hidden];
        for step in 0..length {
            let time = if reverse { length - 1 - step } else { step };
            let a = &gates[(sample * steps + time) * shape.gates()..][..shape.gates()];
            let b: Vec<f64> = weight_hh
                .chunks(hidden)
                .enumerate()
                .map(|(gate, row)| {
                    let product: f64 = row.iter().zip(&h).map(|(w, h)| w * h).sum();
                    product + bias_hh.map_or(0.0, |bias| bias[gate])
                })
                .collect();
            for k in 0..hidden {
                (h[k], c[k]) = unit(cell, h[k], c[k], |gate| (a[gate * hidden + k], b[gate * hidden + k]));
            }
            y[time * hidden..][..hidden].copy_from_slice(&h);
        }
        all.extend(y);
        all.extend(h);
        if cell == Cell::Lstm {
            all.extend(c);
        }
    }
    all
}

/// The next h and c of one unit, whose gates come from the input and from the state.
fn unit(cell: Cell, h: f64, c: f64, gate: impl Fn(usize) -> (f64, f64)) -> (f64, f64) {
    let sum = |idx| gate(idx).0 + gate(idx).1;
    let sigmoid = |idx| 1.0 / (1.0 + f64::exp(-sum(idx)));
    match cell {
        Cell::Tanh => (sum(0).tanh(), c),
        Cell::Relu => (sum(0).max(0.0), c),
        Cell::Gru => {
            let (r, z) = (sigmoid(0), sigmoid(1));
            let n = (gate(2).0 + r * gate(2).1).tanh();
            ((1.0 - z) * n + z * h, c)
        }
        Cell::Lstm => {
            let (i, f, g, o) = (sigmoid(0), sigmoid(1), sum(2).tanh(), sigmoid(3));
            let c = f * c + i * g;
            (o * c.tanh(), c)
        }
    }
}
