//! The lecture item by item: the default run of each experiment shows what the item says, within its
//! tolerance. Items 28 to 35, the network, are in `cnn.rs`.

use lecture::defaults;
use lecture::experiments::{
    activations::Activations,
    adam,
    adam::Adam,
    dropout::Dropout,
    early_stopping::EarlyStopping,
    exploding_product::ExplodingProduct,
    gradient_norms::{Activation, GradientNorms, Start},
    learning_rate::LearningRate,
    learning_rate_decay::LearningRateDecay,
    linear_data::LinearData,
    minima,
    minima::Minima,
    momentum::Momentum,
    normal_draws,
    normal_draws::NormalDraws,
    output_variance,
    output_variance::OutputVariance,
    relu_stack::ReluStack,
    rmsprop::Rmsprop,
    surfaces,
    valleys::Valleys,
    weight_decay::WeightDecay,
};
use nn::Layer;

#[track_caller]
fn assert_close(actual: f64, expected: f64, tolerance: f64) {
    assert!((actual - expected).abs() <= tolerance, "{actual} is not {expected} ± {tolerance}");
}

#[track_caller]
fn assert_path(path: &[f64], expected: &[f64]) {
    assert_eq!(path.len(), expected.len() + 1, "the start, and a point for each step");
    path[1..].iter().zip(expected).for_each(|(&x, &expected)| assert_close(x, expected, 1e-6));
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn std(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)).sqrt()
}

#[test]
fn item_1_the_data_have_their_shapes_and_moments() {
    let data = LinearData { samples: 101, features: 7, test: 0.3, ..defaults() };
    let (train, test) = data.draw().unwrap();
    assert_eq!((train.x.len(), train.y.len()), (71 * 7, 71));
    assert_eq!((test.x.len(), test.y.len()), (30 * 7, 30));
    for (samples, test, n_test) in [(100, 0.29, 29), (101, 0.5, 50), (1, 0.5, 0), (100, 0.0, 0)] {
        let (train, tested) = LinearData { samples, test, ..defaults() }.draw().unwrap();
        assert_eq!((train.y.len(), tested.y.len()), (samples - n_test, n_test), "{test} of {samples}");
    }

    let (mut x, mut y) = (Vec::new(), Vec::new());
    for seed in 0..4000 {
        let (train, test) = LinearData { seed, ..defaults() }.draw().unwrap();
        for samples in [train, test] {
            x.extend(samples.x.iter().map(|&x| f64::from(x)));
            y.extend(samples.y.iter().map(|&y| f64::from(y)));
        }
    }
    assert_close(mean(&x), 0.0, 0.05);
    assert_close(std(&x), 1.0, 0.05);
    assert_close(mean(&y), 0.05, 0.05 * 0.05);
    // Slope and noise have variance 0.01² each.
    assert_close(std(&y).powi(2), 2e-4, 0.05 * 2e-4);
}

#[test]
fn item_2_the_scatter_plot_shows_the_training_half() {
    let (train, _) = defaults::<LinearData>().draw().unwrap();
    assert_eq!((train.x.len(), train.y.len()), (50, 50));
}

/// Epoch by epoch, every 200th, the range that 99 of 100 seeds of a float64 reference stay in.
const NO_DECAY_TRAIN: [(f64, f64); 5] =
    [(0.211, 0.561), (0.0093, 0.0320), (0.0013, 0.0066), (0.0002, 0.0020), (0.0, 0.0007)];
const NO_DECAY_TEST: [(f64, f64); 5] =
    [(0.205, 0.552), (0.153, 0.436), (0.147, 0.423), (0.144, 0.427), (0.143, 0.431)];
const DECAY_TRAIN: [(f64, f64); 5] =
    [(0.938, 1.542), (0.0835, 0.1174), (0.0156, 0.0252), (0.0062, 0.0148), (0.0049, 0.0136)];
const DECAY_TEST: [(f64, f64); 5] =
    [(0.184, 0.606), (0.0279, 0.0887), (0.0122, 0.0380), (0.0101, 0.0314), (0.0095, 0.0300)];

