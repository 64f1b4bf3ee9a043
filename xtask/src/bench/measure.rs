//! The measurement: drivers take turns, round by round.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench_protocol::{Probe, Work, write_synthetic};

use super::args::Args;
use super::contender::{Condition, Contender, Simd};
use super::driver::{Driver, Garage};
use super::plan::{Against, Length, Task, Wanted, plan};
use super::results::{FORMAT, Machine, Measurement, Results, Round, RunKind};
use super::{machine, memory, networks, table};

/// Between two turns, so that the threads of the previous one have gone to sleep.
const PAUSE: Duration = Duration::from_millis(20);

/// The load average up to which a machine counts as quiet; building this program may have left some load.
const QUIET_LOAD: f64 = 1.5;

/// The largest difference between the losses of two drivers that differ in rounding only, relative to the
/// loss.
const LOSS_TOLERANCE: f64 = 1e-3;

/// The same if one of them rounds to eight bits.
const BF16_TOLERANCE: f64 = 0.05;

/// A mode in bf16 that takes this many times as long in the first round as the fastest of the other frameworks is not
/// measured again. Where a processor has no instructions for bf16, PyTorch emulates them and takes ten times as long.
const TOO_SLOW: f64 = 5.0;

/// Millions of floating-point operations per thread in a probe of AMX: between 20 ms and 80.
const AMX_PROBE: usize = 50_000;

/// Results without measurements, and the folder of the images.
pub(super) fn prepare(root: &Path, args: &Args) -> Result<(Results, PathBuf)> {
    let (images, data) = pictures(root, args.cifar.as_deref())?;
    let results = Results {
        format: FORMAT,
        date: machine::today(),
        revision: machine::revision(root),
        machine: Machine::here(),
        run: RunKind { peers: args.peers, quick: args.quick, rounds: args.rounds },
        data: data.to_owned(),
        versions: BTreeMap::new(),
        measurements: Vec::new(),
        amx_peak: Vec::new(),
        memory: Vec::new(),
    };
    Ok((results, images))
}

/// Runs the plan that the arguments select.
///
/// # Errors
/// If a driver cannot be built or fails, or drivers disagree about the work.
pub(super) fn measure(root: &Path, args: &Args, images: PathBuf, results: &mut Results) -> Result<()> {
    let n_cores = machine::n_cores();
    let against = match &args.before {
        Some(_) => Against::Before { has_avx512: results.machine.has("avx512f") },
        None if args.peers => Against::Peers,
        None => Against::Nobody,
    };
    let part = Wanted {
        quick: args.quick,
        only: args.only.as_deref(),
        threads: args.threads.map(|threads| threads as usize),
        no_compile: args.no_compile,
        no_bf16: args.no_bf16,
    };
    let tasks = plan(n_cores, against, part);
    ensure!(
        !tasks.is_empty(),
        "no work of the plan has `{}` in its name and runs on that many threads",
        part.only.unwrap_or_default()
    );
    let wanted: BTreeSet<_> = tasks.iter().flat_map(|task| task.contenders.clone()).collect();
    let wanted: Vec<_> = wanted.into_iter().collect();
    if let Some(load) = machine::load().filter(|&load| load > QUIET_LOAD) {
        eprintln!("other programs are running here (load {load:.1}): the numbers will be theirs too");
    }
    let python = args.python.clone().or_else(|| env::var_os("DESCENT_PYTHON").map(PathBuf::from));
    let garage = Garage::build(root, &wanted, python.as_deref(), args.before.as_deref(), images)?;
    results.memory = memory::peaks(&garage, &wanted, part.threads.unwrap_or(n_cores), args.quick, part.only)?;
    let mut checked = BTreeSet::new();
    for tasks in tasks.chunk_by(|a, b| a.condition == b.condition) {
        let mut drivers = start(&garage, tasks, &mut results.versions, &mut checked)?;
        let mut prober = amx_prober(&garage, &results.machine, tasks[0].condition)?;
        for task in tasks {
            let prober = prober.as_mut().filter(|_| networks::is_network(task.work));
            let measured = take_turns(task, &mut drivers, prober, args.rounds)?;
            results.measurements.extend(measured.turns);
            results.amx_peak.extend(measured.amx_peak);
            eprint!(
                "{}",
                table::task_text(
                    results,
                    (&task.work.to_string(), task.size, task.condition.threads, task.condition.simd)
                )
            );
        }
    }
    Ok(())
}

