//! Muon.

use super::hyperparameters::{OptionText, hyperparameters};
use crate::elementwise::Lanes;
use crate::matrix_product::{Matrix, multiply};
use crate::reduce::l2_norm;
use crate::{AnyRule, Error, Interval, Real, Slot, WholeTensor};

/// Muon: orthogonalised momentum, so that a step moves all directions of a matrix equally.
///
/// ```text
/// b ← μ·b + (1 − μ)·g,   u = μ·b + (1 − μ)·g  (Nesterov)  or  b
/// X = u/max(‖u‖, ε), then ns_steps times   A = X·Xᵀ,  X ← a·X + (b·A + c·A²)·X
/// w ← (1 − lr·λ)·w − lr·s·X,   s = √max(1, rows/cols)  unless adjusted otherwise
/// ```
/// With `rescale_every` k, the weights are first scaled to the norm √rows at steps 1, k + 1, 2k + 1, …, as in
/// Jordan's airbench94_muon. Filters before a normalisation then keep their size, and a step turns them by
/// the same angle throughout training.
///
/// A tensor of more than two dimensions is treated as the matrix of its first against the rest. A vector is
/// rejected. Vectors, embeddings and the output layer are usually left to AdamW.
///
/// Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.
/// `torch.optim.Muon`, which takes matrices only and rounds X to bfloat16; here X has the element type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Muon {
    /// Learning rate (default: 1e-3).
    pub lr: f64,
    /// Decoupled weight decay λ (default: 0.1).
    pub weight_decay: f64,
    /// Momentum μ in [0, 1) (default: 0.95).
    pub momentum: f64,
    /// Nesterov's momentum (default: true).
    pub nesterov: bool,
    /// (a, b, c) of the Newton–Schulz step (default: (3.4445, −4.775, 2.0315)).
    pub ns_coefficients: (f64, f64, f64),
    /// The smallest norm to divide by (default: 1e-7).
    pub eps: f64,
    /// The number of Newton–Schulz steps, fewer than 100 (default: 5). Three are often enough.
    pub ns_steps: usize,
    /// How the learning rate depends on the shape (default: [`LrAdjustment::Original`]).
    pub adjust_lr: LrAdjustment,
    /// Scale the weights to the norm √rows every this many steps (default: 0, which means never).
    pub rescale_every: usize,
}

/// How the step of [`Muon`] depends on the shape of the matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LrAdjustment {
    /// √max(1, rows/cols).
    #[default]
    Original,
    /// 0.2·√max(rows, cols): steps with the same root mean square as AdamW's, so AdamW's settings can be
    /// used.
    MatchRmsAdamw,
    /// √(rows/cols).
    SpectralUnclamped,
}

impl LrAdjustment {
    fn factor(self, rows: usize, cols: usize) -> f64 {
        let (rows, cols) = (rows as f64, cols as f64);
        match self {
            Self::Original => (rows / cols).max(1.0).sqrt(),
            Self::MatchRmsAdamw => 0.2 * rows.max(cols).sqrt(),
            Self::SpectralUnclamped => (rows / cols).sqrt(),
        }
    }
}

impl OptionText for LrAdjustment {
    fn write(&self) -> String {
        match self {
            Self::Original => "original",
            Self::MatchRmsAdamw => "match_rms_adamw",
            Self::SpectralUnclamped => "spectral_unclamped",
        }
        .to_owned()
    }

    fn read(&mut self, text: &str) -> Result<(), &'static str> {
        *self = match text {
            "original" => Self::Original,
            "match_rms_adamw" => Self::MatchRmsAdamw,
            "spectral_unclamped" => Self::SpectralUnclamped,
            _ => return Err("original, match_rms_adamw or spectral_unclamped"),
        };
        Ok(())
    }
}

impl Default for Muon {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            weight_decay: 0.1,
            momentum: 0.95,
            nesterov: true,
            ns_coefficients: (3.4445, -4.775, 2.0315),
            eps: 1e-7,
            ns_steps: 5,
            adjust_lr: LrAdjustment::Original,
            rescale_every: 0,
        }
    }
}

hyperparameters! { Muon "muon" {
    "lr" in NON_NEGATIVE: lr;
    "weight_decay" in NON_NEGATIVE: weight_decay;
    "momentum" in DECAY_RATE: momentum;
    "ns_coefficient_a" in FINITE: ns_coefficients.0;
    "ns_coefficient_b" in FINITE: ns_coefficients.1;
    "ns_coefficient_c" in FINITE: ns_coefficients.2;
    "eps" in NON_NEGATIVE: eps;
} options { nesterov; ns_steps; adjust_lr; rescale_every; } also Muon::check_ns_steps; }

