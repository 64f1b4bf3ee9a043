//! The machine: its processor and threads, and the program's version on it.

use std::sync::OnceLock;

use anyhow::{Context, Result};
use tensor::{SIMD_VARIABLE, SimdLevel};

/// Runs all of `work` on a separate pool, so that no step has to enter one.
///
/// # Errors
/// When the threads cannot be started, or as `work`.
pub fn in_pool(threads: Option<usize>, work: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0));
    builder.build().context("cannot start the threads")?.install(work)
}

/// The processor and the threads in use, in words.
pub fn in_use() -> String {
    format!("{}, {} threads", processor(), rayon::current_num_threads())
}

/// The version, with the detected processor.
pub fn long_version() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let (used, available) = instruction_sets();
        format!(
            "{}\nprocessor  {}, {used}\n           (of {};\n           {SIMD_VARIABLE} chooses)\nthreads    {}",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::ARCH,
            available.join(", "),
            n_threads()
        )
    })
}

/// The processor's family, and the instruction sets that the kernels use on it.
pub fn processor() -> String {
    let (used, available) = instruction_sets();
    format!("{}, {used} (of {}; {SIMD_VARIABLE} chooses)", std::env::consts::ARCH, available.join(", "))
}

/// The instruction set that the kernels use, and those that they could.
fn instruction_sets() -> (&'static str, Vec<&'static str>) {
    let available: Vec<&str> = SimdLevel::available().into_iter().rev().map(SimdLevel::name).collect();
    let used = match SimdLevel::check_variable() {
        Ok(()) => SimdLevel::current().name(),
        Err(_) => available[0],
    };
    (used, available)
}

/// The processor's name, or its family if the name is not available.
pub fn name_of_processor() -> String {
    let known = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = known.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim());
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}

/// The number of hardware threads.
pub fn n_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
