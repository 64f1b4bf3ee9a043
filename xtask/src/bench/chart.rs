//! The bar chart of a run.

use std::path::Path;

use anyhow::{Context, Result};
use viz::{Bars, Plot, Theme};

use super::contender::{Contender, Simd};
use super::results::{Results, Task};
use super::stats::Spread;

/// The charted work: the training step of the CNN at the lecture's batch size.
const WORK: (&str, usize) = ("cnn-train", 64);

/// Draws the chart into `path`; returns false if the run did not measure the training step.
///
/// # Errors
/// If it cannot be drawn or written.
pub(super) fn write(results: &Results, path: &Path) -> Result<bool> {
    let Some(svg) = svg(results)? else { return Ok(false) };
    atomic_file::write(path, svg.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}

/// A bar for each contender and number of threads: the median of images per second, with half the range of
/// the rounds on each side.
///
/// # Errors
/// If it cannot be drawn.
pub fn svg(results: &Results) -> Result<Option<String>> {
    let is_drawn = |(work, size, threads, simd): &Task<'_>| {
        (*work, *size, *simd) == (WORK.0, WORK.1, Simd::Native) && *threads <= results.machine.cores
    };
    let tasks: Vec<_> = results.tasks().into_iter().filter(is_drawn).collect();
    let took_part =
        |&contender: &Contender| tasks.iter().any(|&task| results.find(task, contender).is_some());
    let contenders: Vec<_> = Contender::ALL.into_iter().filter(took_part).collect();
    if contenders.is_empty() {
        return Ok(None);
    }
    let names: Vec<_> = contenders.iter().map(|contender| contender.short_label()).collect();
    let title = format!("Training the CNN, batch {} ({})", WORK.1, results.machine.cpu);
    let mut bars = Bars::new(title, &names).size(900, 420).y_label("images a second");
    for task in tasks {
        let spread = |&contender: &Contender| results.find(task, contender).and_then(|m| m.spread());
        let spreads: Vec<_> = contenders.iter().map(spread).collect();
        let medians: Vec<_> = spreads.iter().map(|s| s.map_or(f64::NAN, |s| s.median)).collect();
        let half_range = |s: &Option<Spread>| s.map_or(0.0, |s| (s.max - s.min) / 2.0);
        let errors: Vec<_> = spreads.iter().map(half_range).collect();
        let name = if task.2 == 1 { "1 thread".to_owned() } else { format!("{} threads", task.2) };
        bars = bars.group_with_errors(name, &medians, &errors);
    }
    Ok(Some(bars.svg(Theme::Auto)?))
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::sample;
    use super::*;

    #[test]
    fn only_the_training_step_is_drawn() -> Result<()> {
        let mut results = sample([400.0, 320.0, 360.0]);
        assert!(svg(&results)?.is_some_and(|svg| svg.contains("PyTorch")));
        results.measurements.iter_mut().for_each(|m| m.work = "cnn-infer".to_owned());
        assert_eq!(svg(&results)?, None);
        Ok(())
    }
}
