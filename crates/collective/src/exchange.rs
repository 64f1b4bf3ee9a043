//! The sums of a batch, joined over the ranks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytemuck::Pod;
use tensor::parallel::{Exchange, Shards};

use crate::Collective;

/// Lets a [`Tape`](https://docs.rs/autograd) compute on a part of the batch with the bits of the whole: what it sums
/// over the batch is joined with the other ranks' sums.
///
/// A rank owns a subtree of the batch's shards. Its sum goes to the rank that owns the neighbouring subtree, which adds
/// it to its own and hands the result on, until rank 0 has the sum of all; it then goes to everyone. ⌈log₂ ranks⌉
/// additions are made one after the other, and each rank sends its sum once.
#[derive(Debug)]
pub struct Joined {
    collective: Arc<dyn Collective>,
    /// Room for another rank's values, in f64 so that f32 and f64 both lie well in it.
    room: Mutex<Vec<f64>>,
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

/// What the exchange of sums has cost a rank until now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Bytes that the rank has sent or received.
    pub bytes: u64,
    /// Time in which it did nothing else: waiting for the other ranks included.
    pub time: Duration,
}

impl Joined {
    /// Sums joined over the ranks of `collective`.
    pub fn new(collective: Arc<dyn Collective>) -> Self {
        let [bytes, nanoseconds] = [const { AtomicU64::new(0) }; 2];
        Self { collective, room: Mutex::default(), bytes, nanoseconds }
    }

    /// What has been sent and received since the start.
    pub fn traffic(&self) -> Traffic {
        let [bytes, nanoseconds] = [&self.bytes, &self.nanoseconds].map(|n| n.load(Ordering::Relaxed));
        Traffic { bytes, time: Duration::from_nanos(nanoseconds) }
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
