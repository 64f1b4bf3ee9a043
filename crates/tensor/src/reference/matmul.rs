//! Matrix products as triple loops.

use crate::linear::LinearShape;
use crate::matmul::MatmulShape;

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

// ANCHOR: linear
/// x · wᵀ + bias.
pub fn linear_forward(x: &[f64], w: &[f64], bias: Option<&[f64]>, shape: &LinearShape) -> Vec<f64> {
    let &LinearShape { batch: m, in_features: k, out_features: n } = shape;
    let mut y = matmul(x, w, &MatmulShape { m, k, n, transpose_a: false, transpose_b: true });
    for (idx, y) in y.iter_mut().enumerate() {
        *y += bias.map_or(0.0, |bias| bias[idx % n]);
    }
    y
}
// ANCHOR_END: linear

// ANCHOR: linear_backward
/// dy · w.
pub fn linear_backward_input(dy: &[f64], w: &[f64], shape: &LinearShape) -> Vec<f64> {
    let &LinearShape { batch: m, in_features: n, out_features: k } = shape;
    matmul(dy, w, &MatmulShape { m, k, n, transpose_a: false, transpose_b: false })
}

/// dyᵀ · x.
pub fn linear_backward_weight(dy: &[f64], x: &[f64], shape: &LinearShape) -> Vec<f64> {
    let &LinearShape { batch: k, in_features: n, out_features: m } = shape;
    matmul(dy, x, &MatmulShape { m, k, n, transpose_a: true, transpose_b: false })
}

/// The sum of the rows of `dy`.
pub fn sum_rows(dy: &[f64], cols: usize) -> Vec<f64> {
    let mut db = vec![0.0; cols];
    dy.iter().enumerate().for_each(|(idx, dy)| db[idx % cols] += dy);
    db
}
// ANCHOR_END: linear_backward
