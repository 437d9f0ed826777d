//! The one place that reads the clock, in the engine's unit.

use cauce_core::time::Instant;
use std::time::Duration;

/// A monotonic clock that starts at ten seconds, because an engine takes zero for "never".
#[derive(Clone, Copy, Debug)]
pub struct Clock(std::time::Instant);

impl Clock {
    /// A clock that starts now.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Clock(std::time::Instant::now())
    }

    /// The moment.
    pub fn now(&self) -> Instant {
        Instant::from_secs(10) + self.elapsed()
    }

    /// Time since the clock was made.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
