//! Recipes, networks and groups, through the program on tiny data.

mod common;
mod torchvision;

use std::fs;
use std::path::Path;

use common::pictures::{bmp, photographs};
use common::{AIRBENCH, Outcome, descent, failure, stdout, tiny_cifar};
use descent::flags::RECIPES;
use serde_json::Value;
use tempfile::TempDir;

#[test]
fn a_recipe_is_printed_as_it_stands_in_its_file() {
    let folder = TempDir::new().unwrap();
    let names = stdout(folder.path(), &["recipes", "-q"]);
    for (name, text) in RECIPES {
        assert!(names.contains(&format!("{name}: ")), "{names}");
        let printed = stdout(folder.path(), &["-q", "recipes", name]);
        assert!(printed.starts_with(text), "{printed}");
        assert!(printed.contains("parameters") && printed.contains("multiply-adds"), "{printed}");
    }
    let printed = stdout(folder.path(), &["recipes", "airbench94"]);
    assert!(
        printed.contains("1,971,640 parameters") && printed.contains("118,147,360 multiply-adds"),
        "{printed}"
    );
    assert!(
        failure(folder.path(), &["recipes", "airbench93"])
            .contains("expected one of the recipes lecture, airbench94")
    );
}

#[test]
fn each_recipe_takes_two_steps_with_its_own_network() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 4);
    let more = ["--batch-size", "10", "--epochs", "1", "--threads", "2"];
    for (recipe, printed_parts, config_parts) in [
        (
            "lecture",
            &["620,362 parameters", "constant schedule over 2 steps"][..],
            &["\"net\": \"lecture\""][..],
        ),
        (
            "airbench94",
            &["1,971,640 parameters, 288 of them frozen", "linear schedule over 2 steps"],
            &["\"net\": \"airbench94\"", "\"whiten\": 5000", "filters: rule=muon"],
        ),
        (
            "airbench94-sgd",
            &["1,971,640 parameters, 288 of them frozen", "lr 0.09375", "look-ahead every 5 steps"],
            &["\"net\": \"airbench94\"", "\"warmup_start\": 0.2", "biases: lr="],
        ),
        (
            "airbench94-2025",
            &["288 of them frozen", "muon (lr 0.205", "linear schedule over 2 steps"],
            &["\"net\": \"airbench-silu:64,256,256\"", "\"max_steps\": 243"],
        ),
        (
            "airbench95",
            &["288 of them frozen", "lr 0.081522", "look-ahead every 5 steps"],
            &["\"net\": \"airbench:128,384,384\"", "\"warmup\": 3.44"],
        ),
    ] {
        let args = ["train", "--data", "data", "--recipe", recipe, "--out", recipe];
        let printed = stdout(folder.path(), &[&args[..], &more].concat());
        assert!(printed_parts.iter().all(|part| printed.contains(part)), "{printed}");
        let config = fs::read_to_string(folder.path().join(recipe).join("config.json")).unwrap();
        let named = format!("\"recipe\": \"{recipe}\"");
        for part in [&named[..], "\"batch_size\": 10"].iter().chain(config_parts) {
            assert!(config.contains(part), "{part} is not in {config}");
        }
    }
    assert!(RECIPES.iter().all(|(name, _)| folder.path().join(name).exists()), "a recipe is left out");
}

