//! A step allocates nothing: counted by an allocator of the test's own, so this file has one test.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{noise, optimizer, variants};
use optim::schedule::OneCycleLr;

struct Counting;

static N_ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands every call to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        N_ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The allocations of the middle one of nine passes: a thread that wakes late makes room for itself in one of them.
fn usual_allocations(mut pass: impl FnMut()) -> usize {
    let mut count = || {
        let before = N_ALLOCATIONS.load(Ordering::Relaxed);
        pass();
        N_ALLOCATIONS.load(Ordering::Relaxed) - before
    };
    let mut counts: [usize; 9] = std::array::from_fn(|_| count());
    counts.sort_unstable();
    counts[4]
}

#[test]
fn a_step_allocates_nothing() {
    let n = 80_000;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let schedule = OneCycleLr { momentum: None, ..OneCycleLr::new(0.01, 100) };
    let (mut values, grads) = (noise::<f32>(1, n), noise::<f32>(2, n));
    for (name, rule) in variants() {
        let mut optimizer = optimizer(rule, n);
        let n_allocations = pool.install(|| {
            let mut step = |t| {
                optimizer.follow(&schedule, t);
                optimizer.step(&mut values, &grads);
            };
            // The pool's queues grow in the first steps.
            (0..20).for_each(&mut step);
            usual_allocations(|| (20..40).for_each(&mut step))
        });
        assert_eq!(n_allocations, 0, "{name}");
    }
}
