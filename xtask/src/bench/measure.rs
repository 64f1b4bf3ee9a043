//! The run itself: drivers are asked in turn, round after round.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench_protocol::{Work, write_synthetic};

use super::contender::{Condition, Contender, Simd};
use super::driver::{Driver, Garage};
use super::plan::{Against, Length, Task, plan};
use super::results::{FORMAT, Machine, Measurement, Memory, Results, Round, RunKind};
use super::{Args, machine, memory, table};

/// Between two turns, so that the threads of the one before have gone to sleep.
const PAUSE: Duration = Duration::from_millis(20);

/// The load average up to which a machine is quiet; building this program may have left some.
const QUIET_LOAD: f64 = 1.5;

/// By how much the losses of two drivers may differ where only rounding differs.
const LOSS_TOLERANCE: f64 = 1e-3;

/// Does the plan that the arguments choose.
///
/// # Errors
/// If a driver cannot be built or fails, or drivers disagree about the work.
pub(super) fn measure(root: &Path, args: &Args) -> Result<Results> {
    let n_cores = machine::n_cores();
    let machine = Machine::here();
    let against = match &args.before {
        Some(_) => Against::Before { has_avx512: machine.simd.iter().any(|name| name == "avx512f") },
        None if args.peers => Against::Peers,
        None => Against::Nobody,
    };
    let tasks = plan(n_cores, args.quick, against, args.only.as_deref());
    ensure!(!tasks.is_empty(), "no work has `{}` in its name", args.only.as_deref().unwrap_or_default());
    let wanted: BTreeSet<_> = tasks.iter().flat_map(|task| task.contenders.clone()).collect();
    let wanted: Vec<_> = wanted.into_iter().collect();
    if let Some(load) = machine::load().filter(|&load| load > QUIET_LOAD) {
        eprintln!("other programs are running here (load {load:.1}): the numbers will be theirs too");
    }
    let (cifar, data) = pictures(root, args.cifar.as_deref())?;
    let garage = Garage::build(root, &wanted, args.python.as_deref(), args.before.as_deref(), cifar)?;

    let mut results = Results {
        format: FORMAT,
        date: machine::today(),
        revision: machine::revision(root),
        machine,
        run: RunKind { peers: args.peers, quick: args.quick, rounds: args.rounds },
        data: data.to_owned(),
        versions: BTreeMap::new(),
        measurements: Vec::new(),
        memory: peak_memory(&garage, &wanted, n_cores, args)?,
    };
    for tasks in tasks.chunk_by(|a, b| a.condition == b.condition) {
        let mut drivers = start(&garage, tasks, &mut results.versions)?;
        for task in tasks {
            let measured = take_turns(task, &mut drivers, args.rounds)?;
            results.measurements.extend(measured);
            eprint!(
                "{}",
                table::task_text(
                    &results,
                    (&task.work.to_string(), task.size, task.condition.threads, task.condition.simd)
                )
            );
        }
    }
    Ok(results)
}

/// The folder of the pictures, and what they are.
fn pictures(root: &Path, given: Option<&Path>) -> Result<(PathBuf, &'static str)> {
    let real = given.map_or_else(|| root.join("datasets/cifar-10-batches-bin"), Path::to_owned);
    if real.join("data_batch_1.bin").exists() {
        return Ok((real, "cifar-10"));
    }
    ensure!(given.is_none(), "there is no data_batch_1.bin in {}", real.display());
    let made_up = root.join("target/synthetic-cifar");
    eprintln!(
        "no {}: measuring on made-up pictures (cargo xtask fetch-cifar brings real ones)",
        real.display()
    );
    write_synthetic(&made_up)?;
    Ok((made_up, "synthetic"))
}

