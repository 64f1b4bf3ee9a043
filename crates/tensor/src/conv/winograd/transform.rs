//! The transforms of Winograd's F(4×4, 3×3) and their adjoints, on vectors of channels.
//!
//! In one dimension a tile of six inputs d and a kernel g of size three give four outputs
//!
//! ```text
//!   y = Aᵀ [(G g) ⊙ (Bᵀ d)]
//!
//!        ⎡ 4  0 −5  0  1  0 ⎤          ⎡  1/4    0     0  ⎤          ⎡ 1  1  1  1  1  0 ⎤
//!        ⎢ 0 −4 −4  1  1  0 ⎥          ⎢ −1/6  −1/6  −1/6 ⎥     Aᵀ = ⎢ 0  1 −1  2 −2  0 ⎥
//!   Bᵀ = ⎢ 0  4 −4 −1  1  0 ⎥      G = ⎢ −1/6   1/6  −1/6 ⎥          ⎢ 0  1  1  4  4  0 ⎥
//!        ⎢ 0 −2 −1  2  1  0 ⎥          ⎢ 1/24  1/12   1/6 ⎥          ⎣ 0  1 −1  8 −8  1 ⎦
//!        ⎢ 0  2 −1 −2  1  0 ⎥          ⎢ 1/24 −1/12   1/6 ⎥
//!        ⎣ 0  4  0 −5  0  1 ⎦          ⎣   0     0     1  ⎦
//! ```
//!
//! and in two dimensions each transform is applied to columns, then to rows. Six products replace twelve; in
//! two dimensions 36 replace 144. Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks" (2016).
//! The gradient with respect to g is G ᵀ[(A dy) ⊙ (Bᵀ d)], with the adjoints of G and Aᵀ.

use simd::{Simd, Vector};

/// The number of outputs of a tile in each direction.
pub(crate) const OUTPUTS: usize = 4;

/// The number of taps of the kernel in each direction.
pub(crate) const TAPS: usize = 3;

/// The number of inputs of a tile in each direction, and of products.
pub(crate) const INPUTS: usize = OUTPUTS + TAPS - 1;

/// The number of products of a tile.
pub(crate) const POINTS: usize = INPUTS * INPUTS;

/// A one-dimensional transform of N values to M. A trait, because a function passed as a value might not be
/// inlined.
pub(crate) trait Transform<const N: usize, const M: usize> {
    /// Transforms, lane by lane.
    fn apply<S: Simd>(simd: S, values: [S::V; N]) -> [S::V; M];

    /// Transforms the columns of a tile, then the rows.
    #[inline(always)]
    fn apply_2d<S: Simd>(simd: S, tile: [[S::V; N]; N]) -> [[S::V; M]; M] {
        let mut columns_done = [[simd.zero(); N]; M];
        for col in 0..N {
            let mut column = [simd.zero(); N];
            for row in 0..N {
                column[row] = tile[row][col];
            }
            let column = Self::apply(simd, column);
            for row in 0..M {
                columns_done[row][col] = column[row];
            }
        }
        let mut done = [[simd.zero(); M]; M];
        for row in 0..M {
            done[row] = Self::apply(simd, columns_done[row]);
        }
        done
    }
}

/// Bᵀ d
pub(crate) struct Input;

impl Transform<INPUTS, INPUTS> for Input {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, d: [S::V; INPUTS]) -> [S::V; INPUTS] {
        let [two, minus_four, minus_five, four] = [2.0, -4.0, -5.0, 4.0].map(|factor| simd.splat(factor));
        let even = minus_four.mul_add(d[2], d[4]);
        let odd = minus_four.mul_add(d[1], d[3]);
        let half_even = d[4] - d[2];
        let half_odd = two * (d[3] - d[1]);
        [
            four.mul_add(d[0], minus_five.mul_add(d[2], d[4])),
            even + odd,
            even - odd,
            half_even + half_odd,
            half_even - half_odd,
            four.mul_add(d[1], minus_five.mul_add(d[3], d[5])),
        ]
    }
}

/// G g
pub(crate) struct Weight;

impl Transform<TAPS, INPUTS> for Weight {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, g: [S::V; TAPS]) -> [S::V; INPUTS] {
        let [quarter, minus_sixth, sixth, twelfth, twenty_fourth] =
            [1.0 / 4.0, -1.0 / 6.0, 1.0 / 6.0, 1.0 / 12.0, 1.0 / 24.0].map(|factor| simd.splat(factor));
        let outer = minus_sixth * (g[0] + g[2]);
        let far = twenty_fourth.mul_add(g[0], sixth * g[2]);
        let middle = sixth * g[1];
        let far_middle = twelfth * g[1];
        [quarter * g[0], outer - middle, outer + middle, far + far_middle, far - far_middle, g[2]]
    }
}

/// Gᵀ u, the adjoint of [`Weight`].
pub(crate) struct WeightAdjoint;

impl Transform<INPUTS, TAPS> for WeightAdjoint {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, u: [S::V; INPUTS]) -> [S::V; TAPS] {
        let [quarter, sixth, twelfth, twenty_fourth] =
            [1.0 / 4.0, 1.0 / 6.0, 1.0 / 12.0, 1.0 / 24.0].map(|factor| simd.splat(factor));
        let near = sixth * (u[1] + u[2]);
        let far = u[3] + u[4];
        [
            quarter.mul_add(u[0], twenty_fourth.mul_add(far, simd.zero() - near)),
            sixth.mul_add(u[2] - u[1], twelfth * (u[3] - u[4])),
            sixth.mul_add(far, u[5] - near),
        ]
    }
}

/// Aᵀ m
pub(crate) struct Output;

impl Transform<INPUTS, OUTPUTS> for Output {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, m: [S::V; INPUTS]) -> [S::V; OUTPUTS] {
        let [two, four, eight] = [2.0, 4.0, 8.0].map(|factor| simd.splat(factor));
        let (near_even, near_odd) = (m[1] + m[2], m[1] - m[2]);
        let (far_even, far_odd) = (m[3] + m[4], m[3] - m[4]);
        [
            m[0] + near_even + far_even,
            two.mul_add(far_odd, near_odd),
            four.mul_add(far_even, near_even),
            eight.mul_add(far_odd, near_odd) + m[5],
        ]
    }
}

/// A y, the adjoint of [`Output`].
pub(crate) struct OutputAdjoint;

impl Transform<OUTPUTS, INPUTS> for OutputAdjoint {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, y: [S::V; OUTPUTS]) -> [S::V; INPUTS] {
        let [two, four, eight] = [2.0, 4.0, 8.0].map(|factor| simd.splat(factor));
        let (near_even, near_odd) = (y[0] + y[2], y[1] + y[3]);
        let (far_even, far_odd) = (four.mul_add(y[2], y[0]), eight.mul_add(y[3], two * y[1]));
        [y[0], near_even + near_odd, near_even - near_odd, far_even + far_odd, far_even - far_odd, y[3]]
    }
}
