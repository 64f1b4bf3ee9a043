//! Stopping by a signal, resuming, and the errors when that is impossible.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::{
    Outcome, assert_nothing_half_written, descent, failure, failure_at_the_end, short_failure, tiny_cifar,
    train,
};
use descent::cli::Session;
use tempfile::TempDir;

/// A folder with data and a run of one epoch, five steps, in `out`, with checkpoints after steps 2, 4 and 5.
fn run_of_one_epoch() -> TempDir {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    train(folder.path(), "out", &["--epochs", "1", "--checkpoint-every", "2", "--keep", "5"]);
    folder
}

fn checkpoint(folder: &Path, step: u64) -> PathBuf {
    folder.join(format!("out/checkpoints/step-{step:010}.safetensors"))
}

fn steps(folder: &Path, out: &str) -> Vec<u64> {
    let entries = fs::read_dir(folder.join(out).join("checkpoints")).unwrap();
    let step = |name: String| name[5..15].parse().unwrap();
    let mut steps: Vec<u64> =
        entries.map(|entry| step(entry.unwrap().file_name().into_string().unwrap())).collect();
    steps.sort_unstable();
    steps
}

/// The flags that `train` gives, for runs that must fail.
const TRAIN: &[&str] =
    &["train", "--data", "data", "--batch-size", "16", "--lr", "0.001", "--out", "out", "--epochs", "1"];

#[test]
fn a_bad_checkpoint_is_named_and_the_one_before_it_taken() {
    let folder = run_of_one_epoch();
    assert_eq!(steps(folder.path(), "out"), [2, 4, 5]);
    let whole = Outcome::of(&folder.path().join("out"));
    let last = checkpoint(folder.path(), 5);
    let mut bytes = fs::read(&last).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&last, bytes).unwrap();
    fs::write(checkpoint(folder.path(), 4), b"cut short").unwrap();
    let assert = descent(folder.path()).args(TRAIN).arg("--resume").assert().success();
    let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    for part in ["step-0000000005.safetensors: it is damaged", "step-0000000004.safetensors is not a valid"] {
        assert!(stderr.contains(part), "{stderr}");
    }
    let stdout = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    assert!(stdout.contains("Resuming from step 2."), "{stdout}");
    Outcome::of(&folder.path().join("out")).assert_same_bits(&whole, "from step 2");
}

#[test]
fn without_a_whole_checkpoint_nothing_is_overwritten() {
    let folder = run_of_one_epoch();
    let model = folder.path().join("out/model.safetensors");
    let before = fs::read(&model).unwrap();
    for step in [2, 4, 5] {
        fs::write(checkpoint(folder.path(), step), b"noise").unwrap();
    }
    let message = failure_at_the_end(folder.path(), &[TRAIN, &["--resume"]].concat());
    assert!(message.contains("none of the checkpoints is intact"), "{message}");
    assert_eq!(fs::read(&model).unwrap(), before);
}

#[test]
fn another_configuration_is_refused_until_one_is_chosen() {
    let folder = run_of_one_epoch();
    let other = [TRAIN, &["--resume", "--epochs", "2", "--seed", "7", "--augment"]].concat();
    let message = short_failure(folder.path(), &other);
    for part in [
        "--augment is true, but false in the checkpoint",
        "--epochs is 2, but 1 in the checkpoint",
        "--seed is 7, but 42 in the checkpoint",
        "--resume-with saved",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }

    let whole = Outcome::of(&folder.path().join("out"));
    fs::remove_file(checkpoint(folder.path(), 5)).unwrap();
    // Within an epoch the order of the images cannot change.
    let message = short_failure(folder.path(), &[&other[..], &["--resume-with", "flags"]].concat());
    assert!(message.contains("in the middle of epoch 1") && message.contains("--seed"), "{message}");

    descent(folder.path()).args(&other).args(["--resume-with", "saved"]).assert().success();
    Outcome::of(&folder.path().join("out")).assert_same_bits(&whole, "with the saved configuration");

    descent(folder.path()).args(&other).args(["--resume-with", "flags"]).assert().success();
    let outcome = Outcome::of(&folder.path().join("out"));
    assert_eq!((outcome.checkpoint.state.step, outcome.checkpoint.state.epoch), (10, 2));
}

