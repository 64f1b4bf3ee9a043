//! Watches a server at the socket: one that is slow, or sends unrequested data, is given up.
//!
//! It works below TLS and HTTP, so that bytes count in any part of them: greetings, headers, chunk sizes,
//! trailers. Only the archive's bytes, as they come out above, count as progress.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::Uri;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, RustlsConnector, TcpConnector,
    Transport,
};
use ureq::{Agent, Error};

use super::limits::Limits;

/// Bytes allowed besides the archive: greetings, headers, buffered data.
const N_SPARE: u64 = 256 << 10;
/// Bytes allowed per byte of the archive: chunks of one byte take six.
const N_PER_BYTE: u64 = 8;

/// The watch on a server, for one request after the other.
#[derive(Debug)]
pub(super) struct Watch {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The deadline for the head of the response, or for the next `min_bytes` of the archive.
    deadline: Instant,
    is_in_body: bool,
    /// Bytes of the archive since the deadline was last extended, and in all.
    n_since: u64,
    n_delivered: u64,
    /// Bytes received from the socket.
    n_received: u64,
}

impl Watch {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), state: Mutex::new(State::asked(limits)) }
    }

    /// Called before a request.
    pub(super) fn begin(&self) {
        *self.state() = State::asked(&self.limits);
    }

    /// Called once the response's head is accepted.
    pub(super) fn begin_body(&self) {
        let mut state = self.state();
        state.is_in_body = true;
        state.deadline = Instant::now() + self.limits.window;
    }

    /// Called when `n_bytes` of the archive have arrived.
    pub(super) fn deliver(&self, n_bytes: u64) {
        let mut state = self.state();
        state.n_delivered += n_bytes;
        state.n_since += n_bytes;
        if state.n_since >= self.limits.min_bytes {
            state.n_since = 0;
            state.deadline = Instant::now() + self.limits.window;
        }
    }

    /// Called when `n_bytes` have come through the socket.
    fn receive(&self, n_bytes: usize) -> Result<(), Error> {
        let mut state = self.state();
        state.n_received += n_bytes as u64;
        let n_allowed = N_SPARE + N_PER_BYTE * state.n_delivered;
        if state.n_received <= n_allowed {
            return Ok(());
        }
        let State { n_received, n_delivered, .. } = *state;
        Err(error(format!("of {n_received} bytes that were sent, only {n_delivered} are of the archive")))
    }

    /// The time left for the server.
    fn time_left(&self) -> Result<Duration, Error> {
        let state = self.state();
        let left = state.deadline.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            return Ok(left);
        }
        let Limits { answer, window, .. } = &self.limits;
        Err(error(match state.is_in_body {
            true => format!("sent only {} bytes in {window:?}", state.n_since),
            false => format!("no answer within {answer:?}"),
        }))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn asked(limits: &Limits) -> Self {
        let deadline = Instant::now() + limits.answer;
        Self { deadline, is_in_body: false, n_since: 0, n_delivered: 0, n_received: 0 }
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

/// Not of a kind that ureq takes for the end of a response.
fn error(message: String) -> Error {
    Error::Io(io::Error::other(message))
}

/// Puts each connection of a client under watch.
#[derive(Debug)]
struct WatchConnector(Arc<Watch>);

impl<In: Transport> Connector<In> for WatchConnector {
    type Out = WatchedTransport<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| WatchedTransport { inner, watch: self.0.clone() }))
    }
}

/// A connection under watch.
#[derive(Debug)]
struct WatchedTransport<T> {
    inner: T,
    watch: Arc<Watch>,
}

impl<T: Transport> WatchedTransport<T> {
    /// Sends or receives within the remaining time.
    fn in_time<R>(
        &mut self,
        mut timeout: NextTimeout,
        act: impl FnOnce(&mut T, NextTimeout) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let left = self.watch.time_left()?;
        if *timeout.after > left {
            timeout.after = left.into();
        }
        act(&mut self.inner, timeout).map_err(|error| self.watch.time_left().err().unwrap_or(error))
    }
}

impl<T: Transport> Transport for WatchedTransport<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.in_time(timeout, |inner, timeout| inner.transmit_output(amount, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let n_before = self.inner.buffers().input().len();
        let made_progress = self.in_time(timeout, |inner, timeout| inner.await_input(timeout))?;
        self.watch.receive(self.inner.buffers().input().len() - n_before)?;
        Ok(made_progress)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
