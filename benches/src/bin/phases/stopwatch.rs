//! Times per phase, and their table.

use std::fmt::Write as _;
use std::time::Instant;

/// The path a time belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    Fast,
    General,
}

/// The times of the phases, in order of first appearance.
pub(crate) struct Stopwatch {
    n_images: usize,
    phases: Vec<Phase>,
}

struct Phase {
    name: String,
    /// Dense floating-point operations per image.
    flops: Option<f64>,
    fast: Vec<f64>,
    general: Vec<f64>,
}

impl Stopwatch {
    /// Creates a stopwatch for batches of `n_images`.
    pub(crate) fn new(n_images: usize) -> Self {
        Self { n_images, phases: Vec::new() }
    }

    /// Times a phase that is the same on both paths.
    pub(crate) fn time<R>(&mut self, name: &str, flops: Option<f64>, work: impl FnMut() -> R) -> R {
        self.time_on(Path::Fast, name, flops, work)
    }

    /// Times a phase on a path; `flops` are the dense operations per image.
    pub(crate) fn time_on<R>(
        &mut self,
        path: Path,
        name: &str,
        flops: Option<f64>,
        mut work: impl FnMut() -> R,
    ) -> R {
        work(); // so that all pages are already mapped and the caches are as they are between steps
        let started = Instant::now();
        let result = work();
        let micros = started.elapsed().as_secs_f64() * 1e6 / self.n_images as f64;
        let at = self.phases.iter().position(|phase| phase.name == name).unwrap_or_else(|| {
            self.phases.push(Phase { name: name.to_owned(), flops, fast: Vec::new(), general: Vec::new() });
            self.phases.len() - 1
        });
        let phase = &mut self.phases[at];
        match path {
            Path::Fast => phase.fast.push(micros),
            Path::General => phase.general.push(micros),
        }
        result
    }

    /// Returns one line per phase: microseconds per image on both paths.
    pub(crate) fn table(&mut self) -> String {
        let mut text = String::from("| phase | µs an image | general path |\n|---|--:|--:|\n");
        for phase in &mut self.phases {
            let (name, flops) = (&phase.name, phase.flops);
            let fast = cell(median(&mut phase.fast), flops);
            let general = cell(median(&mut phase.general), flops);
            writeln!(text, "| {name} | {fast} | {general} |").expect("a String takes all");
        }
        text
    }
}

fn cell(micros: Option<f64>, flops: Option<f64>) -> String {
    match (micros, flops) {
        (None, _) => "–".to_owned(),
        (Some(micros), None) => format!("{micros:.1}"),
        (Some(micros), Some(flops)) => format!("{micros:.1} ({:.0})", flops / micros / 1e3),
    }
}

fn median(times: &mut [f64]) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}
