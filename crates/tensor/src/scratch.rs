//! Scratch memory for kernels: aligned buffers that are kept and reused.
//!
//! A kernel that needs memory for a patch matrix or partial sums gets it from [`with`]. Buffers are kept per
//! nesting depth in a process-wide stock, as many as the current pool has threads, each as long as the
//! longest ever requested at any depth. So after the first few steps no step allocates, whichever threads do
//! the work. The system maps memory on first touch, so the unused part of a buffer costs only address space.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Buffers start on a cache line, which is also the width of the widest vector.
const ALIGNMENT: usize = 64;
const ALIGNMENT_FLOATS: usize = ALIGNMENT / size_of::<f32>();

/// Deeper nesting works but allocates each time; kernels nest two or three deep.
const MAX_DEPTH: usize = 8;

/// Free buffers of one nesting depth.
struct Stock {
    free: Vec<Buffer>,
    /// The number of floats in each buffer; it only grows.
    capacity: usize,
    /// The number of buffers of the current capacity, free or in use.
    n_buffers: usize,
}

struct Buffer {
    memory: Vec<f32>,
    /// The thread that held it last: its cache may still hold the contents.
    last_user: usize,
}

static STOCKS: [Mutex<Stock>; MAX_DEPTH] =
    [const { Mutex::new(Stock { free: Vec::new(), capacity: 0, n_buffers: 0 }) }; MAX_DEPTH];

/// The longest buffer requested so far.
static LONGEST: AtomicUsize = AtomicUsize::new(0);

static NEXT_THREAD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static THREAD: usize = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
}

/// Calls `f` with a buffer of `len` floats that starts on a 64-byte boundary.
///
/// The contents are whatever the last user left, finite or not; never read them before writing. Calls can
/// nest; each level has its own buffer.
///
/// ```
/// let sum = tensor::scratch::with(3, |buffer| {
///     buffer.copy_from_slice(&[1.0, 2.0, 3.0]);
///     buffer.iter().sum::<f32>()
/// });
/// assert_eq!(sum, 6.0);
/// ```
pub fn with<R>(len: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut few = Few([0.0; FEW]);
    let mut lease = (len > FEW).then(|| Lease::take(len));
    f(match &mut lease {
        Some(lease) => lease.buffer.aligned(len),
        None => &mut few.0[..len],
    })
}

/// Up to this many floats are kept on the stack: taking a buffer from the stock would cost more than the work
/// on them.
const FEW: usize = 64;

#[repr(align(64))]
struct Few([f32; FEW]);

/// Calls `f` with the numbers, or with `len` times `missing` if there are none.
pub(crate) fn or_filled<R>(
    numbers: Option<&[f32]>,
    len: usize,
    missing: f32,
    f: impl FnOnce(&[f32]) -> R,
) -> R {
    match numbers {
        Some(numbers) => f(numbers),
        None => with(len, |filled| {
            filled.fill(missing);
            f(filled)
        }),
    }
}

/// Like [`with`], with a buffer of f64.
pub(crate) fn with_f64<R>(len: usize, f: impl FnOnce(&mut [f64]) -> R) -> R {
    // A product that wraps around would make the slice below longer than the buffer.
    with(len.saturating_mul(2), |buffer| {
        // SAFETY: two f32 take as many bytes as an f64, any bits are valid, and the buffer starts on a
        // 64-byte boundary.
        f(unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast(), len) })
    })
}

/// A borrowed buffer; dropping it returns it to the stock, also while a panic unwinds.
struct Lease {
    buffer: Buffer,
    depth: usize,
}

impl Lease {
    fn take(len: usize) -> Self {
        let depth = DEPTH.get();
        let buffer = match STOCKS.get(depth) {
            Some(stock) => stock.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take(len),
            None => Buffer::new(len),
        };
        // Only now: if there had been no memory, nothing would reset it.
        DEPTH.set(depth + 1);
        Self { buffer, depth }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        DEPTH.set(self.depth);
        let memory = std::mem::take(&mut self.buffer.memory);
        if let Some(stock) = STOCKS.get(self.depth) {
            stock.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).give_back(memory);
        }
    }
}

