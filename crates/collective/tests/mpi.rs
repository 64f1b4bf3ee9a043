//! Processes under `mpirun`: the same bits as one, and one end for all. Skipped, by name, where there is no `mpirun`.
#![cfg(feature = "mpi")]

use std::ffi::OsStr;
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use collective::World;

/// The example, which Cargo builds beside the tests, unless it is told which tests by `--test`: then
/// `cargo build -p collective --features mpi --example two_moons` comes first.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    test.parent().and_then(|deps| deps.parent()).expect("target/PROFILE/deps").join("examples/two_moons")
}

/// `mpirun -n size program`, or `None` where there is no `mpirun`.
fn mpirun(size: usize, program: impl AsRef<OsStr>) -> Option<Command> {
    let Ok(version) = Command::new("mpirun").arg("--version").output() else {
        eprintln!("skipped: there is no mpirun (Debian: apt install openmpi-bin libopenmpi-dev)");
        return None;
    };
    let mut command = Command::new("mpirun");
    if String::from_utf8_lossy(&version.stdout).contains("Open MPI") {
        // More ranks than cores, and in a container as root.
        command.args([OVERSUBSCRIBE, "--allow-run-as-root"]);
    }
    command.args(["-n", &size.to_string()]).arg(program).env("RAYON_NUM_THREADS", "1");
    Some(command)
}

/// A flag that Open MPI alone has.
const OVERSUBSCRIBE: &str = "--oversubscribe";

