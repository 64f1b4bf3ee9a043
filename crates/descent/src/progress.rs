//! The progress bar of an epoch: images/s, loss, and the time left for the whole run. Pipes and
//! quiet runs get none.

use std::time::{Duration, Instant};

use classifier::output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::duration;

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
    n_done: u64,
    /// Remaining steps of this run, including those of this epoch.
    n_left: u64,
    is_narrow: bool,
}

impl EpochBar {
    /// A bar of `n_batches` steps, of which `n_done` are already done; the run has `n_left` remaining steps.
    /// The terminal has `width` columns.
    pub fn new(label: String, n_batches: usize, n_done: usize, n_left: u64, width: usize) -> Self {
        let is_narrow = width < NARROW;
        let n_batches = n_batches.min(n_done.saturating_add(n_left as usize));
        let template =
            if is_narrow { "{prefix} {pos}/{len} {msg}" } else { "{prefix} {wide_bar} {pos:>4}/{len} {msg}" };
        let style = ProgressStyle::with_template(template)
            .expect("the template is well-formed")
            .progress_chars("█▉▊▋▌▍▎▏ ");
        let bar = ProgressBar::new(n_batches as u64).with_style(style).with_prefix(label);
        if !output::tells_progress() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar.set_position(n_done as u64);
        let now = Instant::now();
        Self { bar, started: now, drawn: now, n_images: 0, n_done: 0, n_left, is_narrow }
    }

    /// Called after a step on `n_images`, with the mean loss of the epoch so far.
    pub fn step(&mut self, n_images: usize, mean_loss: f64) {
        self.n_images += n_images;
        self.n_done += 1;
        self.n_left = self.n_left.saturating_sub(1);
        self.bar.inc(1);
        if self.drawn.elapsed() >= REFRESH {
            self.drawn = Instant::now();
            let seconds = self.started.elapsed().as_secs_f64();
            let left = duration(seconds / self.n_done as f64 * self.n_left as f64);
            self.bar.set_message(if self.is_narrow {
                format!("loss {mean_loss:.3}, {left} left")
            } else {
                format!("{:.0} images/s, loss {mean_loss:.4}, {left} left", self.n_images as f64 / seconds)
            });
        }
    }
}

impl Drop for EpochBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