impl Stock {
    /// Takes a buffer. If there is no memory for it, panics without changing anything.
    fn take(&mut self, len: usize) -> Buffer {
        let longest = LONGEST.load(Ordering::Relaxed).max(len);
        let is_outgrown = longest > self.capacity;
        let (n_buffers, is_empty) =
            if is_outgrown { (0, true) } else { (self.n_buffers, self.free.is_empty()) };
        let n_threads = rayon::current_thread_index().map_or(1, |_| rayon::current_num_threads());
        if n_buffers < n_threads || is_empty {
            let n_new = n_threads.saturating_sub(n_buffers).max(1);
            let new: Vec<Buffer> = (0..n_new).map(|_| Buffer::new(longest)).collect();
            if is_outgrown {
                *self = Self { free: Vec::new(), capacity: longest, n_buffers: 0 };
                LONGEST.fetch_max(longest, Ordering::Relaxed);
            }
            self.n_buffers += n_new;
            self.free.reserve(self.n_buffers);
            self.free.extend(new);
        }
        let thread = THREAD.with(|&thread| thread);
        let own = self.free.iter().rposition(|buffer| buffer.last_user == thread);
        let idx = own.unwrap_or(self.free.len() - 1);
        self.free.swap_remove(idx)
    }

    fn give_back(&mut self, memory: Vec<f32>) {
        // A buffer from before the capacity grew is dropped: its replacement is already in stock.
        if memory.len() >= self.capacity + ALIGNMENT_FLOATS {
            self.free.push(Buffer { memory, last_user: THREAD.with(|&thread| thread) });
        }
    }
}

impl Buffer {
    #[track_caller]
    fn new(len: usize) -> Self {
        const MAX_LEN: usize = isize::MAX as usize / size_of::<f32>() - ALIGNMENT_FLOATS;
        assert!(len <= MAX_LEN, "scratch: {len} floats are more than memory can address");
        // `vec!` of zeros requests zeroed pages, which the system maps on first touch.
        Self { memory: vec![0.0; len + ALIGNMENT_FLOATS], last_user: usize::MAX }
    }

    fn aligned(&mut self, len: usize) -> &mut [f32] {
        let start = self.memory.as_ptr().align_offset(ALIGNMENT);
        &mut self.memory[start..start + len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_long_enough_and_distinct_when_nested() {
        for len in [0, 1, 15, 16, 17, FEW, FEW + 1, 1000] {
            with(len, |outer| {
                assert_eq!((outer.len(), outer.as_ptr() as usize % ALIGNMENT), (len, 0));
                outer.fill(1.0);
                with(len, |inner| inner.fill(2.0));
                with_f64(len, |inner| {
                    inner.fill(3.0);
                    assert_eq!((inner.len(), inner.as_ptr() as usize % ALIGNMENT), (len, 0));
                });
                assert!(outer.iter().all(|&v| v == 1.0));
            });
        }
    }

    #[test]
    fn a_panic_gives_the_buffer_and_the_depth_back() {
        let before = DEPTH.get();
        std::panic::catch_unwind(|| with(1000, |_| panic!("on purpose"))).unwrap_err();
        assert_eq!(DEPTH.get(), before);
    }

    #[test]
    fn a_buffer_that_no_memory_can_hold_leaves_later_calls_as_they_were() {
        // In separate threads, since these tests check a thread's depth and a pool's stock.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        for len in [usize::MAX, usize::MAX - 15, isize::MAX as usize, isize::MAX as usize / 4] {
            let refused = || {
                let error = std::panic::catch_unwind(|| with(len, |_| ())).unwrap_err();
                let said = error.downcast::<String>().unwrap();
                assert!(said.contains("more than memory can address"), "{said}");
                assert_eq!(DEPTH.get(), 0);
                with(1000, |outer| {
                    assert!(std::panic::catch_unwind(|| with(len, |_| ())).is_err());
                    outer.fill(1.0);
                    with(1000, |inner| inner.fill(2.0));
                    assert!(outer.iter().all(|&v| v == 1.0));
                });
            };
            std::thread::scope(|scope| scope.spawn(refused).join().unwrap());
            pool.install(|| rayon::join(refused, refused));
        }
    }

    #[test]
    fn nesting_deeper_than_the_stocks_works() {
        fn nest(depth: usize) -> f32 {
            with(FEW + 4, |buffer| {
                buffer.fill(1.0);
                buffer[0] + if depth == 0 { 0.0 } else { nest(depth - 1) }
            })
        }
        assert_eq!(nest(2 * MAX_DEPTH), (2 * MAX_DEPTH + 1) as f32);
    }
}
