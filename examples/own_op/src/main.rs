//! An operation of one's own: its gradient is checked, then it is trained through.
//!
//!     cargo run --release -- --quick
//!
//! `twin.py` is the same in PyTorch.

use std::error::Error;

use autograd::gradcheck::GradCheck;
use autograd::{Backward, Forward, Mode, Op, Params, Reduction, Role, ShapeError, Tape};
use optim::{Adam, Optimizer};
use tensor::Shape;

/// Rows of length 1: y = x/|x|, dx = (dy − y·⟨y, dy⟩)/|x|.
struct Unit;

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Op for Unit {
    fn name(&self) -> &'static str {
        "unit"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        match inputs[0].last() {
            Some(1..) => Ok(inputs[0]),
            _ => Err(ShapeError::new(format!("{} has no rows; give it a last axis", inputs[0]))),
        }
    }

    fn forward(&self, f: Forward<'_>) {
        let k = f.shape[f.shape.rank() - 1];
        for (y, x) in f.output.chunks_exact_mut(k).zip(f.inputs.value(0).chunks_exact(k)) {
            let norm = dot(x, x).sqrt();
            y.iter_mut().zip(x).for_each(|(y, x)| *y = x / norm);
        }
    }

    fn backward(&self, mut b: Backward<'_>) {
        let (k, y, dy) = (b.shape[b.shape.rank() - 1], b.output, b.dy);
        let rows = b.inputs.value(0).chunks_exact(k).zip(y.chunks_exact(k)).zip(dy.chunks_exact(k));
        let rows: Vec<_> = rows.map(|((x, y), dy)| (dot(x, x).sqrt(), dot(y, dy))).collect();
        if let Some(dx) = b.grads.get(0) {
            dx.write(|i| (dy[i] - y[i] * rows[i / k].1) / rows[i / k].0);
        }
    }
}

/// Learns a matrix that maps directions to others; returns the losses.
pub fn train(n_steps: u64) -> Result<Vec<f32>, Box<dyn Error>> {
    let number = |i: usize| (i as f32 * 1.7 + 0.3).sin();
    let mut params = Params::new();
    let weight = params.add("weight", [3, 3], Role::Trainable);
    params.value_mut(weight).iter_mut().enumerate().for_each(|(i, w)| *w = number(i + 100));
    let mut optimizer = Optimizer::new(Adam { lr: 0.05, ..Adam::default() }, &params)?;
    let (x, target): (Vec<_>, Vec<_>) = (0..48).map(|i| (number(i), number(i + 1))).unzip();
    let (mut tape, mut losses) = (Tape::new(), Vec::new());
    for step in 0..n_steps {
        losses.push(tape.step(&mut params, Mode::train(0, step), |g| {
            let y = g.matmul(g.input([16, 3], &x), g.param(weight));
            let target = g.apply(Unit, &[g.input([16, 3], &target)]);
            g.mse_loss(g.apply(Unit, &[y]), target, Reduction::Mean)
        }));
        optimizer.step(&mut params);
    }
    Ok(losses)
}

/// The whole program; returns the number in its last line.
pub fn run(quick: bool) -> Result<f32, Box<dyn Error>> {
    GradCheck::new(|g, inputs| g.apply(Unit, inputs)).random([4, 3]).run();
    println!("the gradient agrees with finite differences");
    let losses = train(if quick { 200 } else { 5000 })?;
    Ok(losses[losses.len() - 1])
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("loss {}", run(std::env::args().any(|arg| arg == "--quick"))?);
    Ok(())
}
