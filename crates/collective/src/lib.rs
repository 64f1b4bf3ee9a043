#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod exchange;
#[cfg(feature = "mpi")]
mod mpi;
mod single;
mod threads;
mod world;

use std::fmt;

pub use exchange::{Joined, Traffic};
pub use single::Single;
pub use threads::on_threads;
pub use world::{Error, World};

/// A process among those that compute together, called a rank.
///
/// All ranks run the same program and make the same calls in the same order; only [`send`](Self::send) and
/// [`receive`](Self::receive) concern two of them. Nothing here fails with an error that a caller could handle: when a
/// message cannot be delivered, all ranks are ended with one sentence that says which rank is missing.
pub trait Collective: fmt::Debug + Send + Sync {
    /// The number of this process, counted from 0.
    fn rank(&self) -> usize;

    /// How many processes there are.
    fn size(&self) -> usize;

    /// Gives `bytes` to the rank `to`, which [receives](Self::receive) equally many.
    fn send(&self, to: usize, bytes: &[u8]);

    /// Overwrites `bytes` with those that the rank `from` sends.
    fn receive(&self, from: usize, bytes: &mut [u8]);

    /// Overwrites everyone's `bytes` with those of rank 0.
    fn broadcast(&self, bytes: &mut [u8]);

    /// Waits until every rank has come here.
    fn barrier(&self) {
        // Rank 0 hears from everyone, and everyone hears from rank 0.
        match self.rank() {
            0 => (1..self.size()).for_each(|rank| self.receive(rank, &mut [0])),
            _ => self.send(0, &[0]),
        }
        self.broadcast(&mut [0]);
    }

    /// The machine that a rank runs on, as its system calls it.
    fn host(&self, rank: usize) -> &str;

    /// The largest of the numbers that the ranks say.
    fn largest(&self, number: i64) -> i64 {
        let mut largest = number;
        for rank in 1..self.size() {
            if self.rank() == 0 {
                let mut bytes = [0; 8];
                self.receive(rank, &mut bytes);
                largest = largest.max(i64::from_le_bytes(bytes));
            } else if self.rank() == rank {
                self.send(0, &number.to_le_bytes());
            }
        }
        let mut bytes = largest.to_le_bytes();
        self.broadcast(&mut bytes);
        i64::from_le_bytes(bytes)
    }

    /// The first rank whose bytes are not those of rank 0, if there is one. Everyone brings equally many.
    fn first_to_differ(&self, bytes: &[u8]) -> Option<usize> {
        let mut of_rank_0 = bytes.to_vec();
        self.broadcast(&mut of_rank_0);
        // The lowest rank has the largest number.
        let vote = if of_rank_0 == bytes { 0 } else { (self.size() - self.rank()) as i64 };
        match self.largest(vote) {
            0 => None,
            vote => Some(self.size() - vote as usize),
        }
    }

    /// Ends all ranks with the reason on standard error.
    fn abort(&self, reason: &str) -> !;
}
