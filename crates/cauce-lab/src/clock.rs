//! The virtual clock: it stands still until the world moves it, and it never goes back.

use cauce_core::time::{Duration, Instant};

/// Virtual time, in nanoseconds since the world began.
///
/// ```
/// use cauce_core::time::Instant;
/// use cauce_lab::clock::Clock;
/// let mut clock = Clock::new(Instant::from_secs(1));
/// clock.advance_to(Instant::from_secs(3));
/// assert_eq!(clock.now(), Instant::from_secs(3));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    now: Instant,
}

impl Clock {
    /// A clock that starts at `start`.
    pub fn new(start: Instant) -> Self {
        Clock { start, now: start }
    }

    /// The present moment.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Time since the clock was made.
    pub fn elapsed(&self) -> Duration {
        self.now.since(self.start)
    }

    /// Moves to `moment`. A moment in the past leaves the clock where it is: what was due then is done now.
    pub fn advance_to(&mut self, moment: Instant) {
        self.now = self.now.max(moment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_goes_back() {
        let mut clock = Clock::new(Instant::from_millis(10));
        clock.advance_to(Instant::from_millis(30));
        clock.advance_to(Instant::from_millis(20));
        assert_eq!(clock.now(), Instant::from_millis(30));
        assert_eq!(clock.elapsed(), Duration::from_millis(20));
    }
}
