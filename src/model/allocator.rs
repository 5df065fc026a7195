//! Tunes the C library's allocator: memory of large tensors is retained during a run and returned to the system after it.

/// Largest number of heaps. By default there are eight per core, each retains the memory that its threads freed, and a heap
/// other than the first never exceeds the retention limit, so none of them ever shrinks.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: libc::c_int = 4;

/// Tunes the allocator: it retains up to 256 MiB of freed memory, serves allocations of up to 128 MiB from it (32 MiB where
/// an older version allows no more), and has few heaps for any number of threads.
///
/// By default every large tensor is requested from the system, zeroed page by page, and returned after each use: a third of
/// the time of a kernel at width 512. Must be called before any computation; has no effect with another allocator.
pub fn tune_allocator() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: sets two numbers of the allocator, which reads them under its own locks.
        unsafe {
            // Setting either number ends the allocator's own adaptation, so the second without the first would make it
            // slower.
            let taken = [128 << 20, 32 << 20].into_iter().any(|most| libc::mallopt(libc::M_MMAP_THRESHOLD, most) == 1);
            if taken {
                libc::mallopt(libc::M_TRIM_THRESHOLD, 256 << 20);
            }
            libc::mallopt(libc::M_ARENA_MAX, HEAPS);
        }
    }
}

/// Returns the retained memory to the system, at the end of a run, whose tensors no other run needs. Takes some
/// milliseconds.
pub fn release_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: takes the allocator's own locks, heap by heap, and does not touch memory in use.
        unsafe { libc::malloc_trim(0) };
    }
}
