//! Acknowledge now, or wait for something to carry the acknowledgement (RFC 1122 4.2.3.2, RFC 5681 4.2).
//!
//! As Linux does it: the first segments of a flow are acknowledged at once (quick acknowledgements) so that
//! the sender's slow start is fed; a connection that answers what it gets (ping-pong) waits for the answer;
//! otherwise an acknowledgement waits for the time that usually lies between segments, 40 to 200 ms. Two
//! full segments never wait. The size of a full segment is estimated here. Nothing here sends.

use super::PathTimes;
use crate::time::{Duration, Instant};

/// The most acknowledgements that are sent at once in a row.
pub(super) const MAX_QUICK_ACKS: u8 = 16;
/// The shortest delay once there is an estimate.
const ATO_MIN_US: u32 = 40_000;
/// The longest delay of a connection that is expected to answer.
const DELAY_MAX_US: u32 = 200_000;
/// The longest delay of any other, before the round-trip time and the RTO's minimum shorten it.
const DELAY_MAX_BULK_US: u32 = 500_000;
/// By how much a delay stays below the smallest RTO, lest the peer retransmits: one tick of Linux.
const RTO_MARGIN_US: u32 = 4_000;
/// Bounds of the first estimate of the segment size.
const MSS_MIN: u32 = 88;
const MSS_DEFAULT: u32 = 536;

/// When to acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckDecision {
    /// At once.
    Now,
    /// At this moment, unless something carries the acknowledgement before.
    Delayed(Instant),
    /// Nothing is owed.
    None,
}

/// An acknowledgement is owed.
const SCHEDULED: u8 = 1;
/// It is owed at once.
const NOW: u8 = 2;
/// The delay is running.
const TIMER: u8 = 4;
/// A small segment has arrived: the peer has probably sent all it had.
const PUSHED: u8 = 8;
/// And another one.
const PUSHED_TWICE: u8 = 16;

/// The state of the delayed acknowledgements of one connection.
#[derive(Debug)]
pub(super) struct AckPolicy {
    deadline: Instant,
    last_received: Instant,
    /// The usual time between segments, 0 before the first one.
    ato_us: u32,
    rcv_mss: u16,
    last_len: u16,
    quick: u8,
    pingpong: u8,
    /// From how many answers on the connection counts as ping-pong: `tcp_pingpong_thresh` when it last answered.
    threshold: u8,
    pending: u8,
}

/// What the estimator of the segment size looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentShape {
    /// Payload of each segment (of the first one of a super-segment).
    pub len: u32,
    /// Bytes of options in its TCP header.
    pub options: u32,
    /// Those that every segment of the connection has: the timestamps.
    pub constant_options: u32,
    /// True with PSH, FIN, SYN or URG.
    pub remnant: bool,
    pub push: bool,
}

impl AckPolicy {
    /// The handshake has told what our own segments carry: the peer's are not taken to be larger (Linux).
    pub fn expect_at_most(&mut self, mss: u16) {
        self.rcv_mss = self.rcv_mss.min(mss).max(MSS_MIN as u16);
    }

    pub fn new(now: Instant, advmss: u16, peer_mss: u16, window: u32) -> AckPolicy {
        let hint = u32::from(advmss.min(peer_mss)).min(window / 2).clamp(MSS_MIN, MSS_DEFAULT);
        AckPolicy {
            deadline: Instant::NEVER,
            last_received: now,
            ato_us: 0,
            rcv_mss: hint as u16,
            last_len: 0,
            quick: 0,
            pingpong: 0,
            threshold: 1,
            pending: 0,
        }
    }

    /// The estimated size of the peer's full segments, in bytes.
    pub fn rcv_mss(&self) -> u32 {
        u32::from(self.rcv_mss)
    }

    /// The current delay in microseconds (`tcpi_ato`).
    pub fn ato_us(&self) -> u32 {
        self.ato_us
    }

    pub fn last_received(&self) -> Instant {
        self.last_received
    }

    pub fn schedule(&mut self) {
        self.pending |= SCHEDULED;
    }

    pub fn schedule_now(&mut self) {
        self.pending |= SCHEDULED | NOW;
    }

    pub fn is_scheduled(&self) -> bool {
        self.pending & SCHEDULED != 0
    }

    pub fn must_be_now(&self) -> bool {
        self.pending & NOW != 0 || self.is_quick()
    }

    pub fn is_quick(&self) -> bool {
        self.quick != 0 && !self.is_pingpong()
    }

    pub fn is_pingpong(&self) -> bool {
        self.pingpong >= self.threshold
    }

    pub fn set_pingpong(&mut self, on: bool) {
        self.pingpong = if on { self.threshold } else { 0 };
    }

    /// At least one more acknowledgement goes out at once: the window has grown.
    pub fn hurry_one(&mut self) {
        self.quick |= 1;
    }

    /// No more hurry: space is scarce.
    pub fn calm(&mut self) {
        self.quick = 0;
    }

    /// The next acknowledgements, at most `max` and about half a window of them, go out at once.
    pub fn allow_quick(&mut self, window: u32, max: u8) {
        let half = window / (2 * self.rcv_mss()).max(1);
        let quick = u8::try_from(half).unwrap_or(u8::MAX).min(max);
        self.quick = self.quick.max(if half == 0 { 2 } else { quick });
    }

    /// Something is wrong (a duplicate, data outside the window): the peer needs to know at once for a while.
    pub fn enter_quick_mode(&mut self, window: u32, max: u8) {
        self.allow_quick(window, max);
        self.pingpong = 0;
        self.ato_us = ATO_MIN_US;
    }

