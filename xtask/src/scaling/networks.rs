//! The networks that are timed, on how many processes, and their times.

/// A network and how it is trained here: on the built-in set, whose images have the shape of CIFAR-10's.
pub(super) struct Network {
    pub(super) name: &'static str,
    pub(super) batch_size: usize,
    pub(super) steps_per_epoch: usize,
    pub(super) flags: &'static [&'static str],
}

pub(super) static NETWORKS: [Network; 2] = [
    Network {
        name: "the lecture's CNN",
        batch_size: 64,
        steps_per_epoch: 20,
        flags: &["--recipe", "lecture"],
    },
    Network {
        name: "airbench94",
        batch_size: 2000,
        steps_per_epoch: 1,
        flags: &["--recipe", "airbench94", "--whiten", "2000", "--tta", "none"],
    },
];

/// Processes of a run that is timed.
pub(super) const RANKS: [usize; 5] = [1, 2, 4, 8, 16];

/// Shards of a run that is timed: one for each of the most processes.
pub(super) const SHARDS: usize = 16;

/// A timed run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Timed {
    pub(super) network: String,
    pub(super) ranks: usize,
    /// Of each process.
    pub(super) threads: usize,
    /// Of the machine.
    pub(super) cores: usize,
    pub(super) seconds: f64,
    /// Sums that a step joins over the processes, and the bytes that process 0 sends and receives for them; 0
    /// for one process.
    pub(super) sums: f64,
    pub(super) bytes: f64,
}