/// The folder of the images, and their kind.
fn pictures(root: &Path, given: Option<&Path>) -> Result<(PathBuf, &'static str)> {
    let real = given.map_or_else(|| root.join("datasets/cifar-10-batches-bin"), Path::to_owned);
    if real.join("data_batch_1.bin").exists() {
        return Ok((real, "cifar-10"));
    }
    ensure!(given.is_none(), "there is no data_batch_1.bin in {}", real.display());
    let made_up = root.join("target/synthetic-cifar");
    eprintln!("no {}: measuring on synthetic images (cargo xtask fetch-cifar gets CIFAR-10)", real.display());
    write_synthetic(&made_up)?;
    Ok((made_up, "synthetic"))
}

/// A driver of ours that probes AMX alongside the rounds of others, if the processor has it.
fn amx_prober(garage: &Garage, machine: &Machine, condition: Condition) -> Result<Option<Driver>> {
    if !machine.has("amx_bf16") || condition.simd != Simd::Native {
        return Ok(None);
    }
    let mut prober = garage.start(Contender::Descent, condition)?;
    Ok(prober.open(Work::Probe(Probe::Amx), AMX_PROBE * condition.threads)?.then_some(prober))
}

/// Starts the contenders of `tasks`, and compares the losses of those not `checked` yet with ours. The larger
/// networks are checked when they are opened.
fn start(
    garage: &Garage,
    tasks: &[Task],
    versions: &mut BTreeMap<Contender, String>,
    checked: &mut BTreeSet<Contender>,
) -> Result<BTreeMap<Contender, Driver>> {
    let mut drivers = BTreeMap::new();
    let mut our_losses = Vec::new();
    let is_checked_later = tasks.iter().all(|task| matches!(task.work, Work::Model(..)));
    for contender in Contender::ALL {
        if !tasks.iter().any(|task| task.contenders.contains(&contender)) {
            continue;
        }
        let mut driver = garage.start(contender, tasks[0].condition)?;
        versions.insert(contender, driver.hello.version.clone());
        match contender {
            _ if is_checked_later => {}
            Contender::Descent => our_losses = first_losses(&mut driver)?,
            _ if checked.insert(contender) => {
                compare_losses(Work::CnnCheck, contender, &our_losses, &first_losses(&mut driver)?)?;
            }
            _ => {}
        }
        drivers.insert(contender, driver);
    }
    Ok(drivers)
}

/// The losses of three steps from the common weights on the common batches; none from a driver without gradients.
fn first_losses(driver: &mut Driver) -> Result<Vec<f64>> {
    if !driver.open(Work::CnnCheck, 64)? {
        return Ok(Vec::new());
    }
    (0..3).map(|_| driver.run(1)?.loss.context("a training step has no loss")).collect()
}

fn compare_losses(work: Work, contender: Contender, ours: &[f64], theirs: &[f64]) -> Result<()> {
    let tolerance = if contender.is_bf16() { BF16_TOLERANCE } else { LOSS_TOLERANCE };
    for (step_idx, (a, b)) in ours.iter().zip(theirs).enumerate() {
        ensure!(
            (a - b).abs() <= tolerance * a.abs(),
            "{} does not do the same work: its losses at {work} are {theirs:?}, ours {ours:?} (step {step_idx})",
            contender.label()
        );
    }
    Ok(())
}

/// The result of a task.
struct Measured {
    turns: Vec<Measurement>,
    amx_peak: Option<Measurement>,
}

