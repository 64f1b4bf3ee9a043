//! Position encodings of tokens: sines that are added, and rotations of pairs of features.
//!
//! Angles are computed in f64 and rounded. Rotary: |error| ≤ 4·ε·(|x₀| + |x₁|) of a pair, with ε = 2⁻²⁴;
//! sinusoidal: 2·ε·(|x| + 1).

pub(crate) mod reference;

use crate::parallel::{for_each_chunk, rows_mut};
use crate::shape::checked_len;
use crate::{Beta, scratch};

/// The number of rows per task.
const TASK_ROWS: usize = 64;

/// y = x + table, for images of `tokens` rows of `dim` features: feature 2i of the token at position p gets
/// sin(p / 10000^(2i / dim)), feature 2i + 1 the cosine of the same.
///
/// # Panics
/// When the lengths differ, are not whole rows of `dim`, or are less than an image's, `tokens` · `dim`, except 0.
#[track_caller]
pub fn sinusoidal_forward(y: &mut [f32], x: &[f32], tokens: usize, dim: usize) {
    assert_eq!(y.len(), x.len(), "sinusoidal_forward: output and input lengths");
    check_table("sinusoidal_forward", tokens, dim, x.len());
    check_rows("sinusoidal_forward", x.len(), dim);
    scratch::with(tokens * dim, |table| {
        for (place, row) in table.chunks_exact_mut(dim.max(1)).enumerate() {
            for (i, value) in row.iter_mut().enumerate() {
                let angle = place as f64 * frequency(10_000.0, i / 2, dim);
                *value = if i % 2 == 0 { angle.sin() } else { angle.cos() } as f32;
            }
        }
        let table = &*table;
        for_each_chunk(x.len() / dim.max(1), TASK_ROWS, x.len(), rows_mut(y, dim), |rows, y| {
            for (y, row) in y.into_slice().chunks_exact_mut(dim.max(1)).zip(rows) {
                let (x, table) = (&x[row * dim..], &table[row % tokens * dim..]);
                y.iter_mut().zip(x).zip(table).for_each(|((y, x), sine)| *y = x + sine);
            }
        });
    });
}

/// Checks that there are enough numbers for the positions of one image, since a table of them is created.
#[track_caller]
fn check_table(name: &str, tokens: usize, dim: usize, len: usize) {
    let n_angles = checked_len(name, &[tokens, dim]);
    assert!(len == 0 || n_angles <= len, "{name}: {len} numbers are too few for {tokens} tokens of {dim}");
}

/// Checks that `len` numbers are whole rows.
#[track_caller]
fn check_rows(name: &str, len: usize, features: usize) {
    assert!(len.is_multiple_of(features.max(1)), "{name}: {len} numbers are no whole rows of {features}");
}

/// Which features of a head form a pair that is rotated together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pairing {
    /// 2i and 2i + 1, as in the paper.
    Interleaved,
    /// i and i + head_dim / 2, as in many later models.
    Halves,
}

/// The sizes of a rotary encoding.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RotaryShape {
    /// The number of consecutive rows of an image, or of a head; their positions count from 0.
    pub tokens: usize,
    /// The length of a row, with some heads side by side.
    pub features: usize,
    /// The length of a head, an even number.
    pub head_dim: usize,
    /// How many heads are rotated, the first ones of a row; the others are copied.
    pub n_rotated: usize,
    /// Which features form a pair.
    pub pairing: Pairing,
    /// The base of the frequencies, 10000 in the paper.
    pub base: f32,
}

/// Rotates pair i of the features of the token at position p by p · base^(−2i / head_dim): (x₀, x₁) becomes
/// (x₀ cos − x₁ sin, x₀ sin + x₁ cos).
///
/// # Panics
/// When the lengths differ, are not whole rows or are too small for the tokens, or the rotated heads do not fit in
/// a row.
#[track_caller]
pub fn rotary_forward(y: &mut [f32], x: &[f32], shape: &RotaryShape) {
    rotate("rotary_forward", y, x, shape, 1.0, Beta::Zero);
}

/// dx = β·dx + dy rotated back.
///
/// # Panics
/// As [`rotary_forward`].
#[track_caller]
pub fn rotary_backward(dx: &mut [f32], dy: &[f32], shape: &RotaryShape, beta: Beta) {
    rotate("rotary_backward", dx, dy, shape, -1.0, beta);
}

