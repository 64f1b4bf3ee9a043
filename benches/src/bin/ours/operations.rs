//! Convolutions, optimizers, tensor operations and the machine's peaks: work that needs no data set.

use std::hint::black_box;

use anyhow::Result;
use autograd::{Params, Role};
use bench_protocol::{ConvPass, ConvSize, Network, Probe, Ran, Rule, TensorOp, Timer, Work, Worker, uniform};
use benches::amx;
use benches::probe::{self, Copying};
use optim::{Adam, AdamW, AnyRule, Optimizer, Sgd};
use tensor::conv::{Algorithm, Conv2dShape, conv2d_backward_input, conv2d_backward_weight, conv2d_forward};
use tensor::parallel::Shards;
use tensor::{Beta, Tensor};

/// A repeated operation.
struct Repeat<F>(F);

impl<F: FnMut()> Worker for Repeat<F> {
    fn run(&mut self, n_steps: usize, timer: &mut Timer) -> Result<Ran> {
        timer.time(|| (0..n_steps).for_each(|_| (self.0)()));
        Ok(Ran::default())
    }
}

/// Prepares the work; `None` if this processor does not support it.
pub(crate) fn open(work: Work, size: usize) -> Result<Option<Box<dyn Worker>>> {
    let n_flops = size * 1_000_000 / rayon::current_num_threads();
    Ok(Some(match work {
        Work::Conv(pass, conv) => convolution(pass, conv, size),
        Work::Optimizer(rule) => optimizer(rule, size)?,
        Work::Tensor(op) => tensor_op(op, size),
        Work::Probe(Probe::Fma) => Box::new(Repeat(move || _ = black_box(probe::multiply_add(n_flops)))),
        Work::Probe(Probe::Amx) if amx::is_there() => {
            Box::new(Repeat(move || _ = black_box(amx::multiply_tiles(n_flops))))
        }
        Work::Probe(Probe::Amx) => return Ok(None),
        Work::Probe(Probe::Copy) => {
            let mut copying = Copying::new(size);
            Box::new(Repeat(move || _ = black_box(copying.copy())))
        }
        Work::CnnTrain
        | Work::CnnCheck
        | Work::CnnInfer
        | Work::CnnEpoch
        | Work::MlpTrain
        | Work::TinyTrain
        | Work::Model(..) => unreachable!("{work} is a network's work"),
    }))
}

fn convolution(pass: ConvPass, size: ConvSize, batch: usize) -> Box<dyn Worker> {
    let shape = Conv2dShape::same(batch, [size.side; 2], [size.in_channels, size.out_channels], 3);
    let mut x = uniform(0, shape.input_len(), 1.0);
    let mut y = uniform(1, shape.output_len(), 1.0);
    let mut w = uniform(2, shape.weight_len(), 1.0);
    match pass {
        ConvPass::Forward => {
            Box::new(Repeat(move || conv2d_forward(&mut y, &x, &w, None, &shape, Algorithm::Auto)))
        }
        ConvPass::InputGradient => Box::new(Repeat(move || {
            conv2d_backward_input(&mut x, &y, &w, &shape, Beta::Zero, Algorithm::Auto);
        })),
        ConvPass::WeightGradient => Box::new(Repeat(move || {
            let shards = Shards::whole(shape.batch);
            conv2d_backward_weight(&mut w, &y, &x, &shape, &shards, Beta::Zero, Algorithm::Auto);
        })),
    }
}

/// Over the CNN's parameters if the size matches theirs, otherwise over one vector.
fn optimizer(rule: Rule, size: usize) -> Result<Box<dyn Worker>> {
    let rule: AnyRule<f32> = match rule {
        Rule::Sgd => Sgd { lr: 0.01, momentum: 0.9, ..Sgd::default() }.into(),
        Rule::Adam => Adam::default().into(),
        Rule::AdamW => AdamW::default().into(),
    };
    let cnn = Network::cnn();
    let sizes = if size == cnn.n_parameters() {
        cnn.layers.iter().flat_map(|l| [l.n_outputs() * l.fan_in(), l.n_outputs()]).collect()
    } else {
        vec![size]
    };
    let mut params = Params::new();
    for (idx, len) in sizes.into_iter().enumerate() {
        params.add(format!("{idx}"), [len], Role::Trainable);
    }
    params.values_mut().copy_from_slice(&uniform(0, size, 1.0));
    params.grads_mut().copy_from_slice(&uniform(100, size, 1e-3));
    let mut optimizer = Optimizer::new(rule, &params)?;
    Ok(Box::new(Repeat(move || optimizer.step(&mut params))))
}

fn tensor_op(op: TensorOp, size: usize) -> Box<dyn Worker> {
    let vector = |seed| Tensor::new([size], uniform(seed, size, 1.0));
    let square = |seed, side: usize| Tensor::new([side, side], uniform(seed, side * side, 1.0));
    match op {
        TensorOp::Add => {
            let (a, b) = (vector(0), vector(1));
            Box::new(Repeat(move || drop(black_box(&a + &b))))
        }
        TensorOp::Exp => {
            let a = vector(0);
            Box::new(Repeat(move || drop(black_box(a.exp()))))
        }
        TensorOp::Sum => {
            let a = vector(0);
            Box::new(Repeat(move || drop(black_box(a.sum(.., false)))))
        }
        TensorOp::Matmul => {
            let (a, b) = (square(0, size), square(1, size));
            Box::new(Repeat(move || drop(black_box(a.matmul(&b)))))
        }
        TensorOp::Transpose => {
            let a = square(0, size.isqrt());
            Box::new(Repeat(move || drop(black_box(a.transpose(0, 1)))))
        }
    }
}
