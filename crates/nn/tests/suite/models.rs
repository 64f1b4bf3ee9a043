//! The networks that are ready to be built, against PyTorch's and torchvision's: names and numbers of parameters, and logits
//! that `pytorch/record_models.py` recorded.

use crate::common::uniform;
use crate::fill_models::fill;
use crate::pytorch::{assert_close, numbers, recorded};
use autograd::{Mode, Tape};
use nn::models::{self, ImageSize};
use nn::{Layer, Sequential, SiLU};

fn named(name: &str, image: ImageSize, n_classes: usize) -> Sequential {
    match name {
        "lenet5" | "lenet5, grey" => models::lenet5(image, n_classes),
        "mlp" => models::mlp(image, &[64, 32], n_classes),
        "resnet20" => models::resnet20(image, n_classes),
        "resnet18" => models::resnet18(image, n_classes),
        "resnet18_imagenet" => models::resnet18_imagenet(image, n_classes),
        "airbench94" => models::airbench94(image, n_classes),
        "depthwise" => models::depthwise(image, n_classes),
        "vit" => models::vit(image, n_classes),
        _ => panic!("a network of the script that is not here: {name}"),
    }
}

#[test]
fn names_numbers_of_parameters_and_logits_are_those_of_pytorch() {
    let recorded = recorded("models.json");
    for (name, theirs) in recorded.as_object().unwrap() {
        let image: ImageSize = serde_json::from_value(theirs["image"].clone()).unwrap();
        let n_classes = if name == "resnet18_imagenet" { 1000 } else { 10 };
        let (net, mut params) = nn::build(named(name, image, n_classes), 0);
        let names: Vec<_> = params.entries().iter().map(|entry| entry.name.clone()).collect();
        let expected: Vec<String> = serde_json::from_value(theirs["names"].clone()).unwrap();
        assert_eq!(names, expected, "{name}");
        assert_eq!(params.n_trainable() as u64, theirs["n_params"].as_u64().unwrap(), "{name}");

        fill(&mut params);
        let mut tape = Tape::new();
        let g = tape.begin(&mut params, Mode::eval());
        let [height, width, channels] = image;
        let x = g.input([2, height, width, channels], &uniform(50, 2 * height * width * channels));
        let y = net.forward(&g, x);
        let logits: Vec<f32> = g.value(y).chunks(n_classes).flat_map(|row| row[..10].to_vec()).collect();
        let expected = numbers(&theirs["logits"]);
        let largest = expected.iter().fold(0.0, |largest: f32, z| largest.max(z.abs()));
        assert_close(name, &logits, &expected, 1e-4, 1e-4 * largest);
    }
}

/// Every network, for images of a size of its own, three classes or more.
fn every_network() -> Vec<(&'static str, Sequential, ImageSize, usize)> {
    let sized = |name, image, n_classes| (name, named(name, image, n_classes), image, n_classes);
    let (tall, grey) = ([24, 40, 3], [17, 12, 1]);
    vec![
        ("lecture_cnn", models::lecture_cnn_for(tall, 7, 0.5), tall, 7),
        ("airbench", models::airbench(tall, 7, [8, 16, 12], SiLU), tall, 7),
        sized("lenet5", grey, 3),
        sized("mlp", grey, 3),
        sized("resnet20", tall, 7),
        sized("resnet18", [8, 9, 1], 3),
        sized("resnet18_imagenet", [40, 33, 3], 7),
        sized("airbench94", [9, 12, 1], 3),
        sized("depthwise", grey, 37),
        sized("vit", [8, 12, 1], 3),
    ]
}

#[test]
fn any_size_that_fits_any_channels_any_classes() {
    for (name, net, image, n_classes) in every_network() {
        let (net, mut params) = nn::build(net, 1);
        let [height, width, channels] = image;
        let mut tape = Tape::new();
        let mut g = tape.begin(&mut params, Mode::train(1, 0));
        let x = g.input([4, height, width, channels], &uniform(3, 4 * height * width * channels));
        let logits = net.forward(&g, x);
        assert_eq!(g.shape(logits).dims(), [4, n_classes], "{name}");
        let loss = g.cross_entropy(logits, g.indices(&[0, 1, 2, 0]));
        g.backward(loss);
        assert!(g.scalar(loss).is_finite(), "{name}");
        drop(g);
        for entry in params.entries().iter().filter(|entry| entry.is_trainable()) {
            let grads = &params.grads()[entry.range.clone()];
            assert!(grads.iter().all(|g| g.is_finite()), "{name}: {}", entry.name);
            assert!(grads.iter().any(|&g| g != 0.0), "{name}: {} gets no gradient", entry.name);
        }
    }
}

