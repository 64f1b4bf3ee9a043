//! Normalisation of groups of channels, per image; and of single channels, optionally with running
//! statistics.

use tensor::norm::{GroupNormSaved, GroupNormShape, group_norm_backward, group_norm_forward};
use tensor::reduce::{Reduction, reduce_rows};
use tensor::{Beta, Shape};

use super::batch_norm::{BatchNormOptions, unlike_channels};
use super::shared::{Affine, channels_last_hint, count};
use crate::{Backward, Commit, Forward, Graph, Op, ShapeError, Var};

/// Sizes of an input [n, …, c].
fn sizes(x: Shape, groups: usize, eps: f32) -> GroupNormShape {
    let last = x.rank() - 1;
    GroupNormShape { images: x[0], pixels: x[1..last].iter().product(), channels: x[last], groups, eps }
}

/// Rejects an input without channels, or statistics, weights or biases that do not have one element per
/// channel.
fn check_channels<'a>(
    x: Shape,
    vectors: impl Iterator<Item = (&'static str, &'a Shape)>,
) -> Result<usize, ShapeError> {
    let (true, Some(&channels)) = (x.rank() > 1, x.last()) else {
        return Err(ShapeError::new(format!(
            "the input is {x}, expected [n, c] or images [n, h, w, c]; reshape it"
        )));
    };
    for (name, shape) in vectors {
        if shape.dims() != [channels] {
            return Err(unlike_channels(x, channels, name, *shape));
        }
    }
    Ok(channels)
}

fn backward(mut b: Backward<'_>, affine: Affine, sizes: &GroupNormShape) {
    let ([weight, _], dy, shards) = (affine.values(b.inputs), b.dy, b.inputs.shards(0));
    let statistics = &b.saved.floats[..sizes.n_saved()];
    let saved = GroupNormSaved { x: b.inputs.value(0), statistics, weight };
    affine.backward(&mut b.grads, sizes.channels, |dx, dweight, dbias| {
        group_norm_backward(dx, dweight, dbias, dy, &saved, sizes, &shards);
    });
}

struct GroupNorm {
    groups: usize,
    eps: f32,
    affine: Affine,
}

impl Op for GroupNorm {
    fn name(&self) -> &'static str {
        "group_norm"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let (x, groups) = (inputs[0], self.groups);
        let channels = check_channels(x, self.affine.named(inputs))?;
        let divides = |channels: usize| groups > 0 && channels.is_multiple_of(groups);
        if !divides(channels) {
            return Err(ShapeError::new(format!(
                "the input {x} has {}, which cannot be divided into {groups} equal groups; change one of the \
                 numbers{}",
                count(channels, "channel"),
                channels_last_hint(x, divides)
            )));
        }
        Ok(x)
    }

    fn forward(&self, f: Forward<'_>) {
        let (sizes, [weight, bias]) = (sizes(f.shape, self.groups, self.eps), self.affine.values(f.inputs));
        f.saved.floats.resize(sizes.n_saved(), 0.0);
        group_norm_forward(f.output, &mut f.saved.floats, f.inputs.value(0), weight, bias, &sizes);
    }

    fn backward(&self, b: Backward<'_>) {
        let sizes = sizes(b.shape, self.groups, self.eps);
        backward(b, self.affine, &sizes);
    }
}

struct InstanceNorm {
    options: BatchNormOptions,
    /// Whether a running mean and a running variance follow the input.
    has_running: bool,
    affine: Affine,
}

/// How many numbers the kernel saves per channel of an image: the mean in two floats, the deviation, the
/// variance.
const N_OF_CHANNEL: usize = 4;

const RUNNING_MEAN: usize = 1;
const RUNNING_VAR: usize = 2;

impl InstanceNorm {
    fn sizes(&self, x: Shape) -> GroupNormShape {
        sizes(x, x[x.rank() - 1], self.options.eps)
    }
}

