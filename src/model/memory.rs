//! What large tensors give back stays with the program while a run needs it, and goes back to the system when the run has ended.

/// Heaps of the allocator at most. By default there are eight for each core, each keeps what its threads gave back, and one that is
/// not the first is never as large as what is kept of it, so that none of them ever shrinks by itself.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: libc::c_int = 4;

/// Tells the C library's allocator to keep up to 256 MiB that was given back, and to take pieces of up to 128 MiB from there
/// (32 MiB where an older one allows no more); and to have few heaps, whatever the number of threads.
///
/// By default every large tensor is fetched from the system, zeroed page by page, and returned, once for each use: a third
/// of the time of a kernel at width 512. To be called before anything is computed; does nothing where the allocator is
/// another one.
pub fn keep_what_is_given_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: sets two numbers of the allocator, which it reads under its own locks.
        unsafe {
            // Setting either number ends the allocator's own adaptation, so the second without the first would do harm.
            let taken = [128 << 20, 32 << 20].into_iter().any(|most| libc::mallopt(libc::M_MMAP_THRESHOLD, most) == 1);
            if taken {
                libc::mallopt(libc::M_TRIM_THRESHOLD, 256 << 20);
            }
            libc::mallopt(libc::M_ARENA_MAX, HEAPS);
        }
    }
}

/// Gives back to the system what the allocator keeps of what was given back to it: for the end of a run, whose tensors no other
/// needs. Takes some milliseconds.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: takes the allocator's own locks, heap by heap, and touches nothing that is in use.
        unsafe { libc::malloc_trim(0) };
    }
}
