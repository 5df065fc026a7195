//! Sets the number of threads that compute, and gives a run its own.
//!
//! The thread of a run is one of the pool that multiplies its matrices. Otherwise every product would wait until the
//! system has woken another thread and then this one again, which on a machine with other work takes longer than the
//! product; this way, this thread itself does the work that no other thread takes, and a run beside other work is slowed
//! down as they are. Unless the command line asks for more, a pool has no more threads than the machine has cores: more
//! would only wait for each other.

use std::error::Error as _;
use std::num::NonZeroUsize;
use std::thread::{Builder, available_parallelism};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::spec::address_space;

/// The largest number of threads, or of runs at a time: more than the cores of the largest machines.
pub const MOST: usize = 512;

/// The environment variable that sets the number of threads, beside the command line.
const THREADS_VARIABLE: &str = "RAYON_NUM_THREADS";
/// The smallest address space in bytes in which a small run has room, because the program itself takes some of it.
const LEAST: u64 = 768 << 20;
/// The bytes of the address space that a computing thread may reserve, its stack and a heap, beside the copies that its
/// matrix products make.
const EACH: u64 = 128 << 20;

/// Parses a number of threads, or of runs at a time, as it is written on the command line.
///
/// # Errors
/// If it is no such number, or more than any machine supports, explains that in one sentence.
pub fn count(text: &str) -> Result<NonZeroUsize, String> {
    let count: NonZeroUsize = text.parse().map_err(|_| format!("{text} is no whole number from 1 on"))?;
    if count.get() > MOST {
        return Err(format!("there can be {MOST} at most, and this machine has {} cores", cores()));
    }
    Ok(count)
}

/// Returns the default number of threads that compute at once: one for each core, fewer where RAYON_NUM_THREADS sets
/// fewer or the address space is limited.
pub fn usable() -> usize {
    let requested = requested_threads().and_then(Result::ok).map_or(usize::MAX, NonZeroUsize::get);
    cores().min(requested).min(threads_that_fit())
}

/// Starts the threads that the parts of the program share: as many as requested, else [`usable`] ones. With `here` this
/// thread is one of them, and does nothing else meanwhile. Returns a message for the user, if there is one.
///
/// # Errors
/// If they cannot be started, names the reason in one sentence.
pub fn start(threads: Option<NonZeroUsize>, here: bool) -> Result<Option<String>, String> {
    if let Some(Err(why)) = requested_threads() {
        return Err(format!("{THREADS_VARIABLE}: {why}"));
    }
    if let Some(limit) = address_space().filter(|limit| *limit < LEAST) {
        return Err(format!(
            "the address space is limited to {} MiB (`ulimit -v`), and the program needs {} MiB of it: raise the limit",
            limit >> 20,
            LEAST >> 20
        ));
    }
    let wanted = threads.or_else(|| requested_threads().and_then(Result::ok)).map_or_else(cores, NonZeroUsize::get);
    let count = threads.map_or_else(usable, |threads| threads.get().min(threads_that_fit()));
    let pool = ThreadPoolBuilder::new().num_threads(count);
    let pool = if here { pool.use_current_thread() } else { pool };
    match pool.build_global() {
        // An error without a cause means that there are threads already, as in a program that uses this as a library:
        // they serve as well.
        Err(err) if err.source().is_none() && threads.is_none() => {}
        Err(err) if err.source().is_none() => {
            return Err("the threads of this process are already started: their number cannot change".to_owned());
        }
        Err(_) => {
            return Err(format!(
                "{count} threads cannot be started: the system allows this user no more (`ulimit -u`): end other programs, or \
                 take fewer threads"
            ));
        }
        Ok(()) => {}
    }
    let limited = wanted > threads_that_fit();
    Ok(limited.then(|| {
        format!("The address space is limited (`ulimit -v`), so that {count} threads compute and not {wanted}")
    }))
}

/// Makes this thread one of this many that compute together, until the pool is dropped. Where the system cannot start
/// another thread, it computes alone; `None` where it is in a pool already.
pub(super) fn join(threads: usize) -> Option<ThreadPool> {
    let others = |thread: rayon::ThreadBuilder| {
        let name = format!("trainer {}", thread.index());
        // The other threads do the work of one that could not be started.
        if let Err(err) = Builder::new().name(name).spawn(|| thread.run()) {
            log::warn!("a run computes with fewer threads: {err}");
        }
        Ok(())
    };
    ThreadPoolBuilder::new().num_threads(threads.max(1)).use_current_thread().spawn_handler(others).build().ok()
}

fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Returns the number that RAYON_NUM_THREADS sets; 0 is the usual number.
fn requested_threads() -> Option<Result<NonZeroUsize, String>> {
    let text = std::env::var(THREADS_VARIABLE).ok()?;
    (!text.is_empty() && text != "0").then(|| count(&text))
}

/// Returns the number of threads for which half of the address space has room, where it is limited.
fn threads_that_fit() -> usize {
    let Some(limit) = address_space() else { return usize::MAX };
    // A matrix product keeps copies of both its sides, each as large as the last cache, for each of its threads.
    usize::try_from(limit / 2 / (EACH + 2 * last_cache())).unwrap_or(usize::MAX).max(1)
}

/// Returns the size in bytes of the last cache of a core.
fn last_cache() -> u64 {
    const USUAL: u64 = 32 << 20;
    let text = std::fs::read_to_string("/sys/devices/system/cpu/cpu0/cache/index3/size").unwrap_or_default();
    let text = text.trim();
    let unit = match text.chars().last() {
        Some('K') => 1 << 10,
        Some('M') => 1 << 20,
        Some('G') => 1 << 30,
        _ => 1,
    };
    let digits = text.trim_end_matches(['K', 'M', 'G']);
    digits.parse::<u64>().map_or(USUAL, |count| count.saturating_mul(unit))
}
