//! The matrix product as a triple loop.

use super::MatmulShape;

/// a · b, each transposed if the shape says so.
pub fn matmul(a: &[f64], b: &[f64], shape: &MatmulShape) -> Vec<f64> {
    let &MatmulShape { m, k, n, transpose_a, transpose_b } = shape;
    let mut c = vec![0.0; m * n];
    for row in 0..m {
        for column in 0..n {
            for i in 0..k {
                let a = a[if transpose_a { i * m + row } else { row * k + i }];
                let b = b[if transpose_b { column * k + i } else { i * n + column }];
                c[row * n + column] += a * b;
            }
        }
    }
    c
}
