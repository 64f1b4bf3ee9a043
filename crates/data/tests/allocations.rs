//! After the first epoch no batch allocates.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::write_cifar;
use data::{Augment, Batch, Cifar, CifarKind, Loader, Normalize, Part, Subset};

struct Counting;

static N_ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        N_ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System` through `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
fn a_steady_epoch_allocates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    write_cifar(dir.path(), CifarKind::Cifar10, 70);
    let set = Cifar::open(&dir, CifarKind::Cifar10, Part::Train).unwrap();
    let (train, _) = Subset::split(&set, 50, 0);
    let mut loader = Loader::new(&train, 64)
        .shuffle(1)
        .augment(Augment::flip_and_crop(4), 2)
        .normalize(&Normalize::cifar10());
    let mut batch = Batch::new();
    let mut run_epoch = || while loader.next_into(&mut batch).unwrap() {};
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let n_allocations = pool.install(|| {
        run_epoch();
        usual_allocations(|| (0..2).for_each(|_| run_epoch()))
    });
    assert_eq!(n_allocations, 0);
}
