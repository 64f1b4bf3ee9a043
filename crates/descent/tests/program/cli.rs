//! The program from a user's point of view: its output, its files, and its errors.

use std::fs;

use crate::common::{descent, failure, short_failure, tiny_cifar, train};
use tempfile::TempDir;

#[test]
fn a_run_leaves_all_that_it_promises_and_the_model_can_be_used() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 20);
    let stdout = train(folder.path(), "out", &["--epochs", "2"]);
    assert!(stdout.contains("620,362 parameters"), "{stdout}");
    assert!(stdout.contains("epoch 2/2  train loss "), "{stdout}");
    assert!(stdout.contains("Test accuracy ") && stdout.contains("automobile"), "{stdout}");
    assert!(!stdout.contains('\u{1b}') && !stdout.contains('\r'), "a pipe gets plain lines: {stdout:?}");

    let out = folder.path().join("out");
    for name in [
        "config.json",
        "loss.svg",
        "loss.png",
        "accuracy.svg",
        "accuracy.png",
        "confusion.svg",
        "confusion.png",
    ] {
        assert!(fs::metadata(out.join(name)).unwrap().len() > 100, "{name}");
    }
    let history = fs::read_to_string(out.join("history.csv")).unwrap();
    let lines: Vec<_> = history.lines().collect();
    assert!(lines[0].starts_with(
        "epoch,train_loss,train_loss_per_sample,test_loss,test_accuracy,learning_rate,seconds,images_per_second"
    ));
    assert!(lines.len() == 3 && lines[1].starts_with("1,") && lines[2].starts_with("2,"), "{history}");
    let accuracy: f64 = lines[2].split(',').nth(4).unwrap().parse().unwrap();

    let eval =
        descent(folder.path()).args(["eval", "--model", "out/model.safetensors", "--data", "data"]).assert();
    let eval = String::from_utf8(eval.success().get_output().stdout.clone()).unwrap();
    assert!(eval.starts_with(&format!("accuracy {accuracy:.2} %\n")), "{eval}");

    let figure = "out/loss.png";
    let predict =
        descent(folder.path()).args(["predict", figure, "--model", "out/model.safetensors"]).assert();
    let predict = String::from_utf8(predict.success().get_output().stdout.clone()).unwrap();
    assert!(predict.lines().count() == 5 && predict.lines().all(|line| line.contains(" % ")), "{predict}");
}

#[test]
fn early_stopping_keeps_the_best_weights_by_the_validation_split() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 20);
    // A learning rate this large makes the validation loss worse within a few epochs.
    let stdout =
        train(folder.path(), "out", &["--epochs", "40", "--val", "30", "--patience", "1", "--lr", "0.05"]);
    assert!(stdout.contains("Stopping early: 1 epoch without a better validation loss."), "{stdout}");
    let best: usize = stdout
        .split("Keeping the weights of epoch ")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let history = fs::read_to_string(folder.path().join("out/history.csv")).unwrap();
    let column = |idx: usize| -> Vec<f64> {
        history.lines().skip(1).map(|line| line.split(',').nth(idx).unwrap().parse().unwrap()).collect()
    };
    let (accuracy, validation_loss) = (column(4), column(8));
    assert!(validation_loss.iter().all(|&loss| loss >= validation_loss[best - 1]), "{history}");
    let eval =
        descent(folder.path()).args(["eval", "--model", "out/model.safetensors", "--data", "data"]).output();
    let eval = String::from_utf8(eval.unwrap().stdout).unwrap();
    assert!(eval.starts_with(&format!("accuracy {:.2} %\n", accuracy[best - 1])), "{eval}");
}

#[test]
fn a_missing_or_broken_data_set_says_how_to_get_it() {
    let folder = TempDir::new().unwrap();
    let message = short_failure(folder.path(), &["train", "--data", "nowhere", "--out", "out"]);
    assert!(message.contains("there is no file or folder nowhere (`cargo xtask fetch-cifar`"), "{message}");

    let data = tiny_cifar(folder.path(), 20);
    let path = data.join("data_batch_3.bin");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let message = short_failure(folder.path(), &["train", "--data", "data", "--out", "out"]);
    assert!(message.contains("data_batch_3.bin") && message.contains("records of 3073 bytes"), "{message}");

    let mut wrong_label = bytes;
    wrong_label[3073] = 10;
    fs::write(&path, wrong_label).unwrap();
    let message = short_failure(folder.path(), &["train", "--data", "data", "--out", "out"]);
    assert!(message.contains("record 1 has the label 10, expected 0 to 9"), "{message}");
    assert!(!folder.path().join("out").exists(), "nothing is written before the data is known to be good");
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_before_any_work() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 2);
    fs::write(folder.path().join("taken"), "a file").unwrap();
    let message = short_failure(folder.path(), &["train", "--data", "data", "--out", "taken"]);
    assert!(message.contains("cannot write into taken") && message.contains("--out"), "{message}");
}

