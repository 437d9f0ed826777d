//! The drop-tail queue in front of a link's transmitter.
//!
//! The queue knows of each waiting packet only its length and the moment when the transmitter starts on it:
//! a first-in-first-out link decides both when the packet is offered. The packet that is being sent no
//! longer waits, as with a Linux qdisc.

use cauce_core::time::Instant;
use std::collections::VecDeque;

/// How much may wait. A limit of `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimit {
    /// Most packets waiting.
    pub packets: Option<u32>,
    /// Most bytes waiting.
    pub bytes: Option<u64>,
}

impl QueueLimit {
    /// No limit: nothing is dropped.
    pub const UNLIMITED: QueueLimit = QueueLimit { packets: None, bytes: None };

    /// At most `packets` packets.
    pub const fn packets(packets: u32) -> Self {
        QueueLimit { packets: Some(packets), bytes: None }
    }

    /// At most `bytes` bytes.
    pub const fn bytes(bytes: u64) -> Self {
        QueueLimit { packets: None, bytes: Some(bytes) }
    }
}

impl Default for QueueLimit {
    /// 1,000 packets: a Linux interface's default `txqueuelen`.
    fn default() -> Self {
        QueueLimit::packets(1_000)
    }
}

/// Packets that wait for the transmitter.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: u64,
}

#[derive(Debug)]
struct Waiting {
    starts: Instant,
    len: u32,
}

impl Queue {
    /// Forgets the packets whose transmission has started by `now`.
    pub fn release(&mut self, now: Instant) {
        while let Some(first) = self.waiting.front()
            && first.starts <= now
        {
            self.bytes -= u64::from(first.len);
            self.waiting.pop_front();
        }
    }

    /// True when a packet of `len` bytes may join under `limit`.
    pub fn admits(&self, len: u32, limit: QueueLimit) -> bool {
        limit.packets.is_none_or(|most| self.waiting.len() < most as usize)
            && limit.bytes.is_none_or(|most| self.bytes + u64::from(len) <= most)
    }

    /// Adds a packet whose transmission starts at `starts`. Packets join in the order of their starts.
    pub fn push(&mut self, starts: Instant, len: u32) {
        debug_assert!(self.waiting.back().is_none_or(|last| last.starts <= starts));
        self.waiting.push_back(Waiting { starts, len });
        self.bytes += u64::from(len);
    }

    /// Packets waiting as of the last [`Queue::release`].
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes waiting as of the last [`Queue::release`].
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_what_has_started_and_nothing_else() {
        let mut queue = Queue::default();
        for milli in 1..=5 {
            queue.push(Instant::from_millis(milli), 100);
        }
        queue.release(Instant::from_nanos(2_999_999));
        assert_eq!((queue.len(), queue.bytes()), (3, 300));
        queue.release(Instant::from_millis(3));
        assert_eq!((queue.len(), queue.bytes()), (2, 200));
        queue.release(Instant::NEVER);
        assert!(queue.is_empty());
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn limits_are_inclusive() {
        let mut queue = Queue::default();
        queue.push(Instant::from_millis(1), 600);
        assert!(queue.admits(400, QueueLimit::bytes(1_000)));
        assert!(!queue.admits(401, QueueLimit::bytes(1_000)));
        assert!(queue.admits(9_000, QueueLimit::packets(2)));
        assert!(!queue.admits(1, QueueLimit::packets(1)));
        assert!(queue.admits(u32::MAX, QueueLimit::UNLIMITED));
    }
}
