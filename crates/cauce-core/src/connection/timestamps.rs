//! The timestamps option over the life of a connection: our clock, the peer's newest value, and PAWS
//! (RFC 7323 sections 4 and 5; P-112 to P-116).

use crate::time::Instant;

/// Age at which a peer's timestamp says nothing any more: 24 days (RFC 7323 5.5).
const RECENT_IS_VALID_FOR: u32 = 24 * 24 * 3600;

/// The timestamp state of one connection. The clock ticks in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timestamps {
    /// Added to the clock, so that connections do not reveal the uptime (S-47).
    pub offset: u32,
    /// TS.Recent.
    recent: u32,
    /// When TS.Recent was taken, in seconds of the embedder's clock; 0 when there is none.
    recent_at: u32,
}

impl Timestamps {
    /// No timestamp seen yet.
    pub fn new(offset: u32) -> Self {
        Timestamps { offset, recent: 0, recent_at: 0 }
    }

    /// The value that a segment sent now carries.
    pub fn now(&self, now: Instant) -> u32 {
        (now.as_millis() as u32).wrapping_add(self.offset)
    }

    /// TS.Recent, the value to echo; 0 before the first.
    pub fn recent(&self) -> u32 {
        self.recent
    }

    /// TS.Recent and when it was taken, to the second; `None` before the first.
    pub fn taken(&self) -> Option<(u32, Instant)> {
        (self.recent_at != 0).then(|| (self.recent, Instant::from_secs(u64::from(self.recent_at - 1))))
    }

    /// Takes a peer's value as TS.Recent.
    pub fn store(&mut self, value: u32, now: Instant) {
        self.recent = value;
        self.recent_at = (now.as_secs() as u32).wrapping_add(1).max(1);
    }

    /// Updates TS.Recent from an acceptable segment: only one that covers the last ACK sent may do it
    /// (RFC 7323 4.3 (2)), and only a value that is not older.
    pub fn update(&mut self, value: u32, seq: u64, last_ack_sent: u64, now: Instant) {
        if seq <= last_ack_sent && (self.recent_at == 0 || !self.is_older(value) || self.has_expired(now)) {
            self.store(value, now);
        }
    }

    /// True when PAWS rejects a segment with `value` (RFC 7323 5.3 R1).
    pub fn rejects(&self, value: u32, now: Instant) -> bool {
        self.recent_at != 0 && self.is_older(value) && !self.has_expired(now)
    }

    fn is_older(&self, value: u32) -> bool {
        (self.recent.wrapping_sub(value) as i32) > 0
    }

    fn has_expired(&self, now: Instant) -> bool {
        (now.as_secs() as u32).wrapping_add(1).wrapping_sub(self.recent_at) >= RECENT_IS_VALID_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P-113: older values are refused, also across the wrap, and not after 24 days.
    #[test]
    fn paws_refuses_old_values_for_24_days() {
        let start = Instant::from_secs(100);
        let mut ts = Timestamps::new(0);
        assert!(!ts.rejects(0, start));
        ts.store(0x8000_0010, start);
        assert!(ts.rejects(0x8000_000f, start) && ts.rejects(0x1000, start));
        assert!(!ts.rejects(0x8000_0010, start) && !ts.rejects(0xf000_0000, start));
        assert!(!ts.rejects(0x1000, Instant::from_secs(100 + 25 * 24 * 3600)));
    }

    /// P-112: only a segment at or before the last ACK sent moves TS.Recent.
    #[test]
    fn recent_follows_the_left_edge() {
        let now = Instant::from_secs(5);
        let mut ts = Timestamps::new(0);
        ts.update(10, 1000, 1000, now);
        ts.update(12, 2000, 1000, now);
        assert_eq!(ts.recent(), 10);
        ts.update(12, 1000, 1000, now);
        ts.update(11, 1000, 1000, now);
        assert_eq!(ts.recent(), 12);
    }
}
