//! The program in a terminal, in a pipe and in a script: the amount, the stream and the form of its output.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::common::pictures::photographs;
use crate::common::{PROGRAM, command, descent, short_failure, stdout, tiny_cifar};
use serde_json::Value;
use tempfile::TempDir;

fn folder_with_data() -> TempDir {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    folder
}

const TRAIN: [&str; 7] = ["train", "--data", "data", "--batch-size", "16", "--epochs", "2"];

#[test]
fn quiet_verbose_and_json_say_less_more_and_objects() {
    let folder = folder_with_data();
    let run = |out: &str, more: &[&str]| stdout(folder.path(), &[&TRAIN[..], &["--out", out], more].concat());
    let normal = run("a", &[]);
    assert!(normal.contains("Results go to a\n") && normal.contains(" left\n"), "{normal}");
    assert_eq!(run("b", &["-q"]), "");
    let verbose = run("c", &["--verbose"]);
    assert!(
        verbose.contains("\"batch_size\": 16") && verbose.contains("checkpoint written: c/"),
        "{verbose}"
    );
    let lines = run("d", &["--json"]);
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["start", "epoch", "epoch", "end"]);
    assert!(events[1]["communication"].is_null(), "a single process exchanges nothing");
    assert!(
        events[1]["train_loss"].is_f64()
            && events[1]["validation"].is_null()
            && events[1]["test"].is_object()
    );
    assert_eq!(events[3]["part"], "test");
    // Requested output is still printed.
    let judged = stdout(folder.path(), &["eval", "--data", "data", "--model", "a", "-q"]);
    assert!(judged.starts_with("accuracy ") && !judged.contains("written to"), "{judged}");
}

