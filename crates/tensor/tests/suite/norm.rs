//! Batch normalisation and dropout against their f64 reference; the other normalisations are in `norms.rs`.

use crate::common::{check_betas, check_thread_independence, random};
use proptest::prelude::*;
use tensor::Beta;
use tensor::activation::{Activation, gelu, gelu_slope, gelu_tanh, gelu_tanh_slope, silu, silu_slope};
use tensor::dropout::{channel_dropout_backward, channel_dropout_forward, dropout_backward, dropout_forward};
use tensor::norm::{
    BatchNormSaved, BatchNormShape, Statistics, batch_norm_backward, batch_norm_forward_eval,
    batch_norm_forward_train,
};
use tensor::parallel::Shards;
use tensor::reference::{self, assert_within, magnitudes, to_f64};

const EPS: f32 = 1e-5;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn batch_norm_on_random_shapes(
        rows in 1..600usize,
        channels in 1..150usize,
        offset in -4.0..4f32,
        affine: bool,
        batch_statistics: bool,
        seed: u64,
    ) {
        let shape = BatchNormShape { rows, channels, eps: EPS, activation: None };
        let x: Vec<f32> = random(rows * channels, seed).iter().map(|v| v + offset).collect();
        let dy = random(rows * channels, seed + 1);
        let parameters = affine.then(|| (random(channels, seed + 2), random(channels, seed + 3)));
        let weight = parameters.as_ref().map(|(weight, _)| &weight[..]);
        let bias = parameters.as_ref().map(|(_, bias)| &bias[..]);
        let weight64 = weight.map_or(vec![1.0; channels], to_f64);
        let bias64 = bias.map_or(vec![0.0; channels], to_f64);

        let mut y = vec![f32::NAN; x.len()];
        let [mut mean, mut rest, mut var, mut std] = [(); 4].map(|()| vec![f32::NAN; channels]);
        let shards = Shards::whole(rows);
        if batch_statistics {
            let (means, vars) = ([&mut mean[..], &mut rest], [&mut var[..], &mut std]);
            let n_rows = batch_norm_forward_train(&mut y, means, vars, &x, weight, bias, &shape, &shards);
            assert_eq!(n_rows, rows);
            let (mean64, var64) = reference::batch_statistics(&to_f64(&x), channels);
            assert_within(&mean, &mean64, &magnitudes(&mean), 2.0);
            let both: Vec<f64> = to_f64(&mean).iter().zip(to_f64(&rest)).map(|(mean, rest)| mean + rest).collect();
            assert!(both.iter().zip(&mean64).all(|(a, b)| (a - b).abs() < 1e-13), "the mean in two floats");
            assert_within(&var, &var64, &var64.iter().map(|var| var + 1e-7).collect::<Vec<_>>(), 2.0);
        } else {
            mean = random(channels, seed + 4);
            var = random(channels, seed + 5).iter().map(|v| v.abs()).collect();
            batch_norm_forward_eval(&mut y, &x, &mean, &var, weight, bias, &shape);
        }
        let (x64, var64) = (to_f64(&x), to_f64(&var));
        let rest64 = if batch_statistics { to_f64(&rest) } else { vec![0.0; channels] };
        let mean64: Vec<f64> = to_f64(&mean).iter().zip(rest64).map(|(mean, rest)| mean + rest).collect();
        // Errors of x − mean are relative to |x| + |mean|, and everything is divided by the deviation.
        let std_of = |i: usize| (var64[i % channels] + f64::from(EPS)).sqrt();
        let xhat = |i: usize| (x64[i].abs() + mean64[i % channels].abs()) / std_of(i);
        let scale = |i: usize| weight64[i % channels].abs();

        let expected = reference::batch_norm_forward(&x64, &mean64, &var64, &weight64, &bias64, f64::from(EPS));
        let magnitude: Vec<f64> = (0..x.len()).map(|i| xhat(i) * scale(i) + bias64[i % channels].abs()).collect();
        assert_within(&y, &expected, &magnitude, 6.0);

        let statistics = if batch_statistics { Statistics::Batch } else { Statistics::Running };
        let [mean_rest, std] = [&rest, &std].map(|values| batch_statistics.then_some(&values[..]));
        let saved = BatchNormSaved { x: &x, mean: &mean, mean_rest, var: &var, std, weight, bias };
        let backward = |dx: Option<(&mut [f32], Beta)>, dweight: Option<(&mut [f32], Beta)>, dbias: Option<(&mut [f32], Beta)>| {
            batch_norm_backward(dx, dweight, dbias, &dy, &saved, statistics, &shape, &shards);
        };
        let (dx64, dweight64, dbias64) =
            reference::batch_norm_backward(&to_f64(&dy), &x64, (&mean64, &var64), &weight64, statistics, f64::from(EPS));
        let sums: Vec<f64> = (0..channels)
            .map(|c| (c..x.len()).step_by(channels).map(|i| f64::from(dy[i].abs()) * (1.0 + xhat(i))).sum())
            .collect();
        let magnitude: Vec<f64> = (0..x.len())
            .map(|i| scale(i) / std_of(i) * (f64::from(dy[i].abs()) + sums[i % channels] * (1.0 + xhat(i)) / rows as f64))
            .collect();
        check_betas(&dx64, &magnitude, 10.0, |dx, beta| backward(Some((dx, beta)), None, None));
        check_betas(&dweight64, &sums, 4.0, |dweight, beta| backward(None, Some((dweight, beta)), None));
        check_betas(&dbias64, &sums, 2.0, |dbias, beta| backward(None, None, Some((dbias, beta))));
    }

    /// An activation in the same pass gives the bits that it gives alone: outputs and all gradients.
    #[test]
    fn batch_norm_with_an_activation_is_the_two_of_them(
        rows in 1..300usize, channels in 1..150usize, affine: bool, batch_statistics: bool, seed: u64,
    ) {
        let (x, dy) = (random(rows * channels, seed), random(rows * channels, seed + 1));
        let [weight, bias, running_mean, noise] = [2, 3, 4, 5].map(|i| random(channels, seed + i));
        let running_var: Vec<f32> = noise.iter().map(|v| v.abs()).collect();
        let (weight, bias) = (affine.then_some(&weight[..]), affine.then_some(&bias[..]));
        let shards = Shards::whole(rows);
        // Output and gradients for a gradient of the output; of the layer alone for that of its own output.
        let run = |activation, dz: &dyn Fn(&[f32]) -> Vec<f32>| {
            let shape = BatchNormShape { rows, channels, eps: EPS, activation };
            let [mut mean, mut rest, mut var, mut std] = [(); 4].map(|()| vec![0.0; channels]);
            let [mut dweight, mut dbias] = [(); 2].map(|()| vec![0.0; channels]);
            let (mut y, mut dx) = (vec![f32::NAN; x.len()], x.clone());
            let statistics = if batch_statistics {
                let (means, vars) = ([&mut mean[..], &mut rest], [&mut var[..], &mut std]);
                batch_norm_forward_train(&mut y, means, vars, &x, weight, bias, &shape, &shards);
                Statistics::Batch
            } else {
                (mean, var) = (running_mean.clone(), running_var.clone());
                batch_norm_forward_eval(&mut y, &x, &mean, &var, weight, bias, &shape);
                Statistics::Running
            };
            let [mean_rest, std] = [&rest, &std].map(|values| batch_statistics.then_some(&values[..]));
            let saved = BatchNormSaved { x: &x, mean: &mean, mean_rest, var: &var, std, weight, bias };
            let [dweight_out, dbias_out] = [&mut dweight[..], &mut dbias].map(|out| Some((out, Beta::Zero)));
            let dx_out = Some((&mut dx[..], Beta::One));
            batch_norm_backward(dx_out, dweight_out, dbias_out, &dz(&y), &saved, statistics, &shape, &shards);
            (y, [dx, dweight, dbias])
        };
        type Row = (Activation, fn(f32) -> f32, fn(f32, f32) -> f32);
        let functions: [Row; 4] = [
            (Activation::Relu, |z| if z < 0.0 { 0.0 } else { z }, |dy, z| if z <= 0.0 { 0.0 } else { dy }),
            (Activation::Gelu, gelu, |dy, z| dy * gelu_slope(z)),
            (Activation::GeluTanh, gelu_tanh, |dy, z| dy * gelu_tanh_slope(z)),
            (Activation::Silu, silu, |dy, z| dy * silu_slope(z)),
        ];
        for (activation, f, gradient) in functions {
            let (y, gradients) = run(Some(activation), &|_| dy.clone());
            let (z, expected) = run(None, &|z| dy.iter().zip(z).map(|(&dy, &z)| gradient(dy, z)).collect());
            let expected_y: Vec<f32> = z.iter().map(|&z| f(z)).collect();
            prop_assert!(y == expected_y, "{activation:?}");
            prop_assert!(gradients == expected, "{activation:?}");
        }
    }

    #[test]
    fn dropout_against_the_sequential_generator(len in 0..3000usize, p in 0.0..1f32, key: u64, seed: u64) {
        let (x, mut y) = (random(len, seed), vec![f32::NAN; len]);
        dropout_forward(&mut y, &x, p, key);
        let expected = reference::dropout_forward(&to_f64(&x), p, key);
        let magnitude: Vec<f64> = expected.iter().map(|v| v.abs()).collect();
        assert_within(&y, &expected, &magnitude, 2.0);
        let expected = reference::dropout_backward(&to_f64(&x), p, key);
        check_betas(&expected, &magnitude, 2.0, |dx, beta| dropout_backward(dx, &x, p, key, beta));
    }

    #[test]
    fn channel_dropout_keeps_or_drops_all_pixels(
        images in 1..5usize, pixels in 1..40usize, channels in 1..30usize, p in 0.0..1f32, key: u64,
    ) {
        let sizes = [images, pixels, channels];
        let x = random(images * pixels * channels, key);
        let mut y = vec![f32::NAN; x.len()];
        channel_dropout_forward(&mut y, &x, sizes, p, key);
        let expected = reference::channel_dropout_forward(&to_f64(&x), sizes, p, key);
        let magnitude: Vec<f64> = expected.iter().map(|v| v.abs()).collect();
        assert_within(&y, &expected, &magnitude, 2.0);
        let expected = reference::channel_dropout_backward(&to_f64(&x), sizes, p, key);
        check_betas(&expected, &magnitude, 2.0, |dx, beta| channel_dropout_backward(dx, &x, sizes, p, key, beta));
    }
}

