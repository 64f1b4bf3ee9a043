//! Sums that are exchanged on a thread of their own.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tensor::parallel::Shards;

use crate::sums::Sums;
use crate::{Collective, Traffic};

/// The thread and the sums on their way to it and back. Steady steps allocate nothing.
#[derive(Debug)]
pub(crate) struct Beside {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    sums: Sums,
    /// Whether a sum is waited for.
    is_urgent: Arc<AtomicBool>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    started: VecDeque<(Shards<'static>, Vec<f32>)>,
    done: VecDeque<Vec<f32>>,
    /// How many were started and are not returned yet.
    n_open: usize,
    /// No sum follows; the thread ends.
    is_closed: bool,
    /// The thread has ended, closed or by a panic.
    has_ended: bool,
}

impl Beside {
    /// Starts a thread that exchanges data with the ranks of `collective`.
    pub(crate) fn new(collective: &dyn Collective) -> Self {
        let is_urgent = Arc::new(AtomicBool::new(false));
        let shared = Arc::new(Shared {
            sums: Sums::new(collective.duplicate(is_urgent.clone())),
            is_urgent,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let thread = std::thread::Builder::new().name("exchange".into()).spawn({
            let shared = shared.clone();
            move || shared.run()
        });
        Self { shared, thread: Some(thread.expect("a thread can be started")) }
    }

    pub(crate) fn traffic(&self) -> Traffic {
        self.shared.sums.traffic()
    }

    pub(crate) fn start(&self, shards: Shards<'static>, sum: Vec<f32>) {
        let mut state = self.shared.lock();
        state.n_open += 1;
        state.started.push_back((shards, sum));
        self.shared.changed.notify_all();
    }

    /// Waits for the first sum that was started and not yet returned.
    pub(crate) fn finish(&self) -> Vec<f32> {
        let mut state = self.shared.lock();
        assert!(state.n_open > 0, "Joined::finish: no sum was started");
        self.shared.is_urgent.store(true, Ordering::Relaxed);
        state = self.shared.wait(state, |state| state.done.is_empty() && !state.has_ended);
        self.shared.is_urgent.store(false, Ordering::Relaxed);
        state.n_open -= 1;
        state.done.pop_front().expect("the thread that exchanges sums has not panicked")
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
        // A rank that panics must not wait for the others, which wait for it.
        if let Some(thread) = self.thread.take().filter(|_| !std::thread::panicking()) {
            // If the thread panicked, it has already reported it.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(
        &self,
        state: MutexGuard<'s, State>,
        is_early: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'s, State> {
        self.changed.wait_while(state, is_early).unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let _ended = Ended(self);
        loop {
            let idle = |state: &mut State| state.started.is_empty() && !state.is_closed;
            let Some((shards, mut sum)) = self.wait(self.lock(), idle).started.pop_front() else { return };
            self.sums.join(&shards, &mut sum);
            self.lock().done.push_back(sum);
            self.changed.notify_all();
        }
    }
}

/// Tells that the thread has ended, however it does.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.lock().has_ended = true;
        self.0.changed.notify_all();
    }
}
