//! Weights in the order in which the kernels read them.
//!
//! PyTorch stores a convolution's weights as `[out][in][kh][kw]`. The kernels multiply one input value with
//! sixteen output channels at a time, row of the kernel by row, and so want
//!
//! ```text
//! [out / 16][kh][kw][in][16]      the last block filled up with zeros
//! ```

use super::geometry::Geometry;
use super::simd::LANES;
use crate::Beta;
use crate::parallel::{for_each_chunk, rows_mut};

/// Whether the kernel's taps are taken as they are or rotated by 180° with in and out exchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rotation {
    /// For the forward pass.
    None,
    /// For the input gradient: `geometry` is [`Geometry::backward_input`], the weights are the forward ones.
    Half,
}

/// The length of the packed weights.
pub(crate) fn packed_len(geometry: &Geometry) -> usize {
    geometry.out_channels.div_ceil(LANES) * block_len(geometry)
}

/// The length of the block of sixteen output channels.
pub(crate) fn block_len(geometry: &Geometry) -> usize {
    geometry.n_taps() * geometry.in_channels * LANES
}

/// Packs the weights `w` for the pass that `geometry` describes.
pub(crate) fn pack(packed: &mut [f32], w: &[f32], geometry: &Geometry, rotation: Rotation) {
    let (n_taps, in_channels, out_channels) =
        (geometry.n_taps(), geometry.in_channels, geometry.out_channels);
    for_each_block(packed, geometry, |first_out, block| {
        block.fill(0.0);
        for lane in 0..LANES.min(out_channels - first_out) {
            let out = first_out + lane;
            for input in 0..in_channels {
                let taps = match rotation {
                    Rotation::None => &w[(out * in_channels + input) * n_taps..][..n_taps],
                    Rotation::Half => &w[(input * out_channels + out) * n_taps..][..n_taps],
                };
                let column = block[input * LANES + lane..].iter_mut().step_by(in_channels * LANES);
                match rotation {
                    Rotation::None => column.zip(taps).for_each(|(dst, &tap)| *dst = tap),
                    Rotation::Half => column.zip(taps.iter().rev()).for_each(|(dst, &tap)| *dst = tap),
                }
            }
        }
    });
}

/// `dw = β·dw + packed`, back in PyTorch's order: the inverse of [`pack`] without rotation.
pub(crate) fn unpack(dw: &mut [f32], packed: &[f32], geometry: &Geometry, beta: Beta) {
    let (n_taps, in_channels) = (geometry.n_taps(), geometry.in_channels);
    let row_len = in_channels * n_taps;
    for_each_chunk(geometry.out_channels, LANES, dw.len(), rows_mut(dw, row_len), |outs, rows| {
        let block = &packed[outs.start / LANES * block_len(geometry)..][..block_len(geometry)];
        for (lane, row) in rows.into_slice().chunks_mut(row_len).enumerate() {
            for (input, taps) in row.chunks_mut(n_taps).enumerate() {
                let column = block[input * LANES + lane..].iter().step_by(in_channels * LANES);
                match beta {
                    Beta::Zero => taps.iter_mut().zip(column).for_each(|(tap, &value)| *tap = value),
                    Beta::One => taps.iter_mut().zip(column).for_each(|(tap, &value)| *tap += value),
                }
            }
        }
    });
}

/// Calls `f(first output channel, block)` for each block of sixteen output channels.
fn for_each_block(packed: &mut [f32], geometry: &Geometry, f: impl Fn(usize, &mut [f32]) + Sync) {
    let block_len = block_len(geometry);
    let n_blocks = geometry.out_channels.div_ceil(LANES);
    for_each_chunk(n_blocks, 1, packed.len(), rows_mut(packed, block_len), |blocks, block| {
        f(blocks.start * LANES, block.into_slice());
    });
}