#[test]
fn dropout_at_its_ends() {
    let x = [1.5, -0.0, 3.0, 1e30];
    let mut y = [f32::NAN; 4];
    dropout_forward(&mut y, &x, 0.0, 1);
    assert_eq!(y.map(f32::to_bits), x.map(f32::to_bits));
    dropout_forward(&mut y, &[f32::NAN, f32::INFINITY, 1.0, -1.0], 1.0, 1);
    assert_eq!(y.map(f32::to_bits), [0; 4]);
    channel_dropout_forward(&mut y, &[f32::NAN, f32::INFINITY, 1.0, -1.0], [2, 1, 2], 1.0, 1);
    assert_eq!(y.map(f32::to_bits), [0; 4]);
    dropout_forward(&mut y, &[1.0, 2.0, 3.0, 4.0], 0.5, 1);
    assert!(y.iter().zip([2.0, 4.0, 6.0, 8.0]).all(|(&y, doubled)| y == 0.0 || y == doubled));
}

#[test]
fn dropout_keeps_the_mean_and_every_key_has_its_mask() {
    let (ones, mut y, mut other) = (vec![1.0; 100_000], vec![0.0; 100_000], vec![0.0; 100_000]);
    for key in 0..10 {
        dropout_forward(&mut y, &ones, 0.3, key);
        // The mean has a standard deviation of sqrt(0.3 / 0.7 / 100,000) = 0.0021.
        assert!((tensor::reduce::sum(&y) / 1e5 - 1.0).abs() < 0.01);
        dropout_forward(&mut other, &ones, 0.3, key + 1);
        let agreeing = y.iter().zip(&other).filter(|(a, b)| a == b).count();
        // Independent masks agree with probability 0.7² + 0.3².
        assert!((agreeing as f32 / 1e5 - 0.58).abs() < 0.01);
    }
}

