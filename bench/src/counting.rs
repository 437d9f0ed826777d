//! A global allocator that counts what is in use while it is asked to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// The system's allocator, counted.
pub struct Counting;

static ON: AtomicBool = AtomicBool::new(false);
static REQUESTED: AtomicUsize = AtomicUsize::new(0);
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

/// What is in use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Use {
    /// Bytes as the program asked for them.
    pub requested: usize,
    /// Bytes as the allocator hands them out, its own header of 8 bytes included.
    pub allocated: usize,
}

/// Starts counting. What was allocated before is not known, so only differences mean something.
pub fn start() {
    ON.store(true, Relaxed);
}

/// What is in use now.
pub fn in_use() -> Use {
    Use { requested: REQUESTED.load(Relaxed), allocated: ALLOCATED.load(Relaxed) }
}

/// What glibc really gives for `size` bytes: 16-byte steps with an 8-byte header, at least 32.
fn real(size: usize) -> usize {
    ((size + 8).next_multiple_of(16)).max(32)
}

fn add(size: usize) {
    if ON.load(Relaxed) {
        SIZES[size.min(8192)].fetch_add(1, Relaxed);
        REQUESTED.fetch_add(size, Relaxed);
        ALLOCATED.fetch_add(real(size), Relaxed);
    }
}

fn sub(size: usize) {
    if ON.load(Relaxed) {
        SIZES[size.min(8192)].fetch_sub(1, Relaxed);
        REQUESTED.fetch_sub(size, Relaxed);
        ALLOCATED.fetch_sub(real(size), Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator with the arguments unchanged; counting touches atomics
// only and never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        sub(layout.size());
        // SAFETY: the caller's promise that `pointer` came from here with `layout` is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        sub(layout.size());
        add(size);
        // SAFETY: as above; failure leaves the counts off by one block, and the program ends anyway.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Blocks in use by size, for sizes below 8 KiB and one bucket for the rest.
pub static SIZES: [AtomicUsize; 8193] = [const { AtomicUsize::new(0) }; 8193];

/// The sizes of which at least `least` blocks are in use, with how many.
pub fn blocks(least: usize) -> Vec<(usize, usize)> {
    let counts = SIZES.iter().enumerate().map(|(size, count)| (size, count.load(Relaxed)));
    counts.filter(|&(_, count)| count >= least && count < usize::MAX / 2).collect()
}
