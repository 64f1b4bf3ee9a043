//! Sums over the ranks, in the tree of the shards.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytemuck::Pod;
use tensor::parallel::Shards;

use crate::{Collective, Traffic};

/// The bytes from which a sum is added up in halves. For n ranks that is 2n·log₂ n messages instead of 2·(n − 1),
/// though no more of them follow one another. Half of this many bytes take about as long over a link of
/// 10 Gbit/s as the latency of a message through TCP, 30 µs; smaller sums cost mostly latency, which halving does
/// not save.
const MIN_HALVED: usize = 64 << 10;

/// Adds up sums one after another, and counts what that costs.
#[derive(Debug)]
pub(crate) struct Sums {
    collective: Arc<dyn Collective>,
    /// A buffer for another rank's values, in f64, which holds both f32 and f64.
    room: Mutex<Vec<f64>>,
    n_sums: AtomicU64,
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Sums {
    pub(crate) fn new(collective: Arc<dyn Collective>) -> Self {
        let [n_sums, bytes, nanoseconds] = [const { AtomicU64::new(0) }; 3];
        Self { collective, room: Mutex::default(), n_sums, bytes, nanoseconds }
    }

    pub(crate) fn collective(&self) -> &Arc<dyn Collective> {
        &self.collective
    }

    /// The traffic since the start.
    pub(crate) fn traffic(&self) -> Traffic {
        let counts = [&self.n_sums, &self.bytes, &self.nanoseconds];
        let [n_sums, bytes, nanoseconds] = counts.map(|count| count.load(Ordering::Relaxed));
        Traffic { n_sums, bytes, time: Duration::from_nanos(nanoseconds), ..Traffic::default() }
    }

    /// Counts time that was spent waiting for a sum.
    pub(crate) fn add_time(&self, time: Duration) {
        self.nanoseconds.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Adds up the sums of all ranks; each gets the total.
    pub(crate) fn join(&self, shards: &Shards<'_>, sum: &mut [f32]) {
        if self.is_halved(shards, sum) {
            self.counted(sum.len().div_ceil(2), |received| self.add_halves(sum, 1, received));
        } else {
            self.join_in_tree(shards, sum, &add);
        }
    }

    /// Passes sums up the tree whole, and the total to all ranks.
    pub(crate) fn join_in_tree<T: Pod>(
        &self,
        shards: &Shards<'_>,
        values: &mut [T],
        combine: &dyn Fn(&mut [T], &[T]),
    ) {
        let (rank, size) = (self.collective.rank(), self.collective.size());
        self.counted(values.len(), |received| {
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
            n_messages * size_of_val(values)
        });
    }

    /// Whether to add up in halves. A rank without a shard would have nothing to add; the last rank has one only
    /// if all have.
    fn is_halved(&self, shards: &Shards<'_>, sum: &[f32]) -> bool {
        let size = self.collective.size();
        size_of_val(sum) >= MIN_HALVED
            && size.is_power_of_two()
            && !shards.part(size - 1, size).owned().is_empty()
    }

    /// Adds up the `sum` of all ranks whose numbers differ from this one's by a multiple of `distance`, and
    /// returns the bytes sent and received. `received` has room for half of `sum`.
    fn add_halves(&self, sum: &mut [f32], distance: usize, received: &mut [f32]) -> usize {
        if distance == self.collective.size() {
            return 0;
        }
        let n_bytes = size_of_val(sum);
        let neighbour = self.collective.rank() ^ distance;
        let (first, second) = sum.split_at_mut(sum.len() / 2);
        let is_left = self.collective.rank() < neighbour;
        let (kept, given) = if is_left { (first, second) } else { (second, first) };
        let of_neighbour = &mut received[..kept.len()];
        let collective = &self.collective;
        collective.send_receive(
            neighbour,
            bytemuck::cast_slice(given),
            bytemuck::cast_slice_mut(of_neighbour),
        );
        // a + b = b + a, so both sides add as the tree does.
        add(kept, of_neighbour);
        let n_above = self.add_halves(kept, 2 * distance, received);
        collective.send_receive(neighbour, bytemuck::cast_slice(kept), bytemuck::cast_slice_mut(given));
        2 * n_bytes + n_above
    }

    /// Counts what `exchange` does, if there are other ranks. It gets memory for `n_values` of another rank, and
    /// returns the bytes sent and received.
    fn counted<T: Pod>(&self, n_values: usize, exchange: impl FnOnce(&mut [T]) -> usize) {
        if self.collective.size() == 1 || n_values == 0 {
            return;
        }
        let start = Instant::now();
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        let n_words = (n_values * size_of::<T>()).div_ceil(size_of::<f64>());
        if room.len() < n_words {
            room.resize(n_words, 0.0);
        }
        let n_bytes = exchange(&mut bytemuck::cast_slice_mut(&mut room)[..n_values]);
        self.n_sums.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(n_bytes as u64, Ordering::Relaxed);
        self.add_time(start.elapsed());
    }
}

fn add(into: &mut [f32], from: &[f32]) {
    into.iter_mut().zip(from).for_each(|(a, b)| *a += b);
}