#[test]
fn norm_and_dropout_do_not_depend_on_the_number_of_threads() {
    let shape = BatchNormShape { rows: 20_000, channels: 70, eps: EPS, activation: None };
    let (x, dy) = (random(1_400_000, 1), random(1_400_000, 2));
    check_thread_independence(|| {
        let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        let [mut mean, mut rest, mut var, mut std, mut dweight] = [(); 5].map(|()| vec![0.0; 70]);
        let (means, vars, shards) =
            ([&mut mean[..], &mut rest], [&mut var[..], &mut std], Shards::whole(20_000));
        batch_norm_forward_train(&mut y, means, vars, &x, None, None, &shape, &shards);
        let saved = BatchNormSaved {
            x: &x,
            mean: &mean,
            mean_rest: Some(&rest),
            var: &var,
            std: Some(&std),
            weight: None,
            bias: None,
        };
        let gradients = (Some((&mut dx[..], Beta::Zero)), Some((&mut dweight[..], Beta::Zero)));
        batch_norm_backward(gradients.0, gradients.1, None, &dy, &saved, Statistics::Batch, &shape, &shards);
        dropout_backward(&mut dx, &dy, 0.5, 3, Beta::One);
        [y, dx, mean, rest, var, std, dweight].concat()
    });
}

#[test]
fn nan_in_a_channel_stays_in_that_channel() {
    let shape = BatchNormShape { rows: 2, channels: 2, eps: EPS, activation: None };
    let (mut y, mut var) = ([0.0; 4], [0.0; 2]);
    let ([mut mean, mut rest, mut std], x) = ([[0.0; 2]; 3], [f32::NAN, 1.0, 2.0, 3.0]);
    let (means, vars) = ([&mut mean[..], &mut rest], [&mut var[..], &mut std]);
    batch_norm_forward_train(&mut y, means, vars, &x, None, None, &shape, &Shards::whole(2));
    assert_eq!(y.map(f32::is_nan), [true, false, true, false]);
    assert!(var[0].is_nan());
}

