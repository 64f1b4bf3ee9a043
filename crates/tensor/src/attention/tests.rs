//! Compares every kernel on every instruction set with the full matrix of weights in f64.

use proptest::prelude::*;

use super::*;
use crate::reference::{self, EPSILON, to_f64};
use crate::testing::{assert_same_on_any_threads, cases, levels, values};

/// A problem with all its options.
#[derive(Clone, Debug)]
struct Case {
    shape: AttentionShape,
    is_causal: bool,
    is_packed: bool,
    /// Hides the last keys of each image.
    has_padding: bool,
    /// Adds a number to each score, and hides some.
    has_mask: bool,
    p: f32,
    seed: u64,
}

/// Sizes that do and do not fill blocks and vectors, for one chunk and for several.
fn any_case() -> impl Strategy<Value = Case> {
    let tokens = if cfg!(miri) { 1usize..=20 } else { 1usize..=200 };
    let long = if cfg!(miri) { 60usize..=70 } else { 500usize..=600 };
    let lengths = prop_oneof![4 => (tokens.clone(), tokens.clone()), 1 => (tokens, long)];
    let dims = (1usize..=2, 1usize..=3, 1usize..=40, 1usize..=40);
    (lengths, dims, any::<[bool; 5]>(), prop_oneof![Just(0.0f32), Just(0.3)], any::<u64>()).prop_map(
        |(
            (queries, keys),
            (batch, heads, head_dim, value_dim),
            [last, is_causal, packed, pad, mask],
            p,
            seed,
        )| {
            let layout = if last { HeadLayout::Last } else { HeadLayout::First };
            let mut shape = AttentionShape { batch, heads, queries, keys, head_dim, value_dim, layout };
            let is_packed = last && packed;
            if is_packed {
                (shape.keys, shape.value_dim) = (queries, head_dim);
            }
            Case { shape, is_causal, is_packed, has_padding: pad, has_mask: mask, p, seed }
        },
    )
}

/// The numbers of a case.
struct Numbers {
    inputs: [Vec<f32>; 3],
    dy: Vec<f32>,
    padding: Vec<f32>,
    mask: Vec<f32>,
}

impl Case {
    fn numbers(&self) -> Numbers {
        let AttentionShape { batch, heads, queries, keys, .. } = self.shape;
        let numbers = |len: usize, salt: u64| values(len, self.seed.wrapping_add(salt));
        let hidden = |i: usize, v: f32| if i % 7 == 3 { f32::NEG_INFINITY } else { v };
        let padding = |i: usize| if i % keys > keys * 2 / 3 { f32::NEG_INFINITY } else { 0.0 };
        let mask = numbers(batch * heads * queries * keys, 5).into_iter().enumerate();
        Numbers {
            inputs: [self.shape.query_len(), self.shape.key_len(), self.shape.value_len()]
                .map(|len| numbers(len, len as u64).iter().map(|v| 3.0 * v).collect()),
            dy: numbers(self.shape.output_len(), 4),
            padding: (0..batch * keys).map(padding).collect(),
            mask: mask.map(|(i, v)| hidden(i, v)).collect(),
        }
    }

    fn scoring<'a>(&self, numbers: &'a Numbers) -> Scoring<'a> {
        let AttentionShape { heads, queries, keys, head_dim, .. } = self.shape;
        let padding = Mask { values: &numbers.padding, strides: [keys, 0, 0] };
        let mask = Mask { values: &numbers.mask, strides: [heads * queries * keys, queries * keys, keys] };
        Scoring {
            scale: 1.0 / (head_dim as f32).sqrt(),
            is_causal: self.is_causal,
            masks: [self.has_padding.then_some(padding), self.has_mask.then_some(mask)],
            dropout: (self.p > 0.0).then_some(WeightDropout { p: self.p, key: self.seed }),
        }
    }

    /// The packed form of separate arrays, with the same numbers for each token.
    fn packed(&self, [q, k, v]: [&[f32]; 3]) -> Vec<f32> {
        let row_len = self.shape.heads * self.shape.head_dim;
        let rows = q.chunks(row_len).zip(k.chunks(row_len)).zip(v.chunks(row_len));
        rows.flat_map(|((q, k), v)| [q, k, v].concat()).collect()
    }

    /// Returns y, and the gradients one after another, added to existing numbers if β is 1; after them those of
    /// the scores, without β, if it is 0.
    fn run(&self, level: Level, numbers: &Numbers, beta: Beta) -> (Vec<f32>, Vec<f32>) {
        let (scoring, shape) = (self.scoring(numbers), &self.shape);
        let separate = numbers.inputs.each_ref().map(|x| &x[..]);
        let packed = if self.is_packed { self.packed(separate) } else { Vec::new() };
        let inputs = if self.is_packed {
            QueryKeyValue::Packed(&packed[..])
        } else {
            QueryKeyValue::Separate(separate)
        };
        let (mut y, mut log_sums) = (vec![f32::NAN; numbers.dy.len()], vec![f32::NAN; shape.n_rows()]);
        forward::forward(level, &mut y, &mut log_sums, inputs, &scoring, shape);
        let saved = AttentionSaved { dy: &numbers.dy, y: &y, log_sums: &log_sums };
        let before = if beta == Beta::Zero { f32::NAN } else { 1.0 };
        let mut dscores = vec![f32::NAN; if beta == Beta::Zero { shape.n_rows() * shape.keys } else { 0 }];
        let of_scores = (beta == Beta::Zero).then_some(&mut dscores[..]);
        if self.is_packed {
            let mut grad = vec![before; packed.len()];
            let grads = QueryKeyValue::Packed((&mut grad[..], beta));
            backward::backward(level, grads, of_scores, &saved, inputs, &scoring, shape);
            return (y, [grad, dscores].concat());
        }
        let [mut dq, mut dk, mut dv] = separate.map(|x| vec![before; x.len()]);
        let grads = QueryKeyValue::Separate([&mut dq, &mut dk, &mut dv].map(|dx| (&mut dx[..], beta)));
        backward::backward(level, grads, of_scores, &saved, inputs, &scoring, shape);
        (y, [dq, dk, dv, dscores].concat())
    }

    /// The output, the gradients of the operands and those of the scores.
    fn expected(&self, numbers: &Numbers) -> [Vec<f64>; 3] {
        let scoring = self.scoring(numbers);
        let inputs = numbers.inputs.each_ref().map(|x| to_f64(x));
        let inputs = inputs.each_ref().map(|x| &x[..]);
        let y = reference::attention_forward(inputs, &scoring, &self.shape);
        let dy = to_f64(&numbers.dy);
        let grads = reference::attention_backward(&dy, inputs, &scoring, &self.shape);
        let dscores = reference::attention_backward_scores(&dy, inputs, &scoring, &self.shape);
        if !self.is_packed {
            return [y, grads.concat(), dscores];
        }
        let rounded = grads.each_ref().map(|dx| dx.iter().map(|&v| v as f32).collect::<Vec<_>>());
        [y, to_f64(&self.packed(rounded.each_ref().map(|dx| &dx[..]))), dscores]
    }
}

