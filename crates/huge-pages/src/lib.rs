#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

/// As [`Vec::resize`], but where the vector has to move it moves to huge pages, if it is long enough to fill some.
///
/// An update of 25 million parameters waits for memory. On small pages it waits for the addresses of the pages,
/// too, and the processor's prefetching ends with each of them. Linux gives huge pages (2 MiB on x86-64) to memory
/// that asks for them with `madvise(2)` before it is first touched, unless it is set to give them `never`.
/// NumPy asks in the same way. On other systems, and where Linux refuses, this is [`Vec::resize`].
///
/// # Panics
/// When the new length is more than a vector can have.
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

    /// Where a stretch may begin and end that is advised: the huge page of x86-64, and of AArch64 with pages of
    /// 4 KiB. Where it is larger, the kernel takes whole ones from what lies between.
    const HUGE_PAGE: usize = 2 << 20;

    /// Asks for huge pages wherever a whole one lies in `memory`.
    pub(super) fn advise<T>(memory: &mut [MaybeUninit<T>]) {
        let (start, len) = (memory.as_mut_ptr(), size_of_val(memory));
        let skipped = start.addr().next_multiple_of(HUGE_PAGE) - start.addr();
        let whole = len.saturating_sub(skipped) / HUGE_PAGE * HUGE_PAGE;
        if whole == 0 {
            return;
        }
        #[allow(unsafe_code)]
        // SAFETY: `start + skipped` and the `whole` bytes from there on lie within `memory`, and this advice changes
        // the content of none. Whether it is taken is the system's to decide: an error is no matter.
        unsafe {
            let pages = start.byte_add(skipped);
            // Miri has no `madvise`.
            if !cfg!(miri) {
                libc::madvise(pages.cast(), whole, libc::MADV_HUGEPAGE);
            }
        }
    }
}