/// Whatever the number of rows: sums take several at a time.
#[test]
fn an_infinite_input_of_running_statistics_makes_an_infinite_sum() {
    for rows in 1..10 {
        let shape = BatchNormShape { rows, channels: 1, eps: EPS, activation: None };
        let (dy, mut x, mut dweight) = (vec![1.0; rows], vec![0.5; rows], [0.0]);
        x[rows - 1] = f32::INFINITY;
        let saved = BatchNormSaved {
            x: &x,
            mean: &[0.0],
            mean_rest: None,
            var: &[1.0],
            std: None,
            weight: None,
            bias: None,
        };
        let out = Some((&mut dweight[..], Beta::Zero));
        batch_norm_backward(None, out, None, &dy, &saved, Statistics::Running, &shape, &Shards::whole(rows));
        assert_eq!(dweight, [f32::INFINITY], "{rows} rows");
    }
}

/// Channels whose spread is small against their mean: nothing cancels.
#[test]
fn channels_far_from_zero() {
    let numbers = |rows: usize, f: &dyn Fn(f32) -> f32| (0..rows).map(|i| f(i as f32)).collect::<Vec<_>>();
    let noise = random(if cfg!(miri) { 1 << 10 } else { 1 << 20 }, 5);
    let mut outlier: Vec<f32> = noise[..1000].iter().map(|v| 1e-3 * v).collect();
    outlier[0] = 1e6;
    let far = [
        numbers(16, &|i| 10_000.0 + i * 1e-3),
        numbers(1000, &|i| 1e6 + 0.0625 * (i % 2.0)),
        numbers(1000, &|i| 1e5 + 0.0078125 * (i % 2.0)),
        noise.iter().map(|v| 1000.0 + 1e-3 * v).collect(),
        numbers(1000, &|_| 0.1),
        outlier,
    ];
    for x in far {
        let rows = x.len();
        let shape = BatchNormShape { rows, channels: 1, eps: EPS, activation: None };
        let shards = Shards::whole(rows);
        let (mut y, mut dx, dy) = (vec![0.0; rows], vec![0.0; rows], random(rows, 6));
        let [mut mean, mut rest, mut var, mut std, mut dweight] = [[0.0]; 5];
        let (means, vars) = ([&mut mean[..], &mut rest], [&mut var[..], &mut std]);
        batch_norm_forward_train(&mut y, means, vars, &x, None, None, &shape, &shards);
        let x64 = to_f64(&x);
        let (mean64, var64) = reference::batch_statistics(&x64, 1);
        assert_within(&var, &var64, &var64, 2.0);
        let (one, zero, eps) = ([1.0], [0.0], f64::from(EPS));
        let expected = reference::batch_norm_forward(&x64, &mean64, &var64, &one, &zero, eps);
        assert_within(&y, &expected, &expected.iter().map(|y| y.abs() + 1e-6).collect::<Vec<_>>(), 6.0);

        let saved = BatchNormSaved {
            x: &x,
            mean: &mean,
            mean_rest: Some(&rest),
            var: &var,
            std: Some(&std),
            weight: None,
            bias: None,
        };
        let out = (Some((&mut dx[..], Beta::Zero)), Some((&mut dweight[..], Beta::Zero)));
        batch_norm_backward(out.0, out.1, None, &dy, &saved, Statistics::Batch, &shape, &shards);
        let (_, dweight64, _) = reference::batch_norm_backward(
            &to_f64(&dy),
            &x64,
            (&mean64, &var64),
            &one,
            Statistics::Batch,
            eps,
        );
        let magnitude: f64 = dy.iter().zip(&expected).map(|(dy, xhat)| (f64::from(*dy) * xhat).abs()).sum();
        assert_within(&dweight, &dweight64, &[magnitude + 1e-9], 8.0);
    }
}

