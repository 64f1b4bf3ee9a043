//! Recipes, networks and groups, through the program on tiny data.

mod common;

use std::fs;
use std::path::Path;

use common::{Outcome, descent, failure, tiny_cifar};
use descent::recipes::RECIPES;
use tempfile::TempDir;

/// The airbench94 recipe on tiny data and with narrow blocks: 80 images in batches of 24, so that 8 are left out of an epoch
/// of 3 steps.
const AIRBENCH: &[&str] = &[
    "train",
    "--data",
    "data",
    "--recipe",
    "airbench94",
    "--batch-size",
    "24",
    "--whiten",
    "30",
    "--net",
    "airbench:8,16,12",
];

fn run(folder: &Path, args: &[&str]) -> String {
    let assert = descent(folder).args(args).assert().success();
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

#[test]
fn a_recipe_is_printed_as_it_stands_in_its_file() {
    let folder = TempDir::new().unwrap();
    let names = run(folder.path(), &["recipes"]);
    for (name, text) in RECIPES {
        assert!(names.contains(&format!("{name}: ")), "{names}");
        let printed = run(folder.path(), &["recipes", name]);
        assert!(printed.starts_with(text), "{printed}");
        assert!(printed.contains("parameters") && printed.contains("multiply-adds"), "{printed}");
    }
    let printed = run(folder.path(), &["recipes", "airbench94"]);
    assert!(
        printed.contains("1,971,640 parameters") && printed.contains("118,147,360 multiply-adds"),
        "{printed}"
    );
    assert!(
        failure(folder.path(), &["recipes", "airbench93"])
            .contains("there are the recipes lecture, airbench94")
    );
}

#[test]
fn airbench94_takes_two_steps_with_its_own_network() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 4);
    let two = [
        "train",
        "--data",
        "data",
        "--recipe",
        "airbench94",
        "--batch-size",
        "10",
        "--epochs",
        "1",
        "--out",
        "out",
    ];
    let printed = run(folder.path(), &two);
    assert!(printed.contains("1,971,640 parameters, 288 of them frozen"), "{printed}");
    assert!(printed.contains("linear schedule over 2 steps"), "{printed}");
    let config = fs::read_to_string(folder.path().join("out/config.json")).unwrap();
    for part in [
        "\"recipe\": \"airbench94\"",
        "\"net\": \"airbench94\"",
        "\"batch_size\": 10",
        "\"whiten\": 5000",
        "filters: rule=muon",
    ] {
        assert!(config.contains(part), "{part} is not in {config}");
    }
}

/// Whole, and in three pieces: groups, schedules, the frozen first layer and look-ahead go on bit for bit.
#[test]
fn airbench94_runs_and_resumes_to_the_same_bits() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    let more = ["--epochs", "4", "--lookahead", "2", "--ema", "0.9", "--threads", "2", "--out"];
    let printed = run(folder.path(), &[AIRBENCH, &more, &["whole"]].concat());
    assert!(printed.contains("linear schedule over 12 steps"), "{printed}");
    assert!(printed.contains("muon (lr 0.24") && printed.contains("sgd (lr 0.67"), "{printed}");
    assert!(printed.contains("288 of them frozen"), "{printed}");
    let whole = Outcome::of(&folder.path().join("whole"));
    assert_eq!((whole.checkpoint.state.step, whole.checkpoint.state.epoch), (12, 4));

    let every = ["pieces", "--checkpoint-every", "1", "--keep", "20"];
    run(folder.path(), &[AIRBENCH, &more, &every].concat());
    // In the middle of the first epoch, and behind the third, after which the first layer's bias stays.
    for step in [10, 2] {
        let checkpoints = folder.path().join("pieces/checkpoints");
        for later in step + 1..=12 {
            let _ = fs::remove_file(checkpoints.join(format!("step-{later:010}.safetensors")));
        }
        let printed = run(folder.path(), &[AIRBENCH, &more, &every, &["--resume"]].concat());
        assert!(printed.contains(&format!("Resuming from step {step}.")), "{printed}");
        Outcome::of(&folder.path().join("pieces")).assert_same_bits(&whole, &format!("from step {step}"));
    }
}

#[test]
fn the_first_layer_whitens_and_stays_and_its_bias_stops() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    let weights = |epochs: &str, out: &str| {
        // The rates do not fall, so that only the freezing stops the bias.
        let more = ["--epochs", epochs, "--schedule", "constant", "--threads", "1", "--out", out];
        run(folder.path(), &[AIRBENCH, &more].concat());
        let (_, params, about) =
            classifier::model::load(&folder.path().join(out).join("model.safetensors")).unwrap();
        assert_eq!(about.net.to_string(), "airbench:8,16,12");
        let value = |name: &str| params.value(params.find(name).unwrap()).to_vec();
        ["whiten.weight", "whiten.bias", "head.weight"].map(value)
    };
    let ([w2, b2, _], [w3, b3, h3], [w4, b4, h4]) =
        (weights("2", "two"), weights("3", "three"), weights("4", "four"));
    assert_eq!((&w2, &w3), (&w3, &w4));
    assert!(w2[..144].iter().zip(&w2[144..]).all(|(p, n)| *p == -*n));
    assert_ne!(b2, b3);
    assert_eq!(b3, b4);
    assert_ne!(h3, h4);
}

