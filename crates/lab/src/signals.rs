//! The one signal that a memory map can raise: a data file that was cut short while it was being read.

/// Makes a read past the end of a mapped file (SIGBUS) end the program with a sentence and exit code 74
/// (`EX_IOERR`). `data` checks every file's length before each batch; what remains is a file that shrinks
/// within a batch, which the kernel reports in no other way.
#[cfg(unix)]
pub fn explain_truncated_maps() {
    extern "C" fn on_bus_error(_: libc::c_int) {
        const MESSAGE: &[u8] =
            b"\nerror: a data file became shorter while it was being read; restore it and start again\n";
        // SAFETY: `write` and `_exit` are async-signal-safe, and the message is static memory.
        unsafe {
            libc::write(libc::STDERR_FILENO, MESSAGE.as_ptr().cast(), MESSAGE.len());
            libc::_exit(74);
        }
    }
    let handler: extern "C" fn(libc::c_int) = on_bus_error;
    // SAFETY: the handler only calls async-signal-safe functions and never returns.
    unsafe { libc::signal(libc::SIGBUS, handler as libc::sighandler_t) };
}

/// Elsewhere a mapped file cannot be cut short.
#[cfg(not(unix))]
pub fn explain_truncated_maps() {}