/// Uninterrupted, and in three pieces: groups, schedules, the frozen first layer and look-ahead resume bit
/// for bit.
#[test]
fn airbench94_runs_and_resumes_to_the_same_bits() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    let more = ["--epochs", "4", "--lookahead", "2", "--ema", "0.9", "--threads", "2", "--out"];
    let printed = stdout(folder.path(), &[AIRBENCH, &more, &["whole"]].concat());
    assert!(printed.contains("linear schedule over 12 steps"), "{printed}");
    assert!(printed.contains("muon (lr 0.24") && printed.contains("sgd (lr 0.67"), "{printed}");
    assert!(printed.contains("288 of them frozen"), "{printed}");
    let whole = Outcome::of(&folder.path().join("whole"));
    assert_eq!((whole.checkpoint.state.step, whole.checkpoint.state.epoch), (12, 4));

    let every = ["pieces", "--checkpoint-every", "1", "--keep", "20"];
    stdout(folder.path(), &[AIRBENCH, &more, &every].concat());
    // In the middle of the first epoch, and after the third, when the first layer's bias is frozen.
    for step in [10, 2] {
        let checkpoints = folder.path().join("pieces/checkpoints");
        for later in step + 1..=12 {
            let _ = fs::remove_file(checkpoints.join(format!("step-{later:010}.safetensors")));
        }
        let printed = stdout(folder.path(), &[AIRBENCH, &more, &every, &["--resume"]].concat());
        assert!(printed.contains(&format!("Resuming from step {step}.")), "{printed}");
        Outcome::of(&folder.path().join("pieces")).assert_same_bits(&whole, &format!("from step {step}"));
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The recipe evaluates the test set at the end, the lecture after every epoch, and a flag overrides both.
#[test]
fn the_test_set_is_looked_at_as_often_as_the_recipe_or_the_flag_says() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    let watched = |out: &str, flags: &[&str]| {
        stdout(folder.path(), &[flags, &["--epochs", "2", "--threads", "1", "--out", out]].concat());
        let history = fs::read_to_string(folder.path().join(out).join("history.csv")).unwrap();
        let fields: Vec<Vec<&str>> = history.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!((fields.len(), &fields[0][3..5]), (3, &["test_loss", "test_accuracy"][..]));
        let result = json(&folder.path().join(out).join("result.json"));
        assert_eq!((&result["part"], &result["epochs"]), (&"test".into(), &2.into()));
        let n_watched = fields[1..].iter().filter(|row| !row[3].is_empty() && !row[4].is_empty()).count();
        (
            n_watched,
            result["accuracy"].as_f64().unwrap(),
            fs::read(folder.path().join(out).join("model.safetensors")).unwrap(),
        )
    };
    let lecture = ["train", "--data", "data", "--lr", "0.001", "--batch-size", "16"];
    let (n_watched, accuracy, model) = watched("airbench", AIRBENCH);
    assert_eq!(n_watched, 0);
    let (n_watched, same_accuracy, same_model) =
        watched("airbench-watched", &[AIRBENCH, &["--watch-test"]].concat());
    assert_eq!((n_watched, same_accuracy), (2, accuracy));
    assert!(model == same_model);
    assert_eq!(watched("lecture", &lecture).0, 2);
    assert_eq!(watched("lecture-unwatched", &[&lecture[..], &["--watch-test=false"]].concat()).0, 0);
}

/// `eval` with the same views reproduces the run's final evaluation.
#[test]
fn a_saved_model_is_judged_in_the_views_of_its_recipe() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    let more = ["--epochs", "2", "--ema", "0.5", "--out", "run"];
    let printed = stdout(folder.path(), &[AIRBENCH, &more].concat());
    assert!(printed.contains(" of training, ") && printed.contains(" in all\n"), "{printed}");
    let result = json(&folder.path().join("run/result.json"));
    let seconds = |name: &str| result[name].as_f64().unwrap();
    assert!(0.0 < seconds("training_seconds") && seconds("training_seconds") < seconds("total_seconds"));
    assert!(result["seed"] == 42 && result["steps"] == 6 && result["processor"].is_string(), "{result}");
    let judged = |more: &[&str]| {
        let args = ["eval", "--data", "data", "--model", "run", "--batch-size", "24", "--json"];
        let judged: Value =
            serde_json::from_str(&stdout(folder.path(), &[&args[..], more].concat())).unwrap();
        (judged["loss"].as_f64().unwrap(), judged["accuracy"].as_f64().unwrap())
    };
    let (loss, accuracy) = judged(&["--tta", "mirror-shift"]);
    assert!((loss - result["loss"].as_f64().unwrap()).abs() < 1e-6, "{loss}: {result}");
    assert_eq!(accuracy, result["accuracy"].as_f64().unwrap());
    let plain = judged(&[]).0;
    assert!((plain - loss).abs() > 1e-6, "the views are no views: {plain}");
    assert_eq!(judged(&["--tta", "mirror-shift", "--tta-share", "0"]).0, plain);
    assert!(
        failure(folder.path(), &["eval", "--model", "run", "--tta-share", "0.5"])
            .contains("--tta-share needs --tta")
    );

    fs::write(folder.path().join("stripes.bmp"), bmp(16, 16, [250, 120, 10], 3)).unwrap();
    let probability = |more: &[&str]| {
        let args = ["predict", "stripes.bmp", "--model", "run", "--json"];
        let answer: Value =
            serde_json::from_str(&stdout(folder.path(), &[&args[..], more].concat())).unwrap();
        answer["probability"].as_f64().unwrap()
    };
    let (plain, mirror) = (probability(&[]), probability(&["--tta", "mirror"]));
    assert!((plain - mirror).abs() > 1e-9, "{plain} {mirror}");
}