/// The flags of `Session` are those that the documents call free to change.
#[test]
fn the_documents_name_the_flags_that_may_change_when_a_run_resumes() {
    let page = include_str!("../../../docs/RELIABILITY.md");
    let (_, after) = page.split_once("Free to change when a run resumes are").unwrap();
    let (sentence, _) = after.split_once(". ").unwrap();
    let named: BTreeSet<&str> = sentence.split('`').filter(|part| part.starts_with("--")).collect();
    let command = <Session as clap::Args>::augment_args(clap::Command::new("session"));
    let flags: Vec<String> =
        command.get_arguments().map(|arg| format!("--{}", arg.get_long().unwrap())).collect();
    let flags = flags.iter().map(String::as_str).filter(|flag| !flag.starts_with("--resume"));
    assert_eq!(named, flags.collect());
}

#[test]
fn other_images_or_another_rule_are_refused() {
    let folder = run_of_one_epoch();
    let message = short_failure(
        folder.path(),
        &[TRAIN, &["--resume", "--resume-with", "flags", "--optimizer", "sgd"]].concat(),
    );
    assert!(
        message.contains("the state of the optimizer") && message.contains("0.bias.exp_avg"),
        "{message}"
    );
    assert_eq!(steps(folder.path(), "out"), [2, 4, 5]);

    let file = folder.path().join("data/data_batch_1.bin");
    let mut bytes = fs::read(&file).unwrap();
    bytes[100] ^= 1;
    fs::write(&file, bytes).unwrap();
    let message = short_failure(folder.path(), &[TRAIN, &["--resume"]].concat());
    assert!(message.contains("the images differ"), "{message}");
    let message = short_failure(folder.path(), &[TRAIN, &["--resume", "--resume-with", "saved"]].concat());
    assert!(message.contains("the images are not those of the checkpoint"), "{message}");
}

#[test]
fn a_folder_with_checkpoints_is_not_taken_for_a_new_run() {
    let folder = run_of_one_epoch();
    let message = short_failure(folder.path(), TRAIN);
    assert!(message.contains("out holds the checkpoints of an earlier run") && message.contains("--resume"));
    assert_eq!(steps(folder.path(), "out"), [2, 4, 5]);
    let message = failure(folder.path(), &["train", "--resume"]);
    assert!(message.contains("--out"), "{message}");
}

#[test]
fn the_last_and_the_best_checkpoints_are_kept() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    // At this learning rate the validation loss grows after the first epochs.
    let flags = ["--epochs", "12", "--val", "32", "--lr", "0.05", "--keep", "1"];
    train(folder.path(), "out", &flags);
    let best = Outcome::of(&folder.path().join("out")).checkpoint.state.best_step.unwrap();
    let mut expected = vec![best, 36];
    expected.dedup();
    assert_eq!(steps(folder.path(), "out"), expected);
}

#[test]
fn the_averaged_weights_are_evaluated_and_saved() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    train(folder.path(), "out", &["--epochs", "1", "--ema", "0.5"]);
    let checkpoint = Outcome::of(&folder.path().join("out")).checkpoint;
    let (_, params, _) = classifier::model::load(&folder.path().join("out/model.safetensors")).unwrap();
    let average = checkpoint.tensors.model("average", &params).unwrap();
    // Five steps, and the correction for having started at zero.
    assert_eq!(checkpoint.n_averaged, 5);
    let correction = 1.0 - 0.5_f32.powi(5);
    for (saved, average) in params.values().iter().zip(&average) {
        assert!((saved - average / correction).abs() <= 1e-6 * saved.abs(), "{saved} and {average}");
    }
    assert_ne!(params.values(), checkpoint.tensors.model("model", &params).unwrap());

    let accuracy = checkpoint.state.history[0].test.unwrap().accuracy;
    let eval = ["eval", "--data", "data", "--model", "out/model.safetensors"];
    let output = descent(folder.path()).args(eval).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.starts_with(&format!("accuracy {accuracy:.2} %\n")), "{stdout}");
}

