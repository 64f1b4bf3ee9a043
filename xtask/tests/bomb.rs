//! Small archives that unpack to 10 GB: an error at a cap, in little memory.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{gzip, header, published};
use tar::EntryType;
use xtask::fetch::archive::unpack;

/// Counts the bytes that are in use, and the most there ever were.
struct Measuring;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Measuring {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` came from `System` through `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Measuring = Measuring;

/// The start of an archive, followed by 10 GB of zeros.
#[test]
fn bombs_stop_at_a_cap_in_little_memory() {
    const LEN: u64 = 10 << 30;
    // 64 MB of zeros in 64 KB; a gzip file may be many, one after the other.
    let published = published();
    let zeros = gzip(&vec![0; 64 << 20]);
    for (start, complaint) in [
        (header("test-set/other", EntryType::Regular, LEN), "behind its member \"test-set/other\""),
        (header("test-set/", EntryType::Directory, LEN), "behind its member \"test-set/\""),
        (header("././@LongLink", EntryType::GNULongName, LEN), "behind its member \"././@LongLink\""),
        (header("pax", EntryType::XHeader, LEN), "behind its member \"pax\""),
        (header("test-set/train.bin", EntryType::Regular, LEN), "has 10737418240 bytes, expected 200000"),
    ] {
        let bomb = gzip(&start).into_iter().chain(zeros.iter().copied().cycle().take(zeros.len() * 160));
        let dest = tempfile::tempdir().unwrap();
        PEAK.store(LIVE.load(Ordering::Relaxed), Ordering::Relaxed);
        let before = PEAK.load(Ordering::Relaxed);
        let error = format!("{:#}", unpack(IterReader(bomb), &published, dest.path()).unwrap_err());
        let n_bytes = PEAK.load(Ordering::Relaxed) - before;
        assert!(error.contains(complaint), "{error}");
        assert!(n_bytes < 4 << 20, "{complaint}: {n_bytes} bytes of memory");
    }
}

struct IterReader<I>(I);

impl<I: Iterator<Item = u8>> Read for IterReader<I> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut n_read = 0;
        for (place, byte) in buffer.iter_mut().zip(&mut self.0) {
            *place = byte;
            n_read += 1;
        }
        Ok(n_read)
    }
}
