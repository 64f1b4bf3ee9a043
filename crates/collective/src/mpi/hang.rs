//! Notices that this process hangs: it computes nothing, although it waits for no other rank.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A process that computes for less than this within the timeout hangs. Threads that sleep, such as those of MPI,
/// wake up now and then and take less.
const COMPUTING: Duration = Duration::from_millis(10);

/// Counts the calls that may wait for other ranks, each at its beginning and at its end: the number is odd during
/// a call. One thread makes them all.
#[derive(Default)]
pub(super) struct Calls(AtomicU64);

impl Calls {
    pub(super) fn during<T>(&self, call: impl FnOnce() -> T) -> T {
        self.0.fetch_add(1, Ordering::Relaxed);
        let result = call();
        self.0.fetch_add(1, Ordering::Relaxed);
        result
    }
}

/// What the process last did besides the thread that watches it.
pub(super) struct Activity {
    calls: Arc<Calls>,
    n_calls: u64,
    computed: Duration,
    last: Instant,
}

impl Activity {
    pub(super) fn new(calls: Arc<Calls>) -> Self {
        Self { calls, n_calls: 0, computed: Duration::ZERO, last: Instant::now() }
    }

    /// Takes it that the process was active just now.
    pub(super) fn restart(&mut self) {
        self.last = Instant::now();
    }

    /// How long the process has hung, to be asked by the thread that watches.
    pub(super) fn idle_time(&mut self) -> Duration {
        let (n_calls, computed) = (self.calls.0.load(Ordering::Relaxed), computing_time());
        let is_in_call = !n_calls.is_multiple_of(2);
        if is_in_call || n_calls != self.n_calls || computed.saturating_sub(self.computed) >= COMPUTING {
            (self.n_calls, self.computed, self.last) = (n_calls, computed, Instant::now());
        }
        self.last.elapsed()
    }
}

/// The processor time of all threads but the calling one.
fn computing_time() -> Duration {
    let [process, thread] = [ClockId::ProcessCPUTime, ClockId::ThreadCPUTime].map(|clock| {
        let time = clock_gettime(clock);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    });
    process.saturating_sub(thread)
}
