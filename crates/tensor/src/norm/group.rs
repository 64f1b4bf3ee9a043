//! Group normalisation (Wu and He 2018) of images N × H × W × C; with as many groups as channels it is instance
//! normalisation (Ulyanov, Vedaldi and Lempitsky 2016).
//!
//! y = (x − mean) / √(var + eps) · weight + bias, with mean and biased variance over the pixels and channels
//! of one group of neighbouring channels in one image, and weight and bias per channel. A channel's numbers
//! are accumulated as in batch normalisation, and a group's channels are merged. Error bounds are those of
//! layer normalisation.

use super::affine::{Rows, apart, check, write};
use super::columns::{Deviations, merge_one};
use super::{save, saved};
use crate::parallel::{Shards, for_each_chunk, rows_mut};
use crate::reduce::{COLUMNS, Columns};
use crate::shape::checked_len;
use crate::{Beta, scratch};
use simd::{Kernel, Level, Simd, dispatch};

/// The sizes of a group normalisation, and its ε.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GroupNormShape {
    /// The number of images, each of which is normalised separately.
    pub images: usize,
    /// The number of pixels of an image: the product of all axes between the first and the last.
    pub pixels: usize,
    /// The number of channels, the innermost axis.
    pub channels: usize,
    /// The number of groups; it must divide the number of channels.
    pub groups: usize,
    /// Added to the variance; PyTorch's default is 1e-5.
    pub eps: f32,
}

/// How many floats forward saves per group: the mean in two floats, √(var + eps), and the variance.
const N_SAVED: usize = 4;

impl GroupNormShape {
    /// How many floats forward saves: four for each group of each image.
    pub fn n_saved(&self) -> usize {
        N_SAVED * self.images * self.groups
    }

    /// The number of channels in a group.
    fn per_group(&self) -> usize {
        self.channels / self.groups.max(1)
    }

    #[track_caller]
    fn check(&self, name: &str) -> usize {
        let divides = self.groups > 0 && self.channels.is_multiple_of(self.groups);
        assert!(divides, "{name}: the groups must divide the channels: {self:?}");
        checked_len(name, &[N_SAVED, self.images, self.groups]);
        checked_len(name, &[self.images, self.pixels, self.channels])
    }
}

/// The inputs of backward.
#[derive(Clone, Copy, Debug)]
pub struct GroupNormSaved<'a> {
    /// The input.
    pub x: &'a [f32],
    /// The statistics that forward wrote for each group of each image.
    pub statistics: &'a [f32],
    /// The weight, if there is one.
    pub weight: Option<&'a [f32]>,
}

/// Normalises each group of each image, and writes four numbers for each, image by image: the mean in two
/// floats, √(var + eps) and the biased variance.
///
/// # Panics
/// When a length does not fit the shape, or the groups do not divide the channels.
#[track_caller]
pub fn group_norm_forward(
    y: &mut [f32],
    statistics: &mut [f32],
    x: &[f32],
    weight: Option<&[f32]>,
    bias: Option<&[f32]>,
    shape: &GroupNormShape,
) {
    const NAME: &str = "group_norm_forward";
    let (len, &GroupNormShape { images, pixels, channels, groups, .. }) = (shape.check(NAME), shape);
    check(NAME, &[(y, len), (x, len), (statistics, shape.n_saved())], &[weight, bias], channels);
    let (level, image_len) = (Level::current(), pixels * channels);
    let outputs = (rows_mut(y, image_len), rows_mut(statistics, N_SAVED * groups));
    for_each_chunk(images, 1, 4 * len, outputs, |image, (y, statistics)| {
        let (y, x) = (y.into_slice(), &x[image.start * image_len..][..image_len]);
        let statistics = statistics.into_slice().as_chunks_mut().0;
        group_statistics(level, statistics, x, shape);
        scratch::with_f64(3 * channels, |factors| {
            let [mean, scale, shift] = parts(factors, channels);
            for c in 0..channels {
                let (group_mean, std) = saved(&statistics[c / shape.per_group()]);
                mean[c] = group_mean;
                scale[c] = weight.map_or(1.0, |weight| f64::from(weight[c])) / std;
                shift[c] = bias.map_or(0.0, |bias| f64::from(bias[c]));
            }
            dispatch(level, Normalise { y, x, factors: [mean, scale, shift] });
        });
    });
}