impl Op for InstanceNorm {
    fn name(&self) -> &'static str {
        "instance_norm"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let names = ["running_mean", "running_var"];
        let running = names.into_iter().zip(&inputs[1..]).take(if self.has_running { 2 } else { 0 });
        check_channels(inputs[0], running.chain(self.affine.named(inputs)))?;
        let pixels: usize = inputs[0][1..inputs[0].rank() - 1].iter().product();
        if pixels == 1 {
            return Err(ShapeError::new(format!(
                "{} has 1 value per channel of an image, which needs at least 2; give larger images",
                inputs[0]
            )));
        }
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        let (sizes, [weight, bias]) = (self.sizes(f.shape), self.affine.values(f.inputs));
        let (n_saved, n_of_image) = (sizes.n_saved(), N_OF_CHANNEL * sizes.channels);
        let shards = f.inputs.shards(0);
        // Nothing has no mean: the running statistics then stay as they are.
        let moves_running = self.has_running && shards.n_images() > 0 && sizes.pixels > 0;
        f.saved.floats.resize(n_saved + if moves_running { n_of_image } else { 0 }, 0.0);
        let (statistics, means) = f.saved.floats.split_at_mut(n_saved);
        group_norm_forward(f.output, statistics, f.inputs.value(0), weight, bias, &sizes);
        if moves_running {
            // The batch's statistics are the means of those of its images.
            let mean = Reduction::Mean;
            reduce_rows(means, statistics, sizes.images, n_of_image, mean, &shards, Beta::Zero);
        }
    }

    fn backward(&self, b: Backward<'_>) {
        let sizes = self.sizes(b.shape);
        backward(b, self.affine, &sizes);
    }

    fn has_statistics(&self) -> bool {
        self.has_running
    }

    /// running = (1 − momentum) · running + momentum · mean over the images, with the unbiased variance.
    fn commit(&self, mut c: Commit<'_>) {
        let sizes = self.sizes(c.shape(0));
        let (momentum, pixels) = (self.options.momentum.unwrap_or(0.0), sizes.pixels as f32);
        let means = c.saved.floats[sizes.n_saved()..].as_chunks::<N_OF_CHANNEL>().0;
        for (running, [mean, rest, ..]) in c.statistic(RUNNING_MEAN).iter_mut().zip(means) {
            *running += momentum * (mean + rest - *running);
        }
        for (running, [.., var]) in c.statistic(RUNNING_VAR).iter_mut().zip(means) {
            *running += momentum * (var * (pixels / (pixels - 1.0)) - *running);
        }
    }
}

impl Graph<'_> {
    /// Group normalisation of `x` [n, …, c]: the channels of each image form `groups` groups of neighbours.
    /// Each group is normalised to mean 0 and variance 1 over its pixels and channels, then scaled and
    /// shifted by `affine`, weight and bias for each channel, by default 1 and 0.
    /// `torch.nn.functional.group_norm`; Wu and He, "Group Normalization", 2018.
    ///
    /// # Panics
    /// When the shapes do not fit, or the groups do not divide the channels.
    #[track_caller]
    pub fn group_norm(&self, x: Var, groups: usize, affine: [Option<Var>; 2], eps: f32) -> Var {
        self.apply_present(GroupNorm { groups, eps, affine: Affine::new(1, affine) }, x, affine)
    }

    /// Instance normalisation of `x` [n, …, c]: each channel of each image is normalised to mean 0 and
    /// variance 1, then scaled and shifted by `affine`, weight and bias, by default 1 and 0.
    /// `torch.nn.functional.instance_norm`; Ulyanov, Vedaldi and Lempitsky, "Instance Normalization", 2016.
    ///
    /// `running`, if given, is mean and variance, entries of [`Params`](crate::Params) with
    /// [`Role::Statistic`](crate::Role::Statistic). [`backward`](Self::backward) moves them towards the means
    /// over the batch. In evaluation, or if they are [frozen](crate::Params::freeze), they are used in place
    /// of the image's own, as in [`batch_norm`](Self::batch_norm). A momentum of `None` does not change them.
    ///
    /// # Panics
    /// When the shapes do not fit, or an image whose own statistics are used has one pixel; in backward, when
    /// `running` are not statistics.
    #[track_caller]
    pub fn instance_norm(
        &self,
        x: Var,
        running: Option<[Var; 2]>,
        affine: [Option<Var>; 2],
        options: BatchNormOptions,
    ) -> Var {
        if let Some(running) = running
            && (!self.mode().training || running.iter().any(|&statistic| self.is_frozen(statistic)))
        {
            let momentum = Some(options.momentum.unwrap_or(0.0));
            return self.batch_norm(x, &running, affine, BatchNormOptions { momentum, ..options });
        }
        let n_running = if running.is_some() { 2 } else { 0 };
        let has_running = running.is_some();
        let op = InstanceNorm { options, has_running, affine: Affine::new(1 + n_running, affine) };
        let [mean, var] = [0, 1].map(|i| running.map(|running| running[i]));
        self.apply_present(op, x, [mean, var, affine[0], affine[1]])
    }
}
