//! Ranks as processes on one or more machines, using MPI.

mod hang;
mod heartbeat;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ferrompi::{Communicator, Mpi, Request, Status, ThreadLevel, scope};
use hang::Calls;
use heartbeat::Heartbeat;

use crate::{Collective, Error};

/// Messages between two ranks; the heartbeat has a separate communicator.
const TAG: i32 = 1;

/// The maximum length of a host name, in bytes.
const NAME_LEN: usize = 64;

/// Disconnects from the other ranks when dropped: first the heartbeat, then MPI.
pub(crate) struct Guard {
    rank: Arc<Rank>,
    heartbeat: Option<Heartbeat>,
    _mpi: Mpi,
}

/// Starts MPI and the heartbeat.
pub(crate) fn start(rank_timeout: Duration) -> Result<(Guard, Arc<dyn Collective>), Error> {
    let mpi = Mpi::init_thread(ThreadLevel::Multiple).map_err(told)?;
    if mpi.thread_level() != ThreadLevel::Multiple {
        return Err(Error::Threads(format!("{:?}", mpi.thread_level())));
    }
    let world = mpi.world();
    let host = world.processor_name().map_err(told)?;
    let hosts = names_of_all(&world, &host).map_err(told)?;
    let calls = Arc::new(Calls::default());
    let heartbeat = match world.size() {
        1 => None,
        _ => {
            let communicator = world.duplicate().map_err(told)?;
            Some(Heartbeat::start(communicator, hosts.clone(), rank_timeout, calls.clone()))
        }
    };
    let rank = Arc::new(Rank { communicator: world, hosts, calls, waiting: Waiting::Spin });
    Ok((Guard { rank: rank.clone(), heartbeat, _mpi: mpi }, rank))
}

fn told(error: ferrompi::Error) -> Error {
    Error::Mpi(error.to_string())
}

/// The host name of each rank.
fn names_of_all(world: &Communicator, own: &str) -> ferrompi::Result<Vec<String>> {
    let mut name = [0; NAME_LEN];
    let len = own.len().min(NAME_LEN);
    name[..len].copy_from_slice(&own.as_bytes()[..len]);
    let mut names = vec![0; NAME_LEN * world.size() as usize];
    world.allgather(&name, &mut names)?;
    let text = |name: &[u8]| String::from_utf8_lossy(name).trim_end_matches('\0').to_owned();
    Ok(names.chunks_exact(NAME_LEN).map(text).collect())
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "guard of {:?}", self.rank)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.rank.abort("it panicked");
        }
        // Ranks that are still working must not miss the heartbeats of those that have finished.
        self.rank.barrier();
        self.heartbeat.take();
    }
}

/// A process in the MPI world.
struct Rank {
    communicator: Communicator,
    hosts: Vec<String>,
    calls: Arc<Calls>,
    waiting: Waiting,
}

/// How a rank waits for others.
enum Waiting {
    /// As MPI does: by looking again and again.
    Spin,
    /// In naps, which leave the core to other threads that compute, unless one of them waits as well.
    Nap { is_urgent: Arc<AtomicBool> },
}

/// The shortest and the longest nap. Between them, a nap takes an eighth of the time waited for so far.
const NAPS: [Duration; 2] = [Duration::from_micros(20), Duration::from_micros(500)];

fn nap_until_done(mut request: Request<'_>, is_urgent: &AtomicBool) -> ferrompi::Result<Status> {
    let start = Instant::now();
    loop {
        if let Some(status) = request.test()? {
            return Ok(status);
        }
        if !is_urgent.load(Ordering::Relaxed) {
            std::thread::sleep((start.elapsed() / 8).clamp(NAPS[0], NAPS[1]));
        }
    }
}

impl Rank {
    /// Terminates all ranks if an MPI call failed.
    fn done<T>(&self, with: &str, result: ferrompi::Result<T>) -> T {
        result.unwrap_or_else(|error| self.abort(&format!("cannot exchange data with {with}: {error}")))
    }

    /// Terminates all ranks if receiving failed, or if it was not the expected number of bytes.
    fn received(&self, from: usize, n_bytes: usize, result: ferrompi::Result<Status>) {
        let status = self.done(&self.name(from), result);
        if status.count != Some(n_bytes as _) {
            self.abort(&format!(
                "{} sent {:?} bytes where {n_bytes} were expected: do all ranks run the same program on the same data?",
                self.name(from),
                status.count,
            ));
        }
    }

    fn name(&self, rank: usize) -> String {
        format!("rank {rank} on {}", self.hosts[rank])
    }
}

impl fmt::Debug for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name(self.rank()), self.size())
    }
}

impl Collective for Rank {
    fn rank(&self) -> usize {
        self.communicator.rank() as usize
    }

    fn size(&self) -> usize {
        self.communicator.size() as usize
    }

    fn send(&self, to: usize, bytes: &[u8]) {
        let (world, other) = (&self.communicator, to as i32);
        let result = self.calls.during(|| match &self.waiting {
            Waiting::Spin => world.send(bytes, other, TAG),
            Waiting::Nap { is_urgent } => {
                scope(|s| nap_until_done(world.isend(s, bytes, other, TAG)?, is_urgent)).map(drop)
            }
        });
        self.done(&self.name(to), result);
    }

    fn receive(&self, from: usize, bytes: &mut [u8]) {
        let (world, other, n_bytes) = (&self.communicator, from as i32, bytes.len());
        let result = self.calls.during(|| match &self.waiting {
            Waiting::Spin => world.recv(bytes, other, TAG),
            Waiting::Nap { is_urgent } => {
                scope(|s| nap_until_done(world.irecv(s, bytes, other, TAG)?, is_urgent))
            }
        });
        self.received(from, n_bytes, result);
    }

    fn send_receive(&self, other: usize, sent: &[u8], received: &mut [u8]) {
        let (world, with, n_bytes) = (&self.communicator, other as i32, received.len());
        let result = self.calls.during(|| match &self.waiting {
            Waiting::Spin => world.sendrecv(sent, with, TAG, received, with, TAG),
            Waiting::Nap { is_urgent } => scope(|s| {
                let receiving = world.irecv(s, received, with, TAG)?;
                nap_until_done(world.isend(s, sent, with, TAG)?, is_urgent)?;
                nap_until_done(receiving, is_urgent)
            }),
        });
        self.received(other, n_bytes, result);
    }

    fn broadcast(&self, bytes: &mut [u8]) {
        let world = &self.communicator;
        let result = self.calls.during(|| match &self.waiting {
            Waiting::Spin => world.broadcast(bytes, 0),
            Waiting::Nap { is_urgent } => {
                scope(|s| nap_until_done(world.ibroadcast(s, bytes, 0)?, is_urgent)).map(drop)
            }
        });
        self.done("all ranks", result);
    }

    fn barrier(&self) {
        let result = self.calls.during(|| self.communicator.barrier());
        self.done("all ranks", result);
    }

    fn host(&self, rank: usize) -> &str {
        &self.hosts[rank]
    }

    fn duplicate(&self, is_urgent: Arc<AtomicBool>) -> Arc<dyn Collective> {
        let communicator = self.done("all ranks", self.communicator.duplicate());
        let (hosts, calls) = (self.hosts.clone(), self.calls.clone());
        Arc::new(Self { communicator, hosts, calls, waiting: Waiting::Nap { is_urgent } })
    }

    fn abort(&self, reason: &str) -> ! {
        eprintln!("error: {} ends all ranks: {reason}", self.name(self.rank()));
        self.communicator.abort(1)
    }
}
