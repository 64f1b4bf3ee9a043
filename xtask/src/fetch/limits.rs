//! How long a server is waited for, and the client that waits no longer.

use std::net::IpAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, RustlsConnector, TcpConnector};

use super::watch::{Watch, WatchConnector};

/// How long a server is waited for, and how much is taken from it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For the head of an answer: finding the server, connecting, all redirects and headers.
    pub answer: Duration,
    /// Within how long `min_bytes` must come, again and again.
    pub window: Duration,
    /// How many bytes of the archive must come within each window.
    pub min_bytes: u64,
    /// The pauses before the next attempts, after failures that brought nothing new.
    pub pauses: Vec<Duration>,
    /// How a pause is waited out.
    pub wait: fn(Duration),
    /// More bytes than any archive has.
    pub max_bytes: u64,
}

impl Default for Limits {
    /// 20 s for an answer; 64 KiB in 30 s; attempts after 1, 2, 4, 8 and 16 s; 256 MiB in all.
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

/// A client that asks for `url`, through the proxy that the environment names, if any.
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

/// No proxy is asked for what runs on this machine.
fn is_this_machine(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}
