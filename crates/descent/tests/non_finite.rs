//! NaN and infinity: the action of a run, and that neither a checkpoint nor an output with them counts as
//! good.

mod common;

use std::fs;
use std::path::Path;

use common::{Outcome, descent, failure_at_the_end, short_failure, tiny_cifar, train};
use tempfile::TempDir;

/// Plain gradient descent with sixteen images per step and five steps per epoch.
const TRAIN: &[&str] =
    &["train", "--data", "data", "--batch-size", "16", "--optimizer", "sgd", "--weight-decay", "0"];

/// After a step with this learning rate the weights are finite, but too large for a finite loss.
const HOT: &[&str] = &["--lr", "1e30"];

fn folder_with_data() -> TempDir {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    folder
}

fn lines<'a>(parts: &[&[&'a str]]) -> Vec<&'a str> {
    [&[TRAIN], parts].concat().concat()
}

#[test]
fn nan_stops_skips_or_goes_on() {
    let folder = folder_with_data();
    let hot = lines(&[HOT, &["--epochs", "1", "--out", "out"]]);
    let message = short_failure(folder.path(), &hot);
    let expected =
        "training stopped at step 2 (epoch 1, batch 2): the loss is NaN, the gradient of `0.weight` is NaN";
    assert!(message.contains(expected), "{message}");
    assert!(
        message.contains("there is no checkpoint yet. Try a smaller --lr, or --on-nan skip"),
        "{message}"
    );
    let message = short_failure(folder.path(), &[&hot[..], &["--detect-anomaly"]].concat());
    assert!(message.contains("; it first appears in ") && message.contains(" at layer \""), "{message}");

    let said = |flags: &[&str]| {
        let args = lines(&[HOT, &["--epochs", "1"], flags]);
        let output = descent(folder.path()).args(&args).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "a run whose end is NaN must fail: {stderr}");
        (String::from_utf8(output.stdout).unwrap(), stderr)
    };
    let (stdout, stderr) = said(&["--out", "skip", "--on-nan", "skip"]);
    assert!(stderr.contains("warning: skipping step 2 (epoch 1, batch 2): the loss is NaN"), "{stderr}");
    assert!(stderr.contains("warning: 4 steps of epoch 1 had NaN or infinity"), "{stderr}");
    assert!(stderr.ends_with("the network's output is NaN or infinite for 16 of 16 images\n"), "{stderr}");
    assert!(stdout.contains("16 answers are NaN or infinite and count as wrong"), "{stdout}");
    let skipped = Outcome::of(&folder.path().join("skip")).checkpoint;
    assert_eq!((skipped.state.step, skipped.n_updates), (5, 1));

    // A skipped step leaves no running statistics that are infinite.
    let flags = ["--out", "statistics", "--on-nan", "skip", "--net", "resnet20", "--limit", "32"];
    let (_, stderr) = said(&flags);
    assert!(stderr.contains("warning: skipping step 2 (epoch 1, batch 2): "), "{stderr}");
    let skipped = Outcome::of(&folder.path().join("statistics")).checkpoint;
    assert_eq!((skipped.state.step, skipped.n_updates), (2, 1));

    let (stdout, stderr) = said(&["--out", "on", "--on-nan", "continue", "--epochs", "2"]);
    assert!(stderr.contains("warning: continuing at step 2"), "{stderr}");
    assert_eq!(stderr.matches("warning: nothing is saved after step 5").count(), 1, "{stderr}");
    assert!(stderr.contains("no figure of it is drawn"), "{stderr}");
    assert!(stderr.contains("the run has ended with weights that are NaN or infinite and were not saved"));
    assert!(!stdout.contains("model.safetensors"), "{stdout}");
    let on = folder.path().join("on");
    assert!(on.join("confusion.png").exists() && !on.join("model.safetensors").exists());
    assert_eq!(fs::read_dir(on.join("checkpoints")).unwrap().count(), 0);
    let history = fs::read_to_string(on.join("history.csv")).unwrap();
    assert!(history.lines().count() == 3 && history.contains(",NaN,"), "{history}");

    // When no step at all can be taken, there is nothing to measure.
    let flags: &[&str] = &["--out", "none", "--on-nan", "skip", "--epochs", "3"];
    let message = failure_at_the_end(folder.path(), &lines(&[HOT, flags]));
    assert!(message.contains("every step of epoch 2 was skipped"), "{message}");
}

#[test]
fn weights_are_looked_at_before_they_are_saved() {
    let folder = folder_with_data();
    // The only step overflows, after its loss and its gradient were found finite.
    let infinite: &[&str] = &["--lr", "3e38", "--weight-decay", "3e38", "--out", "infinite"];
    let huge: &[&str] = &["--lr", "1e30", "--out", "huge"];
    for (flags, expected) in [(infinite, "`model."), (huge, "with the new weights the loss is ")] {
        let args = lines(&[&["--epochs", "1", "--limit", "16"], flags]);
        let message = failure_at_the_end(folder.path(), &args);
        assert!(message.contains(&format!("training stopped after step 1: {expected}")), "{message}");
        assert!(message.contains("there is no checkpoint yet. Try a smaller --lr"), "{message}");
        let out = folder.path().join(flags[flags.len() - 1]);
        assert!(!out.join("model.safetensors").exists() && out.join("history.csv").exists());
        assert_eq!(fs::read_dir(out.join("checkpoints")).unwrap().count(), 0);
    }
}

