//! Items 28 to 35 of the lecture, and what goes beyond them: the experiments around the convolutional network.

use std::sync::{Arc, LazyLock};

use classifier::Net;
use classifier::model::{self, About};
use data::{Dataset, ImageShape, class_names};
use lecture::defaults;
use lecture::experiments::cnn::Cnn;
use lecture::experiments::cnn_mistakes::CnnMistakes;
use lecture::experiments::cnn_training::{Course, LECTURE, LECTURE_ACCURACY};
use lecture::experiments::samples::{Samples, batches, stand_in};
use lecture::experiments::tuning::Tuning;
use lecture::experiments::{cnn_inside, cnn_mistakes, mc_dropout};
use lecture::subjects::network::{NetworkFlags, Trained, rgb};
use nn::{Layer, models};

/// Trained on the built-in set, because a test's working folder has no CIFAR-10.
static TRAINED: LazyLock<Arc<Trained>> = LazyLock::new(|| {
    let flags = NetworkFlags { epochs: 1, images: 3_000, ..defaults::<CnnMistakes>().network };
    let trained = flags.network().unwrap();
    assert!(Arc::ptr_eq(&trained, &flags.network().unwrap()), "trained once for all who ask");
    trained
});

#[test]
fn item_28_an_epoch_has_782_and_157_batches_the_last_of_16() {
    assert_eq!(batches(&stand_in(50_000), 64).unwrap(), (782, 16));
    assert_eq!(batches(&stand_in(10_000), 64).unwrap(), (157, 16));
    assert_eq!(batches(&stand_in(128), 64).unwrap(), (2, 64));
}

#[test]
fn item_29_every_class_is_shown_under_its_name() {
    let names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    assert_eq!(class_names::CIFAR10, names);
    let images = classifier::Images::open(None).unwrap();
    let chosen = defaults::<Samples>().chosen(&images.train);
    let labels: Vec<u32> = chosen.iter().map(|&idx| images.train.label(idx)).collect();
    let expected: Vec<u32> = (0..10).flat_map(|class| [class; 3]).collect();
    assert_eq!(labels, expected);
    let planes = images.train.image(chosen[0]);
    assert_eq!(rgb(&images.train, chosen[0])[3..6], [planes[1], planes[1025], planes[2049]]);
}

#[test]
fn item_30_the_network_has_620362_parameters() {
    let (net, params) = nn::build(models::lecture_cnn(0.5), 1);
    let summary = net.summary(&params, [1, 32, 32, 3]);
    assert_eq!(summary.n_params(), 620_362);
    assert!(summary.to_string().contains("620,362 parameters"));
}

#[test]
fn items_31_and_33_the_run_on_record_took_the_lectures_course() {
    let log = include_str!("../../../../docs/results/lecture-cnn/log.txt");
    assert!(log.contains("adam { lr: 0.005, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0001"));
    assert!(!optim::Adam::default().decoupled_weight_decay, "coupled, as in the lecture");

    let course = Course::on_record().unwrap();
    assert_eq!(course.epoch.len(), 50);
    for (epoch, loss) in LECTURE {
        let ours = course.train_loss[epoch as usize - 1];
        assert!((ours - loss).abs() < 0.05, "epoch {epoch}: {ours}, in the lecture {loss}");
    }
    let differ = |(a, b): (&f64, &f64)| a != b && (a - b).abs() < 0.01;
    assert!(course.train_loss.iter().zip(&course.train_loss_per_sample).all(differ), "two kinds of mean");
}

#[test]
fn item_32_the_weights_lie_in_hes_bounds_and_the_biases_are_zero() {
    let starts = defaults::<Cnn>().starts();
    let bounds = [0.471405, 0.144338, 0.102062, 0.054127, 0.153093];
    assert_eq!(starts.len(), bounds.len());
    for (start, bound) in starts.iter().zip(bounds) {
        assert!((start.bound - bound).abs() < 1e-6, "{start:?}, expected {bound}");
        assert!(start.largest_weight <= start.bound * (1.0 + 1e-6), "{start:?}");
        assert!(start.largest_weight > 0.98 * start.bound, "the bound is nearly reached: {start:?}");
        assert_eq!(start.largest_bias, 0.0);
    }
}

