//! The recurrent layers against their f64 reference. Gradients are also held to numeric ones in `autograd/tests/gradcheck`.

use crate::common::{check_thread_independence, random};
use proptest::prelude::*;
use tensor::Beta;
use tensor::parallel::Shards;
use tensor::recurrent::{
    Cell, Recurrence, RecurrentShape, recurrent_backward, recurrent_backward_input,
    recurrent_backward_weight, recurrent_forward,
};
use tensor::reference::{self, to_f64};

const CELLS: [Cell; 4] = [Cell::Tanh, Cell::Relu, Cell::Gru, Cell::Lstm];

/// A layer of some sizes with all that it may have.
struct Layer {
    shape: RecurrentShape,
    gates: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    h: Vec<f32>,
    c: Vec<f32>,
    lengths: Vec<u32>,
}

impl Layer {
    fn new(shape: RecurrentShape, seed: u64) -> Self {
        let RecurrentShape { batch, steps, hidden, .. } = shape;
        // Weights small enough that nothing explodes.
        let weight = random(shape.gates() * hidden, seed + 1);
        let bound = 1.0 / (hidden as f32).sqrt();
        Self {
            shape,
            gates: random(batch * steps * shape.gates(), seed),
            weight: weight.iter().map(|w| w * bound).collect(),
            bias: random(shape.gates(), seed + 2),
            h: random(batch * hidden, seed + 3),
            c: random(batch * hidden, seed + 4),
            lengths: (0..batch).map(|i| 1 + ((seed % 97) as u32 + 7 * i as u32) % steps as u32).collect(),
        }
    }

    fn recurrence(&self) -> Recurrence<'_> {
        Recurrence {
            weight_hh: &self.weight,
            bias_hh: Some(&self.bias),
            initial: [Some(&self.h), (self.shape.cell == Cell::Lstm).then_some(&self.c)],
            lengths: &self.lengths,
            shape: self.shape,
        }
    }

    /// Calls `f` with the gates and the layer in f64.
    fn in_f64<R>(&self, f: impl FnOnce(&[f64], &Recurrence<'_, f64>) -> R) -> R {
        let [gates, weight, bias] = [&self.gates, &self.weight, &self.bias].map(|v| to_f64(v));
        let [h, c] = self.recurrence().initial.map(|v| v.map(to_f64));
        let layer = Recurrence {
            weight_hh: &weight,
            bias_hh: Some(&bias),
            initial: [h.as_deref(), c.as_deref()],
            lengths: &self.lengths,
            shape: self.shape,
        };
        f(&gates, &layer)
    }

    fn forward(&self) -> (Vec<f32>, Vec<f32>) {
        let shape = &self.shape;
        let (mut y, mut saved) =
            (vec![f32::NAN; shape.batch * shape.output_len()], vec![f32::NAN; shape.n_saved()]);
        let (layer, shards) = (self.recurrence(), Shards::whole(shape.batch));
        let run = |y: &mut [f32], saved: Option<&mut [f32]>| {
            recurrent_forward(y, saved, &self.gates, &layer, &shards);
        };
        run(&mut y, Some(&mut saved));
        let mut again = vec![f32::NAN; y.len()];
        run(&mut again, None);
        assert_eq!(y, again, "with and without what the backward reads");
        (y, saved)
    }

    /// What forward saved, turned into the gradients of the state's gates, and those of the state at first, of
    /// the inputs' gates and of the weight.
    fn backward(&self, dy: &[f32], y: &[f32], mut saved: Vec<f32>) -> [Vec<f32>; 4] {
        let Self { shape, weight, .. } = self;
        let (layer, shards) = (self.recurrence(), Shards::whole(shape.batch));
        let mut dinitial = vec![f32::NAN; shape.cell.n_states() * shape.batch * shape.hidden];
        recurrent_backward(&mut saved, &mut dinitial, dy, y, &layer, &shards);
        let (mut dgates, mut dweight) = (vec![f32::NAN; self.gates.len()], vec![f32::NAN; weight.len()]);
        recurrent_backward_input(&mut dgates, &saved, shape, Beta::Zero);
        recurrent_backward_weight(&mut dweight, &saved, y, &layer, &shards, Beta::Zero);
        saved.truncate(self.gates.len());
        [saved, dinitial, dgates, dweight]
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_cell_on_random_shapes(
        [batch, steps, hidden] in [1..40usize, 1..7, 1..70], cell in 0..4usize, reverse: bool, seed in 0..u64::MAX / 2,
    ) {
        let layer = Layer::new(RecurrentShape { batch, steps, hidden, cell: CELLS[cell], reverse }, seed);
        let expected = layer.in_f64(reference::recurrent_forward);
        for (i, (y, expected)) in layer.forward().0.iter().zip(&expected).enumerate() {
            prop_assert!((f64::from(*y) - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{i}: {y}, not {expected}");
        }
    }

    // Smaller ones, of which hardly any has a ReLU that rounding switches on or off.
    #[test]
    fn every_gradient_on_random_shapes(
        [batch, steps, hidden] in [1..12usize, 1..7, 1..24], cell in 0..4usize, reverse: bool, seed in 0..u64::MAX / 2,
    ) {
        let layer = Layer::new(RecurrentShape { batch, steps, hidden, cell: CELLS[cell], reverse }, seed);
        let dy = random(batch * layer.shape.output_len(), seed + 5);
        let (y, saved) = layer.forward();
        let found = layer.backward(&dy, &y, saved);
        let expected =
            layer.in_f64(|gates, layer| reference::recurrent_backward(&to_f64(&dy), gates, layer));
        let expected = [expected.state_gates, expected.initial, expected.gates, expected.weight_hh];
        let names = ["the state's gates", "the initial state", "the inputs' gates", "weight_hh"];
        for (name, (found, expected)) in names.into_iter().zip(found.iter().zip(&expected)) {
            prop_assert_eq!(found.len(), expected.len(), "{}", name);
            for (i, (d, expected)) in found.iter().zip(expected).enumerate() {
                let error = (f64::from(*d) - expected).abs();
                prop_assert!(error < 2e-5 * (1.0 + expected.abs()), "{name}[{i}]: {d}, not {expected}");
            }
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    for cell in CELLS {
        let shape = RecurrentShape { batch: 70, steps: 5, hidden: 96, cell, reverse: cell == Cell::Gru };
        let layer = Layer::new(shape, 5);
        let dy = random(shape.batch * shape.output_len(), 6);
        check_thread_independence(|| {
            let (y, saved) = layer.forward();
            let gradients = layer.backward(&dy, &y, saved).concat();
            [y, gradients].concat()
        });
    }
}
