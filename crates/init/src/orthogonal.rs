//! Orthogonal initialisation.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::check_shape;

/// A (semi-)orthogonal matrix times `gain`, uniformly distributed: the rows are orthonormal if there are no
/// more rows than columns, otherwise the columns are. Dimensions after the first count as columns.
/// `torch.nn.init.orthogonal_`, whose default gain is 1.
///
/// The Q of a QR decomposition of a normal random matrix, by Householder reflections in f64, with the signs
/// of R's diagonal removed (Mezzadri, arXiv:math-ph/0609050). Saxe et al., "Exact solutions to the nonlinear
/// dynamics of learning in deep linear neural networks", ICLR 2014.
///
/// # Panics
/// When the shape does not fill the slice, has fewer than two dimensions, or the gain is not finite.
#[track_caller]
pub fn orthogonal(weights: &mut [f32], shape: &[usize], gain: f64, rng: &mut (impl Rng + ?Sized)) {
    check_shape("orthogonal", weights, shape);
    assert!(shape.len() >= 2, "orthogonal: takes two dimensions or more, this shape is {shape:?}");
    assert!(gain.is_finite(), "orthogonal: gain = {gain} must be finite");
    if weights.is_empty() {
        return;
    }
    let (rows, cols) = (shape[0], weights.len() / shape[0]);
    let (length, n_vectors) = (rows.max(cols), rows.min(cols));
    let vectors: Vec<Vec<f64>> =
        (0..n_vectors).map(|_| (0..length).map(|_| rng.sample(StandardNormal)).collect()).collect();
    for (idx, vector) in orthonormal(vectors).iter().enumerate() {
        for (place, x) in vector.iter().enumerate() {
            let weight = if rows <= cols { idx * cols + place } else { place * cols + idx };
            weights[weight] = (gain * x) as f32;
        }
    }
}

/// The columns of Q in `vectors = Q·R`, where R has a positive diagonal; each vector is a column.
fn orthonormal(mut vectors: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let mut reflections = Vec::with_capacity(vectors.len());
    for idx in 0..vectors.len() {
        let (done, rest) = vectors.split_at_mut(idx + 1);
        let column = &done[idx][idx..];
        let norm = dot(column, column).sqrt();
        // Reflect to the side away from the column, to avoid cancellation.
        let diagonal = if column[0] > 0.0 { -norm } else { norm };
        let mut reflection = column.to_vec();
        reflection[0] -= diagonal;
        for other in rest {
            reflect(&mut other[idx..], &reflection);
        }
        reflections.push((reflection, diagonal.signum()));
    }
    let mut q = vec![vec![0.0; vectors.first().map_or(0, Vec::len)]; vectors.len()];
    for (col, (column, (_, sign))) in q.iter_mut().zip(&reflections).enumerate() {
        column[col] = *sign;
        for (idx, (reflection, _)) in reflections[..=col].iter().enumerate().rev() {
            reflect(&mut column[idx..], reflection);
        }
    }
    q
}

/// x ← x − 2·v·(vᵀx)/(vᵀv).
fn reflect(x: &mut [f64], v: &[f64]) {
    let square = dot(v, v);
    if square == 0.0 {
        return;
    }
    let factor = 2.0 * dot(v, x) / square;
    for (x, v) in x.iter_mut().zip(v) {
        *x -= factor * v;
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_along_the_first_axis_keeps_its_digits() {
        for (x, y) in [(1.0, 1e-5), (1.0, -1e-9), (-1.0, 1e-5), (0.0, 1.0)] {
            let q = orthonormal(vec![vec![x, y], vec![0.3, 0.7]]);
            let norm = f64::hypot(x, y);
            let error = (q[0][0] - x / norm).abs().max((q[0][1] - y / norm).abs());
            assert!(error < 1e-14, "the direction of ({x}, {y}) is off by {error:e}: {:?}", q[0]);
        }
    }
}