#[test]
fn item_34_the_run_on_record_ends_near_the_lectures_accuracy() {
    let last = *Course::on_record().unwrap().test_accuracy.last().unwrap();
    assert!((last - LECTURE_ACCURACY).abs() < 2.0, "{last} %, in the lecture {LECTURE_ACCURACY} %");
}

#[test]
fn what_is_not_a_history_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (text, reason) in [
        ("epoch,train_loss\n1,2.0\n", "it has no column train_loss_per_sample"),
        ("epoch,train_loss\n", "it has no epoch"),
        ("", "it is empty"),
        (
            "epoch,train_loss,train_loss_per_sample,test_loss,test_accuracy\n1,x,1,1,1\n",
            "train_loss: expected a number, found \"x\"",
        ),
        (
            "epoch,train_loss,train_loss_per_sample,test_loss,test_accuracy\n1,1,1,,\n2,1,1,1,50\n",
            "test_loss is empty for some epoch, expected a number for each; descent train --watch-test",
        ),
    ] {
        std::fs::write(folder.path().join("history.csv"), text).unwrap();
        let error = format!("{:#}", Course::of_run(folder.path()).unwrap_err());
        assert!(error.contains("history.csv") && error.contains(reason), "{error}");
    }
    assert!(format!("{:#}", Course::of_run("nowhere".as_ref()).unwrap_err()).contains("history.csv"));
}

#[test]
fn item_35_the_search_chooses_on_validation_images_and_repeats() {
    let tuning = Tuning { trials: 3, images: 600, validation: 200, ..defaults::<Tuning>() };
    let search = tuning.search().unwrap();
    assert_eq!(search.split, (400, 200));
    assert_eq!(search.trials.len(), 3);
    let accuracy = |i: usize| search.trials[i].validation.accuracy;
    assert!((0..3).all(|i| accuracy(i) <= accuracy(search.best)));
    assert!((0..search.best).all(|i| accuracy(i) < accuracy(search.best)), "of equals, the first");
    assert_eq!(search, tuning.search().unwrap());
    for [lr, dropout, weight_decay] in (Tuning { trials: 200, ..tuning.clone() }).points() {
        assert!((1e-4..=3e-2).contains(&lr) && (0.0..=0.7).contains(&dropout), "{lr} {dropout}");
        assert!((1e-6..=1e-2).contains(&weight_decay), "{weight_decay}");
    }
    assert!(
        Tuning { validation: 600, ..tuning }.search().unwrap_err().to_string().contains("--validation 600")
    );
}

#[test]
fn training_on_the_spot_learns() {
    let score = TRAINED.score().unwrap();
    assert!(score.accuracy > 15.0, "chance is 10 %, found {score:?}");
    assert_eq!(TRAINED.lessons.len(), 1);
}

#[test]
fn a_file_of_another_network_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.safetensors");
    let (_, params) = nn::build(Net::LeNet5.network(ImageShape::CIFAR, 10, 0.0).unwrap(), 0);
    let classes = class_names::CIFAR10.map(String::from);
    let about = About::new(&classes, ImageShape::CIFAR, None).with_net(Net::LeNet5);
    model::save(&file, &params, &about).unwrap();
    let flags = NetworkFlags { model: Some(file), ..defaults::<CnnMistakes>().network };
    let error = flags.network().err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(error.contains("other.safetensors: it holds the network lenet5, expected lecture"), "{error}");
}

#[test]
fn the_filters_are_the_first_weights() {
    let filters = cnn_inside::filters(&TRAINED);
    assert!(filters.len() == 32 && filters.iter().all(|filter| filter.len() == 27));
    let (_, params) = TRAINED.build();
    let weight = params.value(params.find("0.weight").unwrap());
    let largest = weight.iter().fold(0f32, |max, w| max.max(w.abs()));
    // Filter 5, pixel (1, 2), green: [out, in, row, column] in the weight, [row, column, channel] in the image.
    let expected = (127.5 + 127.5 * weight[5 * 27 + 9 + 5] / largest).round() as u8;
    assert_eq!(filters[5][5 * 3 + 1], expected);
}

