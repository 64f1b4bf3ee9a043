//! Element-wise loops, the basis of arithmetic, activations and gradient accumulation.

mod functions;

use std::ops::Range;

use crate::Beta;
use crate::parallel::{for_each_chunk, rows_mut};
pub(crate) use functions::exp_of_sum;
pub use functions::{exp, exp_m1, ln, ln_1p};
use simd::{Kernel, Level, Simd, dispatch};

/// The number of elements per task when a long slice is split.
const CHUNK: usize = 1 << 15;

/// With fewer elements than this, as in the rows of a broadcast, calling the wide-vector code costs more than it saves.
const FEW: usize = 64;

/// `y = β·y + f(x)`, element by element.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub fn map(y: &mut [f32], x: &[f32], beta: Beta, f: impl Fn(f32) -> f32 + Sync) {
    zip_all(y, [x], beta, |[x]| f(x));
}

/// `y = β·y + f(a, b)`, element by element.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub fn zip(y: &mut [f32], a: &[f32], b: &[f32], beta: Beta, f: impl Fn(f32, f32) -> f32 + Sync) {
    zip_all(y, [a, b], beta, |[a, b]| f(a, b));
}

/// `y = β·y + f(a, b, c)`, element by element.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub fn zip3(
    y: &mut [f32],
    a: &[f32],
    b: &[f32],
    c: &[f32],
    beta: Beta,
    f: impl Fn(f32, f32, f32) -> f32 + Sync,
) {
    zip_all(y, [a, b, c], beta, |[a, b, c]| f(a, b, c));
}

/// `y = β·y + f(x)`, element by element, where x has one number from each input.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub fn zip_all<const N: usize>(
    y: &mut [f32],
    x: [&[f32]; N],
    beta: Beta,
    f: impl Fn([f32; N]) -> f32 + Sync,
) {
    assert_eq!([y.len(); N], x.map(<[f32]>::len), "zip_all: output and input lengths");
    let set = &|y: &mut f32, x: [f32; N]| *y = f(x);
    for_each_task(y, x, |level, y, x| set_or_add(level, y, x, beta, set));
}

/// How many elements are computed before they are added.
const BLOCK: usize = 256;

/// One task of [`zip_all`]. Values to be added are first computed into a few L1 cache lines, so that `set`,
/// which the compiler turns into a loop for each instruction set, is compiled once instead of twice.
fn set_or_add<const N: usize>(
    level: Level,
    y: &mut [f32],
    x: [&[f32]; N],
    beta: Beta,
    set: &impl Fn(&mut f32, [f32; N]),
) {
    if beta == Beta::Zero {
        return dispatch(level, Elements { y, x, f: set });
    }
    let mut values = [0.0; BLOCK];
    for (block_idx, y) in y.chunks_mut(BLOCK).enumerate() {
        let (start, values) = (block_idx * BLOCK, &mut values[..y.len()]);
        let x = parts(x, start..start + y.len());
        dispatch(level, Elements { y: values, x, f: set });
        add(level, y, values);
    }
}

fn add(level: Level, y: &mut [f32], x: &[f32]) {
    dispatch(level, Elements { y, x: [x], f: &|y: &mut f32, [x]: [f32; 1]| *y += x });
}

/// Applies `f` to each element, into a vector that is not zeroed first.
pub(crate) fn mapped(x: &[f32], f: impl Fn(f32) -> f32 + Sync) -> Vec<f32> {
    let mut y = Vec::with_capacity(x.len());
    for_each(&mut y.spare_capacity_mut()[..x.len()], [x], |y, [x]| _ = y.write(f(x)));
    // SAFETY: `for_each` has visited, and the closure written, every element.
    unsafe { y.set_len(x.len()) };
    y
}

/// Applies `f` to each pair of elements, into a vector that is not zeroed first.
///
/// # Panics
/// When the lengths differ.
pub(crate) fn zipped(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    assert_eq!(a.len(), b.len(), "zipped: the lengths");
    let mut y = Vec::with_capacity(a.len());
    for_each(&mut y.spare_capacity_mut()[..a.len()], [a, b], |y, [a, b]| _ = y.write(f(a, b)));
    // SAFETY: `for_each` has visited, and the closure written, every element.
    unsafe { y.set_len(a.len()) };
    y
}

/// Calls `f(y, x)` for every element of `y` and the corresponding ones of the inputs; their lengths are
/// equal.
fn for_each<Y: Send, const N: usize>(y: &mut [Y], x: [&[f32]; N], f: impl Fn(&mut Y, [f32; N]) + Sync) {
    for_each_task(y, x, |level, y, x| dispatch(level, Elements { y, x, f: &f }));
}