#[track_caller]
fn assert_in_ranges(losses: &[f64], ranges: &[(f64, f64)]) {
    for (&loss, &(lo, hi)) in losses.iter().step_by(200).zip(ranges) {
        assert!((lo..=hi).contains(&loss), "{loss} is not in {lo}..={hi}");
    }
}

#[test]
fn items_3_4_and_5_weight_decay_closes_the_gap() {
    for seed in 1..=3 {
        let run = WeightDecay { seed, ..defaults() };
        let (free, decayed) = (run.train(0.0).unwrap(), run.train(5.0).unwrap());
        assert_eq!([&free.train, &free.test, &decayed.train, &decayed.test].map(Vec::len), [1000; 4]);
        assert_in_ranges(&free.train, &NO_DECAY_TRAIN);
        assert_in_ranges(&free.test, &NO_DECAY_TEST);
        assert_in_ranges(&decayed.train, &DECAY_TRAIN);
        assert_in_ranges(&decayed.test, &DECAY_TEST);
        assert!(free.train[999] < 0.002 && free.test[999] > 0.4 * free.test[0]);
        assert!(decayed.test[800] < free.test[800] / 4.0);
        // Without λ there is one loss, with it two.
        assert_eq!(free.train, free.train_mse);
        assert!(decayed.train.iter().zip(&decayed.train_mse).all(|(with, without)| with > without));
    }
}

#[test]
fn item_6_the_gradient_of_the_penalty_is_lambda_p() {
    let parameters = [0.5f64, -2.0, 3.0];
    let mut gradient = [0.0; 3];
    let penalty = optim::regularize::l2(&parameters, &mut gradient, 5.0);
    assert_close(penalty, 2.5 * (0.25 + 4.0 + 9.0), 1e-12);
    assert_eq!(gradient, parameters.map(|p| 5.0 * p));
}

#[test]
fn item_7_what_is_kept_is_doubled_and_the_mean_stays() {
    let dropout: Dropout = defaults();
    for draw in 0..20 {
        let pass = dropout.pass(draw, 0.5, true);
        assert!(pass.iter().zip(1..).all(|(&y, x)| y == 0.0 || y == 2.0 * f64::from(x)), "{pass:?}");
    }
    assert_eq!(dropout.draws, 100_000);
    dropout.mean().iter().zip(1..).for_each(|(&mean, x)| assert_close(mean, x.into(), 0.01 * f64::from(x)));
}

#[test]
fn item_8_dropout_at_its_ends() {
    let dropout: Dropout = defaults();
    let x: Vec<f64> = (1..=6).map(f64::from).collect();
    for p in [0.0, 0.3, 1.0] {
        assert_eq!(dropout.pass(0, p, false), x, "in evaluation it is the identity");
    }
    assert_eq!(dropout.pass(0, 0.0, true), x);
    assert_eq!(dropout.pass(0, 1.0, true), [0.0; 6]);
}

#[test]
fn item_9_the_dropout_perceptron_has_820_874_parameters() {
    let (net, params) = nn::build(nn::models::dropout_mlp(), 0);
    assert_eq!(net.summary(&params, [1, 32, 32, 3]).n_params(), 820_874);
}

#[test]
fn item_10_early_stopping_keeps_the_best_weights() {
    let run: EarlyStopping = defaults();
    let course = run.course().unwrap();
    let stop = course.stop.expect("the patience runs out");
    let best = course.validation[course.best];
    assert!(course.validation[..=stop].iter().all(|&loss| loss >= best - run.min_delta));
    assert!(stop - course.best >= run.patience && stop + 1 < run.epochs);
    assert!(course.validation[run.epochs - 1] > 1.2 * best, "it overfits in the end");
    assert!(course.train[run.epochs - 1] < 0.5 * course.train[course.best]);
}