#[test]
fn a_pipe_that_is_closed_is_no_error() {
    let folder = folder_with_data();
    stdout(folder.path(), &[&TRAIN[..], &["--out", "a"]].concat());
    let train = [&TRAIN[..], &["--out", "b"]].concat();
    for args in [
        &train[..],
        &["eval", "--data", "data", "--model", "a"],
        &["eval", "--data", "data", "--model", "a", "--json"],
        &["data", "data"],
        &["completions", "bash"],
        &["man"],
        &["predict", "a/loss.png", "--model", "a"],
    ] {
        let mut child = command(PROGRAM)
            .args(args)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // Nobody reads the output, and the run still finishes.
    assert!(folder.path().join("b/confusion.png").exists());
}

/// clap reports errors in flags, the program all others: in the same colours, if there are any.
#[test]
fn errors_have_the_colours_of_clap() {
    let folder = TempDir::new().unwrap();
    let said = |args: &[&str], variable: &str| {
        let output = descent(folder.path()).args(args).env(variable, "1").output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let [of_clap, of_ours] = [&["eval", "--modal", "x"][..], &["eval", "--model", "nowhere"]];
    let colored = said(of_clap, "CLICOLOR_FORCE");
    let prefix = colored.split_inclusive("error:\u{1b}[0m ").next().unwrap();
    assert!(prefix.starts_with('\u{1b}') && prefix.len() < 30, "{colored:?}");
    let colored = said(of_ours, "CLICOLOR_FORCE");
    assert!(colored.starts_with(prefix) && colored.contains("nowhere"), "{colored:?}");
    for plain in [said(of_ours, "NO_COLOR"), said(of_ours, "UNUSED")] {
        assert!(plain.starts_with("error: ") && !plain.contains('\u{1b}'), "{plain:?}");
    }
}

#[test]
fn shells_and_manuals_are_served() {
    let folder = TempDir::new().unwrap();
    for (shell, expected) in
        [("bash", "complete -F"), ("zsh", "#compdef descent"), ("fish", "complete -c descent")]
    {
        let script = stdout(folder.path(), &["completions", shell]);
        assert!(script.contains(expected) && script.contains("class-weights"), "{shell}");
    }
    let page = stdout(folder.path(), &["man"]);
    assert!(page.contains(".TH descent") && page.contains("find\\-lr"), "{page}");
    let page = stdout(folder.path(), &["man", "train"]);
    assert!(page.contains("class\\-weights") && page.contains("descent\\-train"), "{page}");
    assert!(
        page.contains(".SH EXAMPLES\n.nf\n  # the lecture's run\n  descent train\n")
            && !page.contains(".SH EXTRA"),
        "{page}"
    );
    let recipes = stdout(folder.path(), &["recipes", "--json"]);
    let recipes: Vec<Value> = recipes.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((recipes.len(), &recipes[1]["recipe"]), (5, &"airbench94".into()));
    assert_eq!(
        (&recipes[1]["flags"]["--epochs"], &recipes[1]["flags"]["--nesterov"]),
        (&"9".into(), &"true".into())
    );
    let message = short_failure(folder.path(), &["man", "trane"]);
    assert!(message.contains("unknown command; expected one of train"), "{message}");
    let version = stdout(folder.path(), &["--version"]);
    assert!(
        version.contains("processor  ") && version.contains("portable") && version.contains("threads"),
        "{version}"
    );
    assert_eq!(stdout(folder.path(), &["-V"]).lines().count(), 1);
}

/// Flags win over files, and both over the environment.
#[test]
fn data_and_threads_may_come_from_the_environment() {
    let folder = folder_with_data();
    let here = folder.path();
    let with = |args: &[&str], data: &str, threads: &str| {
        let mut command = descent(here);
        command.args(args).env("DESCENT_DATA", data).env("DESCENT_THREADS", threads).output().unwrap()
    };
    let recorded = |out: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(here.join(out).join("config.json")).unwrap()).unwrap()
    };
    fs::write(here.join("a.toml"), "epochs = 1\nthreads = 2\n").unwrap();
    for (out, more, threads) in [
        ("a", &["--epochs", "1"][..], 1),
        ("b", &["--config", "a.toml"], 2),
        ("c", &["--config", "a.toml", "--threads", "3"], 3),
    ] {
        let output = with(&[&["train", "--net", "mlp:4", "--out", out], more].concat(), "data", "1");
        assert!(output.status.success(), "{output:?}");
        let record = recorded(out);
        assert_eq!((&record["data"], &record["threads"]), (&"data".into(), &threads.into()));
        assert_eq!(record["run"]["threads"], threads);
    }
    // The images of a run stay its own, and so does its record.
    let output = with(&["eval", "--model", "a"], "nowhere", "1");
    assert!(String::from_utf8_lossy(&output.stdout).contains("On the data of the run, data "), "{output:?}");
    let output = with(&["train", "--config", "a", "--out", "d"], "nowhere", "3");
    assert!(output.status.success() && recorded("d")["threads"] == 1, "{output:?}");
    for args in [&["train", "--out", "e"][..], &["train", "--config", "a.toml", "--epochs", "2"], &["-q"]] {
        let output = with(args, "", "1");
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(message, "error: DESCENT_DATA is \"\": expected a path\n", "{args:?}");
    }
    for (threads, shown) in [("0", "0"), ("\u{1b}[2J", r"\u{1b}[2J")] {
        let output = with(&["train", "--out", "e"], "data", threads);
        let message = String::from_utf8(output.stderr).unwrap();
        let expected =
            format!("error: DESCENT_THREADS is \"{shown}\": expected a whole number from 1 to 1024\n");
        assert_eq!((output.status.code(), message), (Some(1), expected));
    }
    assert!(!here.join("e").exists());
    for (command, takes_data, takes_threads) in
        [("train", true, true), ("find-lr", true, true), ("eval", false, true), ("data", false, false)]
    {
        let help = stdout(here, &[command, "--help"]);
        let named = ["DESCENT_DATA", "DESCENT_THREADS"].map(|name| help.contains(&format!("[env: {name}]")));
        assert_eq!(named, [takes_data, takes_threads], "{help}");
    }
    // A wrong variable is an error where it would be used, and hides no other.
    for (args, code, expected) in [
        (&["data", "data"][..], 0, "10 classes"),
        (&["predict", "a/loss.png", "--model", "a"], 0, " %"),
        (&["train", "--help"], 0, "Usage: descent train"),
        (&["recipes", "airbench94"], 0, "1,971,640 parameters"),
        (&["find-lr", "--speed"], 2, "unexpected argument '--speed'"),
        (&["train", "--lr", "fast", "--data", "data"], 2, "invalid value 'fast' for '--lr <X>'"),
        (&["train", "--config", "b.toml"], 1, "cannot read the settings in b.toml"),
        (&["eval", "--model", "a", "--threads", "1"], 0, "On the data of the run"),
        (&["eval", "--model", "a"], 1, "DESCENT_THREADS is \"abc\": expected a whole number from 1 to 1024"),
        (&["find-lr", "--data", "data"], 1, "DESCENT_THREADS is \"abc\": expected"),
        (&["find-lr", "--threads", "1"], 1, "DESCENT_DATA is \"\": expected a path"),
    ] {
        let output = with(args, "", "abc");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.code() == Some(code) && said.contains(expected), "{args:?}: {said}");
    }
}

