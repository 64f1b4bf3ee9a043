//! A convolution, ReLU and max-pool, fused and as four passes.

use tensor::Beta;
use tensor::activation::{relu_backward, relu_forward};
use tensor::conv::block::{self, PooledGradient, conv_pool_backward, conv_pool_forward};
use tensor::conv::{Algorithm, Conv2dShape, conv2d_backward_input, conv2d_backward_weight, conv2d_forward};
use tensor::parallel::Shards;
use tensor::pool::{Pool2dShape, max_pool2d_backward, max_pool2d_forward};
use tensor::reduce::{Reduction, reduce_rows};

use crate::stopwatch::{Path, Stopwatch};

/// One block and the values its forward pass saved for the backward pass.
pub(crate) struct Block {
    shape: Conv2dShape,
    fused: block::Block,
    pool: Pool2dShape,
    x: Vec<f32>,
    y: Vec<f32>,
    argmax: Vec<u8>,
    /// The general path's activation, output and pool indices.
    activated: Vec<f32>,
    pooled: Vec<f32>,
    indices: Vec<u32>,
}

impl Block {
    pub(crate) fn new(batch: usize, side: usize, in_channels: usize, out_channels: usize) -> Self {
        let shape = Conv2dShape::same(batch, [side; 2], [in_channels, out_channels], 3);
        let pool = Pool2dShape::new([batch, side, side, out_channels], [2, 2], [2, 2], [0, 0]);
        Self {
            shape,
            fused: block::Block::plan(&shape).expect("a block"),
            pool,
            x: Vec::new(),
            y: vec![0.0; pool.output_len()],
            argmax: vec![0; pool.output_len()],
            activated: vec![0.0; shape.output_len()],
            pooled: vec![0.0; pool.output_len()],
            indices: vec![0; pool.output_len()],
        }
    }

    /// The dense operations per image and pass.
    fn flops(&self) -> Option<f64> {
        let Conv2dShape { height, width, in_channels, out_channels, .. } = self.shape;
        Some((2 * 9 * height * width * in_channels * out_channels) as f64)
    }

    /// Computes the block's output, timed on both paths.
    pub(crate) fn forward(
        &mut self,
        watch: &mut Stopwatch,
        number: usize,
        x: Vec<f32>,
        w: &[f32],
        bias: &[f32],
    ) -> Vec<f32> {
        let name = format!("conv{number} + ReLU + pool, forward");
        let flops = self.flops();
        let Self { shape, fused, pool, y, argmax, activated, pooled, indices, .. } = self;
        watch.time_on(Path::Fast, &name, flops, || conv_pool_forward(y, argmax, &x, w, Some(bias), fused));
        let mut convolved = vec![0.0; shape.output_len()];
        watch.time_on(Path::General, &name, flops, || {
            conv2d_forward(&mut convolved, &x, w, Some(bias), shape, Algorithm::Im2col);
            relu_forward(activated, &convolved);
            max_pool2d_forward(pooled, indices, activated, pool);
        });
        self.x = x;
        self.y.clone()
    }

    /// Computes the input gradient. Both gradients are timed on both paths; the first block has no input
    /// gradient.
    pub(crate) fn backward(
        &mut self,
        watch: &mut Stopwatch,
        number: usize,
        dy: &[f32],
        w: &[f32],
    ) -> Vec<f32> {
        let weight = format!("conv{number}, pool and ReLU backward, gradient of weight and bias");
        let input = format!("conv{number}, gradient of the input");
        let Self { shape, fused, pool, x, y, argmax, activated, indices, .. } = &*self;
        let shards = Shards::whole(shape.batch);
        let (mut dw, mut db) = (vec![1.0; w.len()], vec![1.0; shape.out_channels]);
        let mut dx = vec![1.0; x.len()];
        let mut back = |dx: Option<&mut [f32]>| {
            let dx = dx.map(|dx| (dx, Beta::Zero));
            let (dw, db) = ((&mut dw[..], Beta::Zero), Some((&mut db[..], Beta::Zero)));
            conv_pool_backward(dx, dw, db, PooledGradient { dy, y, argmax }, x, w, fused, &shards);
        };
        watch.time_on(Path::Fast, &weight, self.flops(), || back(None));
        if number > 1 {
            // Not timed separately: the two share the list of non-zero elements.
            watch.time_on(
                Path::Fast,
                &format!("conv{number}, the same with the gradient of the input"),
                None,
                || back(Some(&mut dx)),
            );
        }

        let (mut da, mut dc) = (vec![1.0; shape.output_len()], vec![1.0; shape.output_len()]);
        watch.time_on(Path::General, &weight, self.flops(), || {
            max_pool2d_backward(&mut da, dy, indices, pool, Beta::Zero);
            relu_backward(&mut dc, &da, activated, Beta::Zero);
            conv2d_backward_weight(&mut dw, &dc, x, shape, &shards, Beta::Zero, Algorithm::Im2col);
            let rows = dc.len() / shape.out_channels;
            reduce_rows(&mut db, &dc, rows, shape.out_channels, Reduction::Sum, &shards, Beta::Zero);
        });
        if number > 1 {
            let mut dx = vec![1.0; x.len()];
            watch.time_on(Path::General, &input, self.flops(), || {
                conv2d_backward_input(&mut dx, &dc, w, shape, Beta::Zero, Algorithm::Im2col);
            });
        }
        dx
    }
}
