//! How much memory a run may take: what the machine has free, and what its surroundings let the program have.
//!
//! Where the address space is limited (`ulimit -v`), or the group of the process is, an allocation fails long before the
//! machine is full, and a failed allocation ends the program.

/// Bytes that can still be allocated: of the machine, of the group of the process, and of its address space, where that is limited;
/// half of the address space is left to threads, which set much of it aside and use little.
pub fn memory_available() -> u64 {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let free = system.available_memory();
    let free = system.cgroup_limits().map_or(free, |limits| free.min(limits.free_memory));
    address_space().map_or(free, |limit| free.min(limit / 2).min(limit.saturating_sub(addressed())))
}

/// Bytes that the program may address, where that is limited.
pub fn address_space() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Bytes that the program addresses already.
fn addressed() -> u64 {
    const PAGE: u64 = 4096;
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split_whitespace().next().and_then(|pages| pages.parse::<u64>().ok()).map_or(0, |pages| pages * PAGE)
}