/// Forward and backward of x times a power of two, where the variance is beyond the largest f32, or below the
/// smallest: the output is that of x, with ε scaled likewise, and dx is divided by the power.
#[test]
fn the_scale_of_the_input_does_not_matter() {
    let (rows, channels, dy) = (20, 3, random(60, 1));
    for activation in [None, Some(Activation::Relu)] {
        let run = |power: f32, eps: f32| {
            let shape = BatchNormShape { rows, channels, eps, activation };
            let x: Vec<f32> = random(60, 2).iter().map(|x| x * power).collect();
            let [mut mean, mut rest, mut var, mut std, mut dweight] = [[0.0; 3]; 5];
            let (means, vars) = ([&mut mean[..], &mut rest], [&mut var[..], &mut std]);
            let (mut y, mut dx, shards) = (vec![0.0; 60], vec![0.0; 60], Shards::whole(rows));
            batch_norm_forward_train(&mut y, means, vars, &x, None, None, &shape, &shards);
            let saved = BatchNormSaved {
                x: &x,
                mean: &mean,
                mean_rest: Some(&rest),
                var: &var,
                std: Some(&std),
                weight: None,
                bias: None,
            };
            let (dx_out, dweight_out) =
                (Some((&mut dx[..], Beta::Zero)), Some((&mut dweight[..], Beta::Zero)));
            batch_norm_backward(dx_out, dweight_out, None, &dy, &saved, Statistics::Batch, &shape, &shards);
            dx.iter_mut().for_each(|dx| *dx *= power);
            [y, dx, dweight.to_vec()].concat()
        };
        let at_one = run(1.0, 0.0);
        for exponent in [-80, -60, 40, 70, 100] {
            let at_power = run(2f32.powi(exponent), 0.0);
            assert_eq!(at_power, at_one, "x times 2^{exponent}, {activation:?}");
        }
        assert_within(&run(2f32.powi(70), EPS), &to_f64(&at_one), &magnitudes(&at_one), 4.0);
    }
}
