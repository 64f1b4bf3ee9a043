//! Local response normalisation (Krizhevsky, Sutskever and Hinton 2012): y = x · s^−beta with
//! s = k + alpha / size · Σ x² over the `size` channels around each one, in the same pixel.
//!
//! The window begins size / 2 channels before its channel (rounded down), as in PyTorch; channels beyond the
//! ends count as 0. All arithmetic is f64, rounded once: |Δ| ≤ 2·ε·|y| and, for dx,
//! 4·ε·(|dy| · s^−beta + 2 · alpha · beta / size · |x| · Σ |dy · x| · s^(−beta−1)), ε = 2⁻²⁴.

use super::affine::check;
use crate::parallel::{for_each_chunk, rows_mut};
use crate::shape::checked_len;
use crate::{Beta, scratch};
use simd::{Kernel, Level, Simd, dispatch};

/// The sizes and parameters of a local response normalisation.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LocalResponseNormShape {
    /// The number of pixels of all images.
    pub rows: usize,
    /// The number of channels, the innermost axis.
    pub channels: usize,
    /// The number of channels in a window; at least 1.
    pub size: usize,
    /// The factor of the mean square; PyTorch's default is 1e-4.
    pub alpha: f32,
    /// The exponent; PyTorch's default is 0.75.
    pub beta: f32,
    /// The constant added to the mean square; PyTorch's default is 1.
    pub k: f32,
}

/// y = x · s^−beta.
///
/// # Panics
/// When a length does not fit the shape, or the window is empty.
#[track_caller]
pub fn local_response_norm_forward(y: &mut [f32], x: &[f32], shape: &LocalResponseNormShape) {
    let channels = check_shape("local_response_norm_forward", &[y, x], shape);
    let level = Level::current();
    for_each_chunk(shape.rows, task_rows(channels), 16 * x.len(), rows_mut(y, channels), |rows, y| {
        let (y, x) = (y.into_slice(), &x[rows.start * channels..rows.end * channels]);
        scratch::with_f64(2 * channels + shape.window() - 1, |buffer| {
            dispatch(level, Forward { y, x, shape, buffer });
        });
    });
}

/// dx = β·dx + dy · s^−beta − 2 · alpha · beta / size · x · Σ dy · x · s^(−beta−1), summed over the channels
/// whose windows contain this channel.
///
/// # Panics
/// When a length does not fit the shape, or the window is empty.
#[track_caller]
pub fn local_response_norm_backward(
    dx: &mut [f32],
    dy: &[f32],
    x: &[f32],
    shape: &LocalResponseNormShape,
    beta: Beta,
) {
    let channels = check_shape("local_response_norm_backward", &[dx, dy, x], shape);
    let level = Level::current();
    for_each_chunk(shape.rows, task_rows(channels), 32 * x.len(), rows_mut(dx, channels), |rows, dx| {
        let [dy, x] = [dy, x].map(|values| &values[rows.start * channels..rows.end * channels]);
        scratch::with_f64(3 * channels + shape.window() - 1, |buffer| {
            dispatch(level, Backward { dx: dx.into_slice(), dy, x, shape, buffer, beta });
        });
    });
}

#[track_caller]
fn check_shape(name: &str, arrays: &[&[f32]], shape: &LocalResponseNormShape) -> usize {
    assert!(shape.size > 0, "{name}: the window must have at least one channel: {shape:?}");
    // A window longer than any row can be is a mistake.
    checked_len(name, &[8, shape.size]);
    let len = checked_len(name, &[shape.rows, shape.channels]);
    arrays.iter().for_each(|array| check(name, &[(array, len)], &[], 0));
    shape.channels
}

/// The number of rows per task.
fn task_rows(channels: usize) -> usize {
    ((1 << 12) / channels.max(1)).max(1)
}

impl LocalResponseNormShape {
    /// The channels in a window. One of twice as many as there are contains all of them wherever it lies, as does any
    /// larger one.
    fn window(&self) -> usize {
        self.size.min(2 * self.channels.max(1))
    }

    /// Computes s of each channel of a pixel; `padded` has a window − 1 more elements.
    #[inline(always)]
    fn denominators(&self, s: &mut [f64], padded: &mut [f64], x: &[f32]) {
        let before = self.window() / 2;
        padded.fill(0.0);
        padded[before..][..x.len()].iter_mut().zip(x).for_each(|(p, &x)| *p = f64::from(x) * f64::from(x));
        window_sums(s, padded);
        let (factor, k) = (f64::from(self.alpha) / self.size as f64, f64::from(self.k));
        s.iter_mut().for_each(|s| *s = k + factor * *s);
    }

    /// s^−beta.
    #[inline(always)]
    fn power(&self, s: f64) -> f64 {
        // PyTorch's default needs only square roots, which are single instructions.
        if self.beta == 0.75 { 1.0 / (s.sqrt() * s.sqrt().sqrt()) } else { s.powf(-f64::from(self.beta)) }
    }
}

/// sums[c] = Σ padded[c + i], for i over the window.
#[inline(always)]
fn window_sums(sums: &mut [f64], padded: &[f64]) {
    let n = sums.len();
    sums.fill(0.0);
    for offset in 0..=padded.len() - n {
        sums.iter_mut().zip(&padded[offset..][..n]).for_each(|(sum, p)| *sum += p);
    }
}

struct Forward<'a> {
    y: &'a mut [f32],
    x: &'a [f32],
    shape: &'a LocalResponseNormShape,
    buffer: &'a mut [f64],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { y, x, shape, buffer } = self;
        let n = shape.channels;
        let (s, padded) = buffer.split_at_mut(n);
        for (y, x) in y.chunks_exact_mut(n.max(1)).zip(x.chunks_exact(n.max(1))) {
            shape.denominators(s, padded, x);
            let inputs = x.iter().zip(&*s);
            y.iter_mut().zip(inputs).for_each(|(y, (&x, &s))| *y = (f64::from(x) * shape.power(s)) as f32);
        }
    }
}

struct Backward<'a> {
    dx: &'a mut [f32],
    dy: &'a [f32],
    x: &'a [f32],
    shape: &'a LocalResponseNormShape,
    buffer: &'a mut [f64],
    beta: Beta,
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { dx, dy, x, shape, buffer, beta } = self;
        let n = shape.channels;
        let (s, rest) = buffer.split_at_mut(n);
        let (powers, padded) = rest.split_at_mut(n);
        let factor = 2.0 * f64::from(shape.alpha) * f64::from(shape.beta) / shape.size as f64;
        let inputs = dy.chunks_exact(n.max(1)).zip(x.chunks_exact(n.max(1)));
        for (dx, (dy, x)) in dx.chunks_exact_mut(n.max(1)).zip(inputs) {
            shape.denominators(s, padded, x);
            powers.iter_mut().zip(&*s).for_each(|(power, &s)| *power = shape.power(s));
            // The windows that contain a channel are mirrored.
            let before = (shape.window() - 1) / 2;
            padded.fill(0.0);
            for c in 0..n {
                padded[before + c] = f64::from(dy[c]) * f64::from(x[c]) * powers[c] / s[c];
            }
            window_sums(s, padded);
            let gradient = |c: usize| (f64::from(dy[c]) * powers[c] - factor * f64::from(x[c]) * s[c]) as f32;
            match beta {
                Beta::Zero => (0..n).for_each(|c| dx[c] = gradient(c)),
                Beta::One => (0..n).for_each(|c| dx[c] += gradient(c)),
            }
        }
    }
}
