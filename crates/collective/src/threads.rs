//! Ranks as threads of one process, for tests and for simulating many processes.

use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::Collective;

/// Runs `f` on a thread for each of `size` ranks and returns the results, by rank.
///
/// ```
/// use collective::on_threads;
/// let ranks = on_threads(3, |rank| {
///     let mut word = if rank.rank() == 0 { *b"yes" } else { *b"..." };
///     rank.broadcast(&mut word);
///     word
/// });
/// assert_eq!(ranks, [*b"yes"; 3]);
/// ```
///
/// # Panics
/// When a rank panics; the others, which wait for it, then end too.
#[track_caller]
pub fn on_threads<T: Send>(size: usize, f: impl Fn(Arc<dyn Collective>) -> T + Sync) -> Vec<T> {
    let first_to_panic = Arc::new(OnceLock::new());
    let mut ranks: Vec<Rank> = (0..size).map(|rank| Rank::new(rank, first_to_panic.clone())).collect();
    for from in 0..size {
        for to in 0..size {
            // A send waits until it is received, as one of MPI may.
            let (sender, receiver) = sync_channel(0);
            ranks[from].senders.push(Mutex::new(sender));
            ranks[to].receivers.push(Mutex::new(receiver));
        }
    }
    let f = &f;
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = ranks.into_iter().map(|rank| scope.spawn(move || f(Arc::new(rank)))).collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    if let Some(rank) = first_to_panic.get() {
        panic!("on_threads: rank {rank} of {size} panicked");
    }
    results.into_iter().map(|result| result.expect("no rank panicked")).collect()
}

struct Rank {
    rank: usize,
    /// To each rank, and from each rank.
    senders: Vec<Mutex<SyncSender<Vec<u8>>>>,
    receivers: Vec<Mutex<Receiver<Vec<u8>>>>,
    first_to_panic: Arc<OnceLock<usize>>,
}

impl Rank {
    fn new(rank: usize, first_to_panic: Arc<OnceLock<usize>>) -> Self {
        Self { rank, senders: Vec::new(), receivers: Vec::new(), first_to_panic }
    }
}

impl Drop for Rank {
    /// Runs before the channels close, which makes the other ranks panic.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.first_to_panic.get_or_init(|| self.rank);
        }
    }
}

impl fmt::Debug for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} of {} threads", self.rank, self.size())
    }
}

impl Collective for Rank {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.senders.len()
    }

    fn send(&self, to: usize, bytes: &[u8]) {
        let sender = self.senders[to].lock().unwrap_or_else(PoisonError::into_inner);
        if sender.send(bytes.to_vec()).is_err() {
            self.abort(&format!("rank {to} has ended"));
        }
    }

    fn receive(&self, from: usize, bytes: &mut [u8]) {
        let receiver = self.receivers[from].lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(sent) = receiver.recv() else { self.abort(&format!("rank {from} has ended")) };
        let (n_sent, n_expected) = (sent.len(), bytes.len());
        assert!(
            n_sent == n_expected,
            "rank {from} sent {n_sent} bytes, rank {} expected {n_expected}",
            self.rank
        );
        bytes.copy_from_slice(&sent);
    }

    fn broadcast(&self, bytes: &mut [u8]) {
        match self.rank {
            0 => (1..self.size()).for_each(|rank| self.send(rank, bytes)),
            _ => self.receive(0, bytes),
        }
    }

    fn host(&self, _: usize) -> &str {
        "this machine"
    }

    /// Ends this thread; the others end when they next wait for it.
    fn abort(&self, reason: &str) -> ! {
        panic!("rank {}: {reason}", self.rank);
    }
}
