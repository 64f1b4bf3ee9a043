//! Signals: Ctrl-C and a closed terminal stop a run gracefully, and a limit on the size of files is an error.

use std::fmt;
use std::path::PathBuf;

use crate::shell::quoted;

/// A run that a signal asked to stop, and that stopped after writing a checkpoint, or before its first step. (With
/// `--on-nan continue` nothing is written while a value is NaN or infinite.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The signal: SIGINT, SIGTERM or SIGHUP.
    pub signal: i32,
    /// The step after which the run stopped, and the run's folder; `None` if it stopped while it read the images.
    pub kept: Option<(u64, PathBuf)>,
}

impl Stopped {
    /// The code a shell reports for a program ended by a signal: 130 for SIGINT, 143 for SIGTERM, 129 for
    /// SIGHUP.
    pub fn exit_code(&self) -> u8 {
        128 + self.signal as u8
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kept {
            Some((step, out)) => {
                write!(
                    f,
                    "stopped after step {step}; to resume: descent train --out {} --resume",
                    quoted(out)
                )
            }
            None => f.write_str("stopped while the images were being decoded; nothing was written"),
        }
    }
}

impl std::error::Error for Stopped {}

#[cfg(unix)]
pub use unix::{fail_at_the_size_limit, received, stop_gracefully};

#[cfg(unix)]
mod unix {
    use std::sync::atomic::{AtomicI32, Ordering};

    /// The first SIGINT, SIGTERM or SIGHUP received; 0 before.
    static RECEIVED: AtomicI32 = AtomicI32::new(0);

    /// Reports SIGINT, SIGTERM and SIGHUP to [`received`], so that a run can finish its step and save; a
    /// second one ends the program at once, with exit code 130, 143 or 129. A SIGHUP that is ignored stays
    /// ignored, as `nohup` requests.
    pub fn stop_gracefully() {
        extern "C" fn on_stop(signal: libc::c_int) {
            if RECEIVED.swap(signal, Ordering::Relaxed) != 0 {
                // SAFETY: `_exit` is async-signal-safe.
                unsafe { libc::_exit(128 + signal) };
            }
        }
        handle(libc::SIGINT, on_stop);
        handle(libc::SIGTERM, on_stop);
        if handle(libc::SIGHUP, on_stop) == libc::SIG_IGN {
            // SAFETY: ignoring a signal runs no code of ours.
            unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
        }
    }

    /// The signal that asks the run to stop, if any.
    pub fn received() -> Option<i32> {
        Some(RECEIVED.load(Ordering::Relaxed)).filter(|&signal| signal != 0)
    }

    /// Makes a write past the limit on a file's size (`ulimit -f`) an error like that of a full disk; by
    /// default SIGXFSZ kills the program and leaves half a file.
    pub fn fail_at_the_size_limit() {
        // SAFETY: ignoring a signal runs no code of ours.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    }

    /// Sets the handler of a signal; returns the previous one.
    fn handle(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) -> libc::sighandler_t {
        // SAFETY: the handlers above call async-signal-safe functions and touch a lock-free atomic only.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) }
    }
}

/// On other systems Ctrl-C ends the program at once; the last checkpoint remains.
#[cfg(not(unix))]
pub fn stop_gracefully() {}

/// On other systems no signal is caught.
#[cfg(not(unix))]
pub fn received() -> Option<i32> {
    None
}

/// On other systems there is no such limit.
#[cfg(not(unix))]
pub fn fail_at_the_size_limit() {}