/// One task: all contenders open it and warm up, then take turns, round after round, after a probe of AMX if
/// there is a `prober`.
fn take_turns(
    task: &Task,
    drivers: &mut BTreeMap<Contender, Driver>,
    mut prober: Option<&mut Driver>,
    n_rounds: u32,
) -> Result<Measured> {
    let mut turns = Vec::new();
    let mut our_losses = Vec::new();
    for &contender in &task.contenders {
        let driver = drivers.get_mut(&contender).context("a contender was not started")?;
        if driver.open(task.work, task.size)? {
            let (n_steps, losses) = warm_up(driver, task.length)?;
            if contender == Contender::Descent {
                our_losses = losses;
            } else if matches!(task.work, Work::Model(..)) {
                compare_losses(task.work, contender, &our_losses, &losses)?;
            }
            turns.push((contender, n_steps, Vec::new()));
        }
    }
    let mut amx_rounds = Vec::new();
    for round_idx in 0..n_rounds as usize {
        if let Some(prober) = prober.as_mut() {
            thread::sleep(PAUSE);
            let items = AMX_PROBE * task.condition.threads;
            amx_rounds.push(Round { items, seconds: prober.run(1)?.seconds });
        }
        // A different contender starts each round, so that none always follows the same one.
        let first = round_idx % turns.len().max(1);
        let fastest = fastest_of_the_others(&turns);
        for turn_idx in 0..turns.len() {
            let n_turns = turns.len();
            let (contender, n_steps, rounds) = &mut turns[(first + turn_idx) % n_turns];
            if contender.is_bf16() && rounds.first().is_some_and(|round| TOO_SLOW * round.rate() < fastest) {
                continue;
            }
            thread::sleep(PAUSE);
            let ran = drivers.get_mut(contender).context("a contender was not started")?.run(*n_steps)?;
            rounds.push(Round { items: ran.items.unwrap_or(task.size * *n_steps), seconds: ran.seconds });
        }
    }
    let measurement = |(contender, _, rounds)| Measurement {
        work: task.work.to_string(),
        size: task.size,
        threads: task.condition.threads,
        simd: task.condition.simd,
        contender,
        rounds,
    };
    let amx_peak = prober.map(|_| measurement((Contender::Descent, 1, amx_rounds)));
    Ok(Measured { turns: turns.into_iter().map(measurement).collect(), amx_peak })
}

/// The highest rate of other frameworks in the first round; zero before it.
fn fastest_of_the_others(turns: &[(Contender, usize, Vec<Round>)]) -> f64 {
    let others = turns.iter().filter(|(contender, ..)| *contender != Contender::Descent);
    others.filter_map(|(.., rounds)| Some(rounds.first()?.rate())).fold(0.0, f64::max)
}

