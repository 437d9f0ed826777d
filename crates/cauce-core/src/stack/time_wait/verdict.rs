//! The decision on each segment that arrives for a TIME-WAIT or orphaned FIN-WAIT-2 record.

use super::Substate;
use crate::context::Context;
use crate::counters::Counter;
use crate::frame::DeviceId;
use crate::stack::rate_limit::allow_invalid_ack;
use crate::stack::reset::sequence_length;
use crate::time::{Duration, Instant};
use cauce_wire::{Flags, Seq, Timestamps};

/// A new ISS lies this far above the last one used, so that nothing old is in its window.
const REOPEN_GAP: u32 = 65_537;
/// Age at which a peer's timestamp no longer rejects anything (RFC 7323 5.5).
const TS_VALID_FOR: Duration = Duration::from_secs(24 * 24 * 3600);
/// Age at which it no longer rejects a reset.
const TS_REJECTS_RST_FOR: Duration = Duration::from_secs(60);

/// A segment that arrived for a record.
#[derive(Clone, Copy, Debug)]
pub struct TwSegment {
    /// SEG.SEQ.
    pub seq: Seq,
    /// The control bits.
    pub flags: Flags,
    /// Payload bytes.
    pub len: u32,
    /// The timestamps option.
    pub timestamps: Option<Timestamps>,
}

/// What to do about such a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TwVerdict {
    /// Nothing is sent.
    Drop {
        /// The record's time begins anew.
        restart: bool,
    },
    /// Send [`TimeWaits::ack`](super::TimeWaits::ack).
    Ack {
        /// The record's time begins anew.
        restart: bool,
    },
    /// Answer with a reset as for a segment without a connection, and remove the record.
    Reset,
    /// Remove the record in silence.
    Remove,
    /// A new connection of the same tuple: remove the record and hand the SYN to the listener with this ISS.
    /// Without a listener: [`TimeWaits::ack`](super::TimeWaits::ack) is sent and the record stays.
    Reopen {
        /// The ISS that the new connection must use.
        iss: Seq,
    },
}

/// What a record knows beside its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) ts_recent_at: Instant,
    pub(super) snd_nxt: Seq,
    pub(super) rcv_nxt: Seq,
    pub(super) rcv_wnd: u32,
    pub(super) ts_recent: u32,
    pub(super) ts_offset: u32,
    pub(super) last_oow_ack: u32,
    pub(super) uid: u32,
    pub(super) device: DeviceId,
    /// Three and a half retransmission time-outs.
    pub(super) recycled_ms: u16,
    pub(super) substate: Substate,
    pub(super) rcv_wscale: u8,
    pub(super) tos: u8,
    pub(super) ttl: u8,
    pub(super) bits: u8,
}

/// Both sides send timestamps.
pub(super) const TIMESTAMPS: u8 = 1;
/// The peer has sent one.
pub(super) const HAS_TS_RECENT: u8 = 1 << 1;

impl State {
    pub(super) fn fin_wait_2(&mut self, segment: &TwSegment, ctx: &mut Context<'_>) -> TwVerdict {
        let end = segment.seq + sequence_length(segment.flags, segment.len);
        if self.paws_rejects(segment, ctx.now) || !self.in_window(segment.seq, end) {
            return self.answer_invalid(segment, end, false, Counter::TCPACKSkippedFinWait2, ctx);
        }
        if segment.flags.contains(Flags::RST) {
            return TwVerdict::Remove;
        }
        if segment.flags.contains(Flags::SYN) && segment.seq.at_or_after(self.rcv_nxt) {
            return TwVerdict::Reset;
        }
        let brings_nothing = end == segment.seq || !end.after(self.rcv_nxt);
        if !segment.flags.contains(Flags::ACK) || brings_nothing {
            return TwVerdict::Drop { restart: false };
        }
        // Nobody will ever read data that arrives now, so it is refused aloud (RFC 1122 4.2.2.13).
        if !segment.flags.contains(Flags::FIN) || end != self.rcv_nxt + 1 {
            return TwVerdict::Reset;
        }
        self.substate = Substate::TimeWait;
        self.rcv_nxt = end;
        self.store_timestamp(segment, ctx.now);
        TwVerdict::Ack { restart: true }
    }

    pub(super) fn time_wait(&mut self, segment: &TwSegment, ctx: &mut Context<'_>) -> TwVerdict {
        let end = segment.seq + sequence_length(segment.flags, segment.len);
        let (rst, syn, ack) = (
            segment.flags.contains(Flags::RST),
            segment.flags.contains(Flags::SYN),
            segment.flags.contains(Flags::ACK),
        );
        let rejected = self.paws_rejects(segment, ctx.now);
        if !rejected && segment.seq == self.rcv_nxt && (end == segment.seq || rst) {
            if rst && ctx.sysctl.tcp_rfc1337 == 0 {
                return TwVerdict::Remove;
            }
            self.store_timestamp(segment, ctx.now);
            return TwVerdict::Drop { restart: !rst };
        }
        let newer = |ts: Timestamps| (self.ts_recent.wrapping_sub(ts.val) as i32) < 0;
        let proves_new = segment.seq.after(self.rcv_nxt)
            || self.bits & HAS_TS_RECENT != 0 && segment.timestamps.is_some_and(newer);
        if syn && !rst && !ack && !rejected && proves_new {
            return TwVerdict::Reopen { iss: self.next_iss() };
        }
        if rejected {
            ctx.count(Counter::PAWSTimewait);
        }
        if rst {
            return TwVerdict::Drop { restart: false };
        }
        self.answer_invalid(segment, end, rejected || ack, Counter::TCPACKSkippedTimeWait, ctx)
    }

    /// An ACK, if the rate limit allows one (S-67).
    fn answer_invalid(
        &mut self,
        segment: &TwSegment,
        end: Seq,
        restart: bool,
        skipped: Counter,
        ctx: &mut Context<'_>,
    ) -> TwVerdict {
        let carries_data = end != segment.seq && !segment.flags.contains(Flags::SYN);
        let gap_ms = ctx.sysctl.tcp_invalid_ratelimit;
        if allow_invalid_ack(&mut self.last_oow_ack, ctx.now, gap_ms, carries_data) {
            return TwVerdict::Ack { restart };
        }
        ctx.count(skipped);
        TwVerdict::Drop { restart }
    }

    /// RFC 9293 3.4, with the window that was last offered.
    fn in_window(&self, seq: Seq, end: Seq) -> bool {
        let limit = self.rcv_nxt + self.rcv_wnd;
        seq == self.rcv_nxt || end.after(self.rcv_nxt) && seq.before(limit) || seq == limit && seq == end
    }

    fn paws_rejects(&self, segment: &TwSegment, now: Instant) -> bool {
        let Some(ts) = segment.timestamps.filter(|_| self.bits & HAS_TS_RECENT != 0) else { return false };
        let older = (self.ts_recent.wrapping_sub(ts.val) as i32) > 0;
        let age = now.since(self.ts_recent_at);
        let valid_for = if segment.flags.contains(Flags::RST) { TS_REJECTS_RST_FOR } else { TS_VALID_FOR };
        older && age < valid_for
    }

    fn store_timestamp(&mut self, segment: &TwSegment, now: Instant) {
        if let Some(ts) = segment.timestamps.filter(|_| self.bits & HAS_TS_RECENT != 0) {
            self.ts_recent = ts.val;
            self.ts_recent_at = now;
        }
    }

    pub(super) fn next_iss(&self) -> Seq {
        self.snd_nxt + REOPEN_GAP
    }
}
