#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

/// Like [`Vec::resize`], but if a vector has to be reallocated, and is long enough, its memory uses huge
/// pages.
///
/// Updating 25 million parameters is memory-bound. With small pages it also waits for address translation,
/// and hardware prefetching stops at each page boundary. Linux provides huge pages (2 MiB on x86-64) if they
/// are requested with `madvise(2)` before the memory is first touched, unless it is configured as `never`.
/// NumPy does the same. On other systems, and if Linux refuses, this is [`Vec::resize`].
///
/// # Panics
/// When the new length exceeds the maximum length of a vector.
pub fn resize<T: Clone>(values: &mut Vec<T>, len: usize, value: T) {
    if len > values.capacity() {
        let mut moved = Vec::with_capacity(len.max(2 * values.capacity()));
        #[cfg(target_os = "linux")]
        linux::advise(moved.spare_capacity_mut());
        moved.append(values);
        *values = moved;
    }
    values.resize(len, value);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::mem::{MaybeUninit, size_of_val};

    /// The alignment of the advised range: the huge page of x86-64, and of AArch64 with 4 KiB pages. If huge
    /// pages are larger, the kernel uses whole ones within the range.
    const HUGE_PAGE: usize = 2 << 20;

    /// Requests huge pages for the whole ones in `memory`.
    pub(super) fn advise<T>(memory: &mut [MaybeUninit<T>]) {
        let (start, len) = (memory.as_mut_ptr(), size_of_val(memory));
        let skipped = start.addr().next_multiple_of(HUGE_PAGE) - start.addr();
        let whole = len.saturating_sub(skipped) / HUGE_PAGE * HUGE_PAGE;
        if whole == 0 {
            return;
        }
        #[allow(unsafe_code)]
        // SAFETY: `start + skipped` and the following `whole` bytes are within `memory`, and this advice does
        // not change their contents. The system decides whether to follow it, so an error can be ignored.
        unsafe {
            let pages = start.byte_add(skipped);
            // Miri has no `madvise`.
            if !cfg!(miri) {
                libc::madvise(pages.cast(), whole, libc::MADV_HUGEPAGE);
            }
        }
    }
}
