//! Reduces the sums of a batch over the ranks.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tensor::parallel::{Exchange, Overlap, Shards};

use crate::Collective;
use crate::beside::Beside;
use crate::sums::Sums;

/// The bytes from which sums are sent during backward: those that take no longer than the latency of a
/// message had better wait for more.
const MIN_OVERLAPPED: usize = 64 << 10;

/// Lets a [`Tape`](https://docs.rs/autograd) compute on a part of the batch with bitwise the results of the
/// whole: sums over the batch are added over all ranks.
///
/// A rank owns a subtree of the batch's shards. It sends its sum to the rank that owns the neighbouring
/// subtree, which adds it to its own and passes the result on, until rank 0 has the total and broadcasts it.
/// At most ⌈log₂ ranks⌉ additions are done in sequence, and each rank but 0 sends its sum once at most.
///
/// Sums in f32 of at least 64 KiB go up the same tree by recursive halving, if the number of ranks is a power of
/// two and each owns a shard: on each level two ranks exchange halves of what they have, and each adds the
/// half it keeps. In the end each rank has a part of the total, and they gather the parts in the opposite order.
/// Every rank sends 2·(1 − 1/ranks) times the bytes of the sum and receives as many, where sums that are
/// passed on whole take up to 2·log₂ ranks times the bytes in sequence (Thakur, Rabenseifner and Gropp,
/// "Optimization of Collective Communication Operations in MPICH", 2005). Sums in f64 are combined by a
/// function that takes them whole.
///
/// If the ranks run on more than one machine, the gradients of weights are exchanged on a thread of their own, in
/// buckets, while backward computes those of earlier layers; see [`overlap_from`](Self::overlap_from). The results
/// are the same bit for bit.
#[derive(Debug)]
pub struct Joined {
    sums: Sums,
    /// The bytes from which sums are sent during backward, if they are.
    min_overlapped: Option<usize>,
    beside: OnceLock<Beside>,
}

/// The cost to a rank of exchanging sums.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    /// The number of sums.
    pub n_sums: u64,
    /// Bytes sent or received by the rank; a broadcast counts once.
    pub bytes: u64,
    /// Time spent only on this, including waiting for other ranks.
    pub time: Duration,
    /// Time for which sums were exchanged on a thread of their own.
    pub time_beside: Duration,
}

impl Traffic {
    /// What was added since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            n_sums: self.n_sums - earlier.n_sums,
            bytes: self.bytes - earlier.bytes,
            time: self.time - earlier.time,
            time_beside: self.time_beside - earlier.time_beside,
        }
    }
}

impl Joined {
    /// An exchange of sums over the ranks of `collective`.
    pub fn new(collective: Arc<dyn Collective>) -> Self {
        let first_host = collective.host(0);
        // The ranks of one machine share the cores that a message costs.
        let is_one_machine = (1..collective.size()).all(|rank| collective.host(rank) == first_host);
        let min_overlapped = (!is_one_machine).then_some(MIN_OVERLAPPED);
        Self { sums: Sums::new(collective), min_overlapped, beside: OnceLock::new() }
    }

    /// Exchanges gradients during backward, wherever the ranks run, and sends them as soon as there are this
    /// many bytes of them; or never, with `None`. The default is 64 KiB if the ranks run on more than one machine,
    /// otherwise `None`. All ranks must pass the same.
    pub fn overlap_from(self, n_bytes: Option<usize>) -> Self {
        Self { min_overlapped: n_bytes, ..self }
    }

    /// The traffic since the start.
    pub fn traffic(&self) -> Traffic {
        let waiting = self.sums.traffic();
        self.beside.get().map_or(waiting, |beside| {
            let apart = beside.traffic();
            Traffic {
                n_sums: waiting.n_sums + apart.n_sums,
                bytes: waiting.bytes + apart.bytes,
                time: waiting.time,
                time_beside: apart.time,
            }
        })
    }

    fn beside(&self) -> &Beside {
        self.beside.get_or_init(|| Beside::new(&**self.sums.collective()))
    }
}

impl Exchange for Joined {
    fn part(&self) -> usize {
        self.sums.collective().rank()
    }

    fn n_parts(&self) -> usize {
        self.sums.collective().size()
    }

    fn join(&self, shards: &Shards<'_>, sum: &mut [f32]) {
        self.sums.join(shards, sum);
    }

    fn join_f64(&self, shards: &Shards<'_>, values: &mut [f64], combine: &dyn Fn(&mut [f64], &[f64])) {
        self.sums.join_in_tree(shards, values, combine);
    }

    fn overlap(&self) -> Option<&dyn Overlap> {
        self.min_overlapped.map(|_| self as _)
    }
}

impl Overlap for Joined {
    fn is_enough(&self, n_values: usize) -> bool {
        self.min_overlapped.is_some_and(|min| n_values.saturating_mul(size_of::<f32>()) >= min)
    }

    fn start(&self, shards: &Shards<'_>, sum: Vec<f32>) {
        self.beside().start(shards.alone(), sum);
    }

    fn finish(&self) -> Vec<f32> {
        let start = Instant::now();
        let sum = self.beside().finish();
        self.sums.add_time(start.elapsed());
        sum
    }
}