/// Checks every element to within c · ε of the largest.
#[track_caller]
fn assert_near(found: &[f32], expected: &[f64], c: f64, what: &str) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1.0, |largest, v| v.abs().max(largest));
    for (idx, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(error <= c * EPSILON * largest, "{what}: element {idx} is {found} instead of {expected}");
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn every_level_attends(case in any_case()) {
        let numbers = case.numbers();
        let [y64, grads64, dscores64] = case.expected(&numbers);
        for level in levels() {
            let (y, grads) = case.run(level, &numbers, Beta::Zero);
            assert_near(&y, &y64, 100.0, "y");
            let (grads, dscores) = grads.split_at(grads64.len());
            assert_near(grads, &grads64, 300.0, "gradient");
            assert_near(dscores, &dscores64, 500.0, "gradient of the scores");
            let (_, added) = case.run(level, &numbers, Beta::One);
            let plus_one: Vec<f64> = grads64.iter().map(|v| v + 1.0).collect();
            assert_near(&added, &plus_one, 300.0, "gradient that is added");
        }
    }
}

/// The chunks of a single head are computed in parallel, some of them at a time; with many heads, each head is
/// computed on its own. Both give the same bits.
#[test]
fn the_bits_of_a_head_depend_neither_on_threads_nor_on_other_heads() {
    if cfg!(miri) {
        return same_bits_of_a_head([70, 530], [5, 3]);
    }
    // Two chunks, and several waves of them.
    same_bits_of_a_head([70, 700], [5, 3]);
    same_bits_of_a_head([20, 1200], [130, 120]);
}

fn same_bits_of_a_head([queries, keys]: [usize; 2], [head_dim, value_dim]: [usize; 2]) {
    let shape = |batch| AttentionShape {
        batch,
        heads: 1,
        queries,
        keys,
        head_dim,
        value_dim,
        layout: HeadLayout::Last,
    };
    let case = |batch| Case {
        shape: shape(batch),
        is_causal: false,
        is_packed: false,
        has_padding: false,
        has_mask: false,
        p: 0.2,
        seed: 3,
    };
    for level in levels() {
        let numbers = case(1).numbers();
        assert_same_on_any_threads(|| case(1).run(level, &numbers, Beta::One).1);
        assert_same_on_any_threads(|| case(1).run(level, &numbers, Beta::Zero).1);
        let alone = case(1).run(level, &numbers, Beta::One);
        let n_images = 16;
        let mut many = case(n_images).numbers();
        // The first image is the one that was computed alone.
        for (many, one) in many.inputs.iter_mut().zip(&numbers.inputs) {
            many[..one.len()].copy_from_slice(one);
        }
        many.dy[..numbers.dy.len()].copy_from_slice(&numbers.dy);
        let (y, grads) = case(n_images).run(level, &many, Beta::One);
        assert_eq!(y[..alone.0.len()], alone.0);
        let (mut grads, mut of_one) = (&grads[..], &alone.1[..]);
        for one in &numbers.inputs {
            assert!(grads[..one.len()] == of_one[..one.len()], "{keys} keys");
            (grads, of_one) = (&grads[n_images * one.len()..], &of_one[one.len()..]);
        }
    }
}

#[test]
fn what_is_not_a_number_shows() {
    for level in levels() {
        let case = Case {
            shape: AttentionShape {
                batch: 1,
                heads: 1,
                queries: 3,
                keys: 20,
                head_dim: 2,
                value_dim: 2,
                layout: HeadLayout::First,
            },
            is_causal: false,
            is_packed: false,
            has_padding: false,
            has_mask: false,
            p: 0.0,
            seed: 1,
        };
        for bad in [f32::NAN, f32::INFINITY] {
            for operand in 0..3 {
                let mut numbers = case.numbers();
                numbers.inputs[operand][2] = bad;
                let (y, grads) = case.run(level, &numbers, Beta::Zero);
                assert!(y.iter().chain(&grads).any(|v| !v.is_finite()), "{bad} in operand {operand}");
            }
        }
    }
}
