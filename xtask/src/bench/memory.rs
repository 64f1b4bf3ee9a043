//! The memory use of a driver, sampled from outside, so that the driver needs no code for it.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use bench_protocol::{Model, Pass, Work};

use super::contender::{Condition, Contender, Simd};
use super::driver::Garage;
use super::plan::AIRBENCH_BATCH;
use super::results::Memory;

/// Between two samples.
const INTERVAL: Duration = Duration::from_millis(2);

/// The memory of training steps of the lecture's CNN and of airbench94, each contender in a fresh process.
///
/// # Errors
/// If a driver fails.
pub(super) fn peaks(
    garage: &Garage,
    wanted: &[Contender],
    threads: usize,
    quick: bool,
    only: Option<&str>,
) -> Result<Vec<Memory>> {
    let airbench = Work::Model(Model::Airbench94, Pass::Train);
    // All buffers exist after the second step; small ones are allocated and freed in many steps.
    let watched = [(Work::CnnTrain, 64, 100), (airbench, AIRBENCH_BATCH, 3)];
    let condition = Condition { threads, simd: Simd::Native };
    let mut peaks = Vec::new();
    for (work, size, n_steps) in watched {
        if only.is_some_and(|part| !work.to_string().contains(part)) {
            continue;
        }
        for &contender in wanted {
            let is_watched = match contender {
                Contender::Descent | Contender::DescentBefore | Contender::PytorchEager => true,
                Contender::PytorchChannelsLast | Contender::PytorchBf16 if work == airbench => true,
                // A hundred steps of the slowest take longer than the rest of a short run, and compiling
                // would add the compiler's memory to the comparison.
                _ => !quick && !contender.is_compiled(),
            };
            if is_watched {
                peaks.extend(peak(garage, contender, work, size, condition, n_steps)?);
            }
        }
    }
    Ok(peaks)
}

/// The peak of anonymous memory (RssAnon, without mapped files) of a fresh driver from the opening of the
/// work through `n_steps` steps; `None` if the system does not report it, or the framework does not have the
/// work.
///
/// # Errors
/// If the driver fails.
fn peak(
    garage: &Garage,
    contender: Contender,
    work: Work,
    size: usize,
    condition: Condition,
    n_steps: usize,
) -> Result<Option<Memory>> {
    let mut driver = garage.start(contender, condition)?;
    let id = driver.id();
    let Some(at_start) = anonymous_bytes(id) else { return Ok(None) };
    let done = AtomicBool::new(false);
    let (ran, peak) = thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut peak = at_start;
            while !done.load(Ordering::Relaxed) {
                peak = peak.max(anonymous_bytes(id).unwrap_or(0));
                thread::sleep(INTERVAL);
            }
            peak
        });
        let ran = driver.open(work, size).and_then(|opened| match opened {
            true => driver.run(n_steps).map(Some),
            false => Ok(None),
        });
        done.store(true, Ordering::Relaxed);
        (ran, sampler.join())
    });
    let peak_bytes = peak.ok().context("the thread that watches the memory panicked")?;
    Ok(ran?.map(|_| Memory {
        contender,
        work: work.to_string(),
        size,
        threads: condition.threads,
        steps: n_steps,
        start_bytes: at_start,
        peak_bytes,
    }))
}

/// `RssAnon` of a process, from Linux's /proc.
fn anonymous_bytes(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_allocated_is_seen() {
        let before = anonymous_bytes(std::process::id()).expect("Linux tells");
        let block = std::hint::black_box(vec![1_u8; 32 << 20]);
        let after = anonymous_bytes(std::process::id()).expect("Linux tells");
        assert!(after >= before + (30 << 20), "{before} and then {after} with {} bytes more", block.len());
    }
}
