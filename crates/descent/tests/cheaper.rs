//! Cheaper runs: smaller images at first, steps on the hardest images, parts frozen late.

mod common;

use std::fs;
use std::path::Path;

use common::{AIRBENCH, Outcome, failure, stdout, tiny_cifar};
use tempfile::TempDir;

fn folder_with_data() -> TempDir {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    folder
}

/// On one and on two threads, uninterrupted and resumed in the middle and at the end of an epoch.
#[test]
fn each_runs_and_resumes_to_the_same_bits() {
    let folder = folder_with_data();
    for (name, flags) in [
        ("small", &["--resize-until", "1=16,2.5=25"][..]),
        ("hardest", &["--hardest", "0.4"]),
        ("hardest by last", &["--hardest", "0.4", "--hardest-by", "last", "--accumulate", "2"]),
        ("hardest until", &["--hardest", "0.5", "--hardest-by", "last", "--hardest-until", "1.5"]),
        ("short", &["--max-steps", "10"]),
        ("frozen", &["--freeze-after", "1=whiten,layers.1; 2=layers.2"]),
        (
            "all",
            &[
                "--resize-until",
                "2=16",
                "--hardest",
                "0.7",
                "--freeze-after",
                "2=whiten",
                "--accumulate",
                "3",
                "--mixup",
                "0.5",
                "--class-weights",
                "balanced",
            ],
        ),
    ] {
        let more = ["--epochs", "4"];
        stdout(folder.path(), &[AIRBENCH, flags, &more, &["--threads", "2", "--out", name]].concat());
        let whole = Outcome::of(&folder.path().join(name));
        let n_steps = if name == "short" { 10 } else { 12 };
        assert_eq!((whole.checkpoint.state.step, whole.checkpoint.state.epoch), (n_steps, 4));
        let pieces = format!("{name}-pieces");
        let every = ["--threads", "1", "--out", &pieces, "--checkpoint-every", "1", "--keep", "20"];
        stdout(folder.path(), &[AIRBENCH, flags, &more, &every].concat());
        for step in [9, 4] {
            for later in step + 1..=12 {
                let file = format!("{pieces}/checkpoints/step-{later:010}.safetensors");
                let _ = fs::remove_file(folder.path().join(file));
            }
            stdout(folder.path(), &[AIRBENCH, flags, &more, &every, &["--resume"]].concat());
            Outcome::of(&folder.path().join(&pieces))
                .assert_same_bits(&whole, &format!("{name} from step {step}"));
        }
    }
}

/// The training loss per image of each epoch.
fn losses(folder: &Path, out: &str, more: &[&str]) -> Vec<f64> {
    stdout(folder, &[AIRBENCH, &["--epochs", "2", "--out", out], more].concat());
    let history = fs::read_to_string(folder.join(out).join("history.csv")).unwrap();
    history.lines().skip(1).map(|line| line.split(',').nth(2).unwrap().parse().unwrap()).collect()
}

#[test]
fn the_hardest_of_all_are_all_and_a_share_has_a_larger_loss() {
    let folder = folder_with_data();
    let model = |out: &str| fs::read(folder.path().join(out).join("model.safetensors")).unwrap();
    let all = losses(folder.path(), "all", &[]);
    assert_eq!(losses(folder.path(), "hardest-of-all", &["--hardest", "1"]), all);
    assert!(model("all") == model("hardest-of-all"));
    // Nothing is updated, so that the same images are compared; without batch norm, since its statistics are
    // those of the share.
    let still = |share: &str, out: &str| -> f64 {
        let args =
            ["train", "--data", "data", "--net", "mlp:8", "--lr", "0", "--epochs", "1", "--batch-size", "16"];
        stdout(folder.path(), &[&args[..], &["--hardest", share, "--out", out]].concat());
        let history = fs::read_to_string(folder.path().join(out).join("history.csv")).unwrap();
        history.lines().nth(1).unwrap().split(',').nth(2).unwrap().parse().unwrap()
    };
    let [some, half, most] = [("0.1", "a"), ("0.5", "b"), ("1", "c")].map(|(share, out)| still(share, out));
    assert!(some > half && half > most, "{some} {half} {most}");
}

#[test]
fn what_is_frozen_late_stays_from_then_on_with_its_statistics() {
    let folder = folder_with_data();
    let weights = |epochs: &str| {
        let out = format!("epochs-{epochs}");
        let more =
            ["--epochs", epochs, "--schedule", "constant", "--freeze-after", "2=layers.1", "--out", &out];
        stdout(folder.path(), &[AIRBENCH, &more].concat());
        let model = folder.path().join(out).join("model.safetensors");
        let (_, params, _) = classifier::model::load(&model).unwrap();
        let value = |name: &str| params.value(params.find(name).unwrap()).to_vec();
        [
            "layers.1.conv1.weight",
            "layers.1.norm2.bias",
            "layers.1.norm1.running_mean",
            "layers.2.conv1.weight",
        ]
        .map(value)
    };
    let ([w1, b1, m1, _], two, three) = (weights("1"), weights("2"), weights("3"));
    assert!(w1 != two[0] && b1 != two[1] && m1 != two[2]);
    assert_eq!(two[..3], three[..3]);
    assert_ne!(two[3], three[3]);
}

