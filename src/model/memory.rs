//! What large tensors give back stays with the program.

/// Tells the C library's allocator to keep up to 256 MiB that was given back, and to take pieces of up to 128 MiB from there
/// (32 MiB where an older one allows no more). Threads beside the first one have heaps of their own, of 64 MiB.
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
        }
    }
}
