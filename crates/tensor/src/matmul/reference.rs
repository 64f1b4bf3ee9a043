//! The matrix product as a triple loop.

use super::MatmulShape;
use crate::Shape;
use crate::broadcast::reference::broadcast_forward;

/// a · b, each optionally transposed by `shape`.
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

/// One product after another, with the leading axes of `a` and `b` broadcast to `leading`.
pub fn batched_matmul(
    (a, a_leading): (&[f64], &Shape),
    (b, b_leading): (&[f64], &Shape),
    leading: &Shape,
    shape: &MatmulShape,
) -> Vec<f64> {
    let with = |axes: &Shape, len: usize| Shape::new(&[axes.dims(), &[len]].concat());
    let wide =
        |x: &[f64], axes: &Shape, len: usize| broadcast_forward(x, &with(axes, len), &with(leading, len));
    let (a_len, b_len) = (shape.m * shape.k, shape.k * shape.n);
    let (a, b) = (wide(a, a_leading, a_len), wide(b, b_leading, b_len));
    let product = |i: usize| matmul(&a[i * a_len..][..a_len], &b[i * b_len..][..b_len], shape);
    (0..leading.numel()).flat_map(product).collect()
}