/// A record's null says that the flag was not given.
#[test]
fn the_environment_adds_nothing_to_the_record_of_a_run() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    stdout(here, &["train", "--limit", "20", "--epochs", "1", "--net", "mlp:4", "--out", "a"]);
    for args in [
        &["train", "--config", "a", "--out", "b"][..],
        &["train", "--out", "a", "--resume"],
        &["find-lr", "--config", "a", "--out", "c", "--steps", "10"],
        &["eval", "--model", "a", "--threads", "1"],
    ] {
        let mut command = descent(here);
        command.args(args).env("DESCENT_DATA", "nowhere").env("DESCENT_THREADS", "abc").assert().success();
    }
    for out in ["a", "b"] {
        let text = fs::read_to_string(here.join(out).join("config.json")).unwrap();
        let record: Value = serde_json::from_str(&text).unwrap();
        assert!(record["data"].is_null() && record["threads"].is_null(), "{out}: {text}");
    }
    let mut command = descent(here);
    let output = command.args(["train", "--limit", "20"]).env("DESCENT_DATA", "nowhere").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere"), "{output:?}");
}

#[test]
fn a_run_is_repeated_to_the_bit_by_its_record() {
    let folder = TempDir::new().unwrap();
    photographs(&folder.path().join("photos"), 4, 12);
    let train = ["train", "--data", "photos", "--image-size", "8", "--epochs", "2", "--batch-size", "7"];
    let more = [
        "--mixup",
        "0.4",
        "--cutmix",
        "1",
        "--clip-norm",
        "1",
        "--accumulate",
        "2",
        "--class-weights",
        "1,2,3,0.5",
    ];
    stdout(folder.path(), &[&train[..], &more, &["--seed", "7", "--augment", "--out", "a"]].concat());
    let record: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("a/config.json")).unwrap()).unwrap();
    assert_eq!((&record["lr"], &record["val"], &record["epochs"]), (&0.001.into(), &4.into(), &2.into()));
    for key in ["version", "processor", "threads", "started", "seconds", "data_sha256"] {
        assert!(!record["run"][key].is_null(), "{key}: {record}");
    }
    // The record fits the run itself, too.
    let resumed = stdout(folder.path(), &["train", "--config", "a/config.json", "--out", "a", "--resume"]);
    assert!(resumed.contains("Resuming from step "), "{resumed}");
    assert!(stdout(folder.path(), &["train", "--out", "a", "--resume"]).contains("Resuming from step "));
    stdout(folder.path(), &["train", "--config", "a", "--out", "b"]);
    let model = |run: &str| fs::read(folder.path().join(run).join("model.safetensors")).unwrap();
    assert!(model("a") == model("b"));
    stdout(folder.path(), &["train", "--config", "a/config.json", "--out", "c", "--seed", "8"]);
    assert!(model("a") != model("c"), "a flag wins over the file");
    // A change of the images is reported.
    fs::remove_file(folder.path().join("photos/class 00/0.bmp")).unwrap();
    let assert =
        descent(folder.path()).args(["train", "--config", "a/config.json", "--out", "d"]).assert().success();
    let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert_eq!(stderr, "warning: the images are not those of the run being repeated\n");
}

/// The losses of the epochs.
fn losses(folder: &Path, out: &str, more: &[&str]) -> Vec<f64> {
    stdout(folder, &[&TRAIN[..], &["--dropout", "0", "--lr", "0.001", "--out", out], more].concat());
    let history = fs::read_to_string(folder.join(out).join("history.csv")).unwrap();
    history.lines().skip(1).map(|line| line.split(',').nth(2).unwrap().parse().unwrap()).collect()
}

