//! Training on several processes under `mpirun`: the bits of one process, despite kills and signals. Needs
//! the feature `mpi`; skipped, by name, without `mpirun`.
//!
//! `RANK_KILLS=100` sets the number of kills.

#![cfg(all(unix, feature = "mpi"))]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    OPTIMIZERS, Outcome, PROGRAM, Random, assert_nothing_half_written, command, count, tiny_cifar, train,
};
use descent::checkpoint::Folder;
use serde_json::Value;
use tempfile::TempDir;
use tensor::SimdLevel;

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

/// A flag that Open MPI alone has.
const OVERSUBSCRIBE: &str = "--oversubscribe";

/// `mpirun` with this many processes in that folder, or `None` if it is not installed.
fn mpirun(folder: &Path, size: usize) -> Option<Command> {
    let Ok(version) = Command::new("mpirun").arg("--version").output() else {
        eprintln!("skipped: there is no mpirun (Debian: apt install openmpi-bin libopenmpi-dev)");
        return None;
    };
    let mut command = command("mpirun");
    command.current_dir(folder);
    if String::from_utf8_lossy(&version.stdout).contains("Open MPI") {
        // More ranks than cores, and in a container as root.
        command.args([OVERSUBSCRIBE, "--allow-run-as-root"]);
    }
    command.args(["-n", &size.to_string()]);
    Some(command)
}

fn start(folder: &Path, size: usize, more: &[&str]) -> Option<Child> {
    let mut command = mpirun(folder, size)?;
    command.arg(PROGRAM).args(FLAGS).args(["--out", "out", "--threads", "1"]).args(more);
    Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The outcome of one process without MPI; its folder is removed.
fn alone(folder: &Path, more: &[&str]) -> Outcome {
    alone_with_result(folder, more).0
}

/// The same with the last evaluation.
fn alone_with_result(folder: &Path, more: &[&str]) -> (Outcome, [Value; 2]) {
    train(folder, "out", &[&FLAGS[3..], more].concat());
    let out = folder.join("out");
    let found = (Outcome::of(&out), last_evaluation(&out));
    fs::remove_dir_all(out).unwrap();
    found
}

/// Loss and accuracy of the last evaluation.
fn last_evaluation(out: &Path) -> [Value; 2] {
    let mut result = json(&out.join("result.json"));
    ["loss", "accuracy"].map(|name| result[name].take())
}

fn json(file: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// The step of the newest checkpoint, 0 without one. The run that writes them may go on.
fn saved_step(out: &Path) -> u64 {
    let names = fs::read_dir(out.join("checkpoints")).into_iter().flatten();
    let step = |name: String| name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok();
    names.filter_map(|entry| step(entry.ok()?.file_name().into_string().ok()?)).max().unwrap_or(0)
}

#[test]
fn any_number_of_processes_has_the_bits_of_one() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 28);
    let short = ["--limit", "74", "--epochs", "1"];
    let batch_norm = [&["--net", "airbench:8,8,8", "--tta", "mirror"], &short[..]].concat();
    let part_of_the_views =
        [&["--net", "airbench:8,8,8", "--tta", "mirror-shift", "--tta-share", "0.5"], &short[..]].concat();
    let [sgd, nadam] = [1, 2].map(|i| [OPTIMIZERS[i], &["--clip-norm", "0.5"], &short[..]].concat());
    let sizes = &[1, 2, 3, 4, 8, 16][..];
    // These look at more than the own images: at the labels of all, at other images, at all losses.
    let weights = "--class-weights=0,1,2,3,4,5,6,7,8,9";
    for (what, sizes) in [
        (OPTIMIZERS[0], sizes),
        (&sgd, sizes),
        (&nadam, sizes),
        (&batch_norm, sizes),
        (&part_of_the_views, &[5]),
        (&["--shards", "3", "--limit", "74", "--epochs", "1"], &[2]),
        // A shard for each rank, so that large gradients are added up in halves.
        (&["--shards", "16", "--limit", "74", "--epochs", "1"], &[4, 8, 16]),
        (&[weights, "--limit", "74", "--epochs", "1"], &[3]),
        (&["--mixup", "0.4", "--cutmix", "1", "--limit", "74"], &[2, 7]),
        (&["--accumulate", "3", weights, "--cutmix", "1", "--limit", "74", "--epochs", "1"], &[2]),
        (&["--accumulate", "2", weights, "--limit", "74", "--epochs", "1"], &[4]),
        (&["--hardest", "0.6", "--limit", "74", "--epochs", "1"], &[3]),
        (&["--hardest", "0.6", "--accumulate", "2", "--mixup", "1", "--limit", "74"], &[4]),
        (&["--hardest", "0.6", "--hardest-by", "last", "--limit", "74"], &[4]),
    ] {
        let (once, evaluated) = alone_with_result(folder.path(), what);
        for &size in sizes {
            let Some(run) = start(folder.path(), size, what) else { return };
            let output = run.wait_with_output().unwrap();
            assert!(output.status.success(), "{size} ranks, {what:?}: {}", text(&output));
            let out = folder.path().join("out");
            Outcome::of(&out).assert_same_bits(&once, &format!("{what:?} on {size} ranks"));
            assert_eq!(last_evaluation(&out), evaluated, "{what:?} on {size} ranks");
            assert_nothing_half_written(&out);
            fs::remove_dir_all(out).unwrap();
        }
    }
}