/// A finished run of which only the checkpoints are left.
#[test]
fn a_finished_run_writes_what_is_missing() {
    // The average is over all steps, but what is frozen in between keeps its weights.
    let frozen: &[&str] = &["--ema", "0.9", "--freeze-after", "1=0"];
    for more in common::OPTIMIZERS.into_iter().chain([frozen]) {
        let folder = TempDir::new().unwrap();
        tiny_cifar(folder.path(), 16);
        let flags = [&["--epochs", "2"], more].concat();
        train(folder.path(), "out", &flags);
        let out = folder.path().join("out");
        let whole = Outcome::of(&out);
        for entry in fs::read_dir(&out).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::remove_file(path).unwrap();
            }
        }
        let stdout = train(folder.path(), "out", &[&flags[..], &["--resume"]].concat());
        assert!(
            stdout.contains("Resuming from step") && stdout.contains("out/model.safetensors"),
            "{stdout}"
        );
        Outcome::of(&out).assert_same_bits(&whole, more[1]);
        for name in ["config.json", "loss.svg", "loss.png", "accuracy.svg", "confusion.png"] {
            assert!(out.join(name).exists(), "{name}");
        }
    }
}

/// A finished run of one epoch is continued with batches of another size, also after an interruption.
#[test]
fn with_another_batch_size_a_resumed_run_has_its_epochs_and_its_schedule() {
    for (batch_size, steps_per_epoch) in [("40", 2), ("8", 10)] {
        let folder = run_of_one_epoch();
        let args = [
            TRAIN,
            &["--resume", "--resume-with", "flags", "--batch-size", batch_size, "--epochs", "3"],
            &["--schedule", "linear", "--checkpoint-every", "1", "--keep", "30"],
        ]
        .concat();
        descent(folder.path()).args(&args).assert().success();
        let whole = Outcome::of(&folder.path().join("out"));
        let state = &whole.checkpoint.state;
        assert_eq!((state.step, state.epoch), (5 + 2 * steps_per_epoch, 3), "{batch_size}");
        // The last step is the last of a run that had batches of this size from the start.
        let (last, expected) = (state.history[2].learning_rate, 0.001 / (3 * steps_per_epoch) as f64);
        assert!((last - expected).abs() < 1e-12, "{batch_size}: {last}, not {expected}");

        (7..=state.step).for_each(|step| fs::remove_file(checkpoint(folder.path(), step)).unwrap());
        descent(folder.path()).args(&args).assert().success();
        Outcome::of(&folder.path().join("out")).assert_same_bits(&whole, batch_size);
    }
}

/// A checkpoint after the last step of an epoch precedes the epoch's evaluation, which a resumed run makes up
/// for, in the last epoch as in any other.
#[test]
fn a_run_that_ends_between_its_last_step_and_its_evaluation_is_evaluated_when_it_resumes() {
    for length in [&["--epochs", "1"][..], &["--epochs", "3", "--max-steps", "5"], &["--epochs", "2"]] {
        let folder = TempDir::new().unwrap();
        tiny_cifar(folder.path(), 16);
        let flags = [length, &["--checkpoint-every", "5"]].concat();
        train(folder.path(), "whole", &flags);
        // A folder where the history should be: the run fails at the end of its first epoch.
        let history = folder.path().join("out/history.csv");
        fs::create_dir_all(&history).unwrap();
        failure_at_the_end(folder.path(), &[TRAIN, &flags].concat());
        assert_eq!(steps(folder.path(), "out"), [5]);
        fs::remove_dir(&history).unwrap();
        train(folder.path(), "out", &[&flags[..], &["--resume"]].concat());
        let whole = Outcome::of(&folder.path().join("whole"));
        Outcome::of(&folder.path().join("out")).assert_same_bits(&whole, &length.join(" "));
    }
}

/// There is nothing to average yet.
#[test]
fn an_average_added_to_a_finished_run_changes_no_weights() {
    let folder = run_of_one_epoch();
    let model = folder.path().join("out/model.safetensors");
    let before = fs::read(&model).unwrap();
    fs::remove_file(&model).unwrap();
    let args = [TRAIN, &["--resume", "--resume-with", "flags", "--ema", "0.9"]].concat();
    descent(folder.path()).args(args).assert().success();
    assert!(fs::read(&model).unwrap() == before);
}

