//! Paths that swallow what Fast Open sends: after bad experience it is off for all destinations for a while
//! (RFC 7413 7.1; P-163, `tcp_fastopen_blackhole_timeout_sec`).
//!
//! What counts as bad experience is decided by the connection that makes it. Each further one doubles the time, up to
//! sixty-four times the setting; a connection that goes well after the time is over makes it all forgotten.

use crate::time::{Duration, Instant};

/// The time is doubled at most so often.
const MOST_DOUBLINGS: u32 = 6;

/// Whether Fast Open is off, and why.
#[derive(Clone, Copy, Debug, Default)]
pub struct BlackHole {
    /// How often it was switched off.
    times: u32,
    since: Instant,
    /// The setting at that time: another one makes a fresh start.
    setting: u32,
}

impl BlackHole {
    /// A path has swallowed something. True if that switches Fast Open off under this setting, in seconds.
    pub fn swallowed(&mut self, setting: u32, now: Instant) -> bool {
        if setting == 0 {
            return false;
        }
        let before = if self.setting == setting { self.times } else { 0 };
        *self = BlackHole { times: before.saturating_add(1), since: now, setting };
        true
    }

    /// True while no connection may be opened with data.
    pub fn is_closed(&self, setting: u32, now: Instant) -> bool {
        if !self.is_suspected(setting) {
            return false;
        }
        let doublings = (self.times - 1).min(MOST_DOUBLINGS);
        now < self.since + Duration::from_secs(u64::from(setting) << doublings)
    }

    /// True when it was off, so that a connection which goes well is news.
    pub fn is_suspected(&self, setting: u32) -> bool {
        setting != 0 && self.setting == setting && self.times > 0
    }

    /// A connection went well.
    pub fn forget(&mut self) {
        *self = BlackHole::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P-163: the time doubles, up to a bound, until a connection goes well.
    #[test]
    fn p163_the_time_doubles() {
        let (mut hole, start) = (BlackHole::default(), Instant::from_secs(100));
        assert!(!hole.swallowed(0, start) && !hole.is_closed(10, start));
        for times in 1..=9u32 {
            assert!(hole.swallowed(10, start));
            let length = Duration::from_secs(10 << (times - 1).min(6));
            assert!(hole.is_closed(10, start + length - Duration::from_nanos(1)), "{times}");
            assert!(!hole.is_closed(10, start + length) && hole.is_suspected(10));
        }
        assert!(!hole.is_closed(0, start) && !hole.is_closed(20, start), "another setting starts anew");
        hole.forget();
        assert!(!hole.is_closed(10, start) && !hole.is_suspected(10));
    }
}
