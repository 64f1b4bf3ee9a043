//! The progress bar of an epoch: images/s, loss and time left. On a pipe there is none.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often the bar is drawn anew at most.
const REFRESH: Duration = Duration::from_millis(100);

/// The bar of one epoch, on standard error; it vanishes at the end and is never drawn off a terminal.
pub struct EpochBar {
    bar: ProgressBar,
    started: Instant,
    drawn: Instant,
    n_images: usize,
}

impl EpochBar {
    /// A bar of `n_batches` steps, of which `n_done` were taken before.
    pub fn new(label: String, n_batches: usize, n_done: usize) -> Self {
        let style = ProgressStyle::with_template("{prefix} {bar:32} {pos:>4}/{len} {msg}, {eta} left")
            .expect("the template is well-formed")
            .progress_chars("█▉▊▋▌▍▎▏ ");
        let bar = ProgressBar::new(n_batches as u64).with_style(style).with_prefix(label);
        bar.set_position(n_done as u64);
        bar.reset_eta();
        let now = Instant::now();
        Self { bar, started: now, drawn: now, n_images: 0 }
    }

    /// A step is done: `n_images` more, with the mean loss of the epoch so far.
    pub fn step(&mut self, n_images: usize, mean_loss: f64) {
        self.n_images += n_images;
        self.bar.inc(1);
        if self.drawn.elapsed() >= REFRESH {
            self.drawn = Instant::now();
            let rate = self.n_images as f64 / self.started.elapsed().as_secs_f64();
            self.bar.set_message(format!("{rate:.0} images/s, loss {mean_loss:.4}"));
        }
    }
}

impl Drop for EpochBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