#[test]
fn another_instruction_set_is_told_of() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    let resumed = |epochs: &str, set: &str| {
        let args = [TRAIN, &["--resume", "--resume-with", "flags", "--epochs", epochs]].concat();
        let assert = descent(folder.path()).args(args).env("DESCENT_SIMD", set).assert().success();
        String::from_utf8(assert.get_output().stderr.clone()).unwrap()
    };
    assert_eq!(resumed("1", "portable"), "");
    assert_eq!(resumed("2", "portable"), "");
    let stderr = resumed("3", "avx512");
    if tensor::SimdLevel::available().len() > 1 {
        assert!(
            stderr.contains("computed with portable") && stderr.contains("will not be bit-identical"),
            "{stderr}"
        );
    }
    // A checkpoint from an earlier version has no value.
    let mut old = Outcome::of(&folder.path().join("out")).checkpoint;
    old.instruction_set = None;
    fs::write(checkpoint(folder.path(), old.state.step), old.encode()).unwrap();
    assert_eq!(resumed("4", "portable"), "");
}

#[test]
fn what_a_killed_writer_left_is_removed_and_a_second_run_in_the_folder_refused() {
    let folder = run_of_one_epoch();
    let out = folder.path().join("out");
    for name in ["config.json", "model.safetensors", "loss.svg", "checkpoints/step-0000000007.safetensors"] {
        fs::write(atomic_file::beside(&out.join(name)).unwrap(), b"half").unwrap();
    }
    // Files of others in the folder stay, whatever their names.
    let others = ["notes.tmp", "model.1.tmp", "checkpoints/loss.0123456789abcdef.half-written"];
    others.iter().for_each(|name| fs::write(out.join(name), b"the user's").unwrap());
    {
        let mut held = descent::checkpoint::Folder::new(&out);
        held.prepare(true).unwrap();
        let message = short_failure(folder.path(), &[TRAIN, &["--resume"]].concat());
        assert!(message.contains("another process is training into out"), "{message}");
    }
    assert_nothing_half_written(&out);
    assert!(others.iter().all(|name| out.join(name).exists()));
    descent(folder.path()).args(TRAIN).arg("--resume").assert().success();
}

/// Flags that would make a checkpoint unreadable are rejected before it is written.
#[test]
fn flags_that_no_checkpoint_can_hold_are_refused_before_any_work() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 4);
    let run = |n: usize| {
        let path = "conv1".to_owned() + &",conv1".repeat(n);
        let args = [
            "train",
            "--data",
            "data",
            "--epochs",
            "1",
            "--net",
            "resnet20",
            "--batch-size",
            "16",
            "--out",
            "out",
        ];
        let all = [&args[..], &["--lr", "0.001", "--freeze", &path]].concat();
        descent(folder.path()).args(&all).output().unwrap()
    };
    let refused = run(500);
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(message.contains("expected at most 4096: a checkpoint stores all of them"), "{message}");
    assert!(!folder.path().join("out").exists());
    // Nearly the longest allowed.
    assert!(run(350).status.success());
    assert_eq!(Outcome::of(&folder.path().join("out")).checkpoint.state.step, 2);
}

#[cfg(unix)]
mod signals {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::common::pictures::bmp;
    use super::common::{PROGRAM, command};
    use super::*;

    /// A run of many epochs in the middle of its second.
    fn long_run(folder: &Path, batch_size: &str) -> Child {
        start(command(PROGRAM), folder, batch_size)
    }

    fn start(mut program: Command, folder: &Path, batch_size: &str) -> Child {
        let mut child = program
            .current_dir(folder)
            .args(["train", "--data", "data", "--batch-size", batch_size, "--lr", "0.001", "--out", "out"])
            .args(["--epochs", "100000", "--checkpoint-every", "1h"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("epoch ")), "the run ended before its first epoch");
        // The output must still be read, or the run would end for lack of a reader.
        std::thread::spawn(move || lines.for_each(drop));
        child
    }