#[test]
fn the_communication_of_an_epoch_is_told() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 28);
    for (flags, per_epoch) in
        [(&["--limit", "74"][..], "communication of rank 0: "), (&["--json"], "\"sums\":")]
    {
        let Some(run) = start(folder.path(), 2, flags) else { return };
        let said = text(&run.wait_with_output().unwrap());
        assert_eq!(said.matches(per_epoch).count(), 2, "in two epochs: {said}");
        fs::remove_dir_all(folder.path().join("out")).unwrap();
    }
}

#[test]
fn the_processors_of_a_machine_are_divided_among_its_processes() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 20);
    let Some(mut command) = mpirun(folder.path(), 2) else { return };
    if command.get_args().any(|flag| flag == OVERSUBSCRIBE) {
        // So that each could use them all.
        command.args(["--bind-to", "none"]);
    }
    command.arg(PROGRAM).args(FLAGS).args(["--out", "out", "--epochs", "1"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    // Those of the machine, of which a process may be allowed to use fewer.
    let all = Command::new("getconf").arg("_NPROCESSORS_ONLN").output().unwrap().stdout;
    let all: usize = String::from_utf8(all).unwrap().trim().parse().unwrap();
    let expected = (all / 2).clamp(1, thread::available_parallelism().unwrap().get());
    let config = json(&folder.path().join("out/config.json"));
    assert_eq!(config["run"]["threads"], expected, "of {all}: {}", config["run"]);
}

#[test]
fn kills_of_any_rank_are_made_good_by_other_numbers_of_ranks() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 60);
    let flags = ["--checkpoint-every", "2", "--epochs", "3"];
    let once = alone(folder.path(), &flags);
    let mut random = Random::new();
    let out = folder.path().join("out");
    // The steps that were saved by the time of each kill that waited for a checkpoint.
    let (mut saved, mut n_kills, mut n_starts) = (Vec::new(), 0, 0);
    let n_expected = count("RANK_KILLS", 20);
    while n_kills < n_expected {
        // Six trials that may be killed, on one thread or two, and one process alone that finishes.
        for (trial, (size, threads)) in
            [(4, "1"), (2, "2"), (3, "1"), (4, "2"), (2, "1"), (3, "2"), (1, "1")].into_iter().enumerate()
        {
            let flags = [&flags[..], &["--threads", threads]].concat();
            n_starts += 1;
            assert!(n_starts <= 10 * n_expected, "{n_kills} kills in {n_starts} starts");
            let Some(mut run) = start(folder.path(), size, &flags) else { return };
            let before = saved_step(&out);
            if trial % 2 == 0 {
                // At any moment of the run, whose start takes about a second.
                thread::sleep(Duration::from_secs_f64(1.0 + 2.0 * random.unit()));
            } else {
                // Soon after a checkpoint of its own.
                let is_further = || saved_step(&out) > before || run.try_wait().unwrap().is_some();
                assert!(within(60, is_further), "no checkpoint after that of step {before}");
                thread::sleep(Duration::from_secs_f64(0.1 * random.unit()));
            }
            let ranks = children(run.id());
            let victim = ranks.get((random.unit() * ranks.len() as f64) as usize);
            let is_killed = size > 1 && victim.is_some();
            if let Some(victim) = victim.filter(|_| is_killed) {
                signal("-KILL", victim);
            }
            if run.wait_with_output().unwrap().status.success() {
                assert_nothing_half_written(&out);
                break;
            }
            assert!(is_killed, "a run fails without a kill");
            n_kills += 1;
            if trial % 2 == 1 {
                saved.push(saved_step(&out));
            }
        }
        Outcome::of(&out).assert_same_bits(&once, "after kills");
        fs::remove_dir_all(&out).unwrap();
    }
    let last = once.checkpoint.state.step;
    let n_between = saved.iter().filter(|&&step| 0 < step && step < last).count();
    println!("{n_kills} kills, {n_between} of them soon after a checkpoint other than the last");
    assert!(2 * n_between >= saved.len(), "the steps that were saved, of {last}: {saved:?}");
}

