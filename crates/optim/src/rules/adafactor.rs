//! Adafactor.

use rayon::prelude::*;

use super::direction::Direction;
use super::hyperparameters::hyperparameters;
use crate::elementwise::{CHUNK, Lanes};
use crate::reduce::{l2_norm, square, sum_of_squares, sums, tree_sum};
use crate::{Error, Interval, Real, Slot, WholeTensor};
use simd::{Kernel, Level, Simd, dispatch};

/// Adafactor: Adam's scaling, using mean squares of rows and columns instead of a full matrix of them.
///
/// ```text
/// g ← ±∇f(w),  1 − β̂ₜ = t^beta2_decay,  ρₜ = min(lr, 1/√t),  αₜ = max(ε₂, RMS(w))·ρₜ
/// w ← w − lr·λ·w
/// R ← β̂ₜ·R + (1 − β̂ₜ)·(mean of g² in each row)       of a matrix of the last two dimensions
/// C ← β̂ₜ·C + (1 − β̂ₜ)·(mean of g² in each column)
/// V = R·C/max(mean(R), ε₁)                            or, of a vector,  V ← β̂ₜ·V + (1 − β̂ₜ)·g²
/// u = g/√max(V, ε₁²)
/// w ← w − αₜ·u/max(1, RMS(u)/d)
/// ```
///
/// Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", arXiv:1804.04235.
/// `torch.optim.Adafactor`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adafactor {
    /// The largest relative step (default: 1e-2).
    pub lr: f64,
    /// The exponent by which the means lengthen, ≤ 0 (default: −0.8).
    pub beta2_decay: f64,
    /// (ε₁, ε₂), both ≥ 0: the smallest mean (`None` means the machine epsilon of the element type) and the
    /// smallest RMS of the weights used (default: (`None`, 1e-3)).
    pub eps: (Option<f64>, f64),
    /// The threshold at which updates are clipped, ≥ 1 (default: 1).
    pub d: f64,
    /// Decoupled weight decay λ (default: 0).
    pub weight_decay: f64,
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for Adafactor {
    fn default() -> Self {
        Self { lr: 1e-2, beta2_decay: -0.8, eps: (None, 1e-3), d: 1.0, weight_decay: 0.0, maximize: false }
    }
}

hyperparameters! { Adafactor "adafactor" {
    "lr" in NON_NEGATIVE: lr;
    "beta2_decay" in NON_POSITIVE: beta2_decay;
    "eps2" in NON_NEGATIVE: eps.1;
    "d" in AT_LEAST_ONE: d;
    "weight_decay" in NON_NEGATIVE: weight_decay;
} also Adafactor::check_eps1; }

impl Adafactor {
    fn check_eps1(&self) -> Result<(), Error> {
        self.eps.0.map_or(Ok(()), |eps| Interval::NON_NEGATIVE.check("adafactor", "eps1", eps))
    }
}

/// (matrices, rows, columns) of a tensor of two dimensions or more.
fn matrices(shape: &[usize]) -> Option<(usize, usize, usize)> {
    let [outer @ .., rows, cols] = shape else { return None };
    Some((outer.iter().product(), *rows, *cols))
}

impl<F: Real> WholeTensor<F> for Adafactor {
    fn slots(&self, shape: &[usize]) -> Vec<Slot<F>> {
        match matrices(shape) {
            Some((n, rows, cols)) => vec![
                Slot::shared("row_var", n * rows, 0.0),
                Slot::shared("col_var", n * cols, 0.0),
                Slot::scratch("row_factor", n * rows),
            ],
            None => vec![Slot::each("variance", shape.iter().product(), 0.0)],
        }
    }

    fn apply(&self, t: u64, shape: &[usize], values: &mut [F], grads: &[F], slots: &mut [Slot<F>]) {
        if values.is_empty() {
            return;
        }
        let t = t as f64;
        let rms = l2_norm(values) / (values.len() as f64).sqrt();
        let step = Step {
            new: F::of(t.powf(self.beta2_decay)),
            alpha: self.eps.1.max(rms) * self.lr.min(1.0 / t.sqrt()),
            shrink: F::of(1.0 - self.lr * self.weight_decay),
            eps: F::of(self.eps.0.unwrap_or(F::EPSILON.to_f64())),
            d: self.d,
            direction: Direction::new(self.maximize, 0.0),
        };
        match (matrices(shape), slots) {
            (Some((_, rows, cols)), [row_var, col_var, row_factor]) => {
                let (row_var, col_var) = (&mut row_var.values, &mut col_var.values);
                step.mean_rows(grads, row_var);
                // Many small matrices are split among the threads; a large one is split internally.
                let matrices_at_once = (CHUNK / (rows * cols)).max(1);
                let matrices = grads
                    .par_chunks(rows * cols)
                    .zip(col_var.par_chunks_mut(cols))
                    .zip(row_var.par_chunks(rows).zip(row_factor.values.par_chunks_mut(rows)));
                matrices.with_min_len(matrices_at_once).for_each(
                    |((grads, col_var), (row_var, row_factor))| {
                        step.mean_cols(grads, col_var);
                        step.row_factors(row_var, row_factor);
                    },
                );
                step.matrices(rows, values, grads, &row_factor.values, col_var);
            }
            (None, [variance]) => step.vector(values, grads, &mut variance.values),
            _ => unreachable!("Adafactor has three slots for matrices and one for vectors"),
        }
    }
}

