//! Dropout of single elements, or of whole channels of an image. The mask is a function of a key and the
//! element's index, so nothing is saved for backward.

pub(crate) mod reference;

use std::ops::Range;

use keyed_random::{splitmix64, unit};
use simd::{Kernel, Level, Simd, dispatch};

use crate::parallel::{for_each_chunk, rows_mut};
use crate::shape::checked_len;
use crate::{Beta, scratch};

/// The number of elements per task.
const TASK_LEN: usize = 1 << 14;

/// y = x / (1 − p) for elements that are kept, 0 for the others; an element is dropped with probability p.
///
/// Element i is kept when a uniform number in [0, 1), a function of `key` and i alone, is at least p. So
/// p = 0 is the identity, bit for bit, and p = 1 gives zeros without a division by zero. A dropped NaN or
/// infinity is 0. For a part of an array that begins with element n, use the key
/// [`keyed_random::skip`]`(key, n)`.
///
/// # Panics
/// When the lengths differ or p is not in [0, 1].
#[track_caller]
pub fn dropout_forward(y: &mut [f32], x: &[f32], p: f32, key: u64) {
    mask_and_scale("dropout_forward", y, x, p, key, Beta::Zero);
}

/// dx = β·dx + dy under the mask and scale of [`dropout_forward`] with the same `p` and `key`.
///
/// # Panics
/// When the lengths differ or p is not in [0, 1].
#[track_caller]
pub fn dropout_backward(dx: &mut [f32], dy: &[f32], p: f32, key: u64, beta: Beta) {
    mask_and_scale("dropout_backward", dx, dy, p, key, beta);
}

#[track_caller]
fn mask_and_scale(name: &str, y: &mut [f32], x: &[f32], p: f32, key: u64, beta: Beta) {
    assert_eq!(y.len(), x.len(), "{name}: output and input lengths");
    assert!((0.0..=1.0).contains(&p), "{name}: p is {p}, it must lie in [0, 1]");
    let level = Level::current();
    for_each_chunk(x.len(), TASK_LEN, 4 * x.len(), rows_mut(y, 1), |range, y| {
        let (y, x) = (y.into_slice(), &x[range.clone()]);
        dispatch(level, MaskAndScale { y, x, range, p, key, beta });
    });
}

/// Some of the elements.
struct MaskAndScale<'a> {
    y: &'a mut [f32],
    x: &'a [f32],
    range: Range<usize>,
    p: f32,
    key: u64,
    beta: Beta,
}

impl Kernel for MaskAndScale<'_> {
    type Output = ();

    // ANCHOR: mask
    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { y, x, range, p, key, beta } = self;
        // A selection rather than a product with 0, which would keep NaN. p = 1 keeps nothing, since the
        // uniform numbers are below 1.
        let keep = |x: f32, idx| if unit(splitmix64(key, idx as u64)) >= p { x / (1.0 - p) } else { 0.0 };
        let elements = y.iter_mut().zip(x).zip(range);
        match beta {
            Beta::Zero => elements.for_each(|((y, &x), idx)| *y = keep(x, idx)),
            Beta::One => elements.for_each(|((y, &x), idx)| *y += keep(x, idx)),
        }
    }
    // ANCHOR_END: mask
}

/// Dropout of whole channels of x [images, pixels, channels]: channel c of image i is kept or dropped like
/// element i · channels + c in [`dropout_forward`]. With one channel it drops whole images; with one image of
/// one channel, everything or nothing.
///
/// # Panics
/// When a length does not fit the sizes or p is not in [0, 1].
#[track_caller]
pub fn channel_dropout_forward(y: &mut [f32], x: &[f32], sizes: [usize; 3], p: f32, key: u64) {
    drop_channels("channel_dropout_forward", y, x, sizes, p, key, Beta::Zero);
}

/// dx = β·dx + dy under the mask and scale of [`channel_dropout_forward`] with the same `p` and `key`.
///
/// # Panics
/// When a length does not fit the sizes or p is not in [0, 1].
#[track_caller]
pub fn channel_dropout_backward(dx: &mut [f32], dy: &[f32], sizes: [usize; 3], p: f32, key: u64, beta: Beta) {
    drop_channels("channel_dropout_backward", dx, dy, sizes, p, key, beta);
}

#[track_caller]
fn drop_channels(name: &str, y: &mut [f32], x: &[f32], sizes: [usize; 3], p: f32, key: u64, beta: Beta) {
    let [images, pixels, channels] = sizes;
    let len = checked_len(name, &sizes);
    assert_eq!([y.len(), x.len()], [len; 2], "{name}: output and input lengths for {sizes:?}");
    assert!((0.0..=1.0).contains(&p), "{name}: p is {p}, it must lie in [0, 1]");
    let image_len = pixels * channels;
    for_each_chunk(images, 1, 2 * len, rows_mut(y, image_len), |image, y| {
        let (y, x) = (y.into_slice(), &x[image.start * image_len..][..image_len]);
        scratch::with(channels, |kept| {
            for (idx, kept) in (image.start * channels..).zip(&mut *kept) {
                *kept = f32::from(unit(splitmix64(key, idx as u64)) >= p);
            }
            if kept.len() == 1 {
                // All elements together: a loop over pixels of one channel each would be slow.
                return scale_kept(y, x, |_| kept[0], p, beta);
            }
            for (y, x) in y.chunks_exact_mut(channels.max(1)).zip(x.chunks_exact(channels.max(1))) {
                let kept = &kept[..y.len()];
                scale_kept(y, x, |c| kept[c], p, beta);
            }
        });
    });
}

/// y = β·y + x / (1 − p) where `kept` is 1; elsewhere not a product with 0, which would keep NaN.
#[inline]
fn scale_kept(y: &mut [f32], x: &[f32], kept: impl Fn(usize) -> f32, p: f32, beta: Beta) {
    let value = |idx: usize, x: f32| if kept(idx) == 1.0 { x / (1.0 - p) } else { 0.0 };
    let elements = y.iter_mut().zip(x).enumerate();
    match beta {
        Beta::Zero => elements.for_each(|(idx, (y, &x))| *y = value(idx, x)),
        Beta::One => elements.for_each(|(idx, (y, &x))| *y += value(idx, x)),
    }
}
