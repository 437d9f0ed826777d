//! When unread bytes arrived, for users who ask (SO_TIMESTAMP, SO_TIMESTAMPNS, RX_SOFTWARE).
//!
//! One entry a segment, oldest first; entries beyond the bound are merged into the newest, as merged segments
//! are: a read reports the newest segment that it took from.

use crate::time::Instant;
use alloc::collections::VecDeque;

/// Most entries; what arrives beyond them shares the newest one.
const MOST: usize = 1024;

/// The arrival times of what has not been read.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// Just past the last byte of a segment, and when it came.
    entries: VecDeque<(u64, Instant)>,
    /// What the last read found.
    last: Option<Instant>,
}

impl Arrivals {
    /// The stream has grown to `end`.
    pub(crate) fn arrived(&mut self, end: u64, now: Instant) {
        if self.entries.len() >= MOST {
            self.entries.pop_back();
        }
        self.entries.push_back((end, now));
    }

    /// The user has read up to `position`.
    pub(crate) fn read_to(&mut self, position: u64) {
        while let Some((end, at)) = self.entries.front().copied() {
            self.last = Some(at);
            if end > position {
                break;
            }
            self.entries.pop_front();
            if end == position {
                break;
            }
        }
    }

    /// True when nothing was ever noted.
    pub(crate) fn is_unused(&self) -> bool {
        self.entries.is_empty() && self.last.is_none()
    }

    /// When the newest byte of the last read arrived.
    pub(crate) fn of_last_read(&self) -> Option<Instant> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_reports_the_newest_segment_that_it_took_from() {
        let at = Instant::from_millis;
        let mut arrivals = Arrivals::default();
        for (end, when) in [(10, 1), (20, 2), (30, 3)] {
            arrivals.arrived(end, at(when));
        }
        for (position, when) in [(5, 1), (10, 1), (25, 3), (30, 3)] {
            arrivals.read_to(position);
            assert_eq!(arrivals.of_last_read(), Some(at(when)), "{position}");
        }
        for end in 0..3000 {
            arrivals.arrived(100 + end, at(end));
        }
        assert!(arrivals.entries.len() <= MOST);
        arrivals.read_to(3099);
        assert_eq!(arrivals.of_last_read(), Some(at(2999)));
    }
}