#[test]
fn ctrl_c_saves_and_another_number_of_ranks_resumes() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 60);
    // No checkpoint is due before the end, which is far away.
    let flags = ["--epochs", "150", "--checkpoint-every", "1h"];
    let once = alone(folder.path(), &flags);
    let Some(mut command) = mpirun(folder.path(), 3) else { return };
    if command.get_args().any(|flag| flag == OVERSUBSCRIBE) {
        // On a busy machine, saving takes longer than one second. It also waits for so long before the signal.
        command.args(["--mca", "odls_base_sigkill_timeout", "3"]);
    }
    command.arg(PROGRAM).args(FLAGS).args(["--out", "out", "--threads", "1"]).args(flags);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let out = folder.path().join("out");
    let is_trained = || out.join("history.csv").exists();
    assert!(within(60, is_trained), "no epoch ends");
    assert_eq!(saved_step(&out), 0);
    signal("-INT", &run.id().to_string());
    // mpirun forwards no further output of its processes.
    let output = run.wait_with_output().unwrap();
    assert!(!output.status.success() && !out.join("confusion.svg").exists(), "{}", text(&output));
    assert_nothing_half_written(&out);
    let (saved, last) = (saved_step(&out), once.checkpoint.state.step);
    assert!(0 < saved && saved < last, "step {saved} of {last} was saved: {}", text(&output));
    let resumed = start(folder.path(), 2, &[&flags[..], &["--threads", "2"]].concat()).unwrap();
    let resumed = resumed.wait_with_output().unwrap();
    assert!(resumed.status.success(), "{}", text(&resumed));
    assert!(text(&resumed).contains(&format!("Resuming from step {saved}.")), "{}", text(&resumed));
    Outcome::of(&out).assert_same_bits(&once, "after Ctrl-C");
}

/// What the program does when every step but the first gives NaN: its standard error and the outcome.
fn hot(mut command: Command, out: &Path) -> (String, Outcome) {
    command.args(FLAGS).args(["--out", "out", "--threads", "1"]);
    let hot =
        "--optimizer sgd --weight-decay 0 --lr 1e30 --clip-norm 1 --epochs 1 --on-nan skip --detect-anomaly";
    command.args(hot.split(' '));
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{}", text(&output));
    (String::from_utf8(output.stderr).unwrap(), Outcome::of(out))
}

#[test]
fn a_step_with_nan_is_skipped_by_all_and_its_op_is_named() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 28);
    let out = folder.path().join("out");
    let mut program = command(PROGRAM);
    program.current_dir(folder.path());
    let (told, once) = hot(program, &out);
    let warning = told.lines().find(|line| line.starts_with("warning: skipping step 2 ")).expect(&told);
    // What follows is the shape, whose first number is that of the images of the rank.
    let warning = warning.split(": element ").next().unwrap();
    assert!(warning.contains("; it first appears in "), "{warning}");
    assert_eq!((once.checkpoint.state.step, once.checkpoint.n_updates), (4, 1));
    for size in [2, 8] {
        fs::remove_dir_all(&out).unwrap();
        let Some(mut mpirun) = mpirun(folder.path(), size) else { return };
        mpirun.arg(PROGRAM);
        let (told, again) = hot(mpirun, &out);
        assert!(told.contains(warning), "{size} ranks: {told}");
        // The score after it is NaN, which only the encoding compares.
        assert!(again.checkpoint.encode() == once.checkpoint.encode(), "{size} ranks");
    }
}

