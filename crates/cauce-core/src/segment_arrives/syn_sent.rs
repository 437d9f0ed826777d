//! SYN-SENT (RFC 9293 3.10.7.3; P-006 to P-011, A-28).

use super::{Segment, Step};
use crate::batch::SendReason;
use crate::connection::state::Event;
use crate::connection::{Connection, pending};
use crate::context::Context;
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use crate::stack::control_segment::{SegmentSpec, build_segment};
use cauce_wire::{Flags, Seq};

impl Connection {
    pub(super) fn syn_sent(&mut self, mut segment: Segment, cx: &mut Context<'_>) -> Step {
        let acks = segment.has(Flags::ACK);
        if acks {
            self.check_syn_ack_number(&segment, cx)?;
            self.check_echo(&segment, cx)?;
        }
        if segment.has(Flags::RST) {
            if acks {
                self.reset_by_peer(cx);
                return Err(DropReason::Reset);
            }
            return Err(DropReason::InvalidRst);
        }
        if !segment.has(Flags::SYN) {
            return Err(DropReason::InvalidSyn);
        }
        // From here on the peer's stream has a place among the 64-bit offsets.
        segment.seq = (1u64 << 32) + u64::from(segment.header.seq.0);
        self.agree(&segment, cx);
        if acks {
            return self.connected(segment, cx);
        }
        self.crossed_syns(cx);
        Ok(())
    }

    /// `snd.una < SEG.ACK <= snd.nxt`, or a reset answers (unless the segment is one).
    fn check_syn_ack_number(&mut self, segment: &Segment, cx: &mut Context<'_>) -> Step {
        if segment.ack > self.snd.una && segment.ack <= self.snd.nxt {
            return Ok(());
        }
        // The peer may still hold an older connection, which this reset ends: the SYN need not wait long.
        self.recovery.hurry_first_timeout(cx.now);
        if !segment.has(Flags::RST) {
            self.reply_reset_at(segment.header.ack, cx);
        }
        Err(DropReason::InvalidHandshakeAck)
    }

    /// An echo of a timestamp that our SYNs never carried belongs to another incarnation.
    fn check_echo(&mut self, segment: &Segment, cx: &mut Context<'_>) -> Step {
        let Some(ts) = segment.header.options.timestamps.filter(|ts| ts.ecr != 0) else { return Ok(()) };
        if !self.negotiated.timestamps {
            return Ok(());
        }
        let first = self.ts.now(self.stalled_since);
        let latest = self.ts.now(cx.now);
        if ts.ecr.wrapping_sub(first) <= latest.wrapping_sub(first) {
            return Ok(());
        }
        cx.count(Counter::PAWSActive);
        if !segment.has(Flags::RST) {
            self.reply_reset_at(segment.header.ack, cx);
        }
        Err(DropReason::TimestampEcho)
    }

    /// A bare reset at the number that the segment acknowledged: it says nothing of this connection.
    pub(crate) fn reply_reset_at(&mut self, seq: Seq, cx: &mut Context<'_>) {
        let spec = SegmentSpec {
            ttl: self.options.hop_limit(self.key.is_v4(), cx.sysctl),
            tos: self.options.traffic_class(self.key.is_v4()),
            flow_label: self.flow_label(cx.sysctl),
            device: self.path.device,
            ..SegmentSpec::new(self.key, seq, Flags::RST, SendReason::Reset)
        };
        cx.count(Counter::OutSegs);
        cx.count(Counter::OutRsts);
        cx.replies.push_back(build_segment(&spec));
    }

    /// Takes the peer's SYN: what both sides agreed on, and where his stream starts.
    fn agree(&mut self, segment: &Segment, cx: &mut Context<'_>) {
        self.negotiated = self.negotiated.agree(&segment.header.options, &self.options, cx.sysctl);
        self.agree_on_ecn(segment.flags(), segment.ecn, segment.header.options.acc_ecn, cx.sysctl);
        if let (true, Some(ts)) = (self.negotiated.timestamps, segment.header.options.timestamps) {
            self.ts.store(ts.val, cx.now);
        }
        self.irs = segment.seq as u32;
        let quick_acks = self.recv.quick_ack();
        self.recv = self.new_receiver(segment.seq, cx);
        if !quick_acks {
            self.recv.enter_pingpong();
        }
        self.recovery.set_sack(self.negotiated.sack);
        // The window of a SYN is not scaled (RFC 7323 2.2).
        self.snd.wnd = u32::from(segment.header.window);
        self.snd.max_wnd = self.snd.wnd;
        self.snd.wl1 = Seq::at(segment.seq);
        self.sync_mss(cx);
    }

    /// SYN,ACK: the connection is there (P-006). Text that came along is taken like any other.
    fn connected(&mut self, mut segment: Segment, cx: &mut Context<'_>) -> Step {
        self.process_ack(&segment, cx);
        self.fast_open_answered(&segment.header.options, cx);
        self.transition(Event::SynAck, cx);
        self.transition(Event::AckOfSyn, cx);
        self.establish(cx);
        // The acknowledgement goes out at once, or with the data that waits for it.
        if self.awaits_writer() {
            self.recv.await_writer(cx.now);
        } else {
            self.want(pending::ACK);
        }
        segment.seq += 1;
        segment.header.flags = segment.header.flags - Flags::SYN;
        self.check_urgent(&segment, cx);
        self.take_text(segment, cx).map(|_| ())
    }

    /// The user is about to write, or has said so by TCP_QUICKACK 0 or TCP_DEFER_ACCEPT (O-03, O-11).
    fn awaits_writer(&self) -> bool {
        self.writer_waits() || self.options.defer_accept != 0 || !self.recv.quick_ack()
    }

    /// A SYN without ACK: both sides opened at once (P-007). Our SYN goes out again, as SYN,ACK.
    fn crossed_syns(&mut self, cx: &mut Context<'_>) {
        self.transition(Event::Syn, cx);
        self.recv.crossed();
        self.want(pending::SYN);
    }
}
