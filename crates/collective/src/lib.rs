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

    /// The machine that this rank runs on, as its system calls it.
    fn host(&self) -> &str;

    /// Ends all ranks with the reason on standard error.
    fn abort(&self, reason: &str) -> !;
}