/// Computes mean and deviation of each group of one image.
fn group_statistics(level: Level, statistics: &mut [[f32; N_SAVED]], x: &[f32], shape: &GroupNormShape) {
    let &GroupNormShape { pixels, channels, eps, .. } = shape;
    let (mut of_group, mut group, per_group) = ([0.0; 3], 0, shape.per_group());
    for first in (0..channels).step_by(COLUMNS) {
        let n_cols = COLUMNS.min(channels - first);
        let x = &x[first.min(x.len())..];
        let [n, means, squares] = dispatch(level, Deviations { x, channels, n_rows: pixels, n_cols });
        for c in 0..n_cols {
            of_group = merge_one(of_group, [n[c], means[c], squares[c]]);
            if (first + c + 1).is_multiple_of(per_group) {
                let [n, mean, squares] = of_group;
                let var = squares / n;
                save(&mut statistics[group], mean, (var + f64::from(eps)).sqrt());
                statistics[group][3] = var as f32;
                (of_group, group) = ([0.0; 3], group + 1);
            }
        }
    }
}

/// Computes the requested gradients with respect to the input, the weight and the bias.
///
/// With x̂ = (x − mean) / √(var + eps) and g = dy · weight: dbias = Σ dy and dweight = Σ dy · x̂ over images
/// and pixels, and dx = (g − mean(g) − x̂ · mean(g · x̂)) / √(var + eps), with the means over a group of an
/// image.
///
/// # Panics
/// When a length does not fit the shape, or the groups do not divide the channels.
#[track_caller]
pub fn group_norm_backward(
    dx: Option<(&mut [f32], Beta)>,
    dweight: Option<(&mut [f32], Beta)>,
    dbias: Option<(&mut [f32], Beta)>,
    dy: &[f32],
    saved: &GroupNormSaved<'_>,
    shape: &GroupNormShape,
    shards: &Shards<'_>,
) {
    const NAME: &str = "group_norm_backward";
    let (len, &GroupNormShape { images, pixels, channels, groups, .. }) = (shape.check(NAME), shape);
    let &GroupNormSaved { x, statistics, weight } = saved;
    let [dweight_in, dbias_in] = [&dweight, &dbias].map(|out| out.as_ref().map(|(out, _)| &**out));
    let dx_in = dx.as_ref().map_or(dy, |(dx, _)| &**dx);
    let arrays = [(dx_in, len), (dy, len), (x, len), (statistics, shape.n_saved())];
    check(NAME, &arrays, &[weight, dweight_in, dbias_in], channels);
    let n_sums = if dweight.is_some() || dbias.is_some() { 2 * channels } else { 0 };
    let (level, image_len, (dx, beta)) = (Level::current(), pixels * channels, apart(dx));
    scratch::or_filled(weight, channels, 1.0, |weight| {
        let of_images = Rows { n_rows: images, row_len: image_len, dx, work: 6 * len, min_rows: 1 };
        of_images.sum(
            shards,
            n_sums,
            |images, mut dx, sums| {
                for (idx, image) in images.enumerate() {
                    let [dy, x] = [dy, x].map(|values| &values[image * image_len..][..image_len]);
                    let statistics = &statistics.as_chunks().0[image * groups..][..groups];
                    let dx = dx.as_mut().map(|dx| &mut dx[idx * image_len..][..image_len]);
                    Image { level, dy, x, statistics, weight, shape }.backward(dx, beta, sums);
                }
            },
            |sums| {
                let (of_weight, of_bias) = sums.split_at(n_sums / 2);
                write(dweight, of_weight);
                write(dbias, of_bias);
            },
        );
    });
}

/// The backward pass of one image.
struct Image<'a> {
    level: Level,
    dy: &'a [f32],
    x: &'a [f32],
    statistics: &'a [[f32; N_SAVED]],
    weight: &'a [f32],
    shape: &'a GroupNormShape,
}

