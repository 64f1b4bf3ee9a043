//! Layer, RMS, group and local response normalisation against their f64 reference.

use crate::common::{check_betas, check_thread_independence, random};
use proptest::prelude::*;
use tensor::Beta;
use tensor::norm::{
    GroupNormSaved, GroupNormShape, LayerNormSaved, LayerNormShape, LocalResponseNormShape,
    group_norm_backward, group_norm_forward, layer_norm_backward, layer_norm_forward,
    local_response_norm_backward, local_response_norm_forward,
};
use tensor::parallel::Shards;
use tensor::reference::{self, EPSILON, assert_within, to_f64};

type Lent<'a> = Option<(&'a mut [f32], Beta)>;

/// A normalisation of one kind, on inputs of some size.
struct Norm<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    weight: Option<&'a [f32]>,
    bias: Option<&'a [f32]>,
    shards: Shards<'a>,
}

/// y, and the gradient of x, weight and bias, in f64.
type Expected = (Vec<f64>, (Vec<f64>, Vec<f64>, Vec<f64>));

impl Norm<'_> {
    fn layer(&self, shape: &LayerNormShape) {
        let (mut y, mut statistics) = (vec![f32::NAN; self.x.len()], vec![f32::NAN; shape.n_saved()]);
        layer_norm_forward(&mut y, Some(&mut statistics), self.x, self.weight, self.bias, shape);
        let mut again = vec![f32::NAN; y.len()];
        layer_norm_forward(&mut again, None, self.x, self.weight, self.bias, shape);
        assert_eq!(y, again);
        let (weight, bias) = (self.weight.map(to_f64), self.bias.map(to_f64));
        let x64 = to_f64(self.x);
        let expected = (
            reference::layer_norm_forward(&x64, weight.as_deref(), bias.as_deref(), shape),
            reference::layer_norm_backward(&to_f64(self.dy), &x64, weight.as_deref(), shape),
        );
        let plain = reference::layer_norm_forward(&x64, None, None, shape);
        let saved = LayerNormSaved { x: self.x, statistics: &statistics, weight: self.weight };
        let backward = |dx: Lent<'_>, dw: Lent<'_>, db: Lent<'_>| {
            layer_norm_backward(dx, dw, db, self.dy, &saved, shape, &self.shards);
        };
        let rows: Vec<usize> = (0..self.x.len()).map(|i| i / shape.features).collect();
        let stds = std_of(&statistics, 3);
        let feature = |i: usize| i % shape.features;
        self.compare(&y, expected, &plain, shape.features, &|i| (rows[i], feature(i)), &stds, backward);
    }

    fn group(&self, shape: &GroupNormShape) {
        let (mut y, mut statistics) = (vec![f32::NAN; self.x.len()], vec![f32::NAN; shape.n_saved()]);
        group_norm_forward(&mut y, &mut statistics, self.x, self.weight, self.bias, shape);
        let (weight, bias) = (self.weight.map(to_f64), self.bias.map(to_f64));
        let x64 = to_f64(self.x);
        let expected = (
            reference::group_norm_forward(&x64, weight.as_deref(), bias.as_deref(), shape),
            reference::group_norm_backward(&to_f64(self.dy), &x64, weight.as_deref(), shape),
        );
        let plain = reference::group_norm_forward(&x64, None, None, shape);
        let saved = GroupNormSaved { x: self.x, statistics: &statistics, weight: self.weight };
        let backward = |dx: Lent<'_>, dw: Lent<'_>, db: Lent<'_>| {
            group_norm_backward(dx, dw, db, self.dy, &saved, shape, &self.shards);
        };
        let (image_len, per_group) = (shape.pixels * shape.channels, shape.channels / shape.groups);
        let place = |i: usize| {
            let channel = i % shape.channels;
            (i / image_len * shape.groups + channel / per_group, channel)
        };
        self.compare(&y, expected, &plain, shape.channels, &place, &std_of(&statistics, 4), backward);
    }

    /// Holds outputs and gradients within their bounds. `place` tells of an element what it is normalised with, and its
    /// weight; `plain` is the output without weight and bias.
    #[expect(clippy::too_many_arguments, reason = "what was computed, and what it is held to")]
    fn compare(
        &self,
        y: &[f32],
        (y64, (dx64, dweight64, dbias64)): Expected,
        plain: &[f64],
        n_weights: usize,
        place: &dyn Fn(usize) -> (usize, usize),
        stds: &[f64],
        backward: impl Fn(Lent<'_>, Lent<'_>, Lent<'_>),
    ) {
        let of = |vector: Option<&[f32]>, i: usize, default: f64| {
            vector.map_or(default, |vector| f64::from(vector[place(i).1]).abs())
        };
        let n = self.x.len();
        // f64, too, rounds: x − mean to some 2⁻⁵⁰ of x.
        let xhat: Vec<f64> = (0..n)
            .map(|i| plain[i].abs() + EPSILON * f64::from(self.x[i]).abs() / stds[place(i).0])
            .collect();
        let magnitude: Vec<f64> =
            (0..n).map(|i| xhat[i] * of(self.weight, i, 1.0) + of(self.bias, i, 0.0)).collect();
        assert_within(y, &y64, &magnitude, 2.0);

        let mut sums = vec![[0.0; 3]; stds.len()];
        let (mut of_weight, mut of_bias) = (vec![0.0; n_weights], vec![0.0; n_weights]);
        let g = |i: usize| f64::from(self.dy[i]).abs() * of(self.weight, i, 1.0);
        for (i, &xhat) in xhat.iter().enumerate() {
            let (group, weight) = place(i);
            let [count, of_g, of_g_xhat] = &mut sums[group];
            (*count, *of_g, *of_g_xhat) = (*count + 1.0, *of_g + g(i), *of_g_xhat + g(i) * xhat);
            of_weight[weight] += f64::from(self.dy[i]).abs() * xhat;
            of_bias[weight] += f64::from(self.dy[i]).abs();
        }
        let magnitude: Vec<f64> = (0..n)
            .map(|i| {
                let [count, of_g, of_g_xhat] = sums[place(i).0];
                (g(i) + of_g / count + xhat[i] * of_g_xhat / count) / stds[place(i).0]
            })
            .collect();
        check_betas(&dx64, &magnitude, 6.0, |dx, beta| backward(Some((dx, beta)), None, None));
        check_betas(&dweight64, &of_weight, 3.0, |dw, beta| backward(None, Some((dw, beta)), None));
        check_betas(&dbias64, &of_bias, 2.0, |db, beta| backward(None, None, Some((db, beta))));
    }
}

