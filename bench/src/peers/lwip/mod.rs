//! lwIP 2.2 in memory, compiled from the C source of the crate `lwip` by our own `lwipopts.h`: both ends on one
//! stack, an interface that copies every packet once, checksums made and verified, windows of 64 KiB (it is
//! slower with larger ones), NewReno and neither SACK nor timestamps. The build leaves it out where the source is not there.

use anyhow::{Result, ensure};
use std::sync::Mutex;
use std::time::{Duration, Instant};

mod sys {
    unsafe extern "C" {
        pub fn bench_lwip_init() -> i32;
        pub fn bench_lwip_connect() -> i32;
        pub fn bench_lwip_close(forget: i32) -> i32;
        pub fn bench_lwip_transfer(bytes: usize) -> i32;
        pub fn bench_lwip_round_trips(count: usize) -> i32;
    }
}

/// Whether lwIP is built in.
pub const PRESENT: bool = true;

/// Whether the stack has begun. Whoever works on it holds the lock.
static STACK: Mutex<bool> = Mutex::new(false);

fn line(status: i32) -> Result<()> {
    ensure!(status == 0, "lwIP went wrong at line {status} of driver.c");
    Ok(())
}

/// Lets `use_it` work on the stack, alone.
fn with_stack<T>(use_it: impl FnOnce() -> Result<T>) -> Result<T> {
    let mut begun = STACK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !*begun {
        // SAFETY: the lock is held, so no other call runs, and the flag sees to it that it happens once.
        line(unsafe { sys::bench_lwip_init() })?;
        *begun = true;
    }
    use_it()
}

/// Connects, lets `use_it` work, closes.
fn connected<T>(use_it: impl FnOnce() -> Result<T>) -> Result<T> {
    with_stack(|| {
        // SAFETY: the stack has begun, the lock is held, and the last connection was closed.
        line(unsafe { sys::bench_lwip_connect() })?;
        let result = use_it();
        // SAFETY: as above, and both ends that it closes were made by the connect before.
        line(unsafe { sys::bench_lwip_close(1) })?;
        result
    })
}

/// Bulk for about `span`. Returns bytes and time.
///
/// # Errors
/// When the connection breaks or stalls.
pub fn run(span: Duration) -> Result<(usize, Duration)> {
    const PART: usize = 8 << 20;
    connected(|| {
        let (start, mut moved) = (Instant::now(), 0);
        while moved == 0 || start.elapsed() < span {
            // SAFETY: the connection stands and the lock is held; the driver copies from and to its own buffers.
            line(unsafe { sys::bench_lwip_transfer(PART) })?;
            moved += PART;
        }
        Ok((moved, start.elapsed()))
    })
}

/// Round trips of one byte a second, over `count` of them.
///
/// # Errors
/// When a byte does not arrive.
pub fn round_trips(count: usize) -> Result<f64> {
    connected(|| {
        let start = Instant::now();
        // SAFETY: the connection stands and the lock is held.
        line(unsafe { sys::bench_lwip_round_trips(count) })?;
        Ok(count as f64 / start.elapsed().as_secs_f64())
    })
}

/// Connections a second, opened and closed, over `count` of them; TIME-WAIT ends at once.
///
/// # Errors
/// When one fails.
pub fn connections(count: usize) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..count {
        connected(|| Ok(()))?;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_bytes_and_connects_again() {
        assert!(run(Duration::from_millis(1)).unwrap().0 > 0);
        assert!(round_trips(100).unwrap() > 0.0);
        assert!(connections(100).unwrap() > 0.0);
    }
}
