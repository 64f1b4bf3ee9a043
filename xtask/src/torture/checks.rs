//! The long checks: what each shows, and the command that runs it.

/// One long check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// How it is called on the command line.
    pub name: &'static str,
    /// What holds when it passes.
    pub promise: &'static str,
    /// Environment variables that make the short form long.
    pub variables: &'static [(&'static str, &'static str)],
    /// What `cargo` is called with.
    pub cargo: &'static [&'static str],
    /// Where it takes more than a stable compiler: `cargo +nightly`, and what must be installed.
    pub needs: Option<&'static str>,
}

const FUZZ_NEEDS: Option<&str> = Some("cargo-fuzz and a nightly compiler");

/// Without isolation, since tests take their random numbers from the system; the threads of rayon's pool outlive
/// the program, which Miri would call a leak; and crossbeam-epoch, which rayon takes, keeps the rules of Tree Borrows
/// but not those of Stacked Borrows.
const MIRI: &[(&str, &str)] =
    &[("MIRIFLAGS", "-Zmiri-disable-isolation -Zmiri-ignore-leaks -Zmiri-tree-borrows")];

/// All of them, in the order in which they run.
pub const CHECKS: &[Check] = &[
    Check {
        name: "train-kills",
        promise: "100 SIGKILLs in training runs: each ends with the bits of the uninterrupted one",
        variables: &[("TRAIN_KILLS", "100")],
        cargo: &["test", "-p", "lab", "--test", "kills", "a_run_that_is_killed", "--", "--nocapture"],
        needs: None,
    },
    Check {
        name: "write-kills",
        promise: "500 SIGKILLs within the writing of a checkpoint: the old one or the new one, never a mix",
        variables: &[("WRITE_KILLS", "500")],
        cargo: &["test", "-p", "lab", "--test", "kills", "a_kill", "--", "--nocapture"],
        needs: None,
    },
    Check {
        name: "fetch-kills",
        promise: "200 SIGKILLs in fetch-cifar: the next run ends with the whole set",
        variables: &[("FETCH_KILLS", "200")],
        cargo: &["test", "-p", "xtask", "--test", "interrupted", "after_a_kill", "--", "--nocapture"],
        needs: None,
    },
    Check {
        name: "mutations",
        promise: "100,000 damaged safetensors files and as many checkpoints: no panic, no more memory than twice the file",
        variables: &[("MUTATIONS", "100000")],
        cargo: &["test", "-p", "nn", "-p", "lab", "--test", "memory", "--", "--nocapture"],
        needs: None,
    },
    Check {
        name: "soak",
        promise: "1,000 epochs: resident memory grows by less than 1 % after the first hundred",
        variables: &[("SOAK_EPOCHS", "1000")],
        cargo: &["test", "-p", "lab", "--test", "soak", "--", "--nocapture"],
        needs: None,
    },
    Check {
        name: "miri",
        promise: "no undefined behaviour in the kernels (portable vectors) that Miri could find",
        variables: MIRI,
        cargo: &["+nightly", "miri", "test", "-p", "tensor", "--lib", "--test", "matmul"],
        needs: Some("Miri and a nightly compiler"),
    },
    fuzz("fuzz-cifar", "an hour of fuzzing the CIFAR reader: no crash", CIFAR),
    fuzz("fuzz-archive", "an hour of fuzzing the archive filter: no crash, nothing outside", ARCHIVE),
    fuzz("fuzz-weights", "an hour of fuzzing the safetensors and checkpoint readers: no crash", WEIGHTS),
    fuzz("fuzz-images", "an hour of fuzzing the reading of pictures: no crash", IMAGES),
];

const CIFAR: &[&str] = &["+nightly", "fuzz", "run", "cifar_reader", "--", HOUR, MEMORY];
const ARCHIVE: &[&str] = &["+nightly", "fuzz", "run", "archive_filter", "--", HOUR, MEMORY];
const WEIGHTS: &[&str] = &["+nightly", "fuzz", "run", "weights_reader", "--", HOUR, MEMORY];
const IMAGES: &[&str] = &["+nightly", "fuzz", "run", "image_decoder", "--", HOUR, MEMORY];
const HOUR: &str = "-max_total_time=3600";
const MEMORY: &str = "-rss_limit_mb=3072";

const fn fuzz(name: &'static str, promise: &'static str, cargo: &'static [&'static str]) -> Check {
    Check { name, promise, variables: &[], cargo, needs: FUZZ_NEEDS }
}

impl Check {
    /// The command as one types it.
    pub fn command_line(&self) -> String {
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={value} "));
        format!("{}cargo {}", variables.collect::<String>(), self.cargo.join(" "))
    }
}
