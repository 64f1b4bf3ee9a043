//! C = op(A) · op(B), where op may transpose, for one pair of matrices or for many.

use tensor::broadcast::{broadcast_shapes, reduce_to_shape};
use tensor::linear::{LinearShape, linear_backward_weight};
use tensor::matmul::{MatmulShape, batched_matmul};
use tensor::parallel::Shards;
use tensor::reduce::Reduction;
use tensor::{Beta, MAX_RANK, Shape, scratch};

use super::broadcast::broadcast_images;
use super::shared::count;
use crate::{Backward, Forward, Grad, Graph, Images, Op, Operands, ShapeError, Var};

struct Matmul {
    transpose_a: bool,
    transpose_b: bool,
}

/// The sizes of a product, and the axes before the last two, where those of the operands broadcast to those
/// of the result.
struct Sizes {
    product: MatmulShape,
    leading: Shape,
    a_leading: Shape,
    b_leading: Shape,
}

impl Matmul {
    fn sizes(&self, a: Shape, b: Shape) -> Result<Sizes, ShapeError> {
        let &Self { transpose_a, transpose_b } = self;
        let (&[ref a_leading @ .., a0, a1], &[ref b_leading @ .., b0, b1]) = (a.dims(), b.dims()) else {
            return Err(ShapeError::new(format!(
                "{a} and {b} must both have rows and columns; reshape them to two axes or more"
            )));
        };
        let (m, k) = if transpose_a { (a1, a0) } else { (a0, a1) };
        let (b_rows, n) = if transpose_b { (b1, b0) } else { (b0, b1) };
        let transposed = |is: bool| if is { " transposed" } else { "" };
        if k != b_rows {
            return Err(ShapeError::new(format!(
                "{a}{} has {}, {b}{} has {}; make them equal, or transpose one",
                transposed(transpose_a),
                count(k, "column"),
                transposed(transpose_b),
                count(b_rows, "row")
            )));
        }
        let [a_leading, b_leading] = [a_leading, b_leading].map(Shape::new);
        let leading = broadcast_shapes(&a_leading, &b_leading).ok_or_else(|| {
            ShapeError::new(format!(
                "the axes of {a} and {b} before the last two do not broadcast; sizes must be equal or 1: reshape one of them"
            ))
        })?;
        Ok(Sizes {
            product: MatmulShape { m, k, n, transpose_a, transpose_b },
            leading,
            a_leading,
            b_leading,
        })
    }
}

impl Op for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let Sizes { product, leading, .. } = self.sizes(inputs[0], inputs[1])?;
        Ok(with_matrix(leading, product.m, product.n))
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        if output.rank() > 2 {
            return broadcast_images(inputs, output);
        }
        match (self.transpose_a, inputs.has_images(0), inputs.has_images(1)) {
            (_, false, false) => Images::Summed,
            (false, true, false) => Images::Kept(0),
            (true, true, true) if !self.transpose_b => Images::Summed,
            _ => Images::Mixed,
        }
    }

    fn multiply_adds(&self, inputs: &[Shape], output: Shape) -> u64 {
        let sizes = self.sizes(inputs[0], inputs[1]).expect("checked by output_shape");
        (output.numel() * sizes.product.k) as u64
    }

    fn forward(&self, f: Forward<'_>) {
        let (a, b) = (f.inputs.value(0), f.inputs.value(1));
        let Sizes { product, leading, a_leading, b_leading } =
            self.sizes(f.inputs.shape(0), f.inputs.shape(1)).expect("checked by output_shape");
        let MatmulShape { m, k, n, .. } = product;
        if leading.rank() == 0 && self.transpose_a && !self.transpose_b {
            // The sum is over the first axis of both, which may be a batch.
            return sum_over_rows(f.output, a, b, [k, m, n], &f.inputs.shards(0), Beta::Zero);
        }
        batched_matmul(f.output, (a, &a_leading), (b, &b_leading), &leading, &product, Beta::Zero);
    }

    /// dA = dC · op(B)ᵀ and dB = op(A)ᵀ · dC, themselves transposed where the operand was, and summed over the axes
    /// along which it was broadcast.
    fn backward(&self, mut bwd: Backward<'_>) {
        let sizes = self.sizes(bwd.inputs.shape(0), bwd.inputs.shape(1)).expect("checked by output_shape");
        let Sizes { product, leading, a_leading, b_leading } = sizes;
        let MatmulShape { m, k, n, transpose_a, transpose_b } = product;
        let shape = |m, k, n, transpose_a, transpose_b| MatmulShape { m, k, n, transpose_a, transpose_b };
        let [a, b] = [(0, &a_leading), (1, &b_leading)].map(|(i, own)| (bwd.inputs.value(i), own));
        let (dc, shards) = ((bwd.dy, &leading), bwd.shards);
        let [a_shards, b_shards] = [0, 1].map(|i| bwd.summed_shards(i));
        if let Some(grad) = bwd.grads.get(0) {
            let operand = Operand { grad, own: a_leading, leading, shards: a_shards };
            if transpose_a {
                operand.add_products(b, dc, &shape(k, n, m, transpose_b, true));
            } else {
                operand.add_products(dc, b, &shape(m, n, k, false, !transpose_b));
            }
        }
        if let Some(grad) = bwd.grads.get(1) {
            let rows = leading.numel() * m;
            // One matrix b for all rows of a, which may be a batch.
            let is_shared = b_leading.rank() == 0 && !transpose_a;
            let operand = Operand { grad, own: b_leading, leading, shards: b_shards };
            match (is_shared, transpose_b) {
                (true, false) => operand.sum_over_rows(a.0, dc.0, [rows, k, n], &shards),
                (true, true) => operand.sum_over_rows(dc.0, a.0, [rows, n, k], &shards),
                (false, false) => operand.add_products(a, dc, &shape(k, m, n, !transpose_a, false)),
                (false, true) => operand.add_products(dc, a, &shape(n, m, k, true, transpose_a)),
            }
        }
    }
}

