//! The one place that reads the clock, in the engine's unit.

use cauce_core::time::Instant;
use std::cell::Cell;
use std::time::Duration;

/// A monotonic clock that starts at ten seconds, because an engine takes zero for "never".
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Real(std::time::Instant),
    Stepping { spent: Cell<Duration>, step: Duration },
}

impl Clock {
    /// A clock that starts now.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Clock(Source::Real(std::time::Instant::now()))
    }

    /// A clock that goes on by `step` whenever it is read and never otherwise, so that the same work takes
    /// the same instructions however slowly it runs.
    pub fn stepping(step: Duration) -> Self {
        Clock(Source::Stepping { spent: Cell::new(Duration::ZERO), step })
    }

    /// The moment.
    pub fn now(&self) -> Instant {
        Instant::from_secs(10) + self.elapsed()
    }

    /// Time since the clock was made.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Source::Real(start) => start.elapsed(),
            Source::Stepping { spent, step } => {
                spent.set(spent.get() + *step);
                spent.get()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stepping_clock_moves_only_when_it_is_read() {
        let clock = Clock::stepping(Duration::from_micros(3));
        assert_eq!(clock.elapsed(), Duration::from_micros(3));
        assert_eq!(clock.now(), Instant::from_secs(10) + Duration::from_micros(6));
    }
}
