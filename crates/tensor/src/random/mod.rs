//! Random numbers that are functions of a key and the element's index.

pub(crate) mod reference;

use std::f64::consts::TAU;

use keyed_random::{splitmix64, unit};

use crate::parallel::{for_each_chunk, rows_mut};

/// The number of elements per task.
const TASK_LEN: usize = 1 << 12;

/// Writes uniform numbers in [0, 1), multiples of 2⁻²⁴.
///
/// Element i is a function of `key` and i alone. For a part of an array that begins with element n, use the
/// key [`keyed_random::skip`]`(key, n)`.
pub fn uniform(y: &mut [f32], key: u64) {
    fill(y, 4, |idx| unit(splitmix64(key, idx)));
}

/// Writes standard normal numbers, by the transform of Box and Muller 1958; their tail ends at 7.4. The key
/// is as for [`uniform`].
pub fn normal(y: &mut [f32], key: u64) {
    fill(y, 64, |idx| {
        // Of 64 bits, 40 are the radius, which is never 0, and 24 the angle.
        let bits = splitmix64(key, idx);
        let radius = ((bits >> 24) + 1) as f64 / (1u64 << 40) as f64;
        let angle = (bits & 0xff_ffff) as f64 / f64::from(1 << 24);
        ((-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()) as f32
    });
}

/// Fills `y`; `work` is that of one element, as in [`for_each_chunk`].
fn fill(y: &mut [f32], work: usize, number: impl Fn(u64) -> f32 + Sync) {
    for_each_chunk(y.len(), TASK_LEN, work * y.len(), rows_mut(y, 1), |range, y| {
        y.into_slice().iter_mut().zip(range).for_each(|(y, idx)| *y = number(idx as u64));
    });
}
