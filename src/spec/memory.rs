//! Determines how much memory a run may take: the free memory of the machine, and the limits of the process.
//!
//! Where the address space (`ulimit -v`) or the control group of the process is limited, an allocation fails long before
//! the machine's memory is exhausted, and a failed allocation ends the program.

/// Returns the bytes that can still be allocated: the least of what the machine, the control group and the address space
/// (where limited) allow. Half of the address space is reserved for threads, which reserve much of it and use little.
pub fn memory_available() -> u64 {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let free = system.available_memory();
    let free = system.cgroup_limits().map_or(free, |limits| free.min(limits.free_memory));
    address_space().map_or(free, |limit| free.min(limit / 2).min(limit.saturating_sub(addressed())))
}

/// Returns the limit of the address space in bytes, if there is one.
pub fn address_space() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Returns the bytes of address space in use.
fn addressed() -> u64 {
    const PAGE: u64 = 4096;
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split_whitespace().next().and_then(|pages| pages.parse::<u64>().ok()).map_or(0, |pages| pages * PAGE)
}