/// Warms a driver up; returns the steps per round, and the losses of the first two steps, if it reports them.
fn warm_up(driver: &mut Driver, length: Length) -> Result<(usize, Vec<f64>)> {
    let seconds = match length {
        Length::Seconds(seconds) => seconds,
        Length::Steps(n_steps) => {
            driver.run(n_steps.min(20))?;
            return Ok((n_steps, Vec::new()));
        }
    };
    // The first step compiles, allocates and faults pages in.
    let mut losses = Vec::from_iter(driver.run(1)?.loss);
    let mut n_steps = 1;
    loop {
        let ran = driver.run(n_steps)?;
        if n_steps == 1 {
            losses.extend(ran.loss);
        }
        if ran.seconds > seconds / 8.0 {
            return Ok(((n_steps as f64 * seconds / ran.seconds).ceil() as usize, losses));
        }
        n_steps *= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_slow_beside_the_others_and_not_beside_ours() {
        let turn = |contender, rate| (contender, 1, vec![Round { items: 1, seconds: 1.0 / rate }]);
        let ours = turn(Contender::Descent, 8.0);
        assert_eq!(fastest_of_the_others(&[ours.clone(), (Contender::PytorchEager, 1, Vec::new())]), 0.0);
        let others = [Contender::PytorchEager, Contender::PytorchBf16].map(|contender| turn(contender, 2.0));
        assert_eq!(fastest_of_the_others(&[&[ours], &others[..]].concat()), 2.0);
    }

    #[test]
    fn other_work_is_noticed() {
        let ours = [2.504, 2.447, 2.504];
        let compare = |contender, theirs: &[f64]| compare_losses(Work::CnnCheck, contender, &ours, theirs);
        assert!(compare(Contender::Burn, &[2.5041, 2.4472, 2.5038]).is_ok());
        assert!(compare(Contender::Ndarray, &[]).is_ok());
        let error = compare(Contender::Burn, &[2.504, 2.46, 2.504]).unwrap_err().to_string();
        assert!(error.starts_with("burn (flex) does not do the same work"), "{error}");
        assert!(compare(Contender::PytorchBf16, &[2.504, 2.46, 2.504]).is_ok());
        assert!(compare(Contender::PytorchBf16, &[2.504, 2.7, 2.504]).is_err());
    }

    /// A driver that takes a fifth of a second for any request and always has the same loss.
    fn shell(contender: Contender, loss: f64) -> Result<Driver> {
        let script = format!(
            r#"while read word rest; do case $word in
            hello) echo '{{"peer":"x","version":"1","threads":2}}';;
            open) echo '{{"opened":true}}';;
            run) echo '{{"seconds":0.2,"loss":{loss}}}';;
            esac; done"#
        );
        Driver::start(contender, std::process::Command::new("sh").args(["-c", &script]))
    }

    /// Three rounds of a larger network: ours has a loss of 2, PyTorch in bf16 another.
    fn turns(their_loss: f64, prober: Option<&mut Driver>) -> Result<Measured> {
        let contenders = vec![Contender::Descent, Contender::PytorchBf16];
        let mut drivers = BTreeMap::new();
        for (contender, loss) in contenders.iter().zip([2.0, their_loss]) {
            drivers.insert(*contender, shell(*contender, loss)?);
        }
        let task = Task {
            work: "airbench94-train".parse()?,
            size: 500,
            condition: Condition { threads: 2, simd: Simd::Native },
            contenders,
            length: Length::Seconds(0.4),
        };
        take_turns(&task, &mut drivers, prober, 3)
    }

    #[test]
    fn each_has_its_turn_in_each_round_behind_a_probe_of_amx() -> Result<()> {
        let mut prober = shell(Contender::Descent, 0.0)?;
        let measured = turns(2.05, Some(&mut prober))?;
        for measurement in &measured.turns {
            // Two steps take a round of 0.4 seconds.
            assert_eq!(measurement.rounds, [Round { items: 1000, seconds: 0.2 }; 3]);
        }
        let peak = measured.amx_peak.expect("there is a prober");
        assert_eq!(peak.task(), measured.turns[0].task());
        assert_eq!(peak.rounds, [Round { items: 2 * AMX_PROBE, seconds: 0.2 }; 3]);
        assert_eq!(turns(2.05, None)?.amx_peak, None);
        Ok(())
    }

    #[test]
    fn a_larger_network_that_is_another_is_not_measured() {
        let error = turns(2.3, None).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(
            error.starts_with(
                "PyTorch bf16 autocast does not do the same work: its losses at airbench94-train"
            )
        );
    }

    #[test]
    fn pictures_are_made_up_where_there_are_none() -> Result<()> {
        let root = tempfile::tempdir()?;
        let (folder, data) = pictures(root.path(), None)?;
        assert_eq!(data, "synthetic");
        assert!(folder.join("data_batch_1.bin").exists());
        assert_eq!(pictures(root.path(), Some(&folder))?, (folder, "cifar-10"));
        assert!(pictures(root.path(), Some(root.path())).is_err());
        Ok(())
    }
}