/// Calls `task(level, y, x)` for pieces of slices of equal length.
fn for_each_task<Y: Send, const N: usize>(
    y: &mut [Y],
    x: [&[f32]; N],
    task: impl Fn(Level, &mut [Y], [&[f32]; N]) + Sync,
) {
    let level = if y.len() < FEW { Level::PORTABLE } else { Level::current() };
    for_each_chunk(y.len(), CHUNK, y.len(), rows_mut(y, 1), |range, y| {
        task(level, y.into_slice(), parts(x, range));
    });
}

/// Calls `f(y, x)` for every element, on the calling thread.
struct Elements<'a, Y, F, const N: usize> {
    y: &'a mut [Y],
    x: [&'a [f32]; N],
    f: &'a F,
}

impl<Y, F: Fn(&mut Y, [f32; N]), const N: usize> Kernel for Elements<'_, Y, F, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        // One index for slices of equal length, so no access is bounds-checked.
        let x = parts(self.x, 0..self.y.len());
        for idx in 0..self.y.len() {
            (self.f)(&mut self.y[idx], elements(x, idx));
        }
    }
}

/// A part of each input. Here and in [`elements`], an array is mapped by a function that is generic over no
/// closure: within [`Elements::run`] the mapping would be recompiled for each `f`, which took most of these
/// loops' compile time.
#[inline]
fn parts<const N: usize>(x: [&[f32]; N], range: Range<usize>) -> [&[f32]; N] {
    x.map(|x| &x[range.clone()])
}

/// One number of each input.
#[inline]
fn elements<const N: usize>(x: [&[f32]; N], idx: usize) -> [f32; N] {
    x.map(|x| x[idx])
}

/// `dst += src`.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub fn add_assign(dst: &mut [f32], src: &[f32]) {
    assert_eq!(dst.len(), src.len(), "add_assign: the lengths");
    for_each_task(dst, [src], |level, y, [x]| add(level, y, x));
}

/// `dst = β·dst + src`.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub fn copy_or_add(dst: &mut [f32], src: &[f32], beta: Beta) {
    scaled_copy_or_add(dst, src, 1.0, beta);
}

/// `dst = β·dst + factor·src`.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub fn scaled_copy_or_add(dst: &mut [f32], src: &[f32], factor: f32, beta: Beta) {
    assert_eq!(dst.len(), src.len(), "copy_or_add: the lengths");
    match beta {
        Beta::Zero => for_each(dst, [src], |y, [v]| *y = factor * v),
        Beta::One => for_each(dst, [src], |y, [v]| *y += factor * v),
    }
}

/// [`exp`] of each element, on the calling thread.
pub(crate) fn exp_in_place(x: &mut [f32]) {
    dispatch(Level::current(), ExpInPlace(x));
}

struct ExpInPlace<'a>(&'a mut [f32]);

impl Kernel for ExpInPlace<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        self.0.iter_mut().for_each(|x| *x = exp(*x));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::levels;

    /// Whether bits are equal, or both are NaN: the bits of a NaN are not guaranteed.
    fn are_same(a: f32, b: f32) -> bool {
        a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
    }

    #[test]
    fn every_level_gives_the_same_bits() {
        let bits = (0..=f32::INFINITY.to_bits()).step_by(if cfg!(miri) { 99_999_989 } else { 9_973 });
        let x: Vec<f32> = bits.map(f32::from_bits).chain([f32::NAN]).flat_map(|x| [x, -x]).collect();
        let [mut mapped, mut zipped, mut zipped3] = [(); 3].map(|()| vec![0.0; x.len()]);
        for level in levels() {
            let f = &|y: &mut f32, [x]: [f32; 1]| *y = exp(x);
            dispatch(level, Elements { y: &mut mapped, x: [&x], f });
            let mut in_place = x.clone();
            dispatch(level, ExpInPlace(&mut in_place));
            assert!(in_place.iter().zip(&mapped).all(|(&a, &b)| are_same(a, b)), "{level:?}");
            assert!(mapped.iter().zip(&x).all(|(&y, &x)| are_same(y, exp(x))), "{level:?}");
            let f = &|y: &mut f32, [a, b]: [f32; 2]| *y = a * b + a;
            dispatch(level, Elements { y: &mut zipped, x: [&x, &mapped], f });
            let expected = x.iter().zip(&mapped).map(|(a, b)| a * b + a);
            assert!(zipped.iter().zip(expected).all(|(&y, z)| are_same(y, z)), "{level:?}");
            let f = &|y: &mut f32, [a, b, c]: [f32; 3]| *y = a * b - c;
            dispatch(level, Elements { y: &mut zipped3, x: [&x, &mapped, &zipped], f });
            let expected = x.iter().zip(&mapped).zip(&zipped).map(|((a, b), c)| a * b - c);
            assert!(zipped3.iter().zip(expected).all(|(&y, z)| are_same(y, z)), "{level:?}");
        }
    }
}