    fn send(child: &Child, signal: &str) {
        let kill = format!("kill -{signal} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Whether this test ignores SIGHUP itself, as then do the programs that it starts.
    fn is_under_nohup() -> bool {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
    }

    #[test]
    fn ctrl_c_sigterm_and_a_closed_terminal_finish_the_step_and_save() {
        for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
            if signal == "HUP" && is_under_nohup() {
                continue;
            }
            let folder = TempDir::new().unwrap();
            tiny_cifar(folder.path(), 16);
            let child = long_run(folder.path(), "16");
            send(&child, signal);
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(code), "{stderr}");
            let step = Outcome::of(&folder.path().join("out")).checkpoint.state.step;
            assert!(stderr.contains(&format!("stopped after step {step};")), "{stderr}");
            let out = folder.path().join("out");
            assert_nothing_half_written(&out);
            for figure in ["loss.svg", "loss.png", "accuracy.svg", "accuracy.png"] {
                assert!(out.join(figure).exists(), "{figure} shows the epochs before {signal}");
            }
            assert!(!out.join("confusion.svg").exists(), "{signal}: it is of the run's end");

            // Stopped and resumed, the run ends like an uninterrupted one.
            let epochs = (step / 5 + 1).to_string();
            let flags = ["--epochs", &epochs, "--resume", "--resume-with", "flags"];
            descent(folder.path()).args(TRAIN).args(flags).assert().success();
            train(folder.path(), "whole", &["--epochs", &epochs]);
            let whole = Outcome::of(&folder.path().join("whole"));
            Outcome::of(&folder.path().join("out")).assert_same_bits(&whole, signal);
        }
    }

    /// The images are one large file under many names, which takes seconds to decode. The signal is sent once the
    /// program has read some of them, which the system counts.
    #[cfg(target_os = "linux")]
    #[test]
    fn while_images_are_decoded_nothing_is_written() {
        let folder = TempDir::new().unwrap();
        let image = bmp(1500, 1500, [10, 20, 30], 7);
        for class in ["cat", "dog"] {
            let dir = folder.path().join("photos").join(class);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("0.bmp"), &image).unwrap();
            (1..100).for_each(|i| fs::hard_link(dir.join("0.bmp"), dir.join(format!("{i}.bmp"))).unwrap());
        }
        for (signal, code) in [("INT", 130), ("TERM", 143)] {
            let mut child = command(PROGRAM)
                .current_dir(folder.path())
                .args(["train", "--data", "photos", "--image-size", "8", "--threads", "1", "--out", "out"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let counts = format!("/proc/{}/io", child.id());
            let n_read = || {
                let io = fs::read_to_string(&counts).unwrap_or_default();
                io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok()).unwrap_or(0)
            };
            while n_read() < 3 * image.len() as u64 {
                std::thread::sleep(std::time::Duration::from_millis(1));
                assert!(child.try_wait().unwrap().is_none(), "the program ended before it was stopped");
            }
            send(&child, signal);
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(code), "{stderr}");
            assert_eq!(stderr, "stopped while the images were being decoded; nothing was written\n");
            assert!(output.stdout.is_empty(), "{:?}", output.stdout);
            let left = |dir: &str| fs::read_dir(folder.path().join(dir)).unwrap().count();
            assert_eq!((left("."), left("photos"), left("photos/cat")), (1, 2, 100));
        }
    }

    #[test]
    fn under_nohup_a_closed_terminal_stops_nothing() {
        let folder = TempDir::new().unwrap();
        tiny_cifar(folder.path(), 16);
        let mut nohup = command("sh");
        nohup.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", PROGRAM]);
        let child = start(nohup, folder.path(), "16");
        ["HUP", "TERM"].iter().for_each(|signal| send(&child, signal));
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(143), "{output:?}");
    }

    #[test]
    fn a_second_signal_stops_at_once() {
        let folder = TempDir::new().unwrap();
        tiny_cifar(folder.path(), 200);
        let mut child = long_run(folder.path(), "1000");
        // Both wait while the process is stopped, and are then handled before any other work.
        ["STOP", "INT", "TERM", "CONT"].iter().for_each(|signal| send(&child, signal));
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(130 | 143)), "{code:?}");
        let n_saved = fs::read_dir(folder.path().join("out/checkpoints")).unwrap().count();
        assert_eq!(n_saved, 0, "a step was finished and saved");
    }
}