impl Muon {
    fn check_ns_steps(&self) -> Result<(), Error> {
        Interval::half_open(0.0, 100.0).check("muon", "ns_steps", self.ns_steps as f64)
    }
}

impl<F: Real> From<Muon> for AnyRule<F> {
    fn from(rule: Muon) -> Self {
        Self::WholeTensor(Box::new(rule))
    }
}

impl<F: Real> WholeTensor<F> for Muon {
    fn takes(&self, shape: &[usize]) -> Result<(), &'static str> {
        if shape.len() >= 2 { Ok(()) } else { Err("two dimensions or more") }
    }

    fn slots(&self, shape: &[usize]) -> Vec<Slot<F>> {
        let (rows, cols) = matrix(shape);
        let (n, short) = (rows * cols, rows.min(cols));
        vec![
            Slot::each("momentum_buffer", n, 0.0),
            Slot::scratch("x", n),
            Slot::scratch("x_next", n),
            Slot::scratch("gram", short * short),
            Slot::scratch("polynomial", short * short),
        ]
    }

    fn apply(&self, t: u64, shape: &[usize], values: &mut [F], grads: &[F], slots: &mut [Slot<F>]) {
        let (rows, cols) = matrix(shape);
        let [buffer, x, work @ ..] = slots else { unreachable!("Muon has five slots") };
        let (momentum, new, nesterov) = (F::of(self.momentum), F::of(1.0 - self.momentum), self.nesterov);
        Lanes { values: &mut x.values, grads, slots: [&mut buffer.values] }.each(move |u, g, [b]| {
            *b = b.lerp(g, new);
            *u = if nesterov { g.lerp(*b, momentum) } else { *b };
        });
        self.orthogonalize(rows, cols, &mut x.values, work);
        let rescale = self.rescale_every > 0 && (t - 1).is_multiple_of(self.rescale_every as u64);
        let factor = match rescale {
            true => (rows as f64).sqrt() / l2_norm(values).max(self.eps),
            false => 1.0,
        };
        let shrink = F::of(factor * (1.0 - self.lr * self.weight_decay));
        let size = F::of(self.lr * self.adjust_lr.factor(rows, cols));
        Lanes { values, grads: &x.values, slots: [] }.each(move |w, x, []| *w = shrink * *w - size * x);
    }
}

impl Muon {
    /// Replaces a matrix by approximately U·Vᵀ of its singular value decomposition. The iteration runs on the
    /// matrix or its transpose, whichever has fewer rows.
    fn orthogonalize<F: Real>(&self, rows: usize, cols: usize, x: &mut [F], work: &mut [Slot<F>]) {
        let [next, gram, polynomial] = work else { unreachable!("Muon has five slots") };
        let next = &mut next.values[..];
        let (gram, polynomial) = (&mut gram.values[..], &mut polynomial.values[..]);
        let (short, long) = (rows.min(cols), rows.max(cols));
        let (a, b, c) = self.ns_coefficients;
        let [a, b, c] = [a, b, c].map(F::of);

        let norm = l2_norm(x).max(self.eps);
        if rows > cols {
            transpose(rows, cols, x, next);
            x.copy_from_slice(next);
        }
        for x in x.iter_mut() {
            // In f64, because the norm of an f32 matrix may exceed the largest f32.
            *x = F::of(x.to_f64() / norm);
        }
        for _ in 0..self.ns_steps {
            let wide = Matrix::new(short, long, x);
            multiply(wide, wide.transposed(), gram);
            let square = Matrix::new(short, short, gram);
            multiply(square, square, polynomial);
            for (p, &g) in polynomial.iter_mut().zip(&*gram) {
                *p = b * g + c * *p;
            }
            multiply(Matrix::new(short, short, polynomial), Matrix::new(short, long, x), next);
            for (x, &next) in x.iter_mut().zip(&*next) {
                *x = a * *x + next;
            }
        }
        if rows > cols {
            transpose(cols, rows, x, next);
            x.copy_from_slice(next);
        }
    }
}

/// (rows, columns) of the first dimension against the rest.
fn matrix(shape: &[usize]) -> (usize, usize) {
    (shape[0], shape[1..].iter().product())
}

/// to = fromᵀ, tile by tile.
fn transpose<F: Real>(rows: usize, cols: usize, from: &[F], to: &mut [F]) {
    const TILE: usize = 16;
    for row_start in (0..rows).step_by(TILE) {
        for col_start in (0..cols).step_by(TILE) {
            for row in row_start..rows.min(row_start + TILE) {
                for col in col_start..cols.min(col_start + TILE) {
                    to[col * rows + row] = from[row * cols + col];
                }
            }
        }
    }
}
