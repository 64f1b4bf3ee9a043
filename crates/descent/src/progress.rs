//! The progress bar of an epoch or a range test: images/s, loss, and the time left for the whole run. Pipes and
//! quiet runs get none.

use std::time::{Duration, Instant};

use classifier::output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::duration;
use crate::sizes::Costs;

/// The shortest time between two updates of the bar.
const REFRESH: Duration = Duration::from_millis(100);

/// The columns below which a shorter text replaces the bar.
const NARROW: usize = 64;

/// The bar of one epoch, on standard error; it is removed at the end and only drawn on a terminal.
pub struct EpochBar {
    bar: ProgressBar,
    started: Instant,
    drawn: Instant,
    n_images: usize,
    work: Work,
    /// The seconds that the evaluations after this epoch and later ones will take.
    evaluations: f64,
    is_narrow: bool,
    /// What is counted: images, or rows of a table.
    unit: &'static str,
}

/// The bar of files that are read, on standard error; it is removed at the end and only drawn on a terminal.
#[derive(Debug)]
pub struct FileBar(ProgressBar);

impl FileBar {
    /// A bar that is drawn once a file is reached.
    pub fn new(label: &'static str) -> Self {
        Self(styled(ProgressBar::new(0), output::width() < NARROW).with_prefix(label))
    }

    /// Called when `n_done` of `n` files are read.
    pub fn reach(&self, n_done: usize, n: usize) {
        self.0.set_length(n as u64);
        self.0.set_position(n_done as u64);
    }
}

impl Drop for FileBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The bar in our style; hidden if no progress is printed.
fn styled(bar: ProgressBar, is_narrow: bool) -> ProgressBar {
    let template =
        if is_narrow { "{prefix} {pos}/{len} {msg}" } else { "{prefix} {wide_bar} {pos:>4}/{len} {msg}" };
    let style = ProgressStyle::with_template(template)
        .expect("the template is well-formed")
        .progress_chars("█▉▊▋▌▍▎▏ ");
    if !output::tells_progress() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar.with_style(style)
}

/// The steps of a run from a first one to the last, and how far it is.
pub struct Work {
    costs: Costs,
    first: u64,
    next: u64,
    end: u64,
}

impl Work {
    /// The steps from `first` up to `end`, without it; none is done yet.
    pub fn new(costs: Costs, first: u64, end: u64) -> Self {
        Self { costs, first, next: first, end: end.max(first) }
    }

    /// All steps before `next` are done.
    pub fn reach(&mut self, next: u64) {
        self.next = next.clamp(self.first, self.end);
    }

    /// The steps that are left.
    pub fn n_left(&self) -> u64 {
        self.end - self.next
    }

    /// The seconds that these will take, if those that are done took `seconds`; `None` if none is done.
    pub fn seconds_left(&self, seconds: f64) -> Option<f64> {
        let done = self.costs.between(self.first, self.next);
        (done > 0.0).then(|| seconds / done * self.costs.between(self.next, self.end))
    }
}

impl EpochBar {
    /// A bar of `n_batches` steps, of which `n_done` are already done; `work` is the rest of the run, beside
    /// `evaluations` in seconds. The terminal has `width` columns.
    pub fn new(
        label: String,
        (n_batches, n_done): (usize, usize),
        work: Work,
        evaluations: f64,
        width: usize,
    ) -> Self {
        let is_narrow = width < NARROW;
        let n_batches = n_batches.min(n_done.saturating_add(work.n_left() as usize));
        let bar = styled(ProgressBar::new(n_batches as u64), is_narrow).with_prefix(label);
        bar.set_position(n_done as u64);
        let now = Instant::now();
        Self { bar, started: now, drawn: now, n_images: 0, work, evaluations, is_narrow, unit: "images" }
    }

    /// The same bar, which counts examples of another kind.
    pub fn of(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    /// Called after a step on `n_images`, with the mean loss of the epoch so far.
    pub fn step(&mut self, n_images: usize, mean_loss: f64) {
        self.n_images += n_images;
        self.work.reach(self.work.next + 1);
        self.bar.inc(1);
        if self.drawn.elapsed() >= REFRESH {
            self.drawn = Instant::now();
            let seconds = self.started.elapsed().as_secs_f64();
            let left = self
                .work
                .seconds_left(seconds)
                .map_or(String::new(), |left| format!(", {} left", duration(left + self.evaluations)));
            self.bar.set_message(if self.is_narrow {
                format!("loss {}{left}", output::loss(mean_loss))
            } else {
                let loss = output::loss(mean_loss);
                format!("{:.0} {}/s, loss {loss}{left}", self.n_images as f64 / seconds, self.unit)
            });
        }
    }
}

impl Drop for EpochBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_images_at_first_do_not_promise_a_short_run() {
        // Ten steps at a quarter of the area, ten at full size.
        let mut work = Work::new(Costs::new([(10, 0.25)]), 0, 20);
        assert_eq!(work.seconds_left(0.0), None);
        for (reached, seconds, left) in [(4, 1.0, 11.5), (10, 2.5, 10.0), (15, 7.5, 5.0), (20, 12.5, 0.0)] {
            work.reach(reached);
            assert_eq!(work.seconds_left(seconds), Some(left), "after {reached} steps");
        }
        // A resumed run knows only its own steps.
        let mut work = Work::new(Costs::new([(10, 0.25)]), 8, 20);
        work.reach(9);
        assert_eq!((work.seconds_left(1.0), work.n_left()), (Some(41.0), 11));
    }
}