#[test]
fn the_activations_are_those_of_the_whole_network() {
    let image = rgb(&TRAINED.images.test, 3);
    let maps = cnn_inside::activations(&TRAINED, &image);
    assert_eq!(maps.each_ref().map(|m| (m.side, m.channels.len())), [(32, 32), (16, 64), (8, 128)]);
    assert!(maps.iter().flat_map(|m| &m.channels).flatten().all(|&a| a >= 0.0));
    // The rest of the network by hand: pool, flatten to C × H × W, two linear layers.
    let (net, mut params) = TRAINED.build();
    let pooled: Vec<f32> = maps[2]
        .channels
        .iter()
        .flat_map(|map| {
            let at = |r: usize, c: usize| map[r * 8 + c];
            (0..16).map(move |i| {
                let (r, c) = (i / 4 * 2, i % 4 * 2);
                at(r, c).max(at(r, c + 1)).max(at(r + 1, c)).max(at(r + 1, c + 1))
            })
        })
        .collect();
    let linear = |x: &[f32], name: &str| -> Vec<f32> {
        let of = |part: &str| params.value(params.find(&format!("{name}.{part}")).unwrap());
        let rows = of("weight").chunks_exact(x.len()).zip(of("bias"));
        rows.map(|(w, b)| w.iter().zip(x).map(|(w, x)| w * x).sum::<f32>() + b).collect()
    };
    let hidden: Vec<f32> = linear(&pooled, "10").into_iter().map(|h| h.max(0.0)).collect();
    let by_hand = linear(&hidden, "13");
    let mut tape = autograd::Tape::new();
    let g = tape.begin(&mut params, autograd::Mode::eval());
    let x = g.input([1, 32, 32, 3], &TRAINED.normalized(&image));
    let logits = net.forward(&g, x);
    for (a, b) in g.value(logits).iter().zip(&by_hand) {
        assert!((a - b).abs() < 1e-3 * (1.0 + b.abs()), "{a} {b}");
    }
}

#[test]
fn mistakes_are_mistakes_the_surest_first_and_as_many_as_the_accuracy_says() {
    let mistakes = cnn_mistakes::mistakes(&TRAINED).unwrap();
    let n_images = TRAINED.images.test.len() as f64;
    let accuracy = 100.0 * (1.0 - mistakes.len() as f64 / n_images);
    assert!((accuracy - TRAINED.score().unwrap().accuracy).abs() < 1e-9);
    assert!(mistakes.iter().all(|m| m.is != m.said && m.confidence > 0.1));
    assert!(mistakes.iter().all(|m| TRAINED.images.test.label(m.image) as usize == m.is));
    assert!(mistakes.is_sorted_by(|a, b| a.confidence >= b.confidence));
}

#[test]
fn turning_by_right_angles_moves_pixels() {
    let image: Vec<u8> = (0..32 * 32 * 3).map(|i| (i * 7 % 251) as u8).collect();
    assert_eq!(mc_dropout::turned(&image, 0.0), image);
    let quarter = mc_dropout::turned(&image, 90.0);
    let at = |image: &[u8], r: usize, c: usize| image[(r * 32 + c) * 3..][..3].to_vec();
    assert!((0..32).all(|i| (0..32).all(|j| at(&quarter, 31 - j, i) == at(&image, i, j))), "anticlockwise");
    let half: Vec<u8> = image.chunks_exact(3).rev().flatten().copied().collect();
    assert_eq!(mc_dropout::turned(&image, 180.0), half);
}

#[test]
fn mc_dropout_gives_a_distribution_with_a_spread_that_repeats() {
    let image = rgb(&TRAINED.images.test, 0);
    let prediction = mc_dropout::predict(&TRAINED, &image, 50, 1);
    assert!((prediction.mean.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(
        prediction.std.iter().all(|&s| (0.0..=0.5).contains(&s)) && prediction.std.iter().any(|&s| s > 1e-4)
    );
    assert_eq!(prediction, mc_dropout::predict(&TRAINED, &image, 50, 1));
    assert_ne!(prediction, mc_dropout::predict(&TRAINED, &image, 50, 2));
}
