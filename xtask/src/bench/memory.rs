//! How much memory a driver takes: sampled from outside, so that nothing has to be built into it.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use bench_protocol::Work;

use super::contender::{Condition, Contender};
use super::driver::Garage;
use super::results::Memory;

/// The steps during which memory is watched.
const N_STEPS: usize = 100;

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(2);

/// The peak of anonymous memory (RssAnon: mapped files are not in it) of a fresh driver from the opening of the work
/// through a hundred steps; `None` where the system does not tell, or the framework does not do the work.
///
/// # Errors
/// If the driver fails.
pub(super) fn peak(
    garage: &Garage,
    contender: Contender,
    work: Work,
    size: usize,
    condition: Condition,
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
            true => driver.run(N_STEPS).map(Some),
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
        steps: N_STEPS,
        start_bytes: at_start,
        peak_bytes,
    }))
}

/// `RssAnon` of a process, as Linux has it in /proc.
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