#[test]
fn an_image_that_is_too_small_is_refused_with_the_size_that_fits() {
    let refused = |net: fn() -> Sequential| {
        let panic = std::panic::catch_unwind(net).expect_err("too small");
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    };
    for (net, expected) in [
        (
            (|| models::lenet5([11, 28, 1], 10)) as fn() -> Sequential,
            "lenet5: images of 11 × 28 pixels are too small; ",
        ),
        (
            || models::airbench94([32, 8, 3], 10),
            "airbench: images of 32 × 8 pixels are too small; expected at least 9 × 9",
        ),
        (
            || models::lecture_cnn_for([7, 32, 3], 10, 0.5),
            "lecture_cnn: images of 7 × 32 pixels are too small",
        ),
        (
            || models::vit([30, 32, 3], 10),
            "vit: images of 30 × 32 pixels cannot be divided into patches of 4 × 4; crop or resize them to multiples of 4",
        ),
    ] {
        let message = refused(net);
        assert!(message.starts_with(expected), "{message}");
    }
}

/// Each by hand, or as published: 118.15 million for airbench94, 1.81 billion for ResNet-18.
#[test]
fn multiply_adds_are_counted() {
    let count = |net: Sequential, image: ImageSize| {
        let (net, params) = nn::build(net, 0);
        net.summary(&params, [1, image[0], image[1], image[2]]).multiply_adds
    };
    let cifar = [32, 32, 3];
    assert_eq!(
        count(models::lecture_cnn(0.5), cifar),
        864 * 1024 + 18_432 * 256 + 73_728 * 64 + 524_288 + 2560
    );
    assert_eq!(count(models::airbench94(cifar, 10), cifar), 118_147_360);
    assert_eq!(count(models::mlp([2, 3, 1], &[5], 4), [2, 3, 1]), 6 * 5 + 5 * 4);
    // Of each of 64 tokens and 6 layers: 3 + 1 + 2 + 2 squares of 128, and 64 keys with 128 features twice.
    let vit = 64 * (6 * (8 * 128 * 128 + 2 * 64 * 128) + 48 * 128) + 1280;
    assert_eq!(count(models::vit(cifar, 10), cifar), vit);
    assert_eq!(count(models::resnet18_imagenet([224, 224, 3], 1000), [224, 224, 3]), 1_814_073_344);
}

#[test]
fn filters_of_airbench_begin_with_the_identity_and_its_head_with_unit_variance() {
    let (_net, params) = nn::build(models::airbench94([32, 32, 3], 10), 0);
    let value = |name: &str| params.value(params.find(name).unwrap());
    let filters = value("layers.2.conv1.weight");
    for (idx, filter) in filters.chunks(64 * 9).enumerate() {
        let ones: Vec<_> = filter.iter().enumerate().filter(|(_, w)| **w == 1.0).map(|(at, _)| at).collect();
        let n_zeros = filter.iter().filter(|w| **w == 0.0).count();
        if idx < 64 {
            assert_eq!((ones, n_zeros), (vec![idx * 9 + 4], 64 * 9 - 1), "filter {idx}");
        } else {
            assert_eq!(ones.len() + n_zeros, 0, "filter {idx} is drawn at random");
        }
    }
    let head = value("head.weight");
    let mean = head.iter().sum::<f32>() / head.len() as f32;
    let variance = head.iter().map(|w| (w - mean).powi(2)).sum::<f32>() / (head.len() - 1) as f32;
    assert!((variance - 1.0).abs() < 1e-4, "{variance}");
}

#[test]
fn threads_predict_with_the_same_parameters() {
    let (net, params) = nn::build(models::resnet20([16, 16, 3], 10), 0);
    let predict = |position: u32| {
        let image: Vec<f32> = uniform(position, 16 * 16 * 3);
        let mut tape = Tape::new();
        let g = tape.evaluate(&params);
        g.value(net.forward(&g, g.input([1, 16, 16, 3], &image))).to_vec()
    };
    let alone = [0, 1, 2, 3].map(predict);
    let together = std::thread::scope(|scope| {
        [0, 1, 2, 3]
            .map(|position| scope.spawn(move || predict(position)))
            .map(|thread| thread.join().unwrap())
    });
    assert_eq!(together, alone);
    assert_ne!(alone[0], alone[1]);
}