/// Of each network: it trains, its file says which it is, and `eval` and `predict` need no flag.
#[test]
fn every_network_goes_through_train_eval_and_predict() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 4);
    let image = folder.path().join("image.png");
    fs::write(&image, png()).unwrap();
    for net in [
        "lecture",
        "lenet5",
        "mlp:16,8",
        "resnet20",
        "resnet18",
        "resnet18-imagenet",
        "airbench94",
        "depthwise",
        "vit",
    ] {
        let out = net.replace([':', ','], "-");
        let train =
            ["train", "--data", "data", "--epochs", "1", "--batch-size", "16", "--lr", "0.001", "--net", net];
        let printed = run(folder.path(), &[&train[..], &["--out", &out]].concat());
        let accuracy =
            printed.split("accuracy ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
        let model = format!("{out}/model.safetensors");
        let (_, _, about) = classifier::model::load(&folder.path().join(&model)).unwrap();
        assert_eq!(about.net.to_string(), net);
        let evaluated = run(folder.path(), &["eval", "--data", "data", "--model", &model]);
        let predicted = run(folder.path(), &["predict", "image.png", "--model", &model]);
        assert!(evaluated.contains("accuracy"), "{net} {accuracy}: {evaluated}");
        assert!(predicted.contains('%'), "{net}: {predicted}");
    }
}

/// A PNG of one grey pixel.
fn png() -> Vec<u8> {
    let hex = "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c6368\
               00000082008177cd72b60000000049454e44ae426082";
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn views_of_the_last_evaluation_and_what_does_not_fit_is_refused() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 4);
    let train = ["train", "--data", "data", "--epochs", "1", "--batch-size", "16"];
    for (flags, expected) in [
        (&["--whiten", "5"][..], "--whiten: the network has no whitening layer; --net airbench94 has one"),
        (
            &["--drop-last", "--batch-size", "21"],
            "--drop-last: the 20 training images do not fill one batch of 21",
        ),
        (&["--tta-share", "0.5"], "--tta-share needs --tta"),
        (&["--group", "tail: lr=1"], "--group tail matches no trainable parameter"),
        (&["--net", "vit", "--nesterov"], "adam has no hyperparameter `nesterov`"),
    ] {
        let message = failure(folder.path(), &[&train[..], flags].concat());
        assert!(message.contains(expected), "{message}");
    }
    let out =
        ["--tta", "mirror", "--tta-share", "0.5", "--cutout", "8", "--brightness", "0.1", "--out", "out"];
    run(folder.path(), &[&train[..], &out].concat());
    let config = fs::read_to_string(folder.path().join("out/config.json")).unwrap();
    for part in ["\"net\": \"lecture\"", "\"cutout\": 8", "\"tta\": \"mirror\"", "\"recipe\": null"] {
        assert!(config.contains(part), "{config}");
    }
}

/// A file of other classes: all but the last layer is taken, and what is frozen stays as the file has it.
#[test]
fn fine_tuning_takes_a_file_holds_parts_still_and_replaces_the_head() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 4);
    let (_, mut params) = nn::build(nn::models::resnet20([32, 32, 3], 7), 3);
    params.values_mut().iter_mut().for_each(|value| *value = 0.9 * *value + 0.01);
    let file = folder.path().join("seven.safetensors");
    nn::weights::save(&file, &params, &[]).unwrap();
    let train = ["train", "--data", "data", "--epochs", "1", "--batch-size", "16", "--lr", "0.001"];
    let tune = [
        "--net",
        "resnet20",
        "--weights",
        "seven.safetensors",
        "--freeze",
        "conv1,bn1,layer1",
        "--out",
        "out",
    ];
    let printed = run(folder.path(), &[&train[..], &tune].concat());
    let sentence = "The last layer, fc, begins anew for these classes: fc.weight is [7, 64] in seven.safetensors, and [10, 64] here.";
    assert!(printed.contains(sentence), "{printed}");
    let (_, tuned, _) = classifier::model::load(&folder.path().join("out/model.safetensors")).unwrap();
    let mut n_frozen = 0;
    for entry in params.entries().iter().filter(|entry| !entry.name.starts_with("fc.")) {
        let now = tuned.value(tuned.find(&entry.name).unwrap());
        let is_same = now == &params.values()[entry.range.clone()];
        let is_frozen = ["conv1.", "bn1.", "layer1."].iter().any(|path| entry.name.starts_with(path));
        assert_eq!(is_same, is_frozen, "{}", entry.name);
        n_frozen += usize::from(is_frozen);
    }
    assert_eq!(n_frozen, 5 + 3 * 10);

    for (flags, expected) in [
        (
            &["--net", "resnet18", "--weights", "seven.safetensors"][..],
            "seven.safetensors does not fit this network",
        ),
        (&["--weights", "nowhere.safetensors"], "--weights: cannot read nowhere.safetensors"),
        (&["--freeze", "conv9"], "--freeze: there is no parameter under `conv9`"),
        (&["--net", "mlp", "--freeze", "1"], "--freeze: nothing is left to train"),
    ] {
        let message = failure(folder.path(), &[&train[..], flags].concat());
        assert!(message.contains(expected), "{message}");
    }
}