/// An operand's gradient, computed as products.
struct Operand<'a> {
    grad: Grad<'a>,
    /// The operand's axes before the last two.
    own: Shape,
    /// The axes they broadcast to.
    leading: Shape,
    /// The batch's shards, if the operand was broadcast along it.
    shards: Option<Shards<'a>>,
}

impl Operand<'_> {
    /// Adds products of `x` and `y`, summed over the axes along which the operand was broadcast.
    fn add_products(self, x: (&[f32], &Shape), y: (&[f32], &Shape), shape: &MatmulShape) {
        let Self { grad, own, leading, shards } = self;
        if own == leading && shards.is_none() {
            return batched_matmul(grad.data, x, y, &leading, shape, grad.beta);
        }
        let [own, all] = [own, leading].map(|axes| with_matrix(axes, shape.m, shape.n));
        scratch::with(all.numel(), |products| {
            batched_matmul(products, x, y, &leading, shape, Beta::Zero);
            reduce_to_shape(grad.data, products, &own, &all, Reduction::Sum, shards.as_ref(), grad.beta);
        });
    }

    /// Adds xᵀ · y, a sum over their rows.
    fn sum_over_rows(self, x: &[f32], y: &[f32], sizes: [usize; 3], shards: &Shards<'_>) {
        sum_over_rows(self.grad.data, x, y, sizes, shards, self.grad.beta);
    }
}

/// c = β·c + aᵀ · b, a sum over the `rows` of a and b, which may be a batch.
fn sum_over_rows(
    c: &mut [f32],
    a: &[f32],
    b: &[f32],
    [rows, out_features, in_features]: [usize; 3],
    shards: &Shards<'_>,
    beta: Beta,
) {
    let shape = LinearShape { batch: rows, in_features, out_features };
    linear_backward_weight(c, a, b, &shape, shards, beta);
}

/// `leading` followed by two axes.
fn with_matrix(leading: Shape, rows: usize, cols: usize) -> Shape {
    let rank = leading.rank();
    let mut dims = [0; MAX_RANK];
    dims[..rank].copy_from_slice(&leading);
    dims[rank..rank + 2].copy_from_slice(&[rows, cols]);
    Shape::new(&dims[..rank + 2])
}

impl Graph<'_> {
    /// The matrix product, `[.., m, k]` and `[.., k, n]` to `[.., m, n]`, with the leading axes broadcast as
    /// in NumPy; `torch.matmul`. As there, a vector on the left is a row and a vector on the right a column,
    /// and that axis is not in the result: two vectors give their dot product.
    ///
    /// # Panics
    /// When an operand is a scalar, the number of columns of `a` differs from the number of rows of `b`, or
    /// the leading axes do not broadcast.
    #[track_caller]
    pub fn matmul(&self, a: Var, b: Var) -> Var {
        self.matmul_transposed(a, b, [false, false])
    }

    /// The matrix product, with the last two axes of each operand optionally transposed, without a copy:
    /// `[false, true]` is a · bᵀ. Vectors are not changed.
    ///
    /// # Panics
    /// As [`matmul`](Self::matmul).
    #[track_caller]
    pub fn matmul_transposed(&self, a: Var, b: Var, transpose: [bool; 2]) -> Var {
        let [mut transpose_a, mut transpose_b] = transpose;
        let (mut a, mut b) = (a, b);
        let vectors = [a, b].map(|v| matches!(self.shape(v).dims(), [_]));
        if vectors[0] {
            (a, transpose_a) = (self.reshape(a, [1, self.shape(a)[0]]), false);
        }
        if vectors[1] {
            (b, transpose_b) = (self.reshape(b, [self.shape(b)[0], 1]), false);
        }
        let c = self.apply(Matmul { transpose_a, transpose_b }, &[a, b]);
        let shape = self.shape(c);
        let (leading, [rows, cols]) =
            shape.dims().split_last_chunk().expect("a product has two axes or more");
        match vectors {
            [false, false] => c,
            [true, true] => self.reshape(c, leading),
            [true, false] => self.reshape(c, with_last(leading, *cols)),
            [false, true] => self.reshape(c, with_last(leading, *rows)),
        }
    }
}

/// `leading` followed by one axis.
fn with_last(leading: &[usize], size: usize) -> Shape {
    let mut dims = [size; MAX_RANK];
    dims[..leading.len()].copy_from_slice(leading);
    Shape::new(&dims[..=leading.len()])
}