impl Image<'_> {
    /// Adds the sums of dy · x̂ and of dy, channel by channel, to `sums` if there are any, and writes dx.
    fn backward(&self, dx: Option<&mut [f32]>, beta: Beta, sums: &mut [f64]) {
        let &Self { level, dy, x, statistics, weight, shape } = self;
        let (channels, per_group) = (shape.channels, shape.per_group());
        scratch::with_f64(4 * channels, |factors| {
            let [mean, scale, of_dy, of_dy_xhat] = parts(factors, channels);
            for c in 0..channels {
                let (group_mean, std) = saved(&statistics[c / per_group]);
                (mean[c], scale[c]) = (group_mean, 1.0 / std);
            }
            for first in (0..channels).step_by(COLUMNS) {
                let block = first..channels.min(first + COLUMNS);
                let [dy, x] = [dy, x].map(|values| &values[first.min(values.len())..]);
                let (mean, n_rows) = (&mean[block.clone()], shape.pixels);
                let [sums, products] = dispatch(level, GradientSums { dy, x, mean, channels, n_rows });
                for (idx, c) in block.enumerate() {
                    (of_dy[c], of_dy_xhat[c]) = (sums[idx], products[idx] * scale[c]);
                }
            }
            if !sums.is_empty() {
                let (of_weight, of_bias) = sums.split_at_mut(channels);
                of_weight.iter_mut().zip(&*of_dy_xhat).for_each(|(sum, share)| *sum += share);
                of_bias.iter_mut().zip(&*of_dy).for_each(|(sum, share)| *sum += share);
            }
            let Some(dx) = dx else { return };
            // The terms subtracted from g, and the factors of x − mean, replace the sums.
            let n = (shape.pixels * per_group) as f64;
            for channels in (0..channels).step_by(per_group.max(1)).map(|first| first..first + per_group) {
                let mean_of =
                    |sums: &[f64]| channels.clone().map(|c| f64::from(weight[c]) * sums[c]).sum::<f64>() / n;
                let (mean_g, mean_g_xhat) = (mean_of(of_dy), mean_of(of_dy_xhat));
                for c in channels {
                    let to_dx = scale[c];
                    (of_dy[c], of_dy_xhat[c]) = (mean_g * to_dx, mean_g_xhat * to_dx * to_dx);
                    scale[c] = f64::from(weight[c]) * to_dx;
                }
            }
            dispatch(level, InputGradient { dx, dy, x, factors: [mean, scale, of_dy, of_dy_xhat], beta });
        });
    }
}

/// Splits a buffer into equal parts.
fn parts<const N: usize>(buffer: &mut [f64], len: usize) -> [&mut [f64]; N] {
    let mut rest = buffer;
    [(); N].map(|()| {
        let (part, others) = std::mem::take(&mut rest).split_at_mut(len);
        rest = others;
        part
    })
}

/// y = (x − mean) · scale + shift, pixel by pixel.
struct Normalise<'a> {
    y: &'a mut [f32],
    x: &'a [f32],
    factors: [&'a [f64]; 3],
}

impl Kernel for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let n = self.factors[0].len();
        let [mean, scale, shift] = self.factors.map(|factor| &factor[..n]);
        for (y, x) in self.y.chunks_exact_mut(n.max(1)).zip(self.x.chunks_exact(n.max(1))) {
            let (y, x) = (&mut y[..n], &x[..n]);
            for c in 0..n {
                y[c] = ((f64::from(x[c]) - mean[c]) * scale[c] + shift[c]) as f32;
            }
        }
    }
}

/// Σ dy and Σ dy · (x − mean) of the columns that have a mean.
struct GradientSums<'a> {
    dy: &'a [f32],
    x: &'a [f32],
    mean: &'a [f64],
    channels: usize,
    n_rows: usize,
}

impl Kernel for GradientSums<'_> {
    type Output = Columns<2>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Columns<2> {
        let n = self.mean.len().min(COLUMNS);
        let (mut sums, mut products, mean) = ([0.0; COLUMNS], [0.0; COLUMNS], &self.mean[..n]);
        for row in 0..self.n_rows {
            let [dy, x] = [self.dy, self.x].map(|values| &values[row * self.channels..][..n]);
            let (sums, products) = (&mut sums[..n], &mut products[..n]);
            for c in 0..n {
                sums[c] += f64::from(dy[c]);
                products[c] += f64::from(dy[c]) * (f64::from(x[c]) - mean[c]);
            }
        }
        [sums, products]
    }
}

/// dx = β·dx + scale · dy − a − (x − mean) · b, pixel by pixel; `factors` are mean, scale, a and b.
struct InputGradient<'a> {
    dx: &'a mut [f32],
    dy: &'a [f32],
    x: &'a [f32],
    factors: [&'a [f64]; 4],
    beta: Beta,
}

impl Kernel for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { dx, dy, x, factors, beta } = self;
        let n = factors[0].len();
        let [mean, scale, a, b] = factors.map(|factor| &factor[..n]);
        let inputs = dy.chunks_exact(n.max(1)).zip(x.chunks_exact(n.max(1)));
        for (dx, (dy, x)) in dx.chunks_exact_mut(n.max(1)).zip(inputs) {
            let (dx, dy, x) = (&mut dx[..n], &dy[..n], &x[..n]);
            let gradient =
                |c: usize| (scale[c] * f64::from(dy[c]) - a[c] - (f64::from(x[c]) - mean[c]) * b[c]) as f32;
            match beta {
                Beta::Zero => (0..n).for_each(|c| dx[c] = gradient(c)),
                Beta::One => (0..n).for_each(|c| dx[c] += gradient(c)),
            }
        }
    }
}