#[test]
fn the_first_layer_whitens_and_stays_and_its_bias_stops() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    let weights = |epochs: &str, out: &str| {
        // The rates are constant, so that only freezing stops the bias.
        let more = ["--epochs", epochs, "--schedule", "constant", "--threads", "1", "--out", out];
        stdout(folder.path(), &[AIRBENCH, &more].concat());
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

/// Every network trains, its file names it, and `eval` and `predict` need no flag.
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
        let printed = stdout(folder.path(), &[&train[..], &["--out", &out]].concat());
        let accuracy =
            printed.split("accuracy ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
        let model = format!("{out}/model.safetensors");
        let (_, _, about) = classifier::model::load(&folder.path().join(&model)).unwrap();
        assert_eq!(about.net.to_string(), net);
        let evaluated = stdout(folder.path(), &["eval", "--data", "data", "--model", &model]);
        let predicted = stdout(folder.path(), &["predict", "image.png", "--model", &model]);
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
        (&["--warmup-start", "0.1"], "--warmup-start needs --warmup"),
        (&["--warmup-start", "0.1", "--warmup", "1", "--schedule", "noam"], "a schedule other than noam"),
        (&["--crop-border", "reflect"], "--crop-border needs --crop"),
        (&["--net", "resnet20", "--dropout", "0.1"], "--dropout 0.1: the network resnet20 has none"),
        (&["--lookahead-decay", "0.9"], "--lookahead-decay needs --lookahead"),
        (&["--optimizer", "sgd", "--dampening", "0.5"], "--dampening needs a --momentum above 0"),
        (&["--group", ";"], "`;`: expected a path, filters, matrices, vectors or biases, a colon"),
        (&["--skip-broken"], "--skip-broken: only image files of a folder are skipped, not CIFAR-10"),
        (&["--group", "tail: lr=1"], "--group tail matches no trainable parameter"),
        (&["--net", "vit", "--nesterov"], "adam has no hyperparameter `nesterov`"),
    ] {
        let message = failure(folder.path(), &[&train[..], flags].concat());
        assert!(message.contains(expected), "{message}");
    }
    let out =
        ["--tta", "mirror", "--tta-share", "0.5", "--cutout", "8", "--brightness", "0.1", "--out", "out"];
    stdout(folder.path(), &[&train[..], &out].concat());
    let config = fs::read_to_string(folder.path().join("out/config.json")).unwrap();
    for part in ["\"net\": \"lecture\"", "\"cutout\": 8", "\"tta\": \"mirror\"", "\"recipe\": null"] {
        assert!(config.contains(part), "{config}");
    }
}

