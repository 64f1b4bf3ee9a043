//! Reduces the sums of a batch over the ranks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytemuck::Pod;
use tensor::parallel::{Exchange, Shards};

use crate::Collective;

/// Lets a [`Tape`](https://docs.rs/autograd) compute on a part of the batch with bitwise the results of the
/// whole: sums over the batch are added over all ranks.
///
/// A rank owns a subtree of the batch's shards. It sends its sum to the rank that owns the neighbouring
/// subtree, which adds it to its own and passes the result on, until rank 0 has the total and broadcasts it.
/// At most ⌈log₂ ranks⌉ additions are done in sequence, and each rank but 0 sends its sum once at most.
#[derive(Debug)]
pub struct Joined {
    collective: Arc<dyn Collective>,
    /// A buffer for another rank's values, in f64, which holds both f32 and f64.
    room: Mutex<Vec<f64>>,
    n_sums: AtomicU64,
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

/// The cost to a rank of exchanging sums so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    /// The number of sums, each with one broadcast at its end.
    pub n_sums: u64,
    /// Bytes sent or received by the rank.
    pub bytes: u64,
    /// Time spent only on this, including waiting for other ranks.
    pub time: Duration,
}

impl Joined {
    /// An exchange of sums over the ranks of `collective`.
    pub fn new(collective: Arc<dyn Collective>) -> Self {
        let [n_sums, bytes, nanoseconds] = [const { AtomicU64::new(0) }; 3];
        Self { collective, room: Mutex::default(), n_sums, bytes, nanoseconds }
    }

    /// The traffic since the start.
    pub fn traffic(&self) -> Traffic {
        let counts = [&self.n_sums, &self.bytes, &self.nanoseconds];
        let [n_sums, bytes, nanoseconds] = counts.map(|count| count.load(Ordering::Relaxed));
        Traffic { n_sums, bytes, time: Duration::from_nanos(nanoseconds) }
    }

    fn join_in_tree<T: Pod>(&self, shards: &Shards<'_>, values: &mut [T], combine: &dyn Fn(&mut [T], &[T])) {
        let (rank, size) = (self.collective.rank(), self.collective.size());
        if size == 1 || values.is_empty() {
            return;
        }
        let (start, n_bytes) = (Instant::now(), size_of_val(values));
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        if size_of_val(&room[..]) < n_bytes {
            room.resize(n_bytes.div_ceil(size_of::<f64>()), 0.0);
        }
        let received: &mut [T] = &mut bytemuck::cast_slice_mut(&mut room)[..values.len()];
        let mut n_messages = 1;
        shards.for_each_join(size, &mut |into, from| {
            if rank == from {
                self.collective.send(into, bytemuck::cast_slice(values));
                n_messages += 1;
            } else if rank == into {
                self.collective.receive(from, bytemuck::cast_slice_mut(received));
                combine(values, received);
                n_messages += 1;
            }
        });
        self.collective.broadcast(bytemuck::cast_slice_mut(values));
        self.n_sums.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(n_messages * n_bytes as u64, Ordering::Relaxed);
        self.nanoseconds.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Exchange for Joined {
    fn part(&self) -> usize {
        self.collective.rank()
    }

    fn n_parts(&self) -> usize {
        self.collective.size()
    }

    fn join(&self, shards: &Shards<'_>, sum: &mut [f32]) {
        self.join_in_tree(shards, sum, &|into, from| into.iter_mut().zip(from).for_each(|(a, b)| *a += b));
    }

    fn join_f64(&self, shards: &Shards<'_>, values: &mut [f64], combine: &dyn Fn(&mut [f64], &[f64])) {
        self.join_in_tree(shards, values, combine);
    }
}