#[test]
fn who_has_another_program_other_flags_or_other_images_is_named() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 20);
    fs::create_dir(folder.path().join("other")).unwrap();
    tiny_cifar(&folder.path().join("other"), 21);
    let program = PROGRAM;
    // What follows the last section of a program's file is not loaded.
    let mut other_build = fs::read(program).unwrap();
    other_build.push(0);
    let build = folder.path().join("descent");
    fs::write(&build, other_build).unwrap();
    fs::set_permissions(&build, fs::Permissions::from_mode(0o755)).unwrap();
    let (_, mut params) = nn::build(nn::models::lecture_cnn(0.5), 7);
    nn::weights::save(folder.path().join("these.safetensors"), &params, &[]).unwrap();
    params.values_mut()[0] += 1.0;
    nn::weights::save(folder.path().join("those.safetensors"), &params, &[]).unwrap();

    let (usual, data) = ([program].to_vec(), &["--data", "data"][..]);
    let with = |flags: &[&'static str]| [data, flags].concat();
    let (these, those) = (["--weights", "these.safetensors"], ["--weights", "those.safetensors"]);
    for (of_0, programs, of_1, thing) in [
        (with(&[]), vec![build.to_str().unwrap()], with(&[]), "build of the program"),
        (with(&[]), vec!["env", "DESCENT_SIMD=portable", program], with(&[]), "instruction set"),
        (with(&[]), usual.clone(), with(&["--seed", "2"]), "value of --seed"),
        (with(&[]), usual.clone(), with(&["--watch-test"]), "value of --watch-test"),
        (with(&["--on-nan", "skip"]), usual.clone(), with(&[]), "value of --on-nan"),
        (with(&[]), usual.clone(), with(&["--detect-anomaly"]), "value of --detect-anomaly"),
        (
            with(&["--val", "9", "--patience", "1"]),
            usual.clone(),
            with(&["--val", "9"]),
            "value of --patience",
        ),
        (with(&[]), usual.clone(), vec!["--data", "other/data"], "data set"),
        (with(&[]), usual.clone(), with(&these), "set of weights"),
        (with(&those), usual.clone(), with(&these), "set of weights"),
    ] {
        if thing == "instruction set" && SimdLevel::current().name() == "portable" {
            continue;
        }
        let Some(mut command) = mpirun(folder.path(), 1) else { return };
        let all = ["train", "--out", "out", "--epochs", "1", "--threads", "1"];
        command.arg(program).args(all).args(of_0).args([":", "-n", "1"]).args(programs).args(all).args(of_1);
        let output = command.output().unwrap();
        let said = text(&output);
        assert!(
            !output.status.success() && said.contains(&format!("has a different {thing} from rank 0")),
            "{thing}: {said}"
        );
        assert!(said.contains("rank 1 on "), "{said}");
        assert!(!folder.path().join("out").exists());
    }
    // Other threads, and the same images and weights in another place, are no difference.
    fs::copy(folder.path().join("these.safetensors"), folder.path().join("same.safetensors")).unwrap();
    std::os::unix::fs::symlink("data", folder.path().join("link")).unwrap();
    let Some(mut command) = mpirun(folder.path(), 1) else { return };
    command.args([program, "train", "--epochs", "1", "--out", "out", "--threads", "1"]).args(with(&these));
    command.args([":", "-n", "1", program, "train", "--epochs", "1", "--out", "out", "--threads", "2"]);
    command.args(["--data", "link", "--weights", "same.safetensors"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

/// Gradients are exchanged during backward.
#[test]
fn two_machines_have_the_bits_of_one() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 28);
    let once = alone(folder.path(), &[]);
    let Some(mpirun) = mpirun(folder.path(), 2) else { return };
    let Some(machines) = Machines::new(folder.path(), &mpirun) else { return };
    let mut command = machines.command(&mpirun);
    command.current_dir(folder.path()).arg(PROGRAM);
    let output = command.args(FLAGS).args(["--out", "out", "--threads", "1"]).output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches(" s during backward").count(), 2, "in two epochs: {said}");
    Outcome::of(&folder.path().join("out")).assert_same_bits(&once, "two machines");
}

/// Two machines are two network namespaces, joined by a cable. Once it is pulled, each machine's rank ends by
/// itself, and what is saved is good.
#[test]
fn a_machine_that_is_cut_off_ends_on_both_sides() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 60);
    let flags = ["--checkpoint-every", "2", "--rank-timeout", "2", "--epochs", "40"];
    let Some(mpirun) = mpirun(folder.path(), 2) else { return };
    let Some(machines) = Machines::new(folder.path(), &mpirun) else { return };
    let mut command = machines.command(&mpirun);
    command.current_dir(folder.path()).arg(PROGRAM);
    command.args(FLAGS).args(["--out", "out", "--threads", "1"]).args(flags);
    let said = folder.path().join("said.txt");
    let mut run = command.stdout(Stdio::null()).stderr(fs::File::create(&said).unwrap()).spawn().unwrap();
    let out = folder.path().join("out");
    let is_saved = || fs::read_dir(out.join("checkpoints")).is_ok_and(|mut files| files.next().is_some());
    assert!(within(60, is_saved), "{}", fs::read_to_string(&said).unwrap());
    assert_eq!([0, 1].map(|machine| machines.ranks(machine).len()), [1, 1]);
    machines.cut();
    let have_ended = || (0..2).all(|machine| machines.ranks(machine).is_empty());
    assert!(within(20, have_ended), "{}", fs::read_to_string(&said).unwrap());
    // mpirun itself still waits for what it started on the other machine.
    drop(machines);
    run.wait().unwrap();
    let said = fs::read_to_string(&said).unwrap();
    assert!(said.contains("rank 1 on other is gone: nothing was heard of it for"), "{said}");
    let saved = Folder::new(&out).newest_good(|error| panic!("{error:#}")).unwrap();
    assert!(saved.is_some_and(|checkpoint| checkpoint.state.step > 0));
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