/// The numbers of one step.
#[derive(Clone, Copy)]
struct Step<F> {
    new: F,
    alpha: f64,
    shrink: F,
    eps: F,
    d: f64,
    direction: Direction<F>,
}

impl<F: Real> Step<F> {
    /// u = g/√max(V, ε₁²).
    #[inline(always)]
    fn update(self, g: F, v: F) -> F {
        g / v.larger(self.eps * self.eps).sqrt()
    }

    /// αₜ/max(1, RMS(u)/d).
    fn size(self, update_squares: f64, n: usize) -> F {
        F::of(self.alpha / ((update_squares / n as f64).sqrt() / self.d).max(1.0))
    }

    fn vector(self, values: &mut [F], grads: &[F], variance: &mut [F]) {
        Lanes { values: &mut *variance, grads, slots: [] }.each(move |v, g, []| *v = v.lerp(g * g, self.new));
        let [squares] = sums([grads, &*variance], move |[g, v]| [square(self.update(g, v))]);
        let size = self.size(squares, values.len());
        Lanes { values, grads, slots: [variance] }
            .each(move |w, g, [v]| *w = self.shrink * *w - size * self.direction.at(*w, self.update(g, *v)));
    }

    /// Moves each row's mean square towards that of `grads`; rows are numbered across all matrices.
    fn mean_rows(self, grads: &[F], row_var: &mut [F]) {
        let cols = grads.len() / row_var.len();
        let rows_at_once = (CHUNK / cols).max(1);
        let pieces = row_var.par_chunks_mut(rows_at_once).zip(grads.par_chunks(rows_at_once * cols));
        pieces.for_each(|(row_var, grads)| {
            for (var, row) in row_var.iter_mut().zip(grads.chunks_exact(cols)) {
                *var = var.lerp(F::of(sum_of_squares(row) / cols as f64), self.new);
            }
        });
    }

    /// Moves each column's mean square towards that of `grads`.
    fn mean_cols(self, grads: &[F], col_var: &mut [F]) {
        const STRIP: usize = 64;
        let cols = col_var.len();
        let rows = (grads.len() / cols) as f64;
        col_var.par_chunks_mut(STRIP).enumerate().for_each(|(strip_idx, col_var)| {
            let mut sums = [0.0; STRIP];
            for row in grads.chunks_exact(cols) {
                for (sum, &g) in sums.iter_mut().zip(&row[strip_idx * STRIP..][..col_var.len()]) {
                    *sum += square(g);
                }
            }
            for (var, sum) in col_var.iter_mut().zip(sums) {
                *var = var.lerp(F::of(sum / rows), self.new);
            }
        });
    }

    /// R/max(mean(R), ε₁).
    fn row_factors(self, row_var: &[F], row_factor: &mut [F]) {
        let [sum] = sums([row_var], move |[r]| [r.to_f64()]);
        let mean = F::of(sum / row_var.len() as f64).larger(self.eps);
        for (factor, &var) in row_factor.iter_mut().zip(row_var) {
            *factor = var / mean;
        }
    }

    /// Rows are numbered across all matrices.
    fn matrices(self, rows: usize, values: &mut [F], grads: &[F], row_factor: &[F], col_var: &[F]) {
        let cols = values.len() / row_factor.len();
        let rows_at_once = (CHUNK / cols).max(1);
        let col_var_of = |row: usize| &col_var[row / rows * cols..][..cols];
        let [squares] = tree_sum(0..row_factor.len(), rows_at_once, &|range| {
            let squares = range.map(|row| {
                let factor = row_factor[row];
                let square_of = move |[g, c]: [F; 2]| [square(self.update(g, factor * c))];
                sums([&grads[row * cols..][..cols], col_var_of(row)], square_of)[0]
            });
            [squares.sum()]
        });
        let size = self.size(squares, values.len());
        let pieces = values.par_chunks_mut(cols).zip(grads.par_chunks(cols)).enumerate();
        pieces.with_min_len(rows_at_once).for_each(|(row, (values, grads))| {
            let (factor, col_var) = (row_factor[row], col_var_of(row));
            dispatch(Level::current(), RowStep { step: self, size, factor, values, grads, col_var });
        });
    }
}

/// The step of one row of a matrix.
struct RowStep<'a, F> {
    step: Step<F>,
    size: F,
    factor: F,
    values: &'a mut [F],
    grads: &'a [F],
    col_var: &'a [F],
}

impl<F: Real> Kernel for RowStep<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { step, size, factor, values, grads, col_var } = self;
        for ((w, &g), &c) in values.iter_mut().zip(grads).zip(col_var) {
            *w = step.shrink * *w - size * step.direction.at(*w, step.update(g, factor * c));
        }
    }
}
