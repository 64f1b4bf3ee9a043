//! Timeouts for servers.

use std::thread;
use std::time::Duration;

/// How long to wait for a server, and how much to accept from it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The timeout for the head of a response: finding the server, connecting, all redirects and headers.
    pub answer: Duration,
    /// The window within which `min_bytes` must arrive, again and again.
    pub window: Duration,
    /// The bytes of the archive that must arrive within each window.
    pub min_bytes: u64,
    /// The pauses before further attempts, after failures without progress.
    pub pauses: Vec<Duration>,
    /// How to wait.
    pub wait: fn(Duration),
    /// A maximum above the size of any archive.
    pub max_bytes: u64,
}

impl Default for Limits {
    /// 20 s for a response; 64 KiB in 30 s; attempts after 1, 2, 4, 8 and 16 s; 256 MiB in all.
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(20),
            window: Duration::from_secs(30),
            min_bytes: 64 << 10,
            pauses: [1, 2, 4, 8, 16].map(Duration::from_secs).to_vec(),
            wait: thread::sleep,
            max_bytes: 256 << 20,
        }
    }
}