/// Waits until `is_so`, for this many seconds at most; returns whether it became so.
fn within(seconds: u64, mut is_so: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > Duration::from_secs(seconds) {
            return false;
        }
        thread::sleep(Duration::from_millis(50));
    }
    true
}

/// The addresses of the two machines.
const ADDRESSES: [&str; 2] = ["10.77.0.1", "10.77.0.2"];

/// Two network namespaces with a cable between them; they and all that runs in them end when this is dropped.
struct Machines {
    names: [String; 2],
    /// Starts a program on the second machine, as ssh would.
    agent: PathBuf,
}

impl Machines {
    /// The machines, or `None` if this process may not make them or `mpirun` cannot use them.
    fn new(folder: &Path, mpirun: &Command) -> Option<Self> {
        static N_MADE: AtomicUsize = AtomicUsize::new(0);
        if !mpirun.get_args().any(|flag| flag == OVERSUBSCRIBE) {
            eprintln!("skipped: mpirun is not Open MPI's, which can be told how to reach another machine");
            return None;
        }
        let idx = N_MADE.fetch_add(1, Ordering::Relaxed);
        let names = [0, 1].map(|machine| format!("d{}-{idx}-{machine}", std::process::id()));
        let machines = Self { agent: folder.join("agent.sh"), names };
        let [first, second] = &machines.names;
        let mut lines = vec![
            format!("netns add {first}"),
            format!("netns add {second}"),
            format!("-n {first} link add {first} type veth peer name {second} netns {second}"),
        ];
        for (name, address) in machines.names.iter().zip(ADDRESSES) {
            lines.push(format!("-n {name} addr add {address}/24 dev {name}"));
            lines.extend([name, "lo"].map(|device| format!("-n {name} link set {device} up")));
        }
        if !lines.iter().all(|line| ip(line).is_some()) {
            eprintln!(
                "skipped: no right, or no `ip`, to make network namespaces (Debian: apt install iproute2)"
            );
            return None;
        }
        // mpirun gives it the name of the machine, then the command.
        let script = format!(
            "#!/bin/sh\nshift\nexec ip netns exec {second} unshare --uts sh -c \"hostname other; $*\"\n"
        );
        fs::write(&machines.agent, script).unwrap();
        fs::set_permissions(&machines.agent, fs::Permissions::from_mode(0o755)).unwrap();
        Some(machines)
    }

    /// `mpirun` on the first machine.
    fn command(&self, mpirun: &Command) -> Command {
        let mut command = command("ip");
        command.args(["netns", "exec", &self.names[0]]).arg(mpirun.get_program()).args(mpirun.get_args());
        // Over the cable, although there is memory that both could share.
        command.args(["--mca", "btl", "tcp,self", "--mca", "plm_rsh_agent"]).arg(&self.agent);
        // Each would bind its rank to the first core, which both have.
        command.args(["--bind-to", "none"]);
        command.args(["--host", &ADDRESSES.map(|address| format!("{address}:1")).join(",")]);
        command
    }

    fn processes(&self, machine: usize) -> Vec<String> {
        let pids = ip(&format!("netns pids {}", self.names[machine])).unwrap_or_default();
        pids.lines().map(str::to_owned).collect()
    }

    /// The processes of the program on a machine.
    fn ranks(&self, machine: usize) -> Vec<String> {
        let name = |pid: &String| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        self.processes(machine).into_iter().filter(|pid| name(pid) == "descent\n").collect()
    }

    /// Pulls the cable.
    fn cut(&self) {
        ip(&format!("-n {0} link set {0} down", self.names[0])).expect("the cable is there");
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        for (machine, name) in self.names.iter().enumerate() {
            self.processes(machine).iter().for_each(|process| signal("-KILL", process));
            ip(&format!("netns del {name}"));
        }
    }
}

/// The output of `ip` with these arguments, if it succeeds.
fn ip(line: &str) -> Option<String> {
    let output = Command::new("ip").args(line.split(' ')).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
