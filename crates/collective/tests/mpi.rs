//! Processes under `mpirun`: the same bits as one, and one end for all. Skipped, by name, where there is no `mpirun`.
#![cfg(feature = "mpi")]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The example, which Cargo builds beside the tests, unless it is told which tests by `--test`: then
/// `cargo build -p collective --features mpi --example two_moons` comes first.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    test.parent().and_then(|deps| deps.parent()).expect("target/PROFILE/deps").join("examples/two_moons")
}

/// `mpirun -n size program`, or `None` where there is no `mpirun`.
fn mpirun(size: usize) -> Option<Command> {
    let version = Command::new("mpirun").arg("--version").output();
    let Ok(version) = version else {
        eprintln!("skipped: there is no mpirun (Debian: apt install openmpi-bin libopenmpi-dev)");
        return None;
    };
    let mut command = Command::new("mpirun");
    if String::from_utf8_lossy(&version.stdout).contains("Open MPI") {
        // More ranks than cores, and in a container as root.
        command.args(["--oversubscribe", "--allow-run-as-root"]);
    }
    command.args(["-n", &size.to_string()]).arg(example()).env("RAYON_NUM_THREADS", "1");
    Some(command)
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn any_number_of_processes_trains_to_the_same_bits() {
    let alone = Command::new(example()).output().expect("the example is built with the tests");
    let alone = String::from_utf8(alone.stdout).unwrap();
    assert!(alone.starts_with("loss "), "{alone}");
    for size in [1, 2, 3, 4, 8, 16] {
        let Some(mut command) = mpirun(size) else { return };
        let output = command.output().unwrap();
        assert!(output.status.success(), "{size} processes: {}", text(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout), alone, "{size} processes");
    }
}

/// What a signal to the example's last rank does to the others: the message, and how long it took.
fn after_signal(size: usize, signal: &str) -> Option<(String, Duration)> {
    let mut command = mpirun(size)?;
    command.args(["1000000", "2"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = command.spawn().unwrap();
    let id = run.id().to_string();
    let children = || {
        let pgrep = Command::new("pgrep").args(["-P", &id]).output().unwrap();
        String::from_utf8(pgrep.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let start = Instant::now();
    while children().len() < size {
        if run.try_wait().unwrap().is_some() {
            panic!("{size} ranks do not start: {}", text(&run.wait_with_output().unwrap()));
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{size} ranks do not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    // Until the heartbeat has begun.
    std::thread::sleep(Duration::from_secs(3));
    let victim = children().pop().unwrap();
    assert!(Command::new("kill").args([signal, &victim]).status().unwrap().success());
    let start = Instant::now();
    let output = run.wait_with_output().unwrap();
    assert!(!output.status.success());
    Some((text(&output), start.elapsed()))
}

#[test]
fn a_rank_that_is_killed_or_aborts_ends_all() {
    // The kernel kills a process when memory is short; a program whose allocation fails aborts.
    for (signal, name) in [("-KILL", "signal 9"), ("-ABRT", "signal 6")] {
        let Some((told, time)) = after_signal(3, signal) else { return };
        assert!(told.contains("rank 2") && told.contains(name), "{told}");
        assert!(time < Duration::from_secs(30), "{time:?}");
    }
}

/// As with an `mpirun` of another MPI library, or a Slurm without the library's way to start.
#[test]
fn processes_that_mpi_does_not_connect_are_told_apart_from_one_alone() {
    if mpirun(1).is_none() {
        return;
    }
    let output = Command::new(example()).env("PMI_SIZE", "3").output().unwrap();
    assert!(!output.status.success());
    let told = text(&output);
    assert!(told.contains("Alone { n_ranks: 3 }"), "{told}");
}

#[test]
fn a_rank_that_stops_ends_all_within_the_timeout() {
    let Some((told, time)) = after_signal(3, "-STOP") else { return };
    assert!(told.contains("rank 2 on ") && told.contains("nothing was heard of it"), "{told}");
    assert!(time > Duration::from_secs(1) && time < Duration::from_secs(30), "{time:?}");
}
