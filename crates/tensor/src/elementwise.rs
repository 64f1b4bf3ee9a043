//! Element by element: the loops under arithmetic, activations and gradient accumulation.

use std::f32::consts::LOG2_E;

use crate::Beta;
use crate::parallel::{for_each_chunk, rows_mut};
use simd::{Kernel, Level, Portable, Simd, dispatch};

/// Elements of one task when a long slice is split.
const CHUNK: usize = 1 << 15;

/// Below so many elements, as in the rows of a broadcast, wide vectors save less than the call into their code costs.
const FEW: usize = 64;

/// `y = β·y + f(x)`, element by element.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub fn map(y: &mut [f32], x: &[f32], beta: Beta, f: impl Fn(f32) -> f32 + Sync) {
    assert_eq!(y.len(), x.len(), "map: output and input lengths");
    match beta {
        Beta::Zero => unary(y, x, |y, x| *y = f(x)),
        Beta::One => unary(y, x, |y, x| *y += f(x)),
    }
}

/// `y = β·y + f(a, b)`, element by element.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub fn zip(y: &mut [f32], a: &[f32], b: &[f32], beta: Beta, f: impl Fn(f32, f32) -> f32 + Sync) {
    assert_eq!((y.len(), y.len()), (a.len(), b.len()), "zip: output and input lengths");
    match beta {
        Beta::Zero => binary(y, a, b, |y, a, b| *y = f(a, b)),
        Beta::One => binary(y, a, b, |y, a, b| *y += f(a, b)),
    }
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
    assert_eq!([y.len(); 3], [a.len(), b.len(), c.len()], "zip3: output and input lengths");
    match beta {
        Beta::Zero => ternary(y, a, b, c, |y, a, b, c| *y = f(a, b, c)),
        Beta::One => ternary(y, a, b, c, |y, a, b, c| *y += f(a, b, c)),
    }
}

/// `f` of each element, in a vector that is not filled with zeros before.
pub(crate) fn mapped(x: &[f32], f: impl Fn(f32) -> f32 + Sync) -> Vec<f32> {
    let mut y = Vec::with_capacity(x.len());
    unary(&mut y.spare_capacity_mut()[..x.len()], x, |y, x| _ = y.write(f(x)));
    // SAFETY: `unary` has visited, and the closure written, every element.
    unsafe { y.set_len(x.len()) };
    y
}

/// `f` of each pair of elements, in a vector that is not filled with zeros before.
///
/// # Panics
/// When the lengths differ.
pub(crate) fn zipped(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    assert_eq!(a.len(), b.len(), "zipped: the lengths");
    let mut y = Vec::with_capacity(a.len());
    binary(&mut y.spare_capacity_mut()[..a.len()], a, b, |y, a, b| _ = y.write(f(a, b)));
    // SAFETY: `binary` has visited, and the closure written, every element.
    unsafe { y.set_len(a.len()) };
    y
}

/// `f(y, x)` for every element of `y` and the one of `x` beside it; their lengths are equal.
fn unary<Y: Send>(y: &mut [Y], x: &[f32], f: impl Fn(&mut Y, f32) + Sync) {
    if x.len() < FEW {
        return Unary { y, x, f: &f }.run(Portable);
    }
    let level = Level::current();
    for_each_chunk(x.len(), CHUNK, x.len(), rows_mut(y, 1), |range, y| {
        dispatch(level, Unary { y: y.into_slice(), x: &x[range], f: &f });
    });
}

/// `f(y, a, b)` for every element of `y` and those of `a` and `b` beside it; their lengths are equal.
fn binary<Y: Send>(y: &mut [Y], a: &[f32], b: &[f32], f: impl Fn(&mut Y, f32, f32) + Sync) {
    if a.len() < FEW {
        return Binary { y, a, b, f: &f }.run(Portable);
    }
    let level = Level::current();
    for_each_chunk(a.len(), CHUNK, a.len(), rows_mut(y, 1), |range, y| {
        dispatch(level, Binary { y: y.into_slice(), a: &a[range.clone()], b: &b[range], f: &f });
    });
}