/// The record has every value in effect: those of the rules and schedules, and those that the data decide.
#[test]
fn the_record_of_a_run_has_every_value_in_effect() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    let record = |out: &str, flags: &[&str]| {
        stdout(folder.path(), &[flags, &["--epochs", "1", "--out", out]].concat());
        json(&folder.path().join(out).join("config.json"))
    };
    let train = ["train", "--data", "data", "--batch-size", "20"];
    let lecture = record("lecture", &train);
    let run = &lecture["run"];
    let adam = serde_json::json!({
        "name": "adam", "lr": 0.005, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0001,
        "amsgrad": false, "decoupled_weight_decay": false, "bias_correction": true,
    });
    assert_eq!(run["optimizer"]["groups"][0]["rule"], adam);
    let constant = serde_json::json!({
        "name": "constant", "lr": 0.005, "steps": 4, "warmup_steps": 0, "warmup_start": 0.0,
    });
    assert_eq!(run["optimizer"]["schedule"], constant);
    assert_eq!(
        (&run["recipe"], &run["watch_test"], &lecture["val"]),
        (&"lecture".into(), &true.into(), &0.into())
    );
    assert!(run["normalize"].is_null() && run["weights_sha256"].is_null(), "{run}");
    assert_eq!((&run["flip"], &run["crop"], &run["shards"]), (&"never".into(), &0.into(), &3.into()));
    assert!(run["instruction_set"].is_string());

    // Another network without a recipe is that recipe with another network.
    let other = record("other", &[&train[..], &["--net", "mlp:8"]].concat());
    let run = &other["run"];
    assert_eq!((&run["recipe"], &run["watch_test"]), (&"lecture".into(), &true.into()));
    assert_eq!((&other["recipe"], &other["val"]), (&Value::Null, &0.into()));

    let airbench = record("airbench", AIRBENCH);
    let (run, groups) = (&airbench["run"], airbench["run"]["optimizer"]["groups"].as_array().unwrap());
    assert_eq!((&run["recipe"], &run["watch_test"]), (&"airbench94".into(), &false.into()));
    assert_eq!(run["normalize"]["mean"].as_array().unwrap().len(), 3);
    let filters = groups.iter().find(|group| group["group"] == "filters").unwrap();
    assert_eq!((&filters["rule"]["name"], &filters["rule"]["lr"]), (&"muon".into(), &0.24.into()));
    let bias = groups.iter().find(|group| group["group"] == "whiten.bias").unwrap();
    assert_eq!((&bias["rule"]["nesterov"], &bias["freeze_after"]), (&true.into(), &3.0.into()));
    assert_eq!((&bias["schedule"]["name"], &bias["schedule"]["steps"]), (&"linear".into(), &9.into()));
    let linear = &airbench["run"]["optimizer"]["schedule"];
    assert_eq!((&linear["start_factor"], &linear["end_factor"]), (&1.0.into(), &0.0.into()));

    // Defaults and flags, in the steps that are left after the warm-up.
    for (out, flags, expected) in [
        (
            "cyclic",
            &["--schedule", "cyclic", "--warmup", "0.5", "--step-size-up", "0.75"][..],
            serde_json::json!({
                "name": "cyclic", "lr": 0.005, "steps": 4, "warmup_steps": 2, "warmup_start": 0.0,
                "base_lr": 0.0005, "step_size_up": 3.0, "step_size_down": 1.0,
            }),
        ),
        (
            "multi-step",
            &["--schedule", "multi-step", "--warmup", "0.25", "--warmup-start", "0.5"],
            serde_json::json!({
                "name": "multi-step", "lr": 0.005, "steps": 4, "warmup_steps": 1, "warmup_start": 0.5,
                "gamma": 0.1, "milestones": [1.0, 2.0],
            }),
        ),
    ] {
        let schedule = &record(out, &[&train[..], flags].concat())["run"]["optimizer"]["schedule"];
        assert_eq!(*schedule, expected);
    }
}

/// A repeat whose bits can differ says so.
#[test]
fn a_repeat_with_other_weights_instructions_or_version_says_so() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 4);
    let file = folder.path().join("begin.safetensors");
    let write = |seed: u64| {
        let (_, params) = nn::build(nn::models::mlp([32, 32, 3], &[4], 10), seed);
        nn::weights::save(&file, &params, &[]).unwrap();
    };
    write(1);
    let train =
        ["train", "--data", "data", "--epochs", "1", "--net", "mlp:4", "--weights", "begin.safetensors"];
    stdout(folder.path(), &[&train[..], &["--lr", "0.001", "--out", "a"]].concat());
    let path = folder.path().join("a/config.json");
    let record = json(&path);
    let warnings = |out: &str, instruction_set: &str| {
        let mut command = descent(folder.path());
        let args = ["train", "--config", "a/config.json", "--out", out];
        let assert = command.args(args).env("DESCENT_SIMD", instruction_set).assert().success();
        String::from_utf8(assert.get_output().stderr.clone()).unwrap()
    };
    let model = |out: &str| fs::read(folder.path().join(out).join("model.safetensors")).unwrap();
    let current = tensor::SimdLevel::current().name();
    assert_eq!(warnings("b", current), "");
    assert!(model("a") == model("b"));

    write(2);
    assert_eq!(
        warnings("c", current),
        "warning: the weights to start from are not those of the run being repeated\n"
    );
    write(1);
    if current != "portable" {
        let expected = format!(
            "warning: the run being repeated was computed with {current}, and this one with portable: the results \
             will not be bit-identical (DESCENT_SIMD sets the instruction set)\n"
        );
        assert_eq!(warnings("d", "portable"), expected);
    }
    let mut other = record.clone();
    other["run"]["version"] = "0.0.1".into();
    fs::write(&path, other.to_string()).unwrap();
    let warned = warnings("e", current);
    assert!(
        warned.starts_with("warning: the run being repeated was computed by version 0.0.1 of"),
        "{warned}"
    );
    // As recorded before any of these was.
    let mut old = record;
    old["run"] = serde_json::json!({"data_sha256": old["run"]["data_sha256"]});
    fs::write(&path, old.to_string()).unwrap();
    assert_eq!(warnings("f", current), "");
    assert!(model("a") == model("f"));
    // A resumed run does not read the file, and keeps in its record what it began with.
    let before = json(&folder.path().join("b/config.json"));
    fs::remove_file(&file).unwrap();
    stdout(folder.path(), &["train", "--out", "b", "--resume"]);
    let after = json(&folder.path().join("b/config.json"));
    assert!(before["run"]["weights_sha256"].is_string());
    assert_eq!(before["run"]["weights_sha256"], after["run"]["weights_sha256"]);
    // A run's folder stands for the weights in it.
    let sums = [("a", "g"), ("a/model.safetensors", "h")].map(|(weights, out)| {
        let more = ["--data", "data", "--epochs", "1", "--net", "mlp:4", "--weights", weights, "--out", out];
        stdout(folder.path(), &[&["train"][..], &more].concat());
        json(&folder.path().join(out).join("config.json"))["run"]["weights_sha256"].clone()
    });
    assert!(sums[0].is_string() && sums[0] == sums[1] && model("g") == model("h"), "{sums:?}");
}

