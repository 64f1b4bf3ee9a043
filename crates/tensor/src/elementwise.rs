//! Element by element: the loops under arithmetic, activations and gradient accumulation.

use std::f32::consts::LOG2_E;
use std::mem::MaybeUninit;
use std::ops::Range;

use crate::Beta;
use crate::fast::simd::{Level, Simd, dispatch};
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
    let level = Level::current();
    for_each_chunk(x.len(), CHUNK, x.len(), rows_mut(y, 1), |range, y| {
        let (y, x) = (y.into_slice(), &x[range]);
        match beta {
            Beta::Zero => unary(level, y, x, |y, x| *y = f(x)),
            Beta::One => unary(level, y, x, |y, x| *y += f(x)),
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
    let level = Level::current();
    for_each_chunk(a.len(), CHUNK, a.len(), rows_mut(y, 1), |range, y| {
        let (y, a, b) = (y.into_slice(), &a[range.clone()], &b[range]);
        match beta {
            Beta::Zero => binary(level, y, a, b, |y, a, b| *y = f(a, b)),
            Beta::One => binary(level, y, a, b, |y, a, b| *y += f(a, b)),
        }
    });
}

/// `f` of each element.
pub(crate) fn mapped(x: &[f32], f: impl Fn(f32) -> f32 + Sync) -> Vec<f32> {
    let level = Level::current();
    let write =
        |range: Range<usize>, y: &mut [_]| unary(level, y, &x[range], |y, x| _ = MaybeUninit::write(y, f(x)));
    // SAFETY: `unary` writes to every element that has one beside it in `x`.
    unsafe { written(x.len(), write) }
}

/// `f` of each pair of elements.
///
/// # Panics
/// When the lengths differ.
pub(crate) fn zipped(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    assert_eq!(a.len(), b.len(), "zipped: the lengths");
    let level = Level::current();
    let write = |range: Range<usize>, y: &mut [_]| {
        binary(level, y, &a[range.clone()], &b[range], |y, a, b| _ = MaybeUninit::write(y, f(a, b)))
    };
    // SAFETY: `binary` writes to every element that has one beside it in `a` and in `b`.
    unsafe { written(a.len(), write) }
}

/// A vector that `write(range, elements of the range)` writes, and that is not filled with zeros before.
///
/// # Safety
/// `write` initialises every element that it is given.
unsafe fn written(len: usize, write: impl Fn(Range<usize>, &mut [MaybeUninit<f32>]) + Sync) -> Vec<f32> {
    let mut values = Vec::with_capacity(len);
    let rows = rows_mut(&mut values.spare_capacity_mut()[..len], 1);
    for_each_chunk(len, CHUNK, len, rows, |range, rows| write(range, rows.into_slice()));
    // SAFETY: the chunks cover the first `len` elements, and the caller vouches for each of them.
    unsafe { values.set_len(len) };
    values
}

dispatch! {
    fn unary[Y, F: Fn(&mut Y, f32)](y: &mut [Y], x: &[f32], f: F) = unary_loop;
    fn binary[Y, F: Fn(&mut Y, f32, f32)](y: &mut [Y], a: &[f32], b: &[f32], f: F) = binary_loop;
}

#[inline(always)]
fn unary_loop<Y>(_: impl Simd, y: &mut [Y], x: &[f32], f: impl Fn(&mut Y, f32)) {
    y.iter_mut().zip(x).for_each(|(y, &x)| f(y, x));
}

#[inline(always)]
fn binary_loop<Y>(_: impl Simd, y: &mut [Y], a: &[f32], b: &[f32], f: impl Fn(&mut Y, f32, f32)) {
    y.iter_mut().zip(a).zip(b).for_each(|((y, &a), &b)| f(y, a, b));
}

/// eˣ, of a relative error of at most 1.6 ε, ε = 2⁻²⁴; several times as fast as [`f32::exp`] in a loop, and with the
/// same bits on every system. Infinities and NaN are as there. (Of all f32 the worst has 1.37 ε; below the normal
/// numbers, where the smallest of these stands for eˣ, 1.51 ε.)
#[inline]
pub fn exp(x: f32) -> f32 {
    // x = n ln 2 + r with |r| ≤ ln 2 / 2 and a whole number n: eˣ = 2ⁿ eʳ. The first part of ln 2 has nine bits, so
    // that its product with n is exact.
    const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];
    // A sum with it has no bits below 1: it rounds to the nearest whole number, which its low bits hold.
    const ROUND: f32 = 1.5 * (1 << 23) as f32;
    // A minimax fit of (eʳ − 1 − r) / r² with an error of 3.3e-9 in eʳ.
    const FIT: [f32; 5] = [0.001_381_316_1, 0.008_369_41, 0.041_668_456, 0.166_665_15, 0.499_999_94];
    // Beyond these the result is 0 and infinity. NaN is at neither end.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let rounded = x * LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let e_r = 1.0 + (r + r * r * FIT.iter().fold(0.0, |sum, c| sum * r + c));
    // In two factors, since 2ⁿ alone may be too large or too small for an f32 where eˣ is not.
    let n = rounded.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let power_of_two = |n: i32| f32::from_bits(((n + 127) << 23) as u32);
    e_r * power_of_two(n >> 1) * power_of_two(n - (n >> 1))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fast::testing::levels;

    /// Every so many f32 from −infinity to infinity, and NaN.
    fn numbers() -> Vec<f32> {
        let magnitudes = (0..=f32::INFINITY.to_bits()).step_by(if cfg!(miri) { 99_999_989 } else { 997 });
        let magnitudes =
            magnitudes.map(f32::from_bits).chain([f32::INFINITY, 87.5, 88.8, 103.5, 104.5, f32::NAN]);
        magnitudes.flat_map(|x| [x, -x]).collect()
    }

    #[test]
    fn exp_is_within_its_bound() {
        const EPSILON: f64 = f32::EPSILON as f64 / 2.0;
        for x in numbers() {
            let (y, expected) = (exp(x), f64::from(x).exp());
            if x.is_nan() {
                assert!(y.is_nan());
            } else if expected > f64::from(f32::MAX) * (1.0 + EPSILON) {
                assert_eq!(y, f32::INFINITY, "exp({x})");
            } else {
                // Below the normal numbers the distance from one to the next is the same everywhere.
                let error = (f64::from(y) - expected).abs() / expected.max(f64::from(f32::MIN_POSITIVE));
                assert!(error <= 1.6 * EPSILON, "exp({x}) = {y}, not {expected}");
            }
        }
    }

    /// Equal bits, or both NaN: which bits a NaN has is nobody's promise.
    fn are_same(a: f32, b: f32) -> bool {
        a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
    }

    #[test]
    fn every_level_gives_the_same_bits() {
        let x = numbers();
        let (mut mapped, mut zipped) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        for level in levels() {
            unary(level, &mut mapped, &x, |y, x| *y = exp(x));
            assert!(mapped.iter().zip(&x).all(|(&y, &x)| are_same(y, exp(x))), "{level:?}");
            binary(level, &mut zipped, &x, &mapped, |y, a, b| *y = a * b + a);
            let expected = x.iter().zip(&mapped).map(|(a, b)| a * b + a);
            assert!(zipped.iter().zip(expected).all(|(&y, z)| are_same(y, z)), "{level:?}");
        }
    }
}