#[track_caller]
fn rotate(name: &str, y: &mut [f32], x: &[f32], shape: &RotaryShape, direction: f32, beta: Beta) {
    let &RotaryShape { tokens, features, head_dim, n_rotated, base, .. } = shape;
    let n_pairs = head_dim / 2;
    assert_eq!(y.len(), x.len(), "{name}: output and input lengths");
    check_table(name, tokens, head_dim, x.len());
    check_rows(name, x.len(), features);
    assert!(
        checked_len(name, &[n_rotated, head_dim]) <= features,
        "{name}: {n_rotated} heads of {head_dim} do not fit in a row of {features}"
    );
    scratch::with(tokens * head_dim, |angles| {
        let (cosines, sines) = angles.split_at_mut(tokens * n_pairs);
        for place in 0..tokens {
            for pair in 0..n_pairs {
                let (sine, cosine) = (place as f64 * frequency(f64::from(base), pair, head_dim)).sin_cos();
                cosines[place * n_pairs + pair] = cosine as f32;
                sines[place * n_pairs + pair] = direction * sine as f32;
            }
        }
        let (cosines, sines) = (&*cosines, &*sines);
        for_each_chunk(
            x.len() / features.max(1),
            TASK_ROWS,
            2 * x.len(),
            rows_mut(y, features),
            |rows, y| {
                for (y, row) in y.into_slice().chunks_exact_mut(features.max(1)).zip(rows) {
                    let (x, angles) = (&x[row * features..][..features], row % tokens * n_pairs);
                    let angles = [cosines, sines].map(|table| &table[angles..][..n_pairs]);
                    let (rotated, copied) = y.split_at_mut(n_rotated * head_dim);
                    for (y, x) in
                        rotated.chunks_exact_mut(head_dim.max(1)).zip(x.chunks_exact(head_dim.max(1)))
                    {
                        rotate_head(y, x, angles, shape.pairing, beta);
                    }
                    let x = &x[n_rotated * head_dim..];
                    match beta {
                        Beta::Zero => copied.copy_from_slice(x),
                        Beta::One => copied.iter_mut().zip(x).for_each(|(y, x)| *y += x),
                    }
                }
            },
        );
    });
}

fn rotate_head(y: &mut [f32], x: &[f32], [cosines, sines]: [&[f32]; 2], pairing: Pairing, beta: Beta) {
    let kept = beta.as_f32();
    let store = |y: &mut f32, value: f32| *y = if kept == 0.0 { value } else { *y + value };
    let rotated =
        |x0: f32, x1: f32, i: usize| (x0 * cosines[i] - x1 * sines[i], x0 * sines[i] + x1 * cosines[i]);
    match pairing {
        Pairing::Interleaved => {
            let (y, _) = y.as_chunks_mut::<2>();
            let (x, _) = x.as_chunks::<2>();
            for (i, ([y0, y1], &[x0, x1])) in y.iter_mut().zip(x).enumerate() {
                let (r0, r1) = rotated(x0, x1, i);
                store(y0, r0);
                store(y1, r1);
            }
        }
        Pairing::Halves => {
            let (y0, y1) = y.split_at_mut(cosines.len());
            let (x0, x1) = x.split_at(cosines.len());
            for (i, ((y0, y1), (&x0, &x1))) in y0.iter_mut().zip(y1).zip(x0.iter().zip(x1)).enumerate() {
                let (r0, r1) = rotated(x0, x1, i);
                store(y0, r0);
                store(y1, r1);
            }
        }
    }
}

/// The frequency of pair number `pair` of `dim` features: base^(−2 pair / dim) per position.
fn frequency(base: f64, pair: usize, dim: usize) -> f64 {
    base.powf(-((2 * pair) as f64) / dim as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference::{self, assert_within, to_f64};
    use crate::testing::{assert_same_on_any_threads, cases, values};

    proptest! {
        #![proptest_config(cases(60))]

        #[test]
        fn places_are_those_of_the_reference(
            [images, tokens, heads, pairs] in [1usize..4, 1usize..70, 1usize..4, 1usize..20],
            n_rotated in 0usize..4, halves: bool, seed: u64,
        ) {
            let (head_dim, n_rotated) = (2 * pairs, n_rotated.min(heads));
            let pairing = if halves { Pairing::Halves } else { Pairing::Interleaved };
            let features = heads * head_dim;
            let shape = RotaryShape { tokens, features, head_dim, n_rotated, pairing, base: 100.0 };
            let x = values(images * tokens * features, seed);
            let (mut y, mut back) = (vec![f32::NAN; x.len()], vec![1.0; x.len()]);
            rotary_forward(&mut y, &x, &shape);
            assert_within(&y, &reference::rotary_forward(&to_f64(&x), &shape), &vec![2.0; x.len()], 4.0);
            rotary_backward(&mut back, &y, &shape, Beta::One);
            let plus_one: Vec<f64> = x.iter().map(|&x| f64::from(x) + 1.0).collect();
            assert_within(&back, &plus_one, &vec![4.0; x.len()], 8.0);

            sinusoidal_forward(&mut y, &x, tokens, features);
            let expected = reference::sinusoidal_forward(&to_f64(&x), tokens, features);
            assert_within(&y, &expected, &vec![2.0; x.len()], 2.0);
        }
    }

    #[test]
    fn the_bits_do_not_depend_on_the_threads() {
        let shape = RotaryShape {
            tokens: 300,
            features: 64,
            head_dim: 16,
            n_rotated: 3,
            pairing: Pairing::Halves,
            base: 1e4,
        };
        let x = values(if cfg!(miri) { 64 } else { 9_600 } * 64, 1);
        assert_same_on_any_threads(|| {
            let (mut y, mut z) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            rotary_forward(&mut y, &x, &shape);
            sinusoidal_forward(&mut z, &y, 300, 64);
            [y, z].concat()
        });
    }
}