#[test]
fn a_model_file_of_another_network_lists_all_differences() {
    let folder = TempDir::new().unwrap();
    let net = nn::Sequential::new().add(nn::Conv2d::new(3, 16, 3)).add(nn::Linear::new(4, 10));
    let (_, params) = nn::build(net, 0);
    nn::weights::save(folder.path().join("other.safetensors"), &params, &[]).unwrap();
    let message = failure(folder.path(), &["eval", "--model", "other.safetensors"]);
    for part in ["other.safetensors", "0.weight", "13.bias", "1.weight", "[32, 3, 3, 3]", "[16, 3, 3, 3]"] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }

    fs::write(folder.path().join("noise.safetensors"), "no model").unwrap();
    let message = short_failure(folder.path(), &["eval", "--model", "noise.safetensors"]);
    assert!(message.contains("noise.safetensors"), "{message}");
    let message = short_failure(folder.path(), &["predict", "x.png", "--model", "missing.safetensors"]);
    assert!(message.contains("missing.safetensors"), "{message}");
}

#[test]
fn a_file_that_is_no_image_is_named() {
    let folder = TempDir::new().unwrap();
    let (_, params) = nn::build(nn::models::lecture_cnn(0.5), 0);
    nn::weights::save(folder.path().join("model.safetensors"), &params, &[]).unwrap();
    fs::write(folder.path().join("text.png"), "not an image").unwrap();
    for image in ["text.png", "missing.png", "."] {
        let message = short_failure(folder.path(), &["predict", image, "--model", "model.safetensors"]);
        assert!(message.contains(image), "{message}");
    }
}

#[test]
fn names_and_values_out_of_range_are_refused() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 2);
    for (args, expected) in [
        (&["--optimizer", "adm"][..], "sgd, asgd, rprop"),
        (&["--schedule", "stairs"], "constant"),
        (&["--momentum", "0.9"], "momentum"),
        (&["--dropout", "2"], "from 0 to 1"),
        (&["--val", "10"], "fewer than the 10 training images"),
        (&["--patience", "3"], "--val"),
        (&["--patience", "3", "--val", "0"], "--patience needs --val"),
        (&["--rank-timeout", "30"], "--rank-timeout needs processes that mpirun started"),
        (&["--json", "--verbose"], "--verbose prints more text, but --json prints none"),
    ] {
        let message = failure(folder.path(), &[&["train", "--data", "data", "--out", "out"], args].concat());
        assert!(message.contains(expected), "{args:?}: {message}");
    }
    assert!(!folder.path().join("out").exists(), "bad flags are refused before anything is written");
}

#[test]
fn an_unknown_instruction_set_is_refused_before_any_work() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 2);
    for args in [
        &["train", "--data", "data", "--out", "out"][..],
        &["eval", "--data", "data", "--model", "missing"],
        &["predict", "missing.png", "--model", "missing"],
        &["lecture", "momentum", "--out", "out"],
        &["lecture", "--out", "out"],
    ] {
        let output = descent(folder.path()).args(args).env("DESCENT_SIMD", "sse\u{1b}[2J").output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let expected = "error: DESCENT_SIMD is \"sse\\u{1b}[2J\": expected avx512, avx2 or portable\n";
        assert_eq!((output.status.code(), &*stderr), (Some(1), expected), "{args:?}");
        assert!(output.stdout.is_empty() && !folder.path().join("out").exists(), "{args:?}");
    }
}

#[test]
fn runs_without_a_folder_get_one_each() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 2);
    let run = |seed: &str| {
        let args = ["train", "--data", "data", "--epochs", "1", "--seed", seed];
        descent(folder.path()).args(args).assert().success();
    };
    std::thread::scope(|scope| {
        ["1", "2", "3"].into_iter().for_each(|seed| _ = scope.spawn(move || run(seed)))
    });
    let runs: Vec<_> =
        fs::read_dir(folder.path().join("runs")).unwrap().map(|run| run.unwrap().path()).collect();
    assert!(runs.len() == 3 && runs.iter().all(|run| run.join("model.safetensors").exists()), "{runs:?}");
}

#[test]
fn a_page_that_cannot_be_written_is_an_error_before_any_work() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("taken"), "a file").unwrap();
    for args in [&["lecture"][..], &["lecture", "momentum"]] {
        let message = short_failure(folder.path(), &[args, &["--out", "taken/lecture"]].concat());
        assert!(
            message.contains("cannot make the folder taken/lecture") && message.contains("--out"),
            "{message}"
        );
    }
}

#[test]
fn help_shows_examples_and_defaults() {
    let folder = TempDir::new().unwrap();
    for (args, expected) in [
        (&["--help"][..], "descent predict cat.png"),
        (&["train", "--help"], "[default: 64]"),
        (&["eval", "--help"], "Example"),
        (&["predict", "--help"], "Example"),
    ] {
        let assert = descent(folder.path()).args(args).assert().success();
        let stdout = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
        assert!(stdout.contains(expected), "{stdout}");
    }
}

/// On Unix a name can be any bytes.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_may_have_a_name_that_is_no_unicode() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 2);
    let out = OsStr::from_bytes(b"out\xff");
    let args = ["train", "--data", "data", "--epochs", "1", "--out"];
    descent(folder.path()).args(args).arg(out).assert().success();
    assert!(folder.path().join(out).join("model.safetensors").exists());
    descent(folder.path()).args(args).arg(out).arg("--resume").assert().success();
}