/// √(var + eps) among what forward saves.
fn std_of(statistics: &[f32], n_saved: usize) -> Vec<f64> {
    statistics.chunks(n_saved).map(|saved| f64::from(saved[2])).collect()
}

/// Numbers that may lie far from zero, or near the largest there are.
fn numbers(len: usize, seed: u64, (offset, spread): (f32, f32)) -> Vec<f32> {
    random(len, seed).iter().map(|v| v * spread + offset).collect()
}

const PLACES: [(f32, f32); 6] = [(0.0, 1.0), (3.0, 2.0), (1e4, 1.0), (1e6, 0.5), (0.0, 3e38), (1e-20, 1e-20)];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn layer_and_rms_norm(
        [images, tokens, features] in [1..40usize, 1..12, 1..150],
        place in 0..PLACES.len(),
        [centred, has_weight, has_bias] in any::<[bool; 3]>(),
        seed: u64,
    ) {
        let rows = images * tokens;
        let [x, dy] = [numbers(rows * features, seed, PLACES[place]), random(rows * features, seed + 1)];
        let [weight, bias] = [2, 3].map(|n| random(features, seed + n));
        let norm = Norm {
            x: &x,
            dy: &dy,
            weight: has_weight.then_some(&weight),
            bias: has_bias.then_some(&bias),
            shards: Shards::whole(images),
        };
        norm.layer(&LayerNormShape { rows, features, eps: 1e-5, centred });
    }

    #[test]
    fn group_and_instance_norm(
        [images, pixels, groups, per_group] in [1..20usize, 1..40, 1..9, 1..20],
        place in 0..PLACES.len(),
        [has_weight, has_bias] in any::<[bool; 2]>(),
        seed: u64,
    ) {
        let channels = groups * per_group;
        let len = images * pixels * channels;
        let [x, dy] = [numbers(len, seed, PLACES[place]), random(len, seed + 1)];
        let [weight, bias] = [2, 3].map(|n| random(channels, seed + n));
        let norm = Norm {
            x: &x,
            dy: &dy,
            weight: has_weight.then_some(&weight),
            bias: has_bias.then_some(&bias),
            shards: Shards::whole(images),
        };
        norm.group(&GroupNormShape { images, pixels, channels, groups, eps: 1e-5 });
    }

    #[test]
    fn local_response_norm(
        [rows, channels] in [1..40usize, 1..50], size in prop_oneof![4 => 1..9usize, 1 => 9..150usize], beta in 0..3usize, seed: u64,
    ) {
        let beta = [0.75, 0.5, 1.25][beta];
        let shape = LocalResponseNormShape { rows, channels, size, alpha: 0.5, beta, k: 1.5 };
        let [x, dy] = [0, 1].map(|n| random(rows * channels, seed + n));
        let ([x64, dy64], mut y) = ([&x, &dy].map(|v| to_f64(v)), vec![f32::NAN; x.len()]);
        local_response_norm_forward(&mut y, &x, &shape);
        let expected = reference::local_response_norm_forward(&x64, &shape);
        assert_within(&y, &expected, &expected.iter().map(|y| y.abs()).collect::<Vec<_>>(), 2.0);
        let expected = reference::local_response_norm_backward(&dy64, &x64, &shape);
        // k is above 1, so no power of s is.
        let magnitude: Vec<f64> = (0..x.len()).map(|i| dy64[i].abs() + 2.0 * x64[i].abs()).collect();
        check_betas(&expected, &magnitude, 4.0, |dx, beta| {
            local_response_norm_backward(dx, &dy, &x, &shape, beta);
        });
    }
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let (images, tokens, features) = (40, 60, 96);
    let len = images * tokens * features;
    let (x, dy, weight) = (random(len, 1), random(len, 2), random(features, 3));
    let shards = Shards::whole(images);
    check_thread_independence(|| {
        let shape = LayerNormShape { rows: images * tokens, features, eps: 1e-5, centred: true };
        let [mut y, mut dx, mut dz] = [(); 3].map(|()| vec![0.0; len]);
        let [mut dw, mut db] = [(); 2].map(|()| vec![0.0; features]);
        let mut statistics = vec![0.0; shape.n_saved()];
        layer_norm_forward(&mut y, Some(&mut statistics), &x, Some(&weight), None, &shape);
        let saved = LayerNormSaved { x: &x, statistics: &statistics, weight: Some(&weight) };
        layer_norm_backward(
            Some((&mut dx, Beta::Zero)),
            Some((&mut dw, Beta::Zero)),
            Some((&mut db, Beta::Zero)),
            &dy,
            &saved,
            &shape,
            &shards,
        );
        let shape = GroupNormShape { images, pixels: tokens, channels: features, groups: 8, eps: 1e-5 };
        let mut statistics = vec![0.0; shape.n_saved()];
        let mut z = vec![0.0; len];
        group_norm_forward(&mut z, &mut statistics, &y, Some(&weight), None, &shape);
        let saved = GroupNormSaved { x: &y, statistics: &statistics, weight: Some(&weight) };
        group_norm_backward(
            Some((&mut dz, Beta::Zero)),
            Some((&mut dw, Beta::One)),
            Some((&mut db, Beta::One)),
            &dy,
            &saved,
            &shape,
            &shards,
        );
        let shape = LocalResponseNormShape {
            rows: images * tokens,
            channels: features,
            size: 5,
            alpha: 1e-4,
            beta: 0.75,
            k: 1.0,
        };
        local_response_norm_backward(&mut dz, &dy, &z, &shape, Beta::One);
        [y, z, dx, dz, dw, db].concat()
    });
}

