//! Counts the memory of this process, for the child that tries inputs: what the system says is never given back in time.
//!
//! Off until [`start`], so that other tests pay one look at a flag for each request.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering::Relaxed};

static ON: AtomicBool = AtomicBool::new(false);
static HELD: AtomicIsize = AtomicIsize::new(0);
static MOST: AtomicIsize = AtomicIsize::new(0);

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(bytes: isize) {
    if ON.load(Relaxed) {
        let held = HELD.fetch_add(bytes, Relaxed) + bytes;
        if bytes > 0 {
            MOST.fetch_max(held, Relaxed);
        }
    }
}

// SAFETY: every request goes on to the system's allocator as it is; only numbers are kept of it, and keeping them neither
// allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Where it is moved, both places are held for a moment; that is not counted, for mostly it grows where it is.
        count(size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

/// Counts from now on.
pub fn start() {
    ON.store(true, Relaxed);
}

/// The most bytes that were held at once while `work` went on, above what was held before.
pub fn most<R>(work: impl FnOnce() -> R) -> (R, u64) {
    let before = HELD.load(Relaxed);
    MOST.store(before, Relaxed);
    let result = work();
    (result, (MOST.load(Relaxed) - before).max(0) as u64)
}