/// Whether `mpirun` is Open MPI's, which says which rank ended by which signal, and where.
fn tells_who_ended(mpirun: &Command) -> bool {
    mpirun.get_args().any(|flag| flag == OVERSUBSCRIBE)
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The name of this machine.
fn host() -> String {
    let uname = Command::new("uname").arg("-n").output().unwrap();
    String::from_utf8(uname.stdout).unwrap().trim().to_owned()
}

#[test]
fn any_number_of_processes_trains_to_the_same_bits() {
    let _alone = alone();
    let one = Command::new(example()).output().expect("the example is built with the tests");
    let one = String::from_utf8(one.stdout).unwrap();
    assert!(one.starts_with("loss "), "{one}");
    // From 200 bytes, gradients are exchanged during backward.
    for (size, overlap) in [1, 2, 3, 4, 8, 16].into_iter().flat_map(|n| [(n, ""), (n, "40 30 200")]) {
        let Some(mut command) = mpirun(size, example()) else { return };
        let output = command.args(overlap.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "{size} processes: {}", text(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout), one, "{size} processes, {overlap:?}");
    }
}

/// The processes that `mpirun` has started; that of MPICH starts a proxy, whose children they are.
fn children(parent: &str) -> Vec<String> {
    let find = |more: &[&str]| {
        let pgrep = Command::new("pgrep").args(["-P", parent]).args(more).output().unwrap();
        String::from_utf8(pgrep.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    match &find(&["hydra"])[..] {
        [proxy] => children(proxy),
        _ => find(&[]),
    }
}

/// After this long without a sign of life a rank is given up; long enough for ranks that share busy cores.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Nothing here takes longer, however busy the machine is.
const AT_MOST: Duration = Duration::from_secs(60);

/// Held by each test that watches ranks, so that they do not take the processor from one another.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The example on three ranks, which compute on and on, until this is dropped.
struct Endless {
    mpirun: Child,
    /// The processes of the ranks, in their order.
    ranks: Vec<String>,
    tells_who_ended: bool,
    /// The lines of standard error, as they come.
    lines: Receiver<String>,
    told: Vec<String>,
    _alone: MutexGuard<'static, ()>,
}

impl Endless {
    fn start() -> Option<Self> {
        let mut command = mpirun(3, example())?;
        let _alone = alone();
        command.args(["100000000".to_owned(), TIMEOUT.as_secs().to_string()]);
        let mut mpirun = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let stderr = BufReader::new(mpirun.stderr.take().unwrap());
        spawn(move || stderr.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        let tells_who_ended = tells_who_ended(&command);
        let mut run = Self { mpirun, ranks: Vec::new(), tells_who_ended, lines, told: Vec::new(), _alone };
        let has_started = |line: &&String| line.ends_with("has started");
        while run.told.iter().filter(has_started).count() < 3 {
            let Ok(line) = run.lines.recv_timeout(AT_MOST) else {
                panic!("the ranks do not start: {}", run.told.join("\n"));
            };
            run.told.push(line);
        }
        run.ranks = children(&run.mpirun.id().to_string());
        Some(run)
    }

    fn signal(&self, signal: &str, ranks: &[usize]) {
        let mut kill = Command::new("kill");
        kill.arg(signal).args(ranks.iter().map(|&rank| &self.ranks[rank]));
        assert!(kill.status().unwrap().success());
    }

    /// What is said until the end, which must be a failure.
    fn end(mut self) -> String {
        let start = Instant::now();
        while start.elapsed() < AT_MOST {
            match self.lines.recv_timeout(AT_MOST) {
                Ok(line) => self.told.push(line),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    assert!(!self.mpirun.wait().unwrap().success());
                    return self.told.join("\n");
                }
            }
        }
        panic!("the ranks do not end: {}", self.told.join("\n"));
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        if let Ok(None) = self.mpirun.try_wait() {
            let _ = Command::new("kill").arg("-KILL").args(&self.ranks).stderr(Stdio::null()).status();
            let _ = self.mpirun.kill();
            let _ = self.mpirun.wait();
        }
    }
}

#[test]
fn a_rank_that_is_killed_ends_all() {
    // The kernel kills a process when memory is short.
    let Some(run) = Endless::start() else { return };
    run.signal("-KILL", &[2]);
    let tells_who_ended = run.tells_who_ended;
    let told = run.end();
    if tells_who_ended {
        let named = |line: &str| ["rank 2", &host(), "signal 9"].iter().all(|part| line.contains(part));
        assert!(told.lines().any(named), "{told}");
    }
}

#[test]
fn a_rank_that_is_stopped_ends_all_within_the_timeout() {
    // That rank 0 is silent is seen by all others, that another one is, by rank 0.
    for rank in [0, 2] {
        let Some(run) = Endless::start() else { return };
        run.signal("-STOP", &[rank]);
        let told = run.end();
        let error = format!("error: rank {rank} on {} is gone: nothing was heard of it for ", host());
        assert_named(&told, &format!("{error}{} s", TIMEOUT.as_secs()));
    }
}

#[test]
fn a_job_that_is_suspended_as_a_whole_goes_on() {
    let Some(mut run) = Endless::start() else { return };
    let all = [0, 1, 2];
    run.signal("-STOP", &all);
    sleep(2 * TIMEOUT);
    run.signal("-CONT", &all);
    sleep(2 * TIMEOUT);
    let goes_on = run.mpirun.try_wait().unwrap().is_none();
    if goes_on {
        run.signal("-KILL", &all);
    }
    let told = run.end();
    assert!(goes_on && !told.contains("error: rank"), "{told}");
}

/// There must be one error, or the same from several ranks that noticed it before all were ended.
fn assert_named(told: &str, error: &str) {
    let mut errors = told.lines().filter(|line| line.starts_with("error: rank")).peekable();
    assert!(errors.peek().is_some() && errors.all(|line| line.starts_with(error)), "{error:?}: {told}");
}

/// The rank that is in trouble, and what it does, for [`rank_in_trouble`].
const TROUBLE: &str = "RANK_IN_TROUBLE";

/// The program of the ranks in the next test, which starts this binary again.
#[test]
#[ignore = "the ranks that the next test starts: cargo test -p collective --features mpi a_rank_in_trouble"]
fn rank_in_trouble() {
    let Ok(trouble) = std::env::var(TROUBLE) else { return };
    let (rank, what) = trouble.split_once(' ').unwrap();
    let world = World::start(TIMEOUT).unwrap();
    for step in 0..10 {
        if step == 5 && rank == world.rank().to_string() {
            match what {
                "sleeps" => sleep(Duration::from_secs(600)),
                "panics" => panic!("as it should"),
                "allocates" => drop(black_box(Vec::<u8>::with_capacity(isize::MAX as usize))),
                "computes" => {
                    let start = Instant::now();
                    while start.elapsed() < 2 * TIMEOUT {
                        black_box(start);
                    }
                }
                _ => unreachable!("{what}"),
            }
        }
        world.collective().barrier();
    }
}

#[test]
fn a_rank_in_trouble_ends_all_and_a_slow_one_does_not() {
    let (host, _alone) = (host(), alone());
    for (rank, what, expected) in [
        // Its heartbeat continues.
        (1, "sleeps", Some("hangs: for 5 s it has neither computed nor waited for another rank ")),
        (0, "sleeps", Some("hangs: for 5 s it has neither computed nor waited for another rank ")),
        (1, "panics", Some("ends all ranks: it panicked")),
        (2, "allocates", None),
        (1, "computes", None),
    ] {
        let Some(mut command) = mpirun(3, std::env::current_exe().unwrap()) else { return };
        command.args(["--ignored", "--exact", "rank_in_trouble", "--nocapture"]);
        command.env(TROUBLE, format!("{rank} {what}"));
        let start = Instant::now();
        let output = command.output().unwrap();
        let told = text(&output);
        assert_eq!(output.status.success(), what == "computes", "{what}: {told}");
        assert!(start.elapsed() < AT_MOST, "{what}: {:?}", start.elapsed());
        match expected {
            Some(reason) => assert_named(&told, &format!("error: rank {rank} on {host} {reason}")),
            None => assert!(!told.contains("error: rank"), "{what}: {told}"),
        }
        if what == "allocates" {
            assert!(told.contains("memory allocation of "), "{told}");
            let named = |line: &str| ["rank 2", &host, "signal 6"].iter().all(|part| line.contains(part));
            assert!(!tells_who_ended(&command) || told.lines().any(named), "{told}");
        }
    }
}

/// As with an `mpirun` of another MPI library, or a Slurm without the library's way to start.
#[test]
fn processes_that_mpi_does_not_connect_are_told_apart_from_one_alone() {
    if mpirun(1, example()).is_none() {
        return;
    }
    let output = Command::new(example()).env("PMI_SIZE", "3").output().unwrap();
    assert!(!output.status.success());
    let told = text(&output);
    assert!(told.contains("Alone { n_ranks: 3 }"), "{told}");
}
