#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod beside;
mod exchange;
#[cfg(feature = "mpi")]
mod mpi;
mod single;
mod sums;
mod threads;
mod world;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use exchange::{Joined, Traffic};
pub use single::Single;
pub use threads::on_threads;
pub use world::{Error, World};

/// A rank: one of the processes that compute together.
///
/// All ranks run the same program and make the same calls in the same order; only [`send`](Self::send),
/// [`receive`](Self::receive) and [`send_receive`](Self::send_receive) involve just two of them. Nothing here
/// returns an error to handle: if a message cannot be delivered, all ranks are terminated with a message that
/// names the missing rank.
pub trait Collective: fmt::Debug + Send + Sync {
    /// The number of this process, counted from 0.
    fn rank(&self) -> usize;

    /// The number of processes.
    fn size(&self) -> usize;

    /// Sends `bytes` to the rank `to`, which must [receive](Self::receive) the same number of bytes.
    fn send(&self, to: usize, bytes: &[u8]);

    /// Overwrites `bytes` with the bytes sent by the rank `from`.
    fn receive(&self, from: usize, bytes: &mut [u8]);

    /// Sends `sent` to `other` and overwrites `received` with what that rank sends in the same call; the two
    /// lengths may differ.
    fn send_receive(&self, other: usize, sent: &[u8], received: &mut [u8]) {
        // A send may wait until it is received, so only one of the two may send first.
        if self.rank() < other {
            self.send(other, sent);
            self.receive(other, received);
        } else {
            self.receive(other, received);
            self.send(other, sent);
        }
    }

    /// Overwrites the `bytes` of all ranks with those of rank 0.
    fn broadcast(&self, bytes: &mut [u8]);

    /// Waits until all ranks have called this.
    fn barrier(&self) {
        // Rank 0 receives from every other rank, then sends to every other rank.
        match self.rank() {
            0 => (1..self.size()).for_each(|rank| self.receive(rank, &mut [0])),
            _ => self.send(0, &[0]),
        }
        self.broadcast(&mut [0]);
    }

    /// The host name of the machine a rank runs on.
    fn host(&self, rank: usize) -> &str;

    /// The largest `number` passed by any rank.
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

    /// The first rank whose bytes differ from those of rank 0, if any. All ranks pass the same number of
    /// bytes.
    fn first_to_differ(&self, bytes: &[u8]) -> Option<usize> {
        let mut of_rank_0 = bytes.to_vec();
        self.broadcast(&mut of_rank_0);
        self.first_where(of_rank_0 != bytes)
    }

    /// The first rank that passes `true`, if any.
    fn first_where(&self, is_so: bool) -> Option<usize> {
        // The lowest rank has the largest number.
        let vote = if is_so { (self.size() - self.rank()) as i64 } else { 0 };
        match self.largest(vote) {
            0 => None,
            vote => Some(self.size() - vote as usize),
        }
    }

    /// The text of the first rank that has one, if any.
    fn first_text(&self, own: Option<&str>) -> Option<String> {
        let from = self.first_where(own.is_some())?;
        let mut text = own.filter(|_| self.rank() == from).unwrap_or_default().as_bytes().to_vec();
        text.resize(self.largest(text.len() as i64) as usize, 0);
        match self.rank() {
            0 if from > 0 => self.receive(from, &mut text),
            rank if rank == from && from > 0 => self.send(0, &text),
            _ => {}
        }
        self.broadcast(&mut text);
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    /// The same ranks with messages of their own, for a thread that exchanges data beside others that compute. It
    /// should leave them the processor while it waits, except while the exchange `is_urgent`. All ranks must call
    /// this.
    fn duplicate(&self, is_urgent: Arc<AtomicBool>) -> Arc<dyn Collective>;

    /// Terminates all ranks, with the reason on standard error.
    fn abort(&self, reason: &str) -> !;
}