/// `f(y, a, b, c)` for every element of `y` and those of `a`, `b` and `c` beside it; their lengths are equal.
fn ternary(y: &mut [f32], a: &[f32], b: &[f32], c: &[f32], f: impl Fn(&mut f32, f32, f32, f32) + Sync) {
    if a.len() < FEW {
        return Ternary { y, a, b, c, f: &f }.run(Portable);
    }
    let level = Level::current();
    for_each_chunk(a.len(), CHUNK, a.len(), rows_mut(y, 1), |range, y| {
        let [a, b, c] = [a, b, c].map(|x| &x[range.clone()]);
        dispatch(level, Ternary { y: y.into_slice(), a, b, c, f: &f });
    });
}

/// One task of [`unary`].
struct Unary<'a, Y, F> {
    y: &'a mut [Y],
    x: &'a [f32],
    f: &'a F,
}

impl<Y, F: Fn(&mut Y, f32)> Kernel for Unary<'_, Y, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        self.y.iter_mut().zip(self.x).for_each(|(y, &x)| (self.f)(y, x));
    }
}

/// One task of [`binary`].
struct Binary<'a, Y, F> {
    y: &'a mut [Y],
    a: &'a [f32],
    b: &'a [f32],
    f: &'a F,
}

impl<Y, F: Fn(&mut Y, f32, f32)> Kernel for Binary<'_, Y, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        self.y.iter_mut().zip(self.a).zip(self.b).for_each(|((y, &a), &b)| (self.f)(y, a, b));
    }
}

/// One task of [`ternary`].
struct Ternary<'a, F> {
    y: &'a mut [f32],
    a: &'a [f32],
    b: &'a [f32],
    c: &'a [f32],
    f: &'a F,
}

impl<F: Fn(&mut f32, f32, f32, f32)> Kernel for Ternary<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let operands = self.a.iter().zip(self.b).zip(self.c);
        self.y.iter_mut().zip(operands).for_each(|(y, ((&a, &b), &c))| (self.f)(y, a, b, c));
    }
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

/// eˣ, of a relative error of at most 1.6 ε, ε = 2⁻²⁴; several times as fast as [`f32::exp`] in a loop, and with the
/// same bits on every system. Infinities and NaN are as there. Below the smallest normal number the error is
/// relative to that.
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

    /// Equal bits, or both NaN: which bits a NaN has is nobody's promise.
    fn are_same(a: f32, b: f32) -> bool {
        a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
    }

    #[test]
    fn every_level_gives_the_same_bits() {
        let bits = (0..=f32::INFINITY.to_bits()).step_by(if cfg!(miri) { 99_999_989 } else { 9_973 });
        let x: Vec<f32> = bits.map(f32::from_bits).chain([f32::NAN]).flat_map(|x| [x, -x]).collect();
        let [mut mapped, mut zipped, mut zipped3] = [(); 3].map(|()| vec![0.0; x.len()]);
        for level in levels() {
            dispatch(level, Unary { y: &mut mapped, x: &x, f: &|y: &mut f32, x| *y = exp(x) });
            let mut in_place = x.clone();
            dispatch(level, ExpInPlace(&mut in_place));
            assert!(in_place.iter().zip(&mapped).all(|(&a, &b)| are_same(a, b)), "{level:?}");
            assert!(mapped.iter().zip(&x).all(|(&y, &x)| are_same(y, exp(x))), "{level:?}");
            let f = &|y: &mut f32, a, b| *y = a * b + a;
            dispatch(level, Binary { y: &mut zipped, a: &x, b: &mapped, f });
            let expected = x.iter().zip(&mapped).map(|(a, b)| a * b + a);
            assert!(zipped.iter().zip(expected).all(|(&y, z)| are_same(y, z)), "{level:?}");
            let f = &|y: &mut f32, a, b, c| *y = a * b - c;
            dispatch(level, Ternary { y: &mut zipped3, a: &x, b: &mapped, c: &zipped, f });
            let expected = x.iter().zip(&mapped).zip(&zipped).map(|((a, b), c)| a * b - c);
            assert!(zipped3.iter().zip(expected).all(|(&y, z)| are_same(y, z)), "{level:?}");
        }
    }
}
