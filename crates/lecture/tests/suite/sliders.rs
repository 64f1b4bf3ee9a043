//! The page's sliders show numbers that the library computed: if a position is one of the lecture's, its
//! numbers are those of the lecture's item.

use lecture::AnyExperiment::{self, *};
use lecture::defaults;
use lecture::experiments::activations::Activations as Functions;
use lecture::experiments::exploding_product::LECTURE_PRODUCT;
use lecture::experiments::weight_decay::LECTURE_PRINTS;

/// The reading in column `column` of the row that begins with `position`.
#[track_caller]
fn reading(experiment: &AnyExperiment, file: &str, position: &str, column: &str) -> f64 {
    let section = experiment.run().unwrap();
    let (_, csv) = section.files().find(|(name, _)| *name == file).unwrap();
    let csv = std::str::from_utf8(csv).unwrap();
    let header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    let at = header.iter().position(|name| *name == column).unwrap_or_else(|| panic!("{header:?}"));
    let rows: Vec<&str> = csv.lines().filter(|line| line.starts_with(position)).collect();
    assert_eq!(rows.len(), 1, "{position}: {rows:?}");
    rows[0].split(',').nth(at).unwrap().parse().unwrap()
}

#[test]
fn at_the_lectures_positions_stand_the_lectures_numbers() {
    let end = "x after the last step";
    for (experiment, file, position, expected) in [
        (LearningRate(defaults()), "turn-lr.csv", "0.3,", 1.5 * 0.4f64.powi(10)),
        (LearningRate(defaults()), "turn-lr.csv", "1,", 1.5),
        (Valleys(defaults()), "turn-lr.csv", "10,0.3,", 7.270296),
        (Valleys(defaults()), "turn-lr.csv", "10,1.3,", 5.564532),
        (Valleys(defaults()), "turn-lr.csv", "10,2,", -1.528166),
        (Momentum(defaults()), "turn-beta.csv", "0.6,1.1,averaged,", -1.824706),
        (Momentum(defaults()), "turn-beta.csv", "0.9,1.1,averaged,", 9.158892),
        (Momentum(defaults()), "turn-beta.csv", "0.9,1.1,classical,", -0.233587),
        (Rmsprop(defaults()), "turn-gamma.csv", "0,0.5,", 7.0),
        (Rmsprop(defaults()), "turn-gamma.csv", "0.7,0.5,", 7.426066),
        (Rmsprop(defaults()), "turn-gamma.csv", "0.9,0.5,", 7.279548),
        (Adam(defaults()), "turn-betas.csv", "0.9,0.9,raw,", 21.497050),
        (Adam(defaults()), "turn-betas.csv", "0.6,0.9,corrected,", 20.268340),
    ] {
        let found = reading(&experiment, file, position, end);
        assert!((found - expected).abs() < 1e-6, "{file} {position}: {found}, expected {expected}");
    }
}

#[test]
fn a_penalty_helps_until_it_is_too_strong() {
    let at =
        |lambda: &str| reading(&WeightDecay(defaults()), "turn-lambda.csv", lambda, "test error at the end");
    let [none, lectures, strong] = ["0,", "5,", "200,"].map(at);
    assert!(lectures < none / 4.0 && lectures < strong, "{none} {lectures} {strong}");
}

#[test]
fn a_gain_multiplies_by_its_half() {
    let at = |gain: &str| reading(&ReluStack(defaults()), "turn-gain.csv", gain, "a layer multiplies by");
    for (gain, expected) in [("1,", 0.5), ("2,", 1.0), ("3,", 1.5)] {
        assert!((at(gain) - expected).abs() < 0.1, "{gain} {}", at(gain));
    }
}

#[test]
fn without_dropout_all_passes_agree() {
    let at = |p: &str| reading(&Dropout(defaults()), "turn-p.csv", p, "deviation at x = −2");
    assert_eq!(at("0,"), 0.0);
    assert!(at("0.5,") > 0.01);
}

#[test]
fn the_gradients_by_the_formula_have_all_digits() {
    let expected = [3.352_376_707_564_53e-4, 4.501_405_975_637_29e-7, 0.0, 0.2];
    let functions = defaults::<Functions>();
    for (found, expected) in functions.exact_gradients(-8.0).into_iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-12 * expected, "{found} is not {expected}");
    }
    // What the text says of single precision.
    let tanh = functions.functions().unwrap().swap_remove(1).at(-8.0).1;
    assert!((tanh - 4.77e-7).abs() < 0.01e-7, "{tanh}");
}

#[test]
fn what_the_lecture_prints_is_like_what_is_computed() {
    let largest = LECTURE_PRODUCT.iter().flatten().fold(0.0, |max: f64, x| max.max(x.abs()));
    assert!((1.19..5.70).contains(&largest.log10()), "within the range of 99 products in 100");
    let run = defaults::<lecture::experiments::weight_decay::WeightDecay>();
    for lambda in [0.0, 5.0] {
        let ours = run.train(lambda).unwrap();
        for (_, epoch, train, test) in LECTURE_PRINTS.into_iter().filter(|row| row.0 == lambda) {
            let near = |a: f64, b: f64| (0.25..4.0).contains(&(a / b));
            assert!(
                near(ours.train[epoch], train) && near(ours.test[epoch], test),
                "λ = {lambda}, epoch {epoch}"
            );
        }
    }
}
