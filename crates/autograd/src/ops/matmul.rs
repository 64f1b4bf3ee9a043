//! C = op(A) · op(B), where op transposes or not.

use tensor::linear::{LinearShape, linear_backward_weight};
use tensor::matmul::{MatmulShape, matmul};
use tensor::parallel::Shards;
use tensor::{Beta, Shape};

use crate::{Backward, Forward, Graph, Images, Op, Operands, ShapeError, Var};

struct Matmul {
    transpose_a: bool,
    transpose_b: bool,
}

impl Matmul {
    fn sizes(&self, a: Shape, b: Shape) -> Result<MatmulShape, ShapeError> {
        let &Self { transpose_a, transpose_b } = self;
        let (&[a0, a1], &[b0, b1]) = (a.dims(), b.dims()) else {
            return Err(ShapeError::new(format!(
                "{a} and {b} are not both matrices; reshape them to two axes"
            )));
        };
        let (m, k) = if transpose_a { (a1, a0) } else { (a0, a1) };
        let (b_rows, n) = if transpose_b { (b1, b0) } else { (b0, b1) };
        if k == b_rows {
            return Ok(MatmulShape { m, k, n, transpose_a, transpose_b });
        }
        let transposed = |is: bool| if is { " transposed" } else { "" };
        Err(ShapeError::new(format!(
            "{a}{} has {k} columns, {b}{} has {b_rows} rows; make them equal, or transpose one",
            transposed(transpose_a),
            transposed(transpose_b)
        )))
    }
}

impl Op for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        self.sizes(inputs[0], inputs[1]).map(|sizes| Shape::new(&[sizes.m, sizes.n]))
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        match (self.transpose_a, inputs.has_images(0), inputs.has_images(1)) {
            (_, false, false) => Images::Summed,
            (false, true, false) => Images::Kept(0),
            (true, true, true) if !self.transpose_b => Images::Summed,
            _ => Images::Mixed,
        }
    }

    fn forward(&self, f: Forward<'_>) {
        let sizes = self.sizes(f.inputs.shape(0), f.inputs.shape(1)).expect("checked by output_shape");
        let (a, b) = (f.inputs.value(0), f.inputs.value(1));
        if self.transpose_a && !self.transpose_b {
            // What is summed over is the first axis of both, which may be a batch.
            return sum_over_rows(
                f.output,
                a,
                b,
                [sizes.k, sizes.m, sizes.n],
                &f.inputs.shards(0),
                Beta::Zero,
            );
        }
        matmul(f.output, a, b, &sizes, Beta::Zero);
    }

    /// dA = dC · op(B)ᵀ and dB = op(A)ᵀ · dC, themselves transposed where the operand was.
    fn backward(&self, mut bwd: Backward<'_>) {
        let MatmulShape { m, k, n, transpose_a, transpose_b } =
            self.sizes(bwd.inputs.shape(0), bwd.inputs.shape(1)).expect("checked by output_shape");
        let (a, b, dc) = (bwd.inputs.value(0), bwd.inputs.value(1), bwd.dy);
        let shape = |m, k, n, transpose_a, transpose_b| MatmulShape { m, k, n, transpose_a, transpose_b };
        if let Some(da) = bwd.grads.get(0) {
            if transpose_a {
                matmul(da.data, b, dc, &shape(k, n, m, transpose_b, true), da.beta);
            } else {
                matmul(da.data, dc, b, &shape(m, n, k, false, !transpose_b), da.beta);
            }
        }
        let shards = bwd.shards;
        if let Some(db) = bwd.grads.get(1) {
            match (transpose_a, transpose_b) {
                (false, false) => sum_over_rows(db.data, a, dc, [m, k, n], &shards, db.beta),
                (false, true) => sum_over_rows(db.data, dc, a, [m, n, k], &shards, db.beta),
                (true, false) => matmul(db.data, a, dc, &shape(k, m, n, false, false), db.beta),
                (true, true) => matmul(db.data, dc, a, &shape(n, m, k, true, true), db.beta),
            }
        }
    }
}

/// c = β·c + aᵀ · b, a sum over the `rows` of a and b, which may be those of a batch.
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

impl Graph<'_> {
    /// The matrix product, `[m, k]` and `[k, n]` to `[m, n]`; `torch.mm`.
    ///
    /// # Panics
    /// When the operands are not matrices, or the columns of `a` are not as many as the rows of `b`.
    #[track_caller]
    pub fn matmul(&self, a: Var, b: Var) -> Var {
        self.matmul_transposed(a, b, [false, false])
    }

    /// The matrix product of operands of which each may be transposed, without a copy:
    /// `[false, true]` is a · bᵀ.
    ///
    /// # Panics
    /// As [`matmul`](Self::matmul).
    #[track_caller]
    pub fn matmul_transposed(&self, a: Var, b: Var, transpose: [bool; 2]) -> Var {
        let [transpose_a, transpose_b] = transpose;
        self.apply(Matmul { transpose_a, transpose_b }, &[a, b])
    }
}
