//! Processes under `mpirun`: the same bits as one, and one end for all. Skipped, by name, where there is no `mpirun`.
#![cfg(feature = "mpi")]

use std::ffi::OsStr;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
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
    let alone = Command::new(example()).output().expect("the example is built with the tests");
    let alone = String::from_utf8(alone.stdout).unwrap();
    assert!(alone.starts_with("loss "), "{alone}");
    for size in [1, 2, 3, 4, 8, 16] {
        let Some(mut command) = mpirun(size, example()) else { return };
        let output = command.output().unwrap();
        assert!(output.status.success(), "{size} processes: {}", text(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout), alone, "{size} processes");
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

/// The example on three ranks, which compute on and on, with a timeout of two seconds.
struct Endless {
    mpirun: Child,
    /// The processes of the ranks, in their order.
    ranks: Vec<String>,
    tells_who_ended: bool,
}

impl Endless {
    fn start() -> Option<Self> {
        let mut command = mpirun(3, example())?;
        let tells_who_ended = tells_who_ended(&command);
        command.args(["100000000", "2"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut mpirun = command.spawn().unwrap();
        let parent = mpirun.id().to_string();
        let start = Instant::now();
        while children(&parent).len() < 3 {
            if mpirun.try_wait().unwrap().is_some() {
                panic!("the ranks do not start: {}", text(&mpirun.wait_with_output().unwrap()));
            }
            if start.elapsed() > Duration::from_secs(60) {
                mpirun.kill().unwrap();
                panic!("the ranks do not start");
            }
            sleep(Duration::from_millis(50));
        }
        // Until the heartbeat has begun.
        sleep(Duration::from_secs(3));
        Some(Self { mpirun, ranks: children(&parent), tells_who_ended })
    }

    fn signal(&self, signal: &str, ranks: &[usize]) {
        let mut kill = Command::new("kill");
        kill.arg(signal).args(ranks.iter().map(|&rank| &self.ranks[rank]));
        assert!(kill.status().unwrap().success());
    }

    /// What is said until the end, which must be a failure, and how long that takes.
    fn end(self) -> (String, Duration) {
        let start = Instant::now();
        let output = self.mpirun.wait_with_output().unwrap();
        assert!(!output.status.success());
        (text(&output), start.elapsed())
    }
}

#[test]
fn a_rank_that_is_killed_ends_all() {
    // The kernel kills a process when memory is short.
    let Some(run) = Endless::start() else { return };
    run.signal("-KILL", &[2]);
    let tells_who_ended = run.tells_who_ended;
    let (told, time) = run.end();
    if tells_who_ended {
        let named = |line: &str| ["rank 2", &host(), "signal 9"].iter().all(|part| line.contains(part));
        assert!(told.lines().any(named), "{told}");
    }
    assert!(time < Duration::from_secs(30), "{time:?}");
}

#[test]
fn a_rank_that_is_stopped_ends_all_within_the_timeout() {
    // That rank 0 is silent is seen by all others, that another one is, by rank 0.
    for rank in [0, 2] {
        let Some(run) = Endless::start() else { return };
        run.signal("-STOP", &[rank]);
        let (told, time) = run.end();
        assert_named_once(
            &told,
            &format!("error: rank {rank} on {} is gone: nothing was heard of it", host()),
        );
        assert!(time > Duration::from_secs(1) && time < Duration::from_secs(30), "{time:?}");
    }
}

#[test]
fn a_job_that_is_suspended_as_a_whole_goes_on() {
    let Some(mut run) = Endless::start() else { return };
    let all = [0, 1, 2];
    run.signal("-STOP", &all);
    sleep(Duration::from_secs(5));
    run.signal("-CONT", &all);
    sleep(Duration::from_secs(4));
    let goes_on = run.mpirun.try_wait().unwrap().is_none();
    if goes_on {
        run.signal("-KILL", &all);
    }
    let (told, _) = run.end();
    assert!(goes_on && !told.contains("error: rank"), "{told}");
}

fn assert_named_once(told: &str, error: &str) {
    let errors: Vec<&str> = told.lines().filter(|line| line.starts_with("error: rank")).collect();
    assert!(errors.len() == 1 && errors[0].starts_with(error), "expected {error:?} once: {told}");
}

/// The rank that is in trouble, and what it does, for [`rank_in_trouble`].
const TROUBLE: &str = "RANK_IN_TROUBLE";

const TIMEOUT: Duration = Duration::from_secs(2);

/// The program of the ranks in the next test, which starts this binary again.
#[test]
#[ignore = "it is started by another test"]
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
                    while start.elapsed() < 3 * TIMEOUT {
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
    let host = host();
    for (rank, what, expected) in [
        // Its heartbeat goes on.
        (1, "sleeps", Some("hangs: it has computed nothing for ")),
        (0, "sleeps", Some("hangs: it has computed nothing for ")),
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
        assert!(start.elapsed() < Duration::from_secs(60), "{what}: {:?}", start.elapsed());
        match expected {
            Some(reason) => assert_named_once(&told, &format!("error: rank {rank} on {host} {reason}")),
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
