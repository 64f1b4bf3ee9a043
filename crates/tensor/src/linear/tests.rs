//! Compares every kernel on every instruction set with the triple loop in f64.

use proptest::prelude::*;

use super::*;
use crate::reference::{self, assert_within, magnitudes, to_f64};
use crate::testing::{assert_same_on_any_threads, cases, levels, values};

const ACTIVATIONS: [Activation; 4] =
    [Activation::Relu, Activation::Gelu, Activation::GeluTanh, Activation::Silu];

/// The maximum of images × input features × output features of a test shape.
const MAX_LINEAR_WORK: usize = if cfg!(miri) { 2_000 } else { 4_000_000 };

/// Fully connected layers: a few images or about 255, with features that do or do not fill vectors, or none.
fn linear_shapes() -> impl Strategy<Value = LinearShape> {
    let batch = prop_oneof![0usize..=20, 250usize..=260];
    (batch, 0usize..=150, 0usize..=70).prop_map(|(batch, mut in_features, mut out_features)| {
        while batch * in_features * out_features > MAX_LINEAR_WORK {
            let features = (&mut in_features).max(&mut out_features);
            *features = features.div_ceil(2);
        }
        LinearShape { batch, in_features, out_features }
    })
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn every_level_takes_the_products(shape in linear_shapes(), seed: u64) {
        let LinearShape { batch, in_features, out_features } = shape;
        let [x, w, dy] = [(batch * in_features, 1), (in_features * out_features, 2), (batch * out_features, 3)]
            .map(|(len, salt)| values(len, seed ^ salt));
        let (bias, shards) = (values(out_features, seed ^ 4), Shards::whole(batch));
        let [x64, w64, dy64, bias64] = [&x, &w, &dy, &bias].map(|v| to_f64(v));
        let [x_abs, w_abs, dy_abs, bias_abs] = [&x, &w, &dy, &bias].map(|v| magnitudes(v));
        for level in levels() {
            let mut y = vec![f32::NAN; dy.len()];
            forward(level, (&mut y, None), &x, &w, (Some(&bias), None), &shape, &shards);
            let expected = reference::linear_forward(&x64, &w64, Some(&bias64), &shape);
            let magnitude = reference::linear_forward(&x_abs, &w_abs, Some(&bias_abs), &shape);
            assert_within(&y, &expected, &magnitude, in_features as f64 + 3.0);
            // In one pass with an activation: the same bits, with and without the value before it.
            let activation = Some(ACTIVATIONS[(seed % 4) as usize]);
            let activated: Vec<f32> = with_function!(activation, |f| y.iter().map(|&z| f.value(z)).collect());
            let [mut alone, mut both, mut z] = [(); 3].map(|()| vec![f32::NAN; dy.len()]);
            let finish = (Some(&bias[..]), activation);
            forward(level, (&mut alone, None), &x, &w, finish, &shape, &shards);
            forward(level, (&mut both, Some(&mut z)), &x, &w, finish, &shape, &shards);
            prop_assert_eq!([&alone, &both, &z], [&activated, &activated, &y], "{:?}", activation);

            let mut dx = vec![f32::NAN; x.len()];
            backward_input(level, &mut dx, &dy, &w, &shape, &shards, Beta::Zero);
            let expected = reference::linear_backward_input(&dy64, &w64, &shape);
            let magnitude = reference::linear_backward_input(&dy_abs, &w_abs, &shape);
            assert_within(&dx, &expected, &magnitude, out_features as f64 + 2.0);

            let mut dw = w.clone();
            backward_weight(level, &mut dw, &dy, &x, &shape, &shards, Beta::One);
            let add = |a: Vec<f64>, b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<_>>();
            let expected = add(reference::linear_backward_weight(&dy64, &x64, &shape), &w64);
            let magnitude = add(reference::linear_backward_weight(&dy_abs, &x_abs, &shape), &w_abs);
            assert_within(&dw, &expected, &magnitude, batch as f64 + 4.0);
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_the_threads() {
    let [batch, in_features, out_features] = if cfg!(miri) { [257, 3, 33] } else { [300, 300, 70] };
    let shape = LinearShape { batch, in_features, out_features };
    let (x, w) = (values(batch * in_features, 1), values(in_features * out_features, 2));
    let (dy, shards) = (values(batch * out_features, 3), Shards::whole(batch));
    for level in levels() {
        assert_same_on_any_threads(|| {
            let (mut y, mut dx, mut dw) = (dy.clone(), x.clone(), w.clone());
            forward(level, (&mut y, None), &x, &w, (None, Some(Activation::Silu)), &shape, &shards);
            backward_input(level, &mut dx, &dy, &w, &shape, &shards, Beta::One);
            backward_weight(level, &mut dw, &dy, &x, &shape, &shards, Beta::One);
            [y, dx, dw].concat()
        });
    }
}
