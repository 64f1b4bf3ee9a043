//! Arithmetic on tensors: element by element with broadcasting, and the matrix product.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::Tensor;
use crate::broadcast::{broadcast_shapes, broadcast_zip};
use crate::matmul::{MatmulShape, matmul};
use crate::{Beta, elementwise};

impl Tensor {
    /// Applies `f` to each element.
    pub fn map(&self, f: impl Fn(f32) -> f32 + Sync) -> Tensor {
        Tensor { shape: self.shape, data: elementwise::mapped(&self.data, f) }
    }

    /// eˣ of each element; see [`elementwise::exp`].
    pub fn exp(&self) -> Tensor {
        self.map(elementwise::exp)
    }

    /// Applies `f` to each pair of elements, with both tensors broadcast to a common shape.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn zip(&self, other: &Tensor, f: impl Fn(f32, f32) -> f32 + Sync) -> Tensor {
        binary("zip", self, other, f)
    }

    /// The matrix product of an m × k and a k × n tensor.
    ///
    /// # Panics
    /// When a tensor does not have two axes, or the inner sizes differ.
    #[track_caller]
    pub fn matmul(&self, other: &Tensor) -> Tensor {
        let (&[m, k], &[other_k, n]) = (&self.shape[..], &other.shape[..]) else {
            panic!("Tensor::matmul: needs two matrices, got shapes {} and {}", self.shape, other.shape);
        };
        assert_eq!(
            k, other_k,
            "Tensor::matmul: columns of shape {} and rows of shape {} differ",
            self.shape, other.shape
        );
        let mut c = Tensor::zeros([m, n]);
        let shape = MatmulShape { m, k, n, transpose_a: false, transpose_b: false };
        matmul(&mut c.data, &self.data, &other.data, &shape, Beta::Zero);
        c
    }
}

#[track_caller]
fn binary(name: &str, a: &Tensor, b: &Tensor, f: impl Fn(f32, f32) -> f32 + Sync) -> Tensor {
    let Some(shape) = broadcast_shapes(&a.shape, &b.shape) else {
        panic!("Tensor::{name}: shapes {} and {} do not broadcast", a.shape, b.shape);
    };
    if a.shape == b.shape {
        return Tensor { shape, data: elementwise::zipped(&a.data, &b.data, f) };
    }
    let mut y = Tensor::zeros(shape);
    broadcast_zip(&mut y.data, (&a.data, &a.shape), (&b.data, &b.shape), &shape, f);
    y
}

/// Implements an operator for all combinations of owned and borrowed tensors, and for a number on either
/// side.
macro_rules! operator {
    ($Trait:ident, $method:ident, $op:tt) => {
        impl $Trait<&Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                binary(stringify!($method), self, other, |a, b| a $op b)
            }
        }
        impl $Trait<f32> for &Tensor {
            type Output = Tensor;
            fn $method(self, other: f32) -> Tensor {
                self.map(|a| a $op other)
            }
        }
        impl $Trait<&Tensor> for f32 {
            type Output = Tensor;
            fn $method(self, other: &Tensor) -> Tensor {
                other.map(|b| self $op b)
            }
        }
        operator!(@owned $Trait, $method, |a: Tensor, b: Tensor| &a $op &b);
        operator!(@owned $Trait, $method, |a: Tensor, b: &Tensor| &a $op b);
        operator!(@owned $Trait, $method, |a: &Tensor, b: Tensor| a $op &b);
        operator!(@owned $Trait, $method, |a: Tensor, b: f32| &a $op b);
        operator!(@owned $Trait, $method, |a: f32, b: Tensor| a $op &b);
    };
    (@owned $Trait:ident, $method:ident, |$a:ident: $A:ty, $b:ident: $B:ty| $result:expr) => {
        impl $Trait<$B> for $A {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, $b: $B) -> Tensor {
                let $a = self;
                $result
            }
        }
    };
}

operator!(Add, add, +);
operator!(Sub, sub, -);
operator!(Mul, mul, *);
operator!(Div, div, /);

impl Neg for &Tensor {
    type Output = Tensor;
    fn neg(self) -> Tensor {
        self.map(|a| -a)
    }
}

impl Neg for Tensor {
    type Output = Tensor;
    fn neg(self) -> Tensor {
        -&self
    }
}
