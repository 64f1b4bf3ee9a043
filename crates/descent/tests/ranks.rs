//! Training on several processes under `mpirun`: the bits of one process, despite kills and signals. Needs
//! the feature `mpi`; skipped, by name, without `mpirun`.
//!
//! `RANK_KILLS=100` sets the number of kills.

#![cfg(all(unix, feature = "mpi"))]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{OPTIMIZERS, Outcome, Random, assert_nothing_half_written, count, tiny_cifar, train};
use tempfile::TempDir;

/// Batches of 37 images, which are five shards, and one of 29 at the end of an epoch.
const FLAGS: [&str; 11] = [
    "train",
    "--data",
    "data",
    "--batch-size",
    "37",
    "--lr",
    "0.001",
    "--epochs",
    "2",
    "--augment",
    "--resume",
];

/// `mpirun` with this many processes in that folder, or `None` if it is not installed.
fn mpirun(folder: &Path, size: usize) -> Option<Command> {
    let Ok(version) = Command::new("mpirun").arg("--version").output() else {
        eprintln!("skipped: there is no mpirun (Debian: apt install openmpi-bin libopenmpi-dev)");
        return None;
    };
    let mut command = Command::new("mpirun");
    command.current_dir(folder);
    if String::from_utf8_lossy(&version.stdout).contains("Open MPI") {
        // More ranks than cores, and in a container as root.
        command.args(["--oversubscribe", "--allow-run-as-root"]);
    }
    command.args(["-n", &size.to_string()]);
    Some(command)
}

fn start(folder: &Path, size: usize, more: &[&str]) -> Option<Child> {
    let mut command = mpirun(folder, size)?;
    command
        .arg(env!("CARGO_BIN_EXE_descent"))
        .args(FLAGS)
        .args(["--out", "out", "--threads", "1"])
        .args(more);
    Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The outcome of one process without MPI; its folder is removed.
fn alone(folder: &Path, more: &[&str]) -> Outcome {
    train(folder, "out", &[&FLAGS[3..], more].concat());
    let outcome = Outcome::of(&folder.join("out"));
    fs::remove_dir_all(folder.join("out")).unwrap();
    outcome
}

#[test]
fn any_number_of_processes_has_the_bits_of_one() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 28);
    let batch_norm: &[&str] =
        &["--net", "airbench:8,8,8", "--limit", "74", "--epochs", "1", "--tta", "mirror"];
    for (what, sizes) in [
        (OPTIMIZERS[0], &[1, 2, 3, 4, 8, 16][..]),
        (OPTIMIZERS[1], &[3]),
        (OPTIMIZERS[2], &[4]),
        (batch_norm, &[2, 5]),
        (&["--shards", "3", "--limit", "74", "--epochs", "1"], &[2]),
    ] {
        let once = alone(folder.path(), what);
        for &size in sizes {
            let Some(run) = start(folder.path(), size, what) else { return };
            let output = run.wait_with_output().unwrap();
            assert!(output.status.success(), "{size} ranks, {what:?}: {}", text(&output));
            let again = Outcome::of(&folder.path().join("out"));
            again.assert_same_bits(&once, &format!("{what:?} on {size} ranks"));
            assert_nothing_half_written(&folder.path().join("out"));
            fs::remove_dir_all(folder.path().join("out")).unwrap();
        }
    }
}

#[test]
fn kills_of_any_rank_are_made_good_by_other_numbers_of_ranks() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 60);
    let flags = ["--checkpoint-every", "2", "--epochs", "3"];
    let once = alone(folder.path(), &flags);
    let (mut random, mut n_kills) = (Random::new(), 0);
    while n_kills < count("RANK_KILLS", 20) {
        let out = folder.path().join("out");
        for trial in 0.. {
            let size = [4, 2, 3, 1][trial % 4];
            let Some(run) = start(folder.path(), size, &flags) else { return };
            // At any moment of the run, whose start takes about a second.
            thread::sleep(Duration::from_secs_f64(1.0 + 2.0 * random.unit()));
            let ranks = children(run.id());
            if trial < 6
                && let Some(victim) = ranks.get((random.unit() * ranks.len() as f64) as usize)
            {
                signal("-KILL", victim);
                n_kills += 1;
            }
            if run.wait_with_output().unwrap().status.success() {
                assert_nothing_half_written(&out);
                break;
            }
        }
        Outcome::of(&out).assert_same_bits(&once, "after kills");
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn ctrl_c_saves_and_another_number_of_ranks_resumes() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 60);
    let flags = ["--epochs", "40"];
    let once = alone(folder.path(), &flags);
    let Some(run) = start(folder.path(), 3, &flags) else { return };
    wait_for_ranks(&run, 3);
    thread::sleep(Duration::from_secs(1));
    signal("-INT", &run.id().to_string());
    // mpirun forwards no further output of its processes.
    let output = run.wait_with_output().unwrap();
    let out = folder.path().join("out");
    assert!(!output.status.success() && !out.join("loss.svg").exists(), "{}", text(&output));
    assert_nothing_half_written(&out);
    let resumed = start(folder.path(), 2, &flags).unwrap().wait_with_output().unwrap();
    assert!(resumed.status.success(), "{}", text(&resumed));
    Outcome::of(&out).assert_same_bits(&once, "after Ctrl-C");
}

#[test]
fn who_has_other_flags_or_images_is_named() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 20);
    fs::create_dir(folder.path().join("other")).unwrap();
    tiny_cifar(&folder.path().join("other"), 21);
    let line = |data: &str, seed: &str| {
        let flags = ["train", "--data", data, "--seed", seed, "--out", "out", "--epochs", "1"];
        [&[env!("CARGO_BIN_EXE_descent")][..], &flags]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for (other, thing) in [(line("data", "2"), "set of flags"), (line("other/data", "1"), "data set")] {
        let Some(mut command) = mpirun(folder.path(), 1) else { return };
        command.args(line("data", "1")).args([":", "-n", "1"]).args(other);
        let output = command.output().unwrap();
        let said = text(&output);
        assert!(
            !output.status.success() && said.contains(&format!("has a different {thing} from rank 0")),
            "{said}"
        );
        assert!(said.contains("rank 1 on "), "{said}");
        assert!(!folder.path().join("out/model.safetensors").exists());
    }
}

#[test]
fn what_needs_the_whole_batch_is_refused() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 20);
    for flags in [["--mixup", "0.2"], ["--class-weights", "balanced"]] {
        let Some(run) = start(folder.path(), 2, &flags) else { return };
        let output = run.wait_with_output().unwrap();
        let expected = format!("{} needs the whole batch", flags[0]);
        assert!(!output.status.success() && text(&output).contains(&expected), "{}", text(&output));
    }
}

fn signal(signal: &str, process: &str) {
    // It may have ended in the meantime.
    let _ = Command::new("kill").args([signal, process]).stderr(Stdio::null()).status().unwrap();
}

/// The processes started by `mpirun`.
fn children(mpirun: u32) -> Vec<String> {
    let pgrep = Command::new("pgrep").args(["-P", &mpirun.to_string()]).output().unwrap();
    String::from_utf8(pgrep.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn wait_for_ranks(run: &Child, size: usize) {
    let start = Instant::now();
    while children(run.id()).len() < size {
        assert!(start.elapsed() < Duration::from_secs(60), "{size} ranks do not start");
        thread::sleep(Duration::from_millis(50));
    }
}