    /// Estimates the peer's segment size. Returns true when the segment is larger than any before: the
    /// ratio of payload to memory is to be measured anew.
    pub fn measure(&mut self, shape: SegmentShape, advmss: u16) -> bool {
        let len = shape.len;
        let before = core::mem::take(&mut self.last_len);
        if len >= self.rcv_mss() {
            let changed = len != self.rcv_mss();
            self.rcv_mss = u16::try_from(len).unwrap_or(u16::MAX).min(advmss).max(1);
            if shape.push {
                self.pending |= PUSHED;
            }
            return changed;
        }
        // A short segment changes the estimate only when it seems to be a full one: of a common size, or
        // without any sign that the peer had no more to send; and when the one before was as long.
        let whole = len + shape.options;
        if whole >= MSS_DEFAULT || (whole >= MSS_MIN && !shape.remnant) {
            self.last_len = u16::try_from(whole.saturating_sub(shape.constant_options)).unwrap_or(u16::MAX);
            if self.last_len == before && before != 0 {
                self.rcv_mss = self.last_len;
                return false;
            }
        }
        if self.pending & PUSHED != 0 {
            self.pending |= PUSHED_TWICE;
        }
        self.pending |= PUSHED;
        false
    }

    /// Data has arrived in order: an acknowledgement is owed, and the time between segments is learned.
    pub fn data_received(&mut self, now: Instant, window: u32, rto_us: u32) {
        self.pending |= SCHEDULED;
        let gap = u32::try_from(now.micros_since(self.last_received)).unwrap_or(u32::MAX);
        if self.ato_us == 0 {
            self.allow_quick(window, MAX_QUICK_ACKS);
            self.ato_us = ATO_MIN_US;
        } else if gap <= ATO_MIN_US / 2 {
            self.ato_us = self.ato_us / 2 + ATO_MIN_US / 2;
        } else if gap < self.ato_us {
            self.ato_us = (self.ato_us / 2).saturating_add(gap).min(rto_us);
        } else if gap > rto_us {
            // The peer has been silent so long that it may have to start slowly again.
            self.allow_quick(window, MAX_QUICK_ACKS);
        }
        self.last_received = now;
    }

    /// Whatever is sent first is no answer: the handshake had no packet of the peer that counts as received.
    pub fn heard_nothing(&mut self) {
        self.last_received = Instant::ZERO;
    }

    /// Data was sent: if it came soon after something was received, it is an answer.
    pub fn data_sent(&mut self, now: Instant, threshold: u8) {
        self.threshold = threshold.max(1);
        if now.micros_since(self.last_received) < u64::from(self.ato_us) {
            self.pingpong = self.pingpong.saturating_add(1).min(self.threshold);
        }
    }

    /// An acknowledgement has left, on its own or with data.
    pub fn ack_sent(&mut self) {
        if self.quick > 0 && self.is_scheduled() {
            self.quick -= 1;
            if self.quick == 0 {
                self.ato_us = ATO_MIN_US;
            }
        }
        self.pending = 0;
    }

    /// Arms the delay.
    pub fn delay(&mut self, now: Instant, path: &PathTimes) -> AckDecision {
        let mut ato = self.ato_us;
        if ato > ATO_MIN_US {
            let answers = self.is_pingpong() || self.pending & PUSHED != 0;
            let mut max = if answers { DELAY_MAX_US } else { DELAY_MAX_BULK_US };
            if path.srtt_us != 0 {
                max = max.min(path.srtt_us.max(ATO_MIN_US));
            }
            ato = ato.min(max);
        }
        let below_rto = path.rto_min_us.saturating_sub(RTO_MARGIN_US).max(RTO_MARGIN_US);
        ato = ato.min(path.delack_max_us).min(below_rto);
        self.delay_for(now, ato)
    }

    /// Arms the longest delay that there is.
    pub fn delay_longest(&mut self, now: Instant) {
        self.delay_for(now, DELAY_MAX_US);
    }

    /// Arms the delay of `span_us` microseconds, unless it already runs and ends sooner.
    pub fn delay_for(&mut self, now: Instant, span_us: u32) -> AckDecision {
        let span = |us: u32| Duration::from_micros(u64::from(us));
        let mut deadline = now + span(span_us);
        if self.pending & TIMER != 0 {
            if self.deadline <= now + span(span_us / 4) {
                return AckDecision::Now;
            }
            deadline = deadline.min(self.deadline);
        }
        self.pending |= SCHEDULED | TIMER;
        self.deadline = deadline;
        AckDecision::Delayed(deadline)
    }

    /// When the delay ends.
    pub fn deadline(&self) -> Option<Instant> {
        (self.pending & TIMER != 0).then_some(self.deadline)
    }

    /// The delay has ended without anything to carry the acknowledgement. Returns true when it is to be sent.
    pub fn delay_ended(&mut self, now: Instant, rto_us: u32) -> bool {
        if self.pending & TIMER == 0 || self.deadline > now {
            return false;
        }
        self.pending &= !TIMER;
        if !self.is_scheduled() {
            return false;
        }
        if self.is_pingpong() {
            self.pingpong = 0;
            self.ato_us = ATO_MIN_US;
        } else {
            self.ato_us = self.ato_us.saturating_mul(2).min(rto_us);
        }
        true
    }

    /// The user has drained the queue: true when the acknowledgement need not wait, because the peer has sent
    /// all it had and no answer is expected.
    pub fn drained(&self) -> bool {
        self.pending & PUSHED_TWICE != 0 || (self.pending & PUSHED != 0 && !self.is_pingpong())
    }

    /// As if a small segment had ended what the peer had to say (`TCP_QUICKACK`).
    pub fn mark_pushed(&mut self) {
        self.pending |= PUSHED;
    }
}
