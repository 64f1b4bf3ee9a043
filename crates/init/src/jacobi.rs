//! Eigenvalues and eigenvectors of a small symmetric matrix.

/// Eigenvalues of the row-major `n × n` matrix `a` in ascending order, each with its eigenvector of length 1,
/// whose largest component is positive. Cyclic Jacobi rotations in f64: slow for large matrices, accurate to
/// rounding for small ones. Golub and Van Loan, "Matrix Computations", section 8.5.
pub(crate) fn symmetric_eigen(mut a: Vec<f64>, n: usize) -> Vec<(f64, Vec<f64>)> {
    let mut v: Vec<f64> = (0..n * n).map(|i| f64::from(i / n == i % n)).collect();
    let scale: f64 = a.iter().map(|x| x * x).sum();
    // Eventually each sweep squares the off-diagonal part; ten are plenty.
    for _ in 0..64 {
        let off: f64 = (0..n * n).filter(|i| i / n != i % n).map(|i| a[i] * a[i]).sum();
        if off <= 1e-32 * scale {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p * n + q] != 0.0 {
                    rotate(&mut a, &mut v, n, p, q);
                }
            }
        }
    }
    let vector = |i: usize| {
        let column: Vec<f64> = (0..n).map(|row| v[row * n + i]).collect();
        let largest =
            column.iter().fold(0.0, |largest: f64, x| if x.abs() > largest.abs() { *x } else { largest });
        column.iter().map(|x| x * largest.signum()).collect()
    };
    let mut pairs: Vec<_> = (0..n).map(|i| (a[i * n + i], vector(i))).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs
}

/// Zeroes element (p, q) of `a` by a rotation, which is accumulated in `v`.
fn rotate(a: &mut [f64], v: &mut [f64], n: usize, p: usize, q: usize) {
    let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * a[p * n + q]);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    let turn = |x: &mut [f64], i: usize, j: usize| (x[i], x[j]) = (c * x[i] - s * x[j], s * x[i] + c * x[j]);
    for k in 0..n {
        turn(a, k * n + p, k * n + q);
    }
    for k in 0..n {
        turn(a, p * n + k, q * n + k);
        turn(v, k * n + p, k * n + q);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_orthonormal_and_make_the_matrix() {
        for n in [1, 2, 5, 12] {
            let mut seed = n as u64;
            let mut random = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 40) as f64 / (1 << 24) as f64 - 0.5
            };
            let mut a = vec![0.0; n * n];
            for (row, col) in (0..n).flat_map(|row| (0..=row).map(move |col| (row, col))) {
                a[row * n + col] = random();
                a[col * n + row] = a[row * n + col];
            }
            let pairs = symmetric_eigen(a.clone(), n);
            assert!(pairs.is_sorted_by(|a, b| a.0 <= b.0));
            for (i, (_, u)) in pairs.iter().enumerate() {
                for (j, (_, w)) in pairs.iter().enumerate() {
                    let dot: f64 = u.iter().zip(w).map(|(x, y)| x * y).sum();
                    assert!((dot - f64::from(i == j)).abs() < 1e-13, "{n}: {i}, {j}: {dot}");
                }
            }
            for (i, x) in a.iter().enumerate() {
                let made: f64 = pairs.iter().map(|(value, u)| value * u[i / n] * u[i % n]).sum();
                assert!((made - x).abs() < 1e-13, "{n}: element {i} is {made}, expected {x}");
            }
        }
    }

    #[test]
    fn a_diagonal_is_sorted_and_equal_values_are_taken() {
        let pairs = symmetric_eigen(vec![3.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 3.0], 3);
        assert_eq!(pairs[0], (1.0, vec![0.0, 1.0, 0.0]));
        assert_eq!([pairs[1].0, pairs[2].0], [3.0, 3.0]);
        assert_eq!(symmetric_eigen(vec![0.0; 4], 2)[0].0, 0.0);
    }
}
