//! Ranks as threads of one process, for tests and for simulating many processes.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

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
    let world = Arc::new(World { size, first_to_panic: OnceLock::new(), copies: Mutex::default() });
    let ranks = World::connect(&world);
    let f = &f;
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = ranks.into_iter().map(|rank| scope.spawn(move || f(Arc::new(rank)))).collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    if let Some(rank) = world.first_to_panic.get() {
        panic!("on_threads: rank {rank} of {size} panicked");
    }
    results.into_iter().map(|result| result.expect("no rank panicked")).collect()
}

/// What all ranks share.
struct World {
    size: usize,
    first_to_panic: OnceLock<usize>,
    /// The ranks of each duplicate that are still to be taken.
    copies: Mutex<Vec<Vec<Option<Rank>>>>,
}

impl World {
    /// Ranks with a channel between any two of them.
    fn connect(world: &Arc<Self>) -> Vec<Rank> {
        let rank = |rank| Rank {
            rank,
            senders: Vec::new(),
            receivers: Vec::new(),
            n_copies: AtomicUsize::new(0),
            world: world.clone(),
        };
        let mut ranks: Vec<Rank> = (0..world.size).map(rank).collect();
        for from in 0..world.size {
            for to in 0..world.size {
                // A send waits until it is received, as one of MPI may.
                let (sender, receiver) = sync_channel(0);
                ranks[from].senders.push(Mutex::new(sender));
                ranks[to].receivers.push(Mutex::new(receiver));
            }
        }
        ranks
    }

    fn copies(&self) -> MutexGuard<'_, Vec<Vec<Option<Rank>>>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Rank {
    rank: usize,
    /// To each rank, and from each rank.
    senders: Vec<Mutex<SyncSender<Vec<u8>>>>,
    receivers: Vec<Mutex<Receiver<Vec<u8>>>>,
    n_copies: AtomicUsize,
    world: Arc<World>,
}

impl Drop for Rank {
    /// Runs before the channels close, which makes the other ranks panic.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.world.first_to_panic.get_or_init(|| self.rank);
            // Nobody will take these.
            let copies = std::mem::take(&mut *self.world.copies());
            drop(copies);
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
        self.world.size
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

    fn duplicate(&self, _: Arc<AtomicBool>) -> Arc<dyn Collective> {
        let idx = self.n_copies.fetch_add(1, Ordering::Relaxed);
        let mut copies = self.world.copies();
        if self.world.first_to_panic.get().is_some() {
            self.abort("another rank has ended");
        }
        if idx == copies.len() {
            copies.push(World::connect(&self.world).into_iter().map(Some).collect());
        }
        Arc::new(copies[idx][self.rank].take().expect("each rank takes its own once"))
    }

    /// Ends this thread; the others end when they next wait for it.
    fn abort(&self, reason: &str) -> ! {
        panic!("rank {}: {reason}", self.rank);
    }
}