#[test]
fn a_batch_in_parts_is_the_same_step_and_weights_of_one_are_none() {
    let folder = folder_with_data();
    let whole = losses(folder.path(), "whole", &[]);
    let ones = "1,1,1,1,1,1,1,1,1,1";
    for (out, more) in [
        ("parts", &["--accumulate", "3"][..]),
        ("many", &["--accumulate", "99"]),
        ("ones", &["--class-weights", ones]),
        ("both", &["--class-weights", ones, "--accumulate", "2"]),
        ("loose", &["--clip-norm", "1e9"]),
    ] {
        for (loss, expected) in losses(folder.path(), out, more).into_iter().zip(&whole) {
            assert!((loss - expected).abs() < 1e-3, "{out}: {loss}, expected {expected}");
        }
    }
    // Parts of which all classes have weight 0.
    let weights = ["--class-weights", "0,1,1,1,1,1,1,1,1,1", "--label-smoothing", "0.1"];
    let whole_without = losses(folder.path(), "without", &weights);
    let in_parts = losses(folder.path(), "without-parts", &[&weights[..], &["--accumulate", "99"]].concat());
    for (loss, expected) in in_parts.into_iter().zip(whole_without) {
        assert!((loss - expected).abs() < 1e-3, "{loss}, expected {expected}");
    }
    for (out, more) in [
        ("mixed", &["--mixup", "1"][..]),
        ("cut", &["--cutmix", "1"]),
        ("tight", &["--clip-norm", "1e-3", "--optimizer", "sgd"]),
        ("weighted", &["--class-weights", "9,1,1,1,1,1,1,1,1,1"]),
    ] {
        assert!((losses(folder.path(), out, more)[1] - whole[1]).abs() > 1e-3, "{out}");
    }
    let message =
        short_failure(folder.path(), &[&TRAIN[..], &["--class-weights", "1,2", "--out", "x"]].concat());
    assert!(message.contains("expected 10 non-negative numbers"), "{message}");
}

#[test]
fn a_loss_that_runs_away_is_told_while_it_does() {
    let folder = folder_with_data();
    let args = [
        &TRAIN[..],
        &["--optimizer", "sgd", "--lr", "1", "--on-nan", "continue", "--epochs", "9", "--out", "x"],
    ]
    .concat();
    let output = descent(folder.path()).args(args).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("the run diverges: for twenty steps, up to step "), "{stderr}");
}

#[test]
fn a_learning_rate_is_found_and_drawn() {
    let folder = folder_with_data();
    let find = ["find-lr", "--data", "data", "--batch-size", "16", "--steps", "60", "--out", "lr"];
    let text = stdout(folder.path(), &find);
    assert!(text.contains("suggested: --lr "), "{text}");
    for name in ["learning-rate.svg", "learning-rate.png", "learning-rate.csv"] {
        assert!(folder.path().join("lr").join(name).exists(), "{name}");
    }
    let object: Value =
        serde_json::from_str(&stdout(folder.path(), &[&find[..], &["--json"]].concat())).unwrap();
    assert!(object["lr"].as_f64().unwrap() > 1e-6);
    // Notes about the images are no part of it.
    photographs(&folder.path().join("photos"), 2, 12);
    let find = ["find-lr", "--data", "photos", "--image-size", "8", "--steps", "10", "--json"];
    let object: Value = serde_json::from_str(&stdout(folder.path(), &find)).unwrap();
    assert!(object["steps"].is_u64(), "{object}");
    let message = short_failure(folder.path(), &["find-lr", "--data", "data", "--from", "1", "--to", "0.5"]);
    assert!(message.contains("above that of --from"), "{message}");
    for (flag, value) in [("--lr", "0.1"), ("--schedule", "cosine"), ("--ema", "0.9"), ("--on-nan", "skip")] {
        let message = short_failure(folder.path(), &[&find[..], &[flag, value]].concat());
        assert!(message.contains(&format!("{flag} does not apply to find-lr")), "{message}");
    }
}
