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

/// Free memory the C library keeps at the end of each of its arenas.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: libc::c_int = 16 << 20;

/// From this size on it asks the system for each piece alone; it takes no larger number.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ALONE_BYTES: libc::c_int = 32 << 20;

/// Lets the Kafka client use the memory of one answer for the next.
///
/// It gets what it fetches, unpacks and packs from the C library, by the megabyte, which gives such pieces back to the system as soon
/// as they are free: every page of the next one is then a fault, and cleared by the kernel before it is written. What that costs
/// stands in `tests/BENCHMARKS.md`.
pub fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: sets two numbers of the allocator. Where it refuses them everything stays as it was.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, ALONE_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    /// Pages of this thread that the kernel had to give it so far.
    fn faults() -> i64 {
        // SAFETY: numbers are asked for, and there is room for them.
        unsafe {
            let mut usage = std::mem::zeroed::<libc::rusage>();
            assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &mut usage), 0);
            usage.ru_minflt
        }
    }

    #[test]
    fn what_the_c_library_is_given_back_it_gives_out_again_without_a_fault() {
        const PIECES: usize = 8;
        const BYTES: usize = 1 << 20;
        const ANSWERS: i64 = 50;
        small_pages();
        keep_freed();
        // As the Kafka client does with each answer.
        let answer = || {
            let pieces = [(); PIECES].map(|()| {
                // SAFETY: what was given is written within its bounds.
                unsafe {
                    let piece = libc::malloc(BYTES);
                    assert!(!piece.is_null());
                    libc::memset(piece, 1, BYTES);
                    piece
                }
            });
            // SAFETY: each was given by `malloc` and is not used again.
            pieces.into_iter().for_each(|piece| unsafe { libc::free(piece) });
        };
        let before = faults();
        (0..ANSWERS).for_each(|_| answer());
        let (faults, pages) = (faults() - before, (PIECES * BYTES) as i64 / 4096);
        assert!(faults < pages * ANSWERS / 4, "{faults} faults, though an answer has {pages} pages");
    }
}
