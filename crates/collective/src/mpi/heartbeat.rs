//! Heartbeats: each rank sends them on a separate thread, so a slow rank is not considered dead.
//!
//! Rank 0 receives from every rank, and every rank receives from rank 0. If a rank is not heard from in time,
//! it is named with its machine, and all ranks are terminated. A rank whose heartbeat continues although the rest of
//! it hangs names itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ferrompi::{Communicator, Source};

use super::hang::{Activity, Calls};

const TAG: i32 = 2;

/// If rank 0 is silent, every rank notices. Each waits this much longer than the rank before it, up to a limit, so
/// that the lowest one reports first and terminates the others.
const LONGER: Duration = Duration::from_millis(200);
const MAX_LONGER: Duration = Duration::from_secs(2);

/// The regular heartbeat, and the last one.
const ALIVE: u8 = 1;
const FAREWELL: u8 = 2;

/// The thread; it says goodbye to the others when this is dropped.
pub(crate) struct Heartbeat {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    pub(super) fn start(
        communicator: Communicator,
        hosts: Vec<String>,
        timeout: Duration,
        calls: Arc<Calls>,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let peers = if communicator.rank() == 0 { 1..hosts.len() } else { 0..1 };
        let peer = |rank| Peer { rank, last_heard: Duration::ZERO, has_left: false };
        let mut watch = Watch {
            timeout,
            // Ten times within the timeout, and at least once a second.
            interval: (timeout / 10).min(Duration::from_secs(1)),
            stop: stop.clone(),
            peers: peers.map(peer).collect(),
            activity: Activity::new(calls, timeout),
            awake: Duration::ZERO,
            communicator,
            hosts,
        };
        let thread = std::thread::Builder::new()
            .name("heartbeat".into())
            .spawn(move || watch.run())
            .expect("a thread can be started");
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // If the thread panicked, it has already reported it.
            let _ = thread.join();
        }
    }
}

struct Watch {
    communicator: Communicator,
    hosts: Vec<String>,
    timeout: Duration,
    /// Between two beats.
    interval: Duration,
    stop: Arc<AtomicBool>,
    peers: Vec<Peer>,
    /// Of this rank.
    activity: Activity,
    /// The clock of all that is judged here: how long this thread has been looking. The time between two looks
    /// counts as `interval` at most. While this process is suspended, alone or with all others, or gets no processor,
    /// it hears nothing, which says nothing about the others; it has to look ten times in vain.
    awake: Duration,
}

struct Peer {
    rank: usize,
    /// When, by the clock of the watch.
    last_heard: Duration,
    has_left: bool,
}

impl Watch {
    fn run(&mut self) {
        // Shorter than the interval, so that the end of a run does not wait for the next beat.
        let nap = self.interval.min(Duration::from_millis(20));
        let (mut last_look, mut last_beat) = (Instant::now(), self.awake);
        self.tell(ALIVE);
        while !self.stop.load(Ordering::Relaxed) {
            last_look = self.turn(nap, last_look);
            if self.awake - last_beat >= self.interval {
                last_beat = self.awake;
                self.tell(ALIVE);
            }
            self.look_at_itself();
        }
        self.tell(FAREWELL);
        while self.peers.iter().any(|peer| !peer.has_left) {
            last_look = self.turn(Duration::from_millis(1), last_look);
        }
    }

    /// Listens after a nap. Returns when, by the one reading of the system's clock: a suspension at any moment falls
    /// between two readings.
    fn turn(&mut self, nap: Duration, last_look: Instant) -> Instant {
        std::thread::sleep(nap);
        let now = Instant::now();
        self.awake += (now - last_look).min(self.interval);
        self.listen();
        now
    }

    fn tell(&self, what: u8) {
        for peer in &self.peers {
            if let Err(error) = self.communicator.send(&[what], peer.rank as i32, TAG) {
                self.give_up(peer.rank, &error.to_string());
            }
        }
    }

    fn listen(&mut self) {
        while let Ok(Some(status)) = self.communicator.iprobe::<u8>(Source::Any, TAG) {
            let mut what = [0];
            if self.communicator.recv(&mut what, status.source, TAG).is_err() {
                break;
            }
            let Source::Rank(rank) = status.source else { break };
            if let Some(peer) = self.peers.iter_mut().find(|peer| peer.rank == rank as usize) {
                peer.last_heard = self.awake;
                peer.has_left = what[0] == FAREWELL;
            }
        }
        let n_before = (self.communicator.rank() as u32).saturating_sub(1);
        let patience = self.timeout + (LONGER * n_before).min(MAX_LONGER);
        let silence = |peer: &Peer| self.awake - peer.last_heard;
        if let Some(peer) = self.peers.iter().find(|peer| !peer.has_left && silence(peer) > patience) {
            let seconds = silence(peer).as_secs();
            self.give_up(peer.rank, &format!("nothing was heard of it for {seconds} s"));
        }
    }

    /// A rank that hangs ends all. One that computes does not, however slow it is.
    fn look_at_itself(&mut self) {
        let idle_time = self.activity.idle_time(self.awake);
        if idle_time > self.timeout {
            let seconds = idle_time.as_secs();
            self.end_all(
                self.communicator.rank() as usize,
                &format!(
                    "hangs: for {seconds} s it has neither computed nor waited for another rank (if its disk is that \
                     slow, raise the rank timeout)"
                ),
            )
        }
    }

    fn give_up(&self, rank: usize, reason: &str) -> ! {
        self.end_all(rank, &format!("is gone: {reason}"))
    }

    fn end_all(&self, rank: usize, trouble: &str) -> ! {
        let line = format!("error: rank {rank} on {} {trouble}; ending all ranks\n", self.hosts[rank]);
        // In one piece, so that nothing from another rank or from `mpirun` gets into it.
        eprint!("{line}");
        self.communicator.abort(1)
    }
}
