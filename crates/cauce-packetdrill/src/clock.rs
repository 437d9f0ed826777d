//! The clock: the wall's time when the library was loaded, and what has passed since.
//!
//! Calls, packets and `gettimeofday` share it. It goes on with every reading and never back, also when the
//! host's clock is set meanwhile.

use cauce_core::time::Instant;
use std::time::{Instant as Monotonic, SystemTime, UNIX_EPOCH};

/// A clock in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: u64,
    start: Monotonic,
}

impl Clock {
    /// A clock that shows the wall's time now.
    pub(crate) fn start() -> Clock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { wall: u64::try_from(wall.as_nanos()).unwrap_or(0), start: Monotonic::now() }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Instant {
        let passed = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Instant::from_nanos(self.wall.saturating_add(passed))
    }
}
