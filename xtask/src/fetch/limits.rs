//! Timeouts for servers, and the client that applies them.

use std::net::IpAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, RustlsConnector, TcpConnector};

use super::watch::{Watch, WatchConnector};

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

/// A client for `url`, through the proxy named by the environment, if any.
pub(super) fn agent(url: &str, limits: &Limits, watch: Arc<Watch>) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("descent-xtask/", env!("CARGO_PKG_VERSION")))
        .input_buffer_size(16 << 10)
        .timeout_resolve(Some(limits.answer))
        .timeout_connect(Some(limits.answer));
    if is_this_machine(url) {
        config = config.proxy(None);
    }
    let connector =
        ().chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(WatchConnector(watch))
            .chain(RustlsConnector::default());
    Agent::with_parts(config.build(), connector, DefaultResolver::default())
}

/// Requests to this machine use no proxy.
fn is_this_machine(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}
