//! A run that is killed at random moments and resumed ends as if it had not been: weights, optimizer state,
//! losses and the order of batches, bit for bit.
//!
//! `TRAIN_KILLS=100` and `WRITE_KILLS=500` set the number of kills.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use common::{OPTIMIZERS, Outcome, PROGRAM, Random, assert_nothing_half_written, command, count, tiny_cifar};
use descent::checkpoint::{Checkpoint, Config, Folder, State};
use descent::cli::{Cli, Command as Cmd};
use tempfile::TempDir;

const SIGKILL: i32 = 9;

fn start(folder: &Path, out: &str, optimizer: &[&str], threads: usize) -> Child {
    let flags = ["--batch-size", "17", "--epochs", "2", "--augment", "--checkpoint-every", "4", "--resume"];
    command(PROGRAM)
        .current_dir(folder)
        .args(["train", "--data", "data", "--lr", "0.001", "--out", out, "--threads", &threads.to_string()])
        .args(flags)
        .args(optimizer)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills a process after a time, unless it ends earlier.
fn kill_after(mut child: Child, time: Duration) -> ExitStatus {
    thread::sleep(time);
    let _ = child.kill();
    child.wait().unwrap()
}

#[test]
fn a_run_that_is_killed_at_random_moments_ends_as_if_it_had_not_been() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 60);
    let n_kills_wanted = count("TRAIN_KILLS", 6);
    let whole: Vec<(Outcome, Duration)> = OPTIMIZERS
        .iter()
        .map(|optimizer| {
            let started = Instant::now();
            assert!(start(folder.path(), "whole", optimizer, 2).wait().unwrap().success());
            let outcome = Outcome::of(&folder.path().join("whole"));
            fs::remove_dir_all(folder.path().join("whole")).unwrap();
            (outcome, started.elapsed())
        })
        .collect();
    let (mut random, mut n_kills) = (Random::new(), 0);
    for trial in 0.. {
        if n_kills >= n_kills_wanted {
            break;
        }
        let optimizer = OPTIMIZERS[trial % OPTIMIZERS.len()];
        let (whole, duration) = &whole[trial % OPTIMIZERS.len()];
        let mut threads = 1 + trial / OPTIMIZERS.len() % 2;
        let out = folder.path().join("out");
        let mut kills = Vec::new();
        loop {
            let moment = duration.mul_f64(random.unit());
            let status = kill_after(start(folder.path(), "out", optimizer, threads), moment);
            if status.signal() != Some(SIGKILL) {
                assert!(status.success(), "{status}");
                break;
            }
            kills.push(moment);
            threads = 3 - threads;
            if random.unit() < 0.7 {
                break;
            }
        }
        n_kills += kills.len();
        assert!(start(folder.path(), "out", optimizer, threads).wait().unwrap().success());
        let what = format!("{optimizer:?}, killed after {kills:?}");
        Outcome::of(&out).assert_same_bits(whole, &what);
        assert_nothing_half_written(&out);
        fs::remove_dir_all(out).unwrap();
    }
    println!("{n_kills} kills, each run the same bits as the whole one");
}

/// The folder in which the checkpoint writer writes; set only for the child process.
const WRITER: &str = "CHECKPOINT_WRITER";

/// A checkpoint with one long tensor in which every number is the step.
fn checkpoint(config: &Config, step: u64) -> Checkpoint {
    let stopper = optim::Stopper::<f32>::new(Default::default()).unwrap().progress();
    let mut checkpoint = Checkpoint::new(config.clone(), State { step, ..State::default() }, stopper);
    checkpoint.tensors.add("model", "w", &vec![step as f32; 300_000]);
    checkpoint
}

/// The child process: writes one checkpoint after the other and reports each, until it is killed.
#[test]
#[ignore = "the process that the next test starts and kills: cargo test -p descent --test kills a_kill"]
fn writer() {
    let Ok(out) = env::var(WRITER) else { return };
    let mut folder = Folder::new(Path::new(&out));
    let newest = folder.newest_good(|error| panic!("{error:#}")).unwrap();
    folder.prepare(true).unwrap();
    let config = config();
    for step in newest.map_or(1, |newest| newest.state.step + 1).. {
        // Two in three are new files, one in three replaces the last.
        folder.save(&checkpoint(&config, step - u64::from(step % 3 == 0)), 3).unwrap();
        eprintln!("done {step}");
    }
}

fn config() -> Config {
    let Cmd::Train(args) = <Cli as clap::Parser>::parse_from(["descent"]).command() else { unreachable!() };
    Config::without_images(&args.settings)
}

#[test]
fn a_kill_within_the_writing_of_a_checkpoint_leaves_an_old_or_a_new_one() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let mut random = Random::new();
    let (mut n_within, wanted) = (0, count("WRITE_KILLS", 10));
    while n_within < wanted {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "writer", "--ignored", "--nocapture", "--test-threads", "1"])
            .env(WRITER, &out)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        // Wait until it is writing, then for part of a write or two.
        let first = lines.next().unwrap().unwrap();
        thread::sleep(Duration::from_secs_f64(0.02 * random.unit()));
        child.kill().unwrap();
        child.wait().unwrap();
        let said = lines.map_while(Result::ok).fold(first, |_, line| line);
        let said: u64 = said.strip_prefix("done ").expect("a step").parse().unwrap();

        n_within += usize::from(!half_written(&out).is_empty());
        for entry in fs::read_dir(out.join("checkpoints")).unwrap() {
            let path = entry.unwrap().path();
            if !half_written(&out).contains(&path) {
                let read = Checkpoint::read(&path).unwrap();
                assert_eq!(read, checkpoint(&read.config, read.state.step), "a mix");
            }
        }
        let newest = Folder::new(&out).newest_good(|error| panic!("{error:#}")).unwrap().unwrap();
        assert!(newest.state.step + 1 >= said, "step {said} was written, found {}", newest.state.step);
    }
    println!("{n_within} kills within the writing of a checkpoint, no mix");
}

/// The temporary files of the writer.
fn half_written(out: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(out.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "half-written")).collect()
}
