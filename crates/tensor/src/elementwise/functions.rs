//! Exponential and logarithm of one number, in vectorisable operations: a loop over them is several times as
//! fast as with the C library's, and has the same bits on every system.
//!
//! Infinities and NaN are as in [`f32`]. ε = 2⁻²⁴; below the smallest normal number an error is relative to that.

use std::f32::consts::LOG2_E;

/// ln 2 in two parts, the first with nine bits, so that its product with a small integer is exact.
const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];

/// eˣ, with a relative error of at most 1.6 ε.
#[inline]
pub fn exp(x: f32) -> f32 {
    exp_of_sum(x, -0.0)
}

/// e^(x + rest) for |rest| at most 1/16, as accurate as [`exp`] of the unrounded sum.
#[inline]
pub(crate) fn exp_of_sum(x: f32, rest: f32) -> f32 {
    let (e_r_m1, [a, b]) = split_exp(x, rest);
    (1.0 + e_r_m1) * a * b
}

/// eˣ − 1, with a relative error of at most 2 ε, also near 0.
#[inline]
pub fn exp_m1(x: f32) -> f32 {
    let (e_r_m1, [a, b]) = split_exp(x, -0.0);
    let power = a * b;
    // Where the 1 is lost to rounding, the power alone may be infinite.
    if x > 20.0 { (1.0 + e_r_m1) * a * b } else { e_r_m1 * power + (power - 1.0) }
}

/// eʳ − 1 and 2ⁿ, for x + rest = n ln 2 + r with |r| ≤ ln 2 / 2 + |rest| and an integer n. The power is in
/// two factors, since it may be too large or too small for an f32 even if eˣ is not.
#[inline]
fn split_exp(x: f32, rest: f32) -> (f32, [f32; 2]) {
    // Adding it leaves no bits below 1: it rounds to the nearest integer, which is in the low bits of the
    // sum.
    const ROUND: f32 = 1.5 * (1 << 23) as f32;
    // A minimax fit of (eʳ − 1 − r) / r² with an error of 3.3e-9 in eʳ.
    const FIT: [f32; 5] = [0.001_381_316_1, 0.008_369_41, 0.041_668_456, 0.166_665_15, 0.499_999_94];
    // Beyond these, eˣ is 0 or infinity. NaN passes both comparisons.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let rounded = x * LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN_2[0] - n * LN_2[1] + rest;
    let e_r_m1 = r + r * r * FIT.iter().fold(0.0, |sum, c| sum * r + c);
    let n = rounded.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let power_of_two = |n: i32| f32::from_bits(((n + 127) << 23) as u32);
    (e_r_m1, [power_of_two(n >> 1), power_of_two(n - (n >> 1))])
}

/// ln x, with a relative error of at most 1.4 ε.
#[inline]
pub fn ln(x: f32) -> f32 {
    // x = 2ⁿ (1 + f) with √½ ≤ 1 + f < √2: ln x = n ln 2 + ln(1 + f).
    const SQRT_HALF: u32 = 0x3f35_04f3;
    const MANTISSA: u32 = (1 << 23) - 1;
    // The fit of Cephes to (ln(1 + f) − f + f²/2) / f³ (Moshier 1989).
    const FIT: [f32; 9] = [
        0.070_376_836,
        -0.115_146_1,
        0.116_769_984,
        -0.124_201_41,
        0.142_493_23,
        -0.166_680_57,
        0.200_007_14,
        -0.249_999_94,
        0.333_333_3,
    ];
    let (scaled, shift) = if x < f32::MIN_POSITIVE { (x * (1 << 23) as f32, 23.0) } else { (x, 0.0) };
    let bits = scaled.to_bits().wrapping_sub(SQRT_HALF);
    let n = (bits as i32 >> 23) as f32 - shift;
    let f = f32::from_bits((bits & MANTISSA) + SQRT_HALF) - 1.0;
    let square = f * f;
    let small = FIT.iter().fold(0.0, |sum, c| sum * f + c) * f * square + n * LN_2[1] - 0.5 * square;
    let y = f + small + n * LN_2[0];
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    let y = if x == f32::INFINITY { x } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}

/// ln(1 + x), with a relative error of at most 2.5 ε, also near 0.
#[inline]
pub fn ln_1p(x: f32) -> f32 {
    let sum = 1.0 + x;
    // The rounding error of the sum, carried through the logarithm.
    let lost = if sum > 0.0 && sum < f32::INFINITY { (x - (sum - 1.0)) / sum } else { 0.0 };
    ln(sum) + lost
}