/// Memory first, on fresh processes: a hundred training steps at batch 64.
fn peak_memory(garage: &Garage, wanted: &[Contender], threads: usize, args: &Args) -> Result<Vec<Memory>> {
    let work = Work::CnnTrain;
    if args.only.as_ref().is_some_and(|part| !work.to_string().contains(part)) {
        return Ok(Vec::new());
    }
    let condition = Condition { threads, simd: Simd::Native };
    let is_watched = |contender: &Contender| match contender {
        Contender::Descent | Contender::DescentBefore | Contender::PytorchEager => true,
        // Compiling takes the memory of a compiler: no comparison.
        Contender::PytorchCompile => false,
        // A hundred steps of the slowest take longer than all the rest of a short run.
        _ => !args.quick,
    };
    let watched = wanted.iter().filter(|contender| is_watched(contender));
    let peaks: Result<Vec<_>> = watched.map(|&c| memory::peak(garage, c, work, 64, condition)).collect();
    Ok(peaks?.into_iter().flatten().collect())
}

/// Starts who takes part in `tasks`, and holds the newcomers' losses against ours.
fn start(
    garage: &Garage,
    tasks: &[Task],
    versions: &mut BTreeMap<Contender, String>,
) -> Result<BTreeMap<Contender, Driver>> {
    let mut drivers = BTreeMap::new();
    let mut our_losses = Vec::new();
    for contender in Contender::ALL {
        if !tasks.iter().any(|task| task.contenders.contains(&contender)) {
            continue;
        }
        let mut driver = garage.start(contender, tasks[0].condition)?;
        let is_new = versions.insert(contender, driver.hello.version.clone()).is_none();
        if contender == Contender::Descent {
            our_losses = first_losses(&mut driver)?;
        } else if is_new {
            compare_losses(contender, &our_losses, &first_losses(&mut driver)?)?;
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

fn compare_losses(contender: Contender, ours: &[f64], theirs: &[f64]) -> Result<()> {
    for (step_idx, (a, b)) in ours.iter().zip(theirs).enumerate() {
        ensure!(
            (a - b).abs() <= LOSS_TOLERANCE * a.abs(),
            "{} does not do the same work: its losses without dropout are {theirs:?}, ours {ours:?} (step {step_idx})",
            contender.label()
        );
    }
    Ok(())
}

/// One task: all open it and warm up, then each has its turn, round after round.
fn take_turns(
    task: &Task,
    drivers: &mut BTreeMap<Contender, Driver>,
    n_rounds: u32,
) -> Result<Vec<Measurement>> {
    let mut turns = Vec::new();
    for &contender in &task.contenders {
        let driver = drivers.get_mut(&contender).context("a contender was not started")?;
        if driver.open(task.work, task.size)? {
            turns.push((contender, warm_up(driver, task.length)?, Vec::new()));
        }
    }
    for round_idx in 0..n_rounds as usize {
        // A different one begins each round, so that nobody always follows the same other.
        let first = round_idx % turns.len().max(1);
        for turn_idx in 0..turns.len() {
            let n_turns = turns.len();
            let (contender, n_steps, rounds) = &mut turns[(first + turn_idx) % n_turns];
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
    Ok(turns.into_iter().map(measurement).collect())
}

/// Lets a driver reach its stride; how many steps make a round.
fn warm_up(driver: &mut Driver, length: Length) -> Result<usize> {
    let seconds = match length {
        Length::Seconds(seconds) => seconds,
        Length::Steps(n_steps) => {
            driver.run(n_steps.min(20))?;
            return Ok(n_steps);
        }
    };
    // The first step compiles, allocates and faults pages in.
    driver.run(1)?;
    let mut n_steps = 1;
    loop {
        let took = driver.run(n_steps)?.seconds;
        if took > seconds / 8.0 {
            return Ok((n_steps as f64 * seconds / took).ceil() as usize);
        }
        n_steps *= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_work_is_noticed() {
        let ours = [2.504, 2.447, 2.504];
        assert!(compare_losses(Contender::Burn, &ours, &[2.5041, 2.4472, 2.5038]).is_ok());
        assert!(compare_losses(Contender::Ndarray, &ours, &[]).is_ok());
        let error = compare_losses(Contender::Burn, &ours, &[2.504, 2.46, 2.504]).unwrap_err().to_string();
        assert!(error.starts_with("burn (flex) does not do the same work"), "{error}");
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