#[test]
fn item_11_stochastic_passes_disagree_more_where_nothing_was_seen() {
    let run: Dropout = defaults();
    let uncertainty = run.uncertainty().unwrap();
    let mean_std = |inside: bool| {
        let here = uncertainty
            .x
            .iter()
            .zip(&uncertainty.std)
            .filter(|(x, _)| (x.abs() < 0.9) == inside && (inside || x.abs() > 1.5));
        mean(&here.map(|(_, &std)| std).collect::<Vec<_>>())
    };
    assert!(uncertainty.std.iter().all(|&std| std > 0.0));
    assert!(mean_std(false) > 1.5 * mean_std(true), "{} and {}", mean_std(false), mean_std(true));
}

#[test]
fn item_12_the_histogram_has_the_densitys_peak() {
    let draws = defaults::<NormalDraws>().sample();
    assert_eq!(draws.len(), 10_000);
    assert_close(normal_draws::density(0.0), 0.398942, 1e-6);
    let peak = draws.iter().filter(|x| x.abs() < 0.25).count() as f64 / (0.5 * draws.len() as f64);
    assert_close(peak, 0.395, 0.03);
}

#[test]
fn item_13_the_product_explodes() {
    let ends: Vec<f64> = defaults::<ExplodingProduct>().runs(1.0).iter().map(|growth| growth[20]).collect();
    assert_close(mean(&ends), 3.57, 0.1);
    assert_close(std(&ends), 0.88, 0.06);
    let within = ends.iter().filter(|end| (1.19..=5.70).contains(*end)).count() as f64 / ends.len() as f64;
    assert_close(within, 0.99, 0.01);
}

#[test]
fn beyond_the_lecture_a_product_that_overflows_is_infinite() {
    let run = ExplodingProduct { factors: 60, ..defaults() };
    let growth = run.growth(1e3, 0);
    let first = growth.iter().position(|size| size.is_infinite()).expect("it overflows");
    assert!(first > 5 && growth[first..].iter().all(|&size| size == f64::INFINITY), "{growth:?}");
}

#[test]
fn item_14_activations_and_their_gradients() {
    let functions = defaults::<Activations>().functions().unwrap();
    let gradient = |name: &str, x: f64| functions.iter().find(|f| f.name == name).unwrap().at(x).1;
    assert_eq!(functions[0].x.len(), 161, "from −8 to 8 by 0.1");
    assert_close(gradient("sigmoid", 0.0), 0.25, 1e-6);
    assert_close(gradient("sigmoid", -8.0), 3.352e-4, 1e-6);
    assert_close(gradient("ReLU", 0.0), 0.0, 1e-6);
    assert_close(gradient("leaky ReLU", 0.0), 0.2, 1e-6);
    for f in &functions {
        let slope = |i: usize| (f.y[i + 1] - f.y[i - 1]) / (f.x[i + 1] - f.x[i - 1]);
        (1..160usize).filter(|i| i.abs_diff(80) > 1).for_each(|i| assert_close(f.dy[i], slope(i), 5e-3));
    }
}

#[test]
fn items_15_and_16_the_variance_of_the_outputs() {
    let run: OutputVariance = defaults();
    assert_eq!(run.n_in, [1, 10, 100, 1000, 10_000]);
    for &n in &run.n_in {
        let unit = mean(&run.variances(n, output_variance::UNIT));
        assert_close(unit, n as f64, 0.05 * n as f64);
        assert_close(mean(&run.variances(n, output_variance::HE)), 2.0, 0.1);
    }
}

#[test]
fn item_17_xavier_and_he_have_their_spread() {
    let [n_out, n_in] = output_variance::SPREAD_SHAPE;
    let (xavier, he) = ((2.0 / (n_in + n_out) as f64).sqrt(), (2.0 / n_in as f64).sqrt());
    let spreads = output_variance::spreads(1);
    assert_eq!(n_out * n_in, 1_000_000);
    for (spread, expected) in spreads.iter().zip([xavier, xavier, he, he]) {
        assert_close(spread.measured, expected, 0.005 * expected);
        if spread.name.ends_with("uniform") {
            assert_close(spread.largest, 3f64.sqrt() * expected, 1e-4 * expected);
        }
    }
}

