//! How this process gets its memory.

/// Keeps this process, and whatever it starts, from getting memory in huge pages.
///
/// Batches come and go by the megabyte, so the allocator keeps asking for fresh pages and giving them back. It asks for
/// huge ones, which the kernel clears whole for the part that is used. What that cost stands in `tests/BENCHMARKS.md`.
pub fn small_pages() {
    #[cfg(target_os = "linux")]
    // SAFETY: sets a flag of this process and takes no pointers. A kernel that does not know it refuses, and that is fine.
    unsafe {
        let none: libc::c_ulong = 0;
        libc::prctl(libc::PR_SET_THP_DISABLE, 1 as libc::c_ulong, none, none, none);
    }
}
