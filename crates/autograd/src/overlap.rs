//! Sums over the batch that are exchanged with other processes during the rest of backward.
//!
//! An op leaves the sum of this process's shards in a bucket. A bucket with enough in it is sent on its way, and the
//! totals are added to the gradients later: when one of them is used again, or at the end of backward. Every
//! gradient gets its shares in the order of the ops, as without overlap, so it has the same bits. Li et al.,
//! "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", 2020.

use std::collections::VecDeque;
use std::mem;
use std::ops::Range;

use tensor::parallel::{Exchange, Overlap, Shards};
use tensor::{Beta, elementwise};

/// The sums of a backward pass that are not finished.
#[derive(Debug, Default)]
pub(crate) struct Overlapping {
    /// All of them, in the order of the ops.
    shares: VecDeque<Share>,
    /// The number of shares in each bucket that was started.
    started: VecDeque<usize>,
    /// The bucket that is being filled: its shards, and its shares and numbers so far.
    shards: Option<Shards<'static>>,
    n_shares: usize,
    n_values: usize,
    /// How many buckets were finished in this pass.
    n_finished: usize,
    /// The buckets in their order, kept from step to step.
    buckets: Vec<Vec<f32>>,
}

/// A sum, and where it goes: to a parameter, by its number, and a range within all gradients.
#[derive(Debug)]
struct Share {
    id: usize,
    range: Range<usize>,
    beta: Beta,
}

impl Overlapping {
    /// Puts a sum that goes to `range` of the gradients into the bucket; `sum` overwrites its place there with
    /// the share of the shards it is given.
    pub(crate) fn add(
        &mut self,
        overlap: &dyn Overlap,
        shards: &Shards<'_>,
        (id, range, beta): (usize, Range<usize>, Beta),
        sum: impl FnOnce(&mut [f32], &Shards<'_>, Beta),
    ) {
        if self.shards.is_some_and(|others| !others.is_same_cut(shards)) {
            self.start(overlap);
        }
        let own = *self.shards.insert(shards.alone());
        let idx = self.n_finished + self.started.len();
        if idx == self.buckets.len() {
            self.buckets.push(Vec::new());
        }
        let place = self.n_values..self.n_values + range.len();
        let bucket = &mut self.buckets[idx];
        // What is longer was so in the last step, and will be again.
        bucket.resize(bucket.len().max(place.end), 0.0);
        sum(&mut bucket[place], &own, Beta::Zero);
        self.n_shares += 1;
        self.n_values += range.len();
        self.shares.push_back(Share { id, range, beta });
        if overlap.is_enough(self.n_values) {
            self.start(overlap);
        }
    }

    /// Starts the bucket that is being filled, if there is one.
    fn start(&mut self, overlap: &dyn Overlap) {
        let Some(shards) = self.shards.take() else { return };
        let mut bucket = mem::take(&mut self.buckets[self.n_finished + self.started.len()]);
        bucket.truncate(mem::take(&mut self.n_values));
        overlap.start(&shards, bucket);
        self.started.push_back(mem::take(&mut self.n_shares));
    }

    /// Finishes all sums if one of them goes to the gradient of this parameter.
    pub(crate) fn finish_before(&mut self, id: usize, grads: &mut [f32], exchange: Option<&dyn Exchange>) {
        if self.shares.iter().any(|share| share.id == id) {
            self.finish(grads, exchange);
        }
    }

    /// Finishes all sums and adds them to the gradients.
    pub(crate) fn finish(&mut self, grads: &mut [f32], exchange: Option<&dyn Exchange>) {
        let Some(overlap) = exchange.and_then(|exchange| exchange.overlap()) else { return };
        self.start(overlap);
        while let Some(n_shares) = self.started.pop_front() {
            let bucket = overlap.finish();
            let mut rest = &bucket[..];
            for Share { range, beta, .. } in self.shares.drain(..n_shares) {
                let (sum, others) = rest.split_at(range.len());
                elementwise::copy_or_add(&mut grads[range], sum, beta);
                rest = others;
            }
            self.buckets[self.n_finished] = bucket;
            self.n_finished += 1;
        }
    }

    /// Begins the next backward pass. If the last one panicked, what it left is thrown away.
    pub(crate) fn begin(&mut self, exchange: Option<&dyn Exchange>) {
        for _ in self.started.drain(..) {
            exchange.and_then(|exchange| exchange.overlap()).map(|overlap| overlap.finish());
        }
        self.shares.clear();
        (self.shards, self.n_shares, self.n_values, self.n_finished) = (None, 0, 0, 0);
    }
}
