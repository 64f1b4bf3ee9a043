//! How much memory reading a file takes, whatever the file says. In a binary of its own, because the
//! allocator counts for all.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use autograd::Params;
use nn::weights::{self, Archive};

/// Counts the bytes that are held, and the most that ever were.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system's allocator, whose promises it keeps.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`, and `ptr` came from `System`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that was held beyond what was held before.
fn peak_of(run: impl FnOnce()) -> usize {
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    run();
    PEAK.load(Ordering::Relaxed) - before
}

/// Writes a header, and zeros for the tensors.
fn write(path: &Path, header: &str, n_bytes: usize) {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + n_bytes, 0);
    fs::write(path, bytes).unwrap();
}

#[test]
fn reading_takes_no_more_than_twice_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let tensor = |name: usize, shape: &str| {
        format!(r#""{name:x}":{{"dtype":"U8","shape":{shape},"data_offsets":[0,0]}}"#)
    };
    let full: Vec<String> = (0..50_000)
        .map(|name| tensor(name, "[4]").replace("[0,0]", &format!("[{},{}]", 4 * name, 4 * name + 4)))
        .collect();
    let full = full.join(",");
    let many: Vec<String> = (0..50_000).map(|name| tensor(name, "[0]")).collect();
    let many = many.join(",");
    let strings: Vec<String> = (0..50_000).map(|key| format!(r#""{key:x}":"""#)).collect();
    let strings = strings.join(",");
    let headers = [
        ("many tensors", format!("{{{full}}}"), 200_000),
        ("many empty tensors", format!("{{{many}}}"), 0),
        ("many tensors of one name", format!("{{{}}}", vec![tensor(1, "[0]"); 50_000].join(",")), 0),
        ("a long shape", format!("{{{}}}", tensor(1, &format!("[{}0]", "1,".repeat(1_000_000)))), 0),
        ("many metadata", format!(r#"{{"__metadata__":{{{strings}}}}}"#), 0),
        ("metadata and tensors", format!(r#"{{"__metadata__":{{{strings}}},{full}}}"#), 200_000),
        ("a long name", format!("{{{}}}", tensor(1, "[0]").replacen('1', &"\\u00e9".repeat(200_000), 1)), 0),
        ("deep metadata", format!(r#"{{"__metadata__":{{"a":{}"#, "[".repeat(1_000_000)), 0),
        ("deep nesting", format!(r#"{{"a":{}"#, "[".repeat(1_000_000)), 0),
    ];
    for (what, header, n_bytes) in headers {
        write(&path, &header, n_bytes);
        let file_len = fs::metadata(&path).unwrap().len() as usize;
        let peak = peak_of(|| {
            let _ = Archive::open(&path).map(|archive| archive.metadata("ff"));
            let _ = weights::load(&path, &mut Params::new());
        });
        assert!(peak <= 2 * file_len + 8192, "{what}: {peak} bytes for a file of {file_len}");
    }
}
