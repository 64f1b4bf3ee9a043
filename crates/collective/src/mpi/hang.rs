//! Notices that this process hangs: it computes nothing, although it waits for no other rank.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A process that computes for less than this within the timeout hangs, or for less than a thousandth of a timeout over
/// ten seconds. Threads that sleep, such as those of MPI, wake up now and then and take less.
const COMPUTING: Duration = Duration::from_millis(10);

/// Counts the calls that may wait for other ranks, on all threads.
#[derive(Default)]
pub(super) struct Calls {
    n_begun: AtomicU64,
    n_ended: AtomicU64,
}

impl Calls {
    pub(super) fn during<T>(&self, call: impl FnOnce() -> T) -> T {
        self.n_begun.fetch_add(1, Ordering::SeqCst);
        let result = call();
        self.n_ended.fetch_add(1, Ordering::SeqCst);
        result
    }

    /// How many calls have ended, and whether one is going on.
    fn look(&self) -> (u64, bool) {
        let n_ended = self.n_ended.load(Ordering::SeqCst);
        (n_ended, self.n_begun.load(Ordering::SeqCst) > n_ended)
    }
}

/// What the process last did besides the thread that watches it.
pub(super) struct Activity {
    calls: Arc<Calls>,
    /// Less than this within the timeout is not computing.
    computing: Duration,
    n_calls: u64,
    computed: Duration,
    /// When, by the clock of the watch.
    last: Duration,
}

impl Activity {
    pub(super) fn new(calls: Arc<Calls>, timeout: Duration) -> Self {
        let computing = COMPUTING.max(timeout / 1000);
        Self { calls, computing, n_calls: 0, computed: Duration::ZERO, last: Duration::ZERO }
    }

    /// How long the process has hung at the time `now`, to be asked by the thread that watches.
    pub(super) fn idle_time(&mut self, now: Duration) -> Duration {
        let ((n_calls, is_in_call), computed) = (self.calls.look(), computing_time());
        if is_in_call || n_calls != self.n_calls || computed.saturating_sub(self.computed) >= self.computing {
            (self.n_calls, self.computed, self.last) = (n_calls, computed, now);
        }
        now - self.last
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
