//! This file stands for another crate: it knows only what is public, and has an op of its own.

use autograd::gradcheck::GradCheck;
use autograd::{Backward, Commit, Forward, Graph, Indices, Mode, Op, Params, Role, ShapeError, Tape, Var};
use tensor::Shape;

/// y = Σ_i |x − center[label_i]|², a running count of labels beside it: an op that reads integers, saves
/// numbers, draws a random sign, and keeps a statistic.
struct CenterLoss {
    weight: f32,
}

impl Op for CenterLoss {
    fn name(&self) -> &'static str {
        "center_loss"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let (x, centers) = (inputs[0], inputs[1]);
        if x.rank() == 2 && centers.rank() == 2 && x[1] == centers[1] {
            return Ok(Shape::scalar());
        }
        Err(ShapeError::new(format!("{x} and {centers} differ in their columns; make them equal")))
    }

    fn is_random(&self) -> bool {
        true
    }

    fn has_statistics(&self) -> bool {
        true
    }

    fn forward(&self, f: Forward<'_>) {
        let (x, centers, cols) = (f.inputs.value(0), f.inputs.value(1), f.inputs.shape(0)[1]);
        f.saved.floats.clear();
        for (row, &label) in x.chunks_exact(cols).zip(f.indices) {
            let center = &centers[label as usize * cols..][..cols];
            f.saved.floats.extend(row.iter().zip(center).map(|(x, c)| x - c));
        }
        assert_ne!(f.key, 0, "a random op has a key");
        f.output[0] = self.weight * f.saved.floats.iter().map(|d| d * d).sum::<f32>();
    }

    fn backward(&self, mut b: Backward<'_>) {
        let (cols, differences) = (b.inputs.shape(0)[1], &b.saved.floats);
        let scale = 2.0 * self.weight * b.dy[0];
        assert!(!b.grads.needs(2), "a statistic needs no gradient");
        if let Some(dx) = b.grads.get(0) {
            dx.write(|i| scale * differences[i]);
        }
        if let Some(dcenters) = b.grads.get(1) {
            dcenters.beta.prepare(dcenters.data);
            for (row, &label) in differences.chunks_exact(cols).zip(b.indices) {
                let center = &mut dcenters.data[label as usize * cols..][..cols];
                center.iter_mut().zip(row).for_each(|(dc, d)| *dc -= scale * d);
            }
        }
    }

    fn commit(&self, mut c: Commit<'_>) {
        let n_rows = c.shape(0)[0] as f32;
        c.statistic(2)[0] += n_rows;
    }
}

fn center_loss(g: &Graph<'_>, inputs: [Var; 3], labels: Indices, weight: f32) -> Var {
    g.apply_indexed(CenterLoss { weight }, &inputs, labels)
}

#[test]
fn an_op_of_another_crate_is_recorded_differentiated_and_committed() {
    let mut params = Params::new();
    let centers = params.add("centers", [2, 2], Role::Trainable);
    params.value_mut(centers).copy_from_slice(&[0.0, 0.0, 1.0, 1.0]);
    let n_seen = params.add("n_seen", [1], Role::Statistic);
    let mut tape = Tape::new();
    for (step, weight) in [(0, 1.0), (1, 1.0), (2, 0.5)] {
        let mut g = tape.begin(&mut params, Mode::train(3, step));
        let x = g.variable([3, 2], &[1.0, 2.0, 3.0, 4.0, 0.0, 1.0]);
        let inputs = [x, g.param(centers), g.param(n_seen)];
        let labels = g.indices(&[0, 1, 1]);
        let loss = center_loss(&g, inputs, labels, weight);
        assert_eq!(g.scalar(loss), weight * (5.0 + 13.0 + 1.0));
        g.backward(loss);
        let dx = [2.0, 4.0, 4.0, 6.0, -2.0, 0.0].map(|d: f32| weight * d);
        assert_eq!(g.grad(x), Some(&dx[..]));
        drop(g);
        assert_eq!(params.grad(centers), &[-2.0, -4.0, -2.0, -6.0].map(|d: f32| weight * d));
        assert_eq!(params.value(n_seen), &[3.0 * (step + 1) as f32]);
    }
    let g = tape.begin(&mut params, Mode::eval());
    let x = g.input([3, 2], &[0.0; 6]);
    let inputs = [x, g.param(centers), g.param(n_seen)];
    let labels = g.indices(&[0, 1, 1]);
    center_loss(&g, inputs, labels, 1.0);
    drop(g);
    assert_eq!(params.value(n_seen), &[9.0], "evaluation commits nothing");
}

#[test]
fn its_gradients_are_those_of_its_formula() {
    let labels = [0, 1, 1];
    GradCheck::new(|g, v| center_loss(g, [v[0], v[1], v[2]], g.indices(&labels), 0.5))
        .random([3, 2])
        .random([2, 2])
        .statistic([1], &[0.0])
        .reference(|inputs| {
            let (x, centers) = (&inputs[0], &inputs[1]);
            let center = |i: usize| centers[labels[i / 2] as usize * 2 + i % 2];
            vec![0.5 * (0..6).map(|i| (x[i] - center(i)).powi(2)).sum::<f64>()]
        })
        .run();
}

#[test]
#[should_panic(expected = "center_loss at layer \"head.loss\": [1, 2] and [2, 3] differ in their columns")]
fn its_shape_errors_name_it_and_the_layer() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let g = tape.begin(&mut params, Mode::train(0, 0));
    let (x, centers) = (g.input([1, 2], &[0.0; 2]), g.input([2, 3], &[0.0; 6]));
    let labels = g.indices(&[0]);
    g.scope("head", |g| g.scope("loss", |g| center_loss(g, [x, centers, x], labels, 1.0)));
}

#[test]
#[should_panic(expected = "center_loss: input 2 must be an entry of Params with Role::Statistic")]
fn a_statistic_that_is_no_entry_is_refused() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let (x, n_seen) = (g.variable([1, 2], &[0.0; 2]), g.input([1], &[0.0]));
    let labels = g.indices(&[0]);
    let loss = center_loss(&g, [x, x, n_seen], labels, 1.0);
    g.backward(loss);
}