#[test]
fn item_18_two_minima() {
    let f = lecture::subjects::curve::WAVELET.f;
    assert_eq!(minima::MARKS, [-0.3, 1.1]);
    assert_close(f(-0.3), -0.176336, 1e-6);
    assert_close(f(1.1), -1.046162, 1e-6);
    for (found, mark) in defaults::<Minima>().found().unwrap().into_iter().zip(minima::MARKS) {
        assert_close(found, mark, 0.05);
        assert_close((lecture::subjects::curve::WAVELET.df)(found), 0.0, 1e-9);
    }
}

#[test]
fn item_20_step_decay_is_exact() {
    let run = LearningRateDecay { lr: 1.0, every: 4, steps: 9, ..defaults() };
    assert_eq!(run.rates(), [1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.1, 0.1 * 0.1]);
    let [constant, decayed] = defaults::<LearningRateDecay>().paths().unwrap();
    let slope = |path: &[f64]| (lecture::subjects::curve::WAVE.df)(path[path.len() - 1]).abs();
    assert!(slope(&decayed) < 0.05 * slope(&constant));
    // The exercise: at a small rate, decay stops the path short of the bottom, and nothing else does.
    let small = LearningRateDecay { lr: 0.02, every: 5, steps: 400, ..defaults() };
    let [constant, decayed] = small.paths().unwrap();
    assert!(slope(&constant) < 1e-4 && slope(&decayed) > 1.0);
}

#[test]
fn item_21_descent_on_a_parabola() {
    let run: LearningRate = defaults();
    assert_eq!(
        (run.start, run.steps, run.learning_rates.as_slice()),
        (1.5, 10, [0.1, 0.3, 0.9, 1.0].as_slice())
    );
    for (lr, (_, path)) in run.learning_rates.iter().zip(run.paths().unwrap()) {
        assert_path(&path, &(1..=10).map(|t| 1.5 * (1.0 - 2.0 * lr).powi(t)).collect::<Vec<_>>());
    }
}

#[test]
fn items_22_and_23_descent_among_valleys() {
    let [from_10, from_minus_7] = defaults::<Valleys>().paths().unwrap();
    let expected: [&[f64]; 6] = [
        &[8.586283, 7.817377, 7.504000, 7.373129, 7.316020, 7.290510, 7.278989, 7.273759, 7.271380, 7.270296],
        &[3.873894, 6.498085, 8.109896, 5.996271, 8.373210, 5.580382, 8.388290, 5.556894, 8.383383, 5.564532],
        &[
            0.575222, -1.206588, -2.279598, -1.343416, -2.206769, -1.425789, -2.154634, -1.483876, -2.114354,
            -1.528166,
        ],
        &[-6.764169, -6.337899, -5.613454, -4.543957, -3.372841],
        &[-5.726512, -0.163740, -2.839647, 0.053542, -2.643880],
        &[-5.349182, 2.630005, 5.592787, 13.125443, 7.524817],
    ];
    let paths = from_10.iter().chain(&from_minus_7);
    paths.zip(expected).for_each(|((_, path), expected)| assert_path(path, expected));
}

#[test]
fn item_24_momentum_in_both_forms() {
    let run: Momentum = defaults();
    for (averaged, ends) in
        [(true, [-1.825685, -1.824706, 9.158892]), (false, [-1.825685, -1.825427, -0.233587])]
    {
        for ((_, path), end) in run.paths(averaged).unwrap().iter().zip(ends) {
            assert_eq!(path.len(), 36);
            assert_close(path[35], end, 1e-6);
        }
    }
}

#[test]
fn item_25_rmsprop() {
    let expected: [&[f64]; 3] = [
        &[11.5, 11.0, 10.5, 10.0, 9.5, 9.0, 8.5, 8.0, 7.5, 7.0],
        &[
            11.087129, 10.334187, 9.698374, 9.157932, 8.699778, 8.315666, 8.000200, 7.749456, 7.559699,
            7.426066,
        ],
        &[
            10.418861, 9.173644, 8.360446, 7.881293, 7.606956, 7.451278, 7.364248, 7.316857, 7.291993,
            7.279548,
        ],
    ];
    let paths = defaults::<Rmsprop>().paths().unwrap();
    paths.iter().zip(expected).for_each(|((_, path), expected)| assert_path(path, expected));
}

