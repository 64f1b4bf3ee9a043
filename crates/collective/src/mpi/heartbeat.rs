//! Heartbeats: each rank sends them on a separate thread, so a slow rank is not considered dead.
//!
//! Rank 0 receives from every rank, and every rank receives from rank 0. If a rank is not heard from in time,
//! it is named with its machine, and all ranks are terminated. A rank whose heartbeat goes on although the rest of
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
        let peer = |rank| Peer { rank, last_heard: Instant::now(), has_left: false };
        let mut watch = Watch {
            timeout,
            stop: stop.clone(),
            peers: peers.map(peer).collect(),
            activity: Activity::new(calls),
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
    stop: Arc<AtomicBool>,
    peers: Vec<Peer>,
    /// Of this rank.
    activity: Activity,
}

struct Peer {
    rank: usize,
    last_heard: Instant,
    has_left: bool,
}

impl Watch {
    fn run(&mut self) {
        // Ten times within the timeout, and at least once a second. Naps are shorter, so that the end of a
        // run does not wait for the next beat.
        let interval = (self.timeout / 10).min(Duration::from_secs(1));
        let nap = interval.min(Duration::from_millis(20));
        let [mut last_beat, mut last_look] = [Instant::now(); 2];
        self.tell(ALIVE);
        while !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(nap);
            if last_look.elapsed() > self.timeout / 2 {
                // This process was suspended, perhaps with all others: the whole timeout begins again.
                self.peers.iter_mut().for_each(|peer| peer.last_heard = Instant::now());
                self.activity.restart();
            }
            last_look = Instant::now();
            if last_beat.elapsed() >= interval {
                last_beat = Instant::now();
                self.tell(ALIVE);
            }
            self.listen();
            self.look_at_itself();
        }
        self.tell(FAREWELL);
        while self.peers.iter().any(|peer| !peer.has_left) {
            std::thread::sleep(Duration::from_millis(1));
            self.listen();
        }
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
                peer.last_heard = Instant::now();
                peer.has_left = what[0] == FAREWELL;
            }
        }
        let n_before = (self.communicator.rank() as u32).saturating_sub(1);
        let patience = self.timeout + (LONGER * n_before).min(MAX_LONGER);
        let silent = |peer: &&Peer| !peer.has_left && peer.last_heard.elapsed() > patience;
        if let Some(peer) = self.peers.iter().find(silent) {
            let seconds = peer.last_heard.elapsed().as_secs();
            self.give_up(peer.rank, &format!("nothing was heard of it for {seconds} s"));
        }
    }

    /// A rank that hangs ends all. One that computes does not, however slow it is.
    fn look_at_itself(&mut self) {
        let idle_time = self.activity.idle_time();
        if idle_time > self.timeout {
            let rank = self.communicator.rank() as usize;
            eprintln!(
                "error: rank {rank} on {} hangs: it has computed nothing for {} s and waits for no other rank; ending \
                 all ranks",
                self.hosts[rank],
                idle_time.as_secs()
            );
            self.communicator.abort(1)
        }
    }

    fn give_up(&self, rank: usize, reason: &str) -> ! {
        eprintln!("error: rank {rank} on {} is gone: {reason}; ending all ranks", self.hosts[rank]);
        self.communicator.abort(1)
    }
}
