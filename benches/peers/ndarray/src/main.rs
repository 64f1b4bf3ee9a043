//! ndarray's tensors: it has no gradients, so it is asked for tensor operations only.

use anyhow::Result;
use bench_protocol::{Driver, Hello, Ran, TensorOp, Timer, Work, Worker, cifar_folder, serve, uniform};
use ndarray::{Array1, Array2};

struct NdArray;

impl Driver for NdArray {
    fn hello(&self) -> Hello {
        Hello { peer: "ndarray".to_owned(), version: "0.17.2".to_owned(), threads: 1 }
    }

    fn open(&mut self, work: Work, size: usize) -> Result<Option<Box<dyn Worker>>> {
        let Work::Tensor(op) = work else { return Ok(None) };
        Ok(Some(match op {
            TensorOp::Add | TensorOp::Exp | TensorOp::Sum => {
                let vector = |seed| Array1::from(uniform(seed, size, 1.0));
                Box::new(Vectors { op, a: vector(0), b: vector(1) })
            }
            TensorOp::Matmul => Box::new(Matrices { op, a: square(0, size)?, b: square(1, size)? }),
            TensorOp::Transpose => {
                let side = size.isqrt();
                Box::new(Matrices { op, a: square(0, side)?, b: square(1, side)? })
            }
        }))
    }
}

fn square(seed: u64, side: usize) -> Result<Array2<f32>> {
    Ok(Array2::from_shape_vec((side, side), uniform(seed, side * side, 1.0))?)
}

struct Vectors {
    op: TensorOp,
    a: Array1<f32>,
    b: Array1<f32>,
}

impl Worker for Vectors {
    fn run(&mut self, n_steps: usize, timer: &mut Timer) -> Result<Ran> {
        let Self { op, a, b } = self;
        timer.time(|| {
            for _ in 0..n_steps {
                match op {
                    TensorOp::Add => drop(std::hint::black_box(&*a + &*b)),
                    TensorOp::Exp => drop(std::hint::black_box(a.exp())),
                    _ => _ = std::hint::black_box(a.sum()),
                }
            }
        });
        Ok(Ran::default())
    }
}

struct Matrices {
    op: TensorOp,
    a: Array2<f32>,
    b: Array2<f32>,
}

impl Worker for Matrices {
    fn run(&mut self, n_steps: usize, timer: &mut Timer) -> Result<Ran> {
        let Self { op, a, b } = self;
        timer.time(|| {
            for _ in 0..n_steps {
                drop(std::hint::black_box(match op {
                    TensorOp::Matmul => a.dot(b),
                    _ => a.t().as_standard_layout().into_owned(),
                }));
            }
        });
        Ok(Ran::default())
    }
}

fn main() -> Result<()> {
    cifar_folder()?;
    serve(&mut NdArray, std::io::stdin().lock(), std::io::stdout().lock())
}