#[test]
fn images_grow_and_a_network_that_would_not_fit_is_refused() {
    let folder = folder_with_data();
    let printed = stdout(
        folder.path(),
        &[AIRBENCH, &["--epochs", "2", "--resize-until", "1=16", "--out", "a"]].concat(),
    );
    assert!(printed.contains("images of 16 × 16 up to step 3\n"), "{printed}");
    let loss = |out: &str, sizes: &[&str]| losses(folder.path(), out, sizes)[0];
    let [full, small] = [loss("full", &[]), loss("small", &["--resize-until", "1=16"])];
    assert_ne!(full, small);
    let train = ["train", "--data", "data", "--epochs", "3"];
    for (flags, expected) in [
        (
            &["--resize-until", "1=16"][..],
            "the network lecture has different parameters for images of 16 × 16",
        ),
        (&["--net", "vit", "--resize-until", "1=16"], "the network vit has different parameters"),
        (&["--net", "airbench94", "--resize-until", "1=8"], "images of 8 × 8 are too small"),
        (&["--net", "resnet20", "--resize-until", "1=32"], "expected fewer than the 32 of an image"),
        (&["--freeze-after", "1=conv9"], "--freeze-after: there is no parameter under `conv9`"),
        (&["--net", "mlp", "--freeze-after", "1=1"], "--freeze-after: nothing is left to train at the end"),
        (
            &["--net", "mlp", "--group", "matrices: freeze_after=1; vectors: freeze_after=1"],
            "--group: freeze_after: nothing is left to train at the end",
        ),
        (
            &["--net", "mlp", "--group", "vectors: freeze_after=1", "--freeze-after", "2=1.weight"],
            "--freeze-after: nothing is left to train at the end",
        ),
    ] {
        let message = failure(folder.path(), &[&train[..], flags].concat());
        assert!(message.contains(expected), "{message}");
    }
}

/// The schedule ends with the run, and the history has a row for the partial epoch.
#[test]
fn a_run_ends_after_so_many_steps_or_with_its_epochs() {
    let folder = folder_with_data();
    for (steps, epochs, n_steps, n_rows) in [("4", "9", 4, 2), ("3", "9", 3, 1), ("100", "2", 6, 2)] {
        let out = format!("{steps}-{epochs}");
        let more = ["--max-steps", steps, "--epochs", epochs, "--out", &out];
        let printed = stdout(folder.path(), &[AIRBENCH, &more].concat());
        assert!(printed.contains(&format!("linear schedule over {n_steps} steps")), "{printed}");
        assert!(printed.contains(&format!("epoch {n_rows}/{n_rows}")), "{printed}");
        let history = fs::read_to_string(folder.path().join(&out).join("history.csv")).unwrap();
        assert_eq!(history.lines().count(), 1 + n_rows);
        // A finished run stays finished.
        let again = stdout(folder.path(), &[AIRBENCH, &more, &["--resume"]].concat());
        assert!(again.contains(&format!("Resuming from step {n_steps}.")), "{again}");
        let repeated = fs::read_to_string(folder.path().join(&out).join("history.csv")).unwrap();
        assert_eq!(repeated, history);
    }
    // Fewer steps than a resumed run has already taken, in the middle of an epoch.
    let cut = ["--out", "cut", "--epochs", "4", "--checkpoint-every", "1", "--keep", "20"];
    stdout(folder.path(), &[AIRBENCH, &cut].concat());
    (6..=12).for_each(|step| {
        fs::remove_file(folder.path().join(format!("cut/checkpoints/step-{step:010}.safetensors"))).unwrap();
    });
    let fewer = ["--max-steps", "4", "--resume", "--resume-with", "flags"];
    let printed = stdout(folder.path(), &[AIRBENCH, &cut, &fewer].concat());
    assert!(printed.contains("Resuming from step 5.") && printed.contains("Test accuracy"), "{printed}");
    // The files are of these weights, and no longer of the longer run.
    let out = folder.path().join("cut");
    let (_, params, _) = classifier::model::load(&out.join("model.safetensors")).unwrap();
    let checkpoint = Outcome::of(&out).checkpoint;
    assert_eq!(checkpoint.tensors.model("model", &params).unwrap(), params.values());
    // The epoch that had begun is evaluated.
    assert_eq!(fs::read_to_string(out.join("history.csv")).unwrap().lines().count(), 3);
    // Fewer than the first epoch has.
    (2..=5).for_each(|step| {
        fs::remove_file(folder.path().join(format!("cut/checkpoints/step-{step:010}.safetensors"))).unwrap();
    });
    let fewer = ["--max-steps", "1", "--resume", "--resume-with", "flags"];
    let printed = stdout(folder.path(), &[AIRBENCH, &cut, &fewer].concat());
    assert!(printed.contains("Resuming from step 1.") && printed.contains("Test accuracy"), "{printed}");
}
