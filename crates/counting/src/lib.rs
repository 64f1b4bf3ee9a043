#![doc = include_str!("../README.md")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::array;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, counting.
#[derive(Debug)]
pub struct Allocator {
    max_align: usize,
    n_allocations: AtomicUsize,
    held: AtomicUsize,
    peak: AtomicUsize,
}

impl Allocator {
    /// Counts everything.
    #[must_use]
    pub const fn new() -> Self {
        Self::below_alignment(usize::MAX)
    }

    /// Counts allocations of a smaller alignment only. `matrixmultiply` takes a buffer of a large one within each
    /// product and gives it back: nothing that its caller could keep.
    #[must_use]
    pub const fn below_alignment(max_align: usize) -> Self {
        let [n_allocations, held, peak] = [const { AtomicUsize::new(0) }; 3];
        Self { max_align, n_allocations, held, peak }
    }

    /// The allocations of the middle one of nine passes: a thread that wakes late makes room for itself in one of
    /// them.
    pub fn usual_allocations(&self, mut pass: impl FnMut()) -> usize {
        let mut counts: [usize; 9] = array::from_fn(|_| {
            let before = self.n_allocations.load(Ordering::Relaxed);
            pass();
            self.n_allocations.load(Ordering::Relaxed) - before
        });
        counts.sort_unstable();
        counts[4]
    }

    /// The most bytes that were held while `run` ran, beyond what was held before.
    pub fn peak_of(&self, run: impl FnOnce()) -> usize {
        let before = self.held.load(Ordering::Relaxed);
        self.peak.store(before, Ordering::Relaxed);
        run();
        self.peak.load(Ordering::Relaxed) - before
    }
}

impl Default for Allocator {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: every call is handed on to the system's allocator, whose promises it keeps.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() < self.max_align {
            self.n_allocations.fetch_add(1, Ordering::Relaxed);
        }
        let held = self.held.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        self.peak.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        self.held.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`, and `ptr` came from `System`.
        unsafe { System.dealloc(ptr, layout) }
    }
}
