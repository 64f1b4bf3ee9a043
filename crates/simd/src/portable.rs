//! Sixteen f32 as an array: works on every processor, as fast as the compiler makes it.

// Loops over lanes have constant bounds, are unrolled, and index several arrays at once.
#![allow(clippy::needless_range_loop)]

use std::ops::{Add, BitOr, Mul, Sub};

use crate::{LANES, Simd, Vector};

/// The instruction set of the compilation target, which needs no proof.
#[derive(Clone, Copy)]
pub struct Portable;

/// Sixteen lanes.
#[derive(Clone, Copy)]
pub struct Array([f32; LANES]);

/// A truth value per lane.
#[derive(Clone, Copy)]
pub struct ArrayMask([bool; LANES]);

impl Simd for Portable {
    type V = Array;
    const MANY_REGISTERS: bool = false;
    const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));

    #[inline(always)]
    fn splat(self, x: f32) -> Array {
        Array([x; LANES])
    }

    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Array {
        // SAFETY: the caller vouches for sixteen values at `p`; an array of f32 is aligned as f32 is.
        Array(unsafe { p.cast::<[f32; LANES]>().read() })
    }

    #[inline(always)]
    unsafe fn load_partial(self, p: *const f32, n: usize) -> Array {
        let mut lanes = [0.0; LANES];
        for (lane_idx, lane) in lanes.iter_mut().enumerate().take(n) {
            // SAFETY: the caller vouches for the first `n` values.
            *lane = unsafe { *p.add(lane_idx) };
        }
        Array(lanes)
    }
}

/// Combines two vectors lane by lane; a macro, to avoid a closure between the loop and the optimiser.
macro_rules! lanewise {
    ($a:expr, $b:expr, |$x:ident, $y:ident| $value:expr) => {{
        let mut lanes = $a.0;
        for (lane, &$y) in lanes.iter_mut().zip(&$b.0) {
            let $x = *lane;
            *lane = $value;
        }
        Array(lanes)
    }};
}

impl Add for Array {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        lanewise!(self, other, |x, y| x + y)
    }
}

impl Sub for Array {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        lanewise!(self, other, |x, y| x - y)
    }
}

impl Mul for Array {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        lanewise!(self, other, |x, y| x * y)
    }
}

impl BitOr for ArrayMask {
    type Output = Self;
    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        let mut lanes = self.0;
        for (lane, &y) in lanes.iter_mut().zip(&other.0) {
            *lane |= y;
        }
        Self(lanes)
    }
}

impl Vector for Array {
    type Mask = ArrayMask;

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        let mut lanes = self.0;
        for lane_idx in 0..LANES {
            let (x, y, z) = (self.0[lane_idx], factor.0[lane_idx], addend.0[lane_idx]);
            lanes[lane_idx] = if Portable::FUSED { x.mul_add(y, z) } else { x * y + z };
        }
        Self(lanes)
    }

    #[inline(always)]
    fn relu(self) -> Self {
        lanewise!(self, self, |x, _y| if x <= 0.0 { 0.0 } else { x })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        lanewise!(self, other, |x, y| if x > y { x } else { y })
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        lanewise!(self, self, |x, _y| f32::from_bits(((x as i32).wrapping_add(127) << 23) as u32))
    }

    #[inline(always)]
    fn gt(self, other: Self) -> ArrayMask {
        let mut mask = [false; LANES];
        for lane_idx in 0..LANES {
            mask[lane_idx] = self.0[lane_idx] > other.0[lane_idx];
        }
        ArrayMask(mask)
    }

    #[inline(always)]
    fn ne(self, other: Self) -> ArrayMask {
        let mut mask = [false; LANES];
        for lane_idx in 0..LANES {
            mask[lane_idx] = self.0[lane_idx] != other.0[lane_idx];
        }
        ArrayMask(mask)
    }

    #[inline(always)]
    fn select(mask: ArrayMask, yes: Self, no: Self) -> Self {
        let mut lanes = no.0;
        for lane_idx in 0..LANES {
            if mask.0[lane_idx] {
                lanes[lane_idx] = yes.0[lane_idx];
            }
        }
        Self(lanes)
    }

    #[inline(always)]
    fn bits(mask: ArrayMask) -> u16 {
        mask.0.iter().enumerate().fold(0, |bits, (lane_idx, &lane)| bits | u16::from(lane) << lane_idx)
    }

    #[inline(always)]
    fn sums(vectors: [Self; 4]) -> [f32; 4] {
        let mut sums = [0.0; 4];
        for idx in 0..4 {
            let mut lanes = vectors[idx].0;
            for half in [8, 4, 2, 1] {
                for lane_idx in 0..half {
                    lanes[lane_idx] += lanes[lane_idx + half];
                }
            }
            sums[idx] = lanes[0];
        }
        sums
    }

    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        let mut columns = rows;
        for row in 0..LANES {
            for col in 0..LANES {
                columns[col].0[row] = rows[row].0[col];
            }
        }
        columns
    }

    #[inline(always)]
    fn to_bytes(self) -> [u8; LANES] {
        let mut bytes = [0; LANES];
        for (byte, &lane) in bytes.iter_mut().zip(&self.0) {
            *byte = lane as u8;
        }
        bytes
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller vouches for sixteen values at `p`; an array of f32 is aligned as f32 is.
        unsafe { p.cast::<[f32; LANES]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, p: *mut f32, n: usize) {
        for (lane_idx, &lane) in self.0.iter().enumerate().take(n) {
            // SAFETY: the caller vouches for the first `n` values.
            unsafe { *p.add(lane_idx) = lane };
        }
    }
}