#[test]
fn item_26_the_adam_grid_raw_and_corrected() {
    // Raw x after steps 1, 10 and 20; corrected x after steps 10 and 20.
    let expected = [
        [15.7, 20.6, 20.6, 20.6, 20.6],
        [16.106797, 20.221029, 20.026817, 20.224167, 20.423826],
        [17.213594, 20.221880, 20.221880, 20.200017, 20.221876],
        [15.28, 22.773843, 19.924088, 21.351336, 21.013527],
        [15.442719, 20.863707, 20.132181, 20.858113, 20.286828],
        [15.885438, 20.245906, 20.187412, 20.707652, 20.268340],
        [15.07, 17.440671, 22.708852, 22.130906, 18.566777],
        [15.110680, 17.768772, 22.214710, 21.789065, 19.548538],
        [15.221359, 19.315886, 21.497050, 21.469099, 19.886523],
    ];
    let run: Adam = defaults();
    let (raw, corrected) = (run.paths(false).unwrap(), run.paths(true).unwrap());
    assert_eq!((raw.len(), corrected.len()), (9, 9));
    for (((_, raw), (_, corrected)), expected) in raw.iter().zip(&corrected).zip(expected) {
        let found = [raw[1], raw[10], raw[20], corrected[10], corrected[20]];
        found.into_iter().zip(expected).for_each(|(x, expected)| assert_close(x, expected, 1e-6));
    }
}

#[test]
fn item_27_the_bias_corrections() {
    for (beta, t, expected) in
        [(0.9, 1, 10.0), (0.9, 2, 5.263158), (0.999, 1, 1000.0), (0.999, 2, 500.250125)]
    {
        assert_close(adam::correction(beta, t), expected, 1e-6);
    }
}

#[test]
fn item_19_the_saddle_is_stationary_at_zero() {
    let saddle = &surfaces::SURFACES[0];
    assert_eq!((saddle.gradient)([0.0, 0.0]).map(f64::abs), [0.0, 0.0]);
    assert!((saddle.f)([0.1, 0.0]) > 0.0 && (saddle.f)([0.0, 0.1]) < 0.0);
    for surface in &surfaces::SURFACES {
        let (at, h) = ([0.7, -0.4], 1e-6);
        let slope = |axis: usize| {
            let shifted = |step: f64| {
                let mut point = at;
                point[axis] += step;
                (surface.f)(point)
            };
            (shifted(h) - shifted(-h)) / (2.0 * h)
        };
        let gradient = (surface.gradient)(at);
        (0..2).for_each(|axis| assert_close(gradient[axis], slope(axis), 1e-6 * (1.0 + slope(axis).abs())));
    }
}

#[test]
fn beyond_the_lecture_he_holds_a_relu_stack_at_its_level() {
    let run = ReluStack { width: 256, depth: 20, ..defaults() };
    let he = run.second_moments(2.0);
    assert!(he[1..].iter().all(|moment| (1.0..4.0).contains(moment)), "{he:?}");
    assert!(run.second_moments(1.0)[20] < 1e-4 && run.second_moments(3.0)[20] > 1e3);
}

#[test]
fn beyond_the_lecture_gradients_vanish_explode_and_stay() {
    let run: GradientNorms = defaults();
    let first = |activation, start| run.norms(activation, start)[0];
    assert!((0.2..5.0).contains(&first(Activation::Relu, Start::Fitting)));
    assert!(first(Activation::Relu, Start::Std(run.small)) < 1e-6);
    assert!(first(Activation::Relu, Start::Std(run.large)) > 1e6);
    assert!(first(Activation::Sigmoid, Start::Fitting) < 1e-6, "a sigmoid loses it however it starts");
}
