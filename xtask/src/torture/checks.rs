//! The long checks: what each one shows, and its command.

/// One long check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its name on the command line.
    pub name: &'static str,
    /// The property that it checks.
    pub promise: &'static str,
    /// Environment variables that turn the short form into the long one.
    pub variables: &'static [(&'static str, &'static str)],
    /// The arguments of `cargo`, separated by spaces.
    pub cargo: &'static str,
    /// If it needs more than a stable compiler: `cargo +nightly`, and what must be installed.
    pub needs: Option<&'static str>,
}

const MIRI: Option<&str> = Some("Miri and a nightly compiler");

/// Without isolation, since tests take random numbers from the system; rayon's pool threads outlive the
/// program, which Miri would call a leak; and crossbeam-epoch, which rayon uses, keeps the rules of Tree
/// Borrows but not those of Stacked Borrows.
const MIRI_FLAGS: (&str, &str) =
    ("MIRIFLAGS", "-Zmiri-disable-isolation -Zmiri-ignore-leaks -Zmiri-tree-borrows");

/// The instruction sets of the processor that Miri emulates: x86-64-v3 is AVX2, v4 is AVX-512. Of that it
/// lacks the comparisons, which the fused block of convolution and pooling needs. (Its `exp` also varies from
/// call to call by some rounding errors, so a softmax is not reproducible.)
const RUST_FLAGS: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS";

/// An hour of one fuzz target.
macro_rules! fuzz {
    ($name:literal, $promise:literal, $target:literal) => {
        Check {
            name: $name,
            promise: $promise,
            variables: &[],
            cargo: concat!("+nightly fuzz run ", $target, " -- -max_total_time=3600 -rss_limit_mb=3072"),
            needs: Some("cargo-fuzz and a nightly compiler"),
        }
    };
}

/// All checks, in the order in which they run.
pub const CHECKS: &[Check] = &[
    Check {
        name: "train-kills",
        promise: "100 SIGKILLs in training runs: each ends with the bits of the uninterrupted one",
        variables: &[("TRAIN_KILLS", "100")],
        cargo: "test -p descent --test kills a_run_that_is_killed -- --nocapture",
        needs: None,
    },
    Check {
        name: "write-kills",
        promise: "500 SIGKILLs within the writing of a checkpoint: the old one or the new one, never a mix",
        variables: &[("WRITE_KILLS", "500")],
        cargo: "test -p descent --test kills a_kill -- --nocapture",
        needs: None,
    },
    Check {
        name: "fetch-kills",
        promise: "200 SIGKILLs in fetch-cifar: the next run ends with the whole set",
        variables: &[("FETCH_KILLS", "200")],
        cargo: "test -p xtask --test interrupted after_a_kill -- --nocapture",
        needs: None,
    },
    Check {
        name: "mutations",
        promise: "100,000 damaged safetensors files and as many checkpoints: no panic, no more memory than twice the file",
        variables: &[("MUTATIONS", "100000")],
        cargo: "test -p nn -p descent --test memory -- --nocapture",
        needs: None,
    },
    Check {
        name: "soak",
        promise: "1,000 epochs: resident memory grows by less than 1 % after the first hundred",
        variables: &[("SOAK_EPOCHS", "1000")],
        cargo: "test -p descent --test soak -- --nocapture",
        needs: None,
    },
    Check {
        name: "exp",
        promise: "of all f32 there is none whose exponential has a relative error above 1.6 ε, or whose logarithm one \
                  above 1.4 ε",
        variables: &[("EXP_STEP", "1")],
        cargo: "test -p tensor --test activation exponentials_and_logarithms -- --nocapture",
        needs: None,
    },
    Check {
        name: "miri",
        promise: "no undefined behaviour that Miri finds in the kernels (portable, AVX2, AVX-512) and in huge-pages",
        variables: &[MIRI_FLAGS, (RUST_FLAGS, "-Ctarget-cpu=x86-64-v4")],
        cargo: "+nightly miri test -p tensor -p huge-pages --lib --test matmul --test tensor --test resize \
                -- --skip conv::block --skip softmax",
        needs: MIRI,
    },
    Check {
        name: "miri-block",
        promise: "nor in the fused block of convolution and pooling (portable, AVX2)",
        variables: &[MIRI_FLAGS, (RUST_FLAGS, "-Ctarget-cpu=x86-64-v3")],
        cargo: "+nightly miri test -p tensor --lib conv::block",
        needs: MIRI,
    },
    fuzz!("fuzz-cifar", "an hour of fuzzing the CIFAR reader: no crash", "cifar_reader"),
    fuzz!("fuzz-idx", "an hour of fuzzing the reader of MNIST's files: no crash", "idx_reader"),
    fuzz!(
        "fuzz-archive",
        "an hour of fuzzing the archive filter: no crash, nothing outside",
        "archive_filter"
    ),
    fuzz!(
        "fuzz-weights",
        "an hour of fuzzing the safetensors and checkpoint readers: no crash",
        "weights_reader"
    ),
    fuzz!("fuzz-images", "an hour of fuzzing the reading of pictures: no crash", "image_decoder"),
    fuzz!("fuzz-tables", "an hour of fuzzing the CSV and npy readers: no crash", "table_reader"),
];

impl Check {
    /// The command as typed.
    pub fn command_line(&self) -> String {
        let variables = self.variables.iter().map(|(name, value)| {
            let quote = if value.contains(' ') { "'" } else { "" };
            format!("{name}={quote}{value}{quote} ")
        });
        format!("{}cargo {}", variables.collect::<String>(), self.cargo)
    }
}
