//! y = max_pool(relu(x ∗ W + b)) in one pass, with a 2 × 2 pool; also without the ReLU.

use tensor::conv::Algorithm;
use tensor::conv::block::{Block, PooledGradient, conv_pool_backward, conv_pool_forward};
use tensor::elementwise::copy_or_add;
use tensor::{Beta, Shape, scratch};

use super::conv2d::{Conv2dOptions, check_bias};
use super::pool_options::Pool2dOptions;
use crate::{Backward, Forward, Graph, Op, Operands, ShapeError, Var};

/// Having a block means that there is a kernel for these sizes.
struct ConvPool {
    name: &'static str,
    block: Block,
}

impl Op for ConvPool {
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let sizes = self.block.shape();
        check_bias(inputs, sizes.out_channels)?;
        Ok(Shape::new(&[sizes.batch, sizes.out_height() / 2, sizes.out_width() / 2, sizes.out_channels]))
    }

    fn multiply_adds(&self, inputs: &[Shape], _: Shape) -> u64 {
        let sizes = self.block.shape();
        let n_pixels = sizes.batch * sizes.out_height() * sizes.out_width();
        (n_pixels * inputs[1].numel()) as u64
    }

    fn reads_recipe(&self, i: usize, _: Operands<'_>) -> bool {
        i == 0
    }

    fn forward(&self, f: Forward<'_>) {
        let (x, w) = (f.inputs.pointwise(0), f.inputs.value(1));
        let bias = (f.inputs.len() == 3).then(|| f.inputs.value(2));
        f.saved.bytes.resize(f.output.len(), 0);
        conv_pool_forward(f.output, &mut f.saved.bytes, x, w, bias, &self.block);
    }

    /// The gradient of a convolution whose output gradient is dy where the maximum was (with a ReLU, only if
    /// it is positive) and 0 elsewhere.
    fn backward(&self, mut b: Backward<'_>) {
        let (x, w) = (b.inputs.pointwise(0), b.inputs.value(1));
        let pooled = PooledGradient { dy: b.dy, y: b.output, argmax: &b.saved.bytes };
        let n_affine = b.inputs.len() - 1;
        // Without a ReLU, the gradient of the bias is a sum in f64.
        let overlaps =
            self.block.has_relu() && (1..=n_affine).all(|i| b.grads.overlap(i, &b.shards).is_some());
        let shards = if overlaps { b.shards.alone() } else { b.shards };
        // One pass computes all three gradients, but they are lent one at a time.
        scratch::with(w.len() + self.block.shape().out_channels, |affine| {
            let (dw, db) = affine.split_at_mut(w.len());
            let dx = b.grads.get(0).map(|dx| (dx.data, dx.beta));
            let (dw_out, db_out) = ((&mut *dw, Beta::Zero), Some((&mut *db, Beta::Zero)));
            conv_pool_backward(dx, dw_out, db_out, pooled, x, w, &self.block, &shards);
            for (i, sum) in [(1, dw), (2, db)].into_iter().take(n_affine) {
                if overlaps {
                    b.grads.write_sum(i, &b.shards, |share, _, beta| copy_or_add(share, sum, beta));
                } else if let Some(grad) = b.grads.get(i) {
                    copy_or_add(grad.data, sum, grad.beta);
                }
            }
        });
    }
}

impl Conv2dOptions {
    /// How a convolution of `x` by `weight` is fused with the 2 × 2 max-pool after it; `None` if there is no
    /// kernel for the sizes, they do not fit, or an algorithm was forced.
    pub fn block(&self, x: Shape, weight: Shape) -> Option<Block> {
        let sizes = self.sizes(x, weight).ok().filter(|_| self.algorithm == Algorithm::Auto)?;
        Block::plan(&sizes)
    }
}

impl Graph<'_> {
    /// `max_pool2d(relu(conv2d(x, weight, bias)))` with a pool of 2 × 2, in one pass if there is a kernel for
    /// it (3 × 3, stride 1, padding of at most 2, no dilation, one group), otherwise as these three ops.
    ///
    /// The backward pass skips the elements that pool and ReLU blocked, so it is several times faster than
    /// that of the three ops; it is exact for finite values. A [`Conv2dOptions::algorithm`] other than `Auto`
    /// uses the three ops.
    ///
    /// # Panics
    /// As [`conv2d`](Self::conv2d), and when the convolution's output is smaller than 2 × 2.
    #[track_caller]
    pub fn conv_relu_pool(&self, x: Var, weight: Var, bias: Option<Var>, options: Conv2dOptions) -> Var {
        match options.block(self.shape(x), self.shape(weight)) {
            Some(block) => self.conv_pooled("conv_relu_pool", block, x, weight, bias),
            None => {
                let y = self.relu(self.conv2d(x, weight, bias, options));
                self.max_pool2d(y, Pool2dOptions::new([2, 2]))
            }
        }
    }

    /// `max_pool2d(conv2d(x, weight, bias))` with a pool of 2 × 2, in one pass if there is a kernel for it,
    /// as in [`conv_relu_pool`](Self::conv_relu_pool), otherwise as these two ops.
    ///
    /// # Panics
    /// As [`conv2d`](Self::conv2d), and when the convolution's output is smaller than 2 × 2.
    #[track_caller]
    pub fn conv_pool(&self, x: Var, weight: Var, bias: Option<Var>, options: Conv2dOptions) -> Var {
        match options.block(self.shape(x), self.shape(weight)) {
            Some(block) => self.conv_pooled("conv_pool", block.without_relu(), x, weight, bias),
            None => {
                let y = self.conv2d(x, weight, bias, options);
                self.max_pool2d(y, Pool2dOptions::new([2, 2]))
            }
        }
    }

    #[track_caller]
    fn conv_pooled(&self, name: &'static str, block: Block, x: Var, weight: Var, bias: Option<Var>) -> Var {
        self.apply_present(ConvPool { name, block }, x, [Some(weight), bias])
    }
}