#[test]
fn nan_in_a_row_stays_in_that_row() {
    let shape = LayerNormShape { rows: 2, features: 2, eps: 1e-5, centred: true };
    let mut y = [0.0; 4];
    layer_norm_forward(&mut y, None, &[f32::NAN, 1.0, 2.0, 3.0], None, None, &shape);
    assert_eq!(y.map(f32::is_nan), [true, true, false, false]);
    // A group of one image.
    let shape = GroupNormShape { images: 1, pixels: 2, channels: 2, groups: 2, eps: 1e-5 };
    group_norm_forward(&mut y, &mut [0.0; 8], &[f32::NAN, 1.0, 2.0, 3.0], None, None, &shape);
    assert_eq!(y.map(f32::is_nan), [true, false, true, false]);
}

/// Forward and backward of x times a power of two, where the variance is beyond the largest f32, or below the
/// smallest: the output is that of x, and dx is divided by the power.
#[test]
fn the_scale_of_the_input_does_not_matter() {
    let (dy, shards) = (random(60, 1), Shards::whole(2));
    let run = |power: f32| {
        let x: Vec<f32> = random(60, 2).iter().map(|x| x * power).collect();
        let mut results = Vec::new();
        for centred in [true, false] {
            let shape = LayerNormShape { rows: 6, features: 10, eps: 0.0, centred };
            let [mut y, mut dx] = [(); 2].map(|()| vec![0.0; 60]);
            let mut statistics = vec![0.0; shape.n_saved()];
            layer_norm_forward(&mut y, Some(&mut statistics), &x, None, None, &shape);
            let saved = LayerNormSaved { x: &x, statistics: &statistics, weight: None };
            layer_norm_backward(Some((&mut dx, Beta::Zero)), None, None, &dy, &saved, &shape, &shards);
            results.push((y, dx));
        }
        for groups in [2, 6] {
            let shape = GroupNormShape { images: 2, pixels: 5, channels: 6, groups, eps: 0.0 };
            let [mut y, mut dx] = [(); 2].map(|()| vec![0.0; 60]);
            let mut statistics = vec![0.0; shape.n_saved()];
            group_norm_forward(&mut y, &mut statistics, &x, None, None, &shape);
            let saved = GroupNormSaved { x: &x, statistics: &statistics, weight: None };
            group_norm_backward(Some((&mut dx, Beta::Zero)), None, None, &dy, &saved, &shape, &shards);
            results.push((y, dx));
        }
        results.iter_mut().for_each(|(_, dx)| dx.iter_mut().for_each(|dx| *dx *= power));
        results
    };
    for exponent in [-80, -60, 70, 100] {
        assert_eq!(run(2f32.powi(exponent)), run(1.0), "x times 2^{exponent}");
    }
}
