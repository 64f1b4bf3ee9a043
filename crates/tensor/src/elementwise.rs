//! Element by element: the loops under arithmetic, activations and gradient accumulation.

use crate::Beta;
use crate::parallel::{for_each_chunk, rows_mut};

/// Elements of one task when a long slice is split.
const CHUNK: usize = 1 << 15;

/// `y = β·y + f(x)`, element by element.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub fn map(y: &mut [f32], x: &[f32], beta: Beta, f: impl Fn(f32) -> f32 + Sync) {
    assert_eq!(y.len(), x.len(), "map: output and input lengths");
    for_each_chunk(x.len(), CHUNK, x.len(), rows_mut(y, 1), |range, y| {
        let pairs = y.into_slice().iter_mut().zip(&x[range]);
        match beta {
            Beta::Zero => pairs.for_each(|(y, &x)| *y = f(x)),
            Beta::One => pairs.for_each(|(y, &x)| *y += f(x)),
        }
    });
}

/// `y = β·y + f(a, b)`, element by element.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub fn zip(y: &mut [f32], a: &[f32], b: &[f32], beta: Beta, f: impl Fn(f32, f32) -> f32 + Sync) {
    assert_eq!((y.len(), y.len()), (a.len(), b.len()), "zip: output and input lengths");
    for_each_chunk(a.len(), CHUNK, a.len(), rows_mut(y, 1), |range, y| {
        let triples = y.into_slice().iter_mut().zip(&a[range.clone()]).zip(&b[range]);
        match beta {
            Beta::Zero => triples.for_each(|((y, &a), &b)| *y = f(a, b)),
            Beta::One => triples.for_each(|((y, &a), &b)| *y += f(a, b)),
        }
    });
}

/// `dst += src`.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub fn add_assign(dst: &mut [f32], src: &[f32]) {
    map(dst, src, Beta::One, |v| v);
}

/// `dst = β·dst + src`.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub fn copy_or_add(dst: &mut [f32], src: &[f32], beta: Beta) {
    map(dst, src, beta, |v| v);
}

/// `dst = β·dst + factor·src`.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub fn scaled_copy_or_add(dst: &mut [f32], src: &[f32], factor: f32, beta: Beta) {
    map(dst, src, beta, |v| factor * v);
}