#[test]
fn a_run_that_ended_in_nan_resumes_with_a_smaller_learning_rate() {
    for keep in ["1", "2"] {
        let folder = folder_with_data();
        let more = ["--out", "out", "--checkpoint-every", "1", "--keep", keep];
        let with = |flags: &[&'static str]| lines(&[&more, flags]);
        descent(folder.path()).args(with(&["--epochs", "1", "--lr", "0.001"])).assert().success();
        let out = folder.path().join("out");
        let model = fs::read(out.join("model.safetensors")).unwrap();

        let resume = ["--resume", "--resume-with", "flags", "--epochs", "3", "--lr"];
        for too_large in ["1e30", "3e38"] {
            let message = failure_at_the_end(folder.path(), &with(&[&resume[..], &[too_large]].concat()));
            assert!(message.contains("training stopped") && message.contains("Resume from it"), "{message}");
            assert!(fs::read(out.join("model.safetensors")).unwrap() == model, "the good model is lost");
            let newest = Outcome::of(&out).checkpoint;
            newest.tensors.check_finite().unwrap();
            assert!(message.contains(&format!("step-{:010}.safetensors", newest.state.step)), "{message}");
        }
        descent(folder.path()).args(with(&[&resume[..], &["0.0001"]].concat())).assert().success();
        let rescued = Outcome::of(&out).checkpoint;
        assert_eq!((rescued.state.step, rescued.state.epoch), (15, 3));
        assert!(rescued.state.history[2].test.unwrap().loss.is_finite());
        let eval = ["eval", "--data", "data", "--model", "out/model.safetensors"];
        descent(folder.path()).args(eval).assert().success();
    }
}

/// As written by earlier versions.
#[test]
fn a_checkpoint_with_nan_in_it_is_not_the_newest_good_one() {
    let folder = folder_with_data();
    train(folder.path(), "out", &["--epochs", "1"]);
    let out = folder.path().join("out");
    let good = Outcome::of(&out).checkpoint;
    for (step, group, name, value) in [
        (6, "model", "0.bias", f32::NAN),
        (7, "optimizer", "0.bias.exp_avg", f32::INFINITY),
        (8, "model", "0.bias", f32::NEG_INFINITY),
    ] {
        let mut bad = good.clone();
        bad.state.step = step;
        bad.tensors.add(group, name, &[&[0.0; 31][..], &[value]].concat());
        fs::write(out.join(format!("checkpoints/step-{step:010}.safetensors")), bad.encode()).unwrap();
    }
    let resume =
        ["train", "--data", "data", "--batch-size", "16", "--lr", "0.001", "--out", "out", "--resume"];
    let args = [&resume[..], &["--epochs", "2", "--resume-with", "flags"]].concat();
    let assert = descent(folder.path()).args(args).assert().success();
    let (stdout, stderr) = (&assert.get_output().stdout, &assert.get_output().stderr);
    assert!(String::from_utf8_lossy(stdout).contains("Resuming from step 5."));
    let stderr = String::from_utf8_lossy(stderr);
    for part in [
        "step-0000000006.safetensors: `model.0.bias` is NaN at index 31",
        "step-0000000007.safetensors: `optimizer.0.bias.exp_avg` is inf at index 31",
        "step-0000000008.safetensors: `model.0.bias` is -inf at index 31",
    ] {
        assert!(stderr.contains(part), "{part} is not in: {stderr}");
    }
}

/// A file of the lecture's network with one weight of its last layer changed.
fn spoilt_model(folder: &Path, value: f32) {
    let (_, mut params) = nn::build(nn::models::lecture_cnn(0.0), 0);
    *params.values_mut().last_mut().unwrap() = value;
    nn::weights::save(folder.join("model.safetensors"), &params, &[]).unwrap();
}

#[test]
fn an_answer_that_is_no_number_is_an_error_wherever_it_is_asked_for() {
    let folder = folder_with_data();
    let pixels = viz::Figure::new("t").line("", &[0.0, 1.0], &[0.0, 1.0]);
    viz::Plot::save(&pixels, folder.path().join("image.png")).unwrap();
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        spoilt_model(folder.path(), value);
        let eval = ["eval", "--data", "data", "--model", "model.safetensors"];
        let output = descent(folder.path()).args(eval).output().unwrap();
        assert!(output.stdout.starts_with(b"accuracy 0.00 %\n"));
        let message = short_failure(folder.path(), &eval);
        assert!(message.contains("the network's output is NaN or infinite for 16 of 16 images"), "{message}");

        let predict = ["predict", "image.png", "--model", "model.safetensors"];
        let message = short_failure(folder.path(), &predict);
        assert!(message.contains("output is NaN or infinite") && message.contains("model.safetensors"));

        for experiment in ["cnn-inside", "cnn-training", "cnn-mistakes", "mc-dropout"] {
            let flags = ["--data", "data", "--model", "model.safetensors", "--out", "lecture"];
            let message = short_failure(folder.path(), &[&["lecture", experiment], &flags[..]].concat());
            assert!(message.contains(experiment) && message.contains("NaN or infinite"), "{message}");
        }
    }
}
