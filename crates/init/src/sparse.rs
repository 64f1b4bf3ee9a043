//! Sparse initialisation.

use rand::{Rng, RngExt};

use crate::{check_shape, normal};

/// N(0, std²) with ⌈sparsity·rows⌉ zeros in each column of a matrix.
/// `torch.nn.init.sparse_`, whose default std is 0.01.
///
/// Martens, "Deep learning via Hessian-free optimization", ICML 2010.
///
/// # Panics
/// When the shape is not a matrix or does not fill the slice, `sparsity` is outside [0, 1], or `std` is
/// negative or not finite.
#[track_caller]
pub fn sparse(weights: &mut [f32], shape: &[usize], sparsity: f64, std: f64, rng: &mut (impl Rng + ?Sized)) {
    check_shape("sparse", weights, shape);
    let [rows, cols] = *shape else { panic!("sparse: takes a matrix, this shape is {shape:?}") };
    assert!((0.0..=1.0).contains(&sparsity), "sparse: sparsity = {sparsity} is outside [0, 1]");
    normal(weights, 0.0, std, rng);
    let n_zeros = (sparsity * rows as f64).ceil() as usize;
    let mut row_order: Vec<usize> = (0..rows).collect();
    for col in 0..cols {
        // The first n_zeros positions of a shuffle: a uniform choice of rows, whatever the previous order.
        for idx in 0..n_zeros {
            row_order.swap(idx, rng.random_range(idx as u64..rows as u64) as usize);
            weights[row_order[idx] * cols + col] = 0.0;
        }
    }
}