/// The file is the one that torchvision writes, to the byte, and so are the logits until the head is replaced.
#[test]
fn fine_tuning_takes_the_file_that_torchvisions_resnet_18_writes() {
    let folder = TempDir::new().unwrap();
    photographs(&folder.path().join("photos"), 3, 3);
    let file = folder.path().join("resnet18.safetensors");
    fs::write(&file, torchvision::file()).unwrap();
    let (net, expected) = torchvision::network();
    let (_, mut read) = nn::build(nn::models::resnet18_imagenet([64, 64, 3], 1000), 1);
    nn::weights::load(&file, &mut read).unwrap();
    assert!(read.values() == expected.values());
    torchvision::assert_logits(&net, &read);

    let train = [
        "train",
        "--data",
        "photos",
        "--image-size",
        "32",
        "--net",
        "resnet18-imagenet",
        "--weights",
        "resnet18.safetensors",
        "--freeze",
        "conv1,bn1,layer1,layer2,layer3",
        "--normalize=imagenet",
        "--epochs",
        "1",
        "--batch-size",
        "3",
        "--lr",
        "0.001",
        "--val",
        "0",
        "--out",
        "out",
    ];
    let printed = stdout(folder.path(), &train);
    let sentence = "The last layer, fc, is re-initialised for these classes: fc.weight is [1000, 512] in \
                    resnet18.safetensors, but [3, 512] here.";
    assert!(printed.contains(sentence), "{printed}");
    let (_, tuned, about) = classifier::model::load(&folder.path().join("out/model.safetensors")).unwrap();
    assert_eq!(about.net.to_string(), "resnet18-imagenet");
    assert_eq!(tuned.entry(tuned.find("fc.weight").unwrap()).shape.dims(), [3, 512]);
    for entry in read.entries().iter().filter(|entry| !entry.name.starts_with("fc.")) {
        let (now, before) =
            (tuned.value(tuned.find(&entry.name).unwrap()), &read.values()[entry.range.clone()]);
        assert_eq!(now == before, !entry.name.starts_with("layer4."), "{}", entry.name);
        // Three steps of Adam from the file's weights.
        let is_near = now.iter().zip(before).all(|(now, before)| (now - before).abs() < 0.01);
        assert!(is_near || !entry.is_trainable(), "{}", entry.name);
    }
}

/// A file for other classes: all but the last layer is loaded, and frozen parts stay as in the file.
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
    let printed = stdout(folder.path(), &[&train[..], &tune].concat());
    let sentence = "The last layer, fc, is re-initialised for these classes: fc.weight is [7, 64] in \
                    seven.safetensors, but [10, 64] here.";
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
    // Resumed without the file, the run keeps it in its record.
    let resume = ["--net", "resnet20", "--freeze", "conv1,bn1,layer1", "--out", "out", "--resume"];
    stdout(folder.path(), &[&train[..], &resume].concat());
    let config = fs::read_to_string(folder.path().join("out/config.json")).unwrap();
    assert!(config.contains("\"weights\": \"seven.safetensors\""), "{config}");

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
