//! SEGMENT ARRIVES (RFC 9293 3.10.7) for a connection: the list of steps, in order, one file a step.
//!
//! Each step either passes the segment on or ends its way with a reason. Nothing here returns an error: what
//! a peer sends ends in state, in a counter or in a drop reason.

mod ack_check;
mod fast_path;
mod fin;
mod reset_check;
mod sequence_check;
mod syn_check;
mod syn_received;
mod syn_sent;
mod text;
mod urgent;

use crate::addr::FlowKey;
use crate::batch::{Batch, SendReason};
use crate::connection::state::State;
use crate::connection::{Connection, pending};
use crate::context::Context;
use crate::drop_reason::DropReason;
use crate::receive::{AckDecision, Payload};
use crate::trace::{SegmentInfo, TraceEvent};
use cauce_wire::{Ecn, Flags, TcpHeader};

/// A segment on its way through the steps, its numbers as stream offsets of this connection.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: TcpHeader,
    /// SEG.SEQ in the peer's stream; set when the segment meets its connection.
    pub(crate) seq: u64,
    /// SEG.ACK in our stream; meaningful with ACK only.
    pub(crate) ack: u64,
    /// Bytes of text.
    pub(crate) len: u32,
    pub(crate) payload: Payload,
    /// The ECN field of its IP header.
    pub(crate) ecn: Ecn,
    /// How many wire segments this one stands for.
    pub(crate) segments: u16,
    /// Text of each of those but the last.
    pub(crate) segment_size: u16,
}

impl Segment {
    pub(crate) fn flags(&self) -> Flags {
        self.header.flags
    }

    pub(crate) fn has(&self, flags: Flags) -> bool {
        self.header.flags.contains(flags)
    }

    /// SEG.LEN: text, SYN and FIN.
    pub(crate) fn sequence_len(&self) -> u64 {
        u64::from(self.len) + u64::from(self.header.flags.sequence_len())
    }

    /// Just past the last offset that the segment occupies.
    pub(crate) fn end(&self) -> u64 {
        self.seq + self.sequence_len()
    }

    fn info(&self, flow: FlowKey) -> SegmentInfo {
        SegmentInfo {
            flow,
            seq: self.header.seq.0,
            ack: self.header.ack.0,
            len: self.len,
            flags: self.flags().0,
            window: self.header.window,
            segments: self.segments,
        }
    }
}

/// Whether a step lets the segment go on.
pub(crate) type Step = Result<(), DropReason>;

impl Connection {
    /// Processes one arriving segment.
    pub(crate) fn segment_arrives(&mut self, mut segment: Segment, cx: &mut Context<'_>) {
        segment.seq = segment.header.seq.offset_near(self.recv.nxt());
        segment.ack = segment.header.ack.offset_near(self.snd.nxt);
        self.stats.segs_in = self.stats.segs_in.wrapping_add(u32::from(segment.segments));
        if segment.len > 0 {
            self.stats.data_segs_in = self.stats.data_segs_in.wrapping_add(u32::from(segment.segments));
        }
        cx.trace.emit(cx.now, Some(self.id), || TraceEvent::SegmentIn(segment.info(self.key)));
        if let Err(reason) = self.steps(segment, cx) {
            cx.trace.emit(cx.now, Some(self.id), || TraceEvent::Dropped(reason));
        }
    }

    fn steps(&mut self, segment: Segment, cx: &mut Context<'_>) -> Step {
        match self.state {
            State::Closed | State::Listen | State::TimeWait => return Err(DropReason::Closed),
            State::SynSent => return self.syn_sent(segment, cx),
            _ => {}
        }
        if self.is_predicted(&segment, cx) {
            self.fast_path(segment, cx);
            return Ok(());
        }
        if self.is_unconfirmed() {
            self.check_unconfirmed(&segment, cx)?;
        }
        self.check_sequence(&segment, cx)?;
        self.check_reset(&segment, cx)?;
        self.check_syn(&segment, cx)?;
        if !segment.has(Flags::ACK) {
            return Err(DropReason::NoAckFlag);
        }
        if self.state == State::SynReceived || self.is_unconfirmed() {
            self.check_handshake_ack(&segment, cx)?;
        }
        self.count_mark(&segment);
        self.check_ack(&segment, cx)?;
        self.repair_before_text(&segment, cx);
        self.check_urgent(&segment, cx);
        if !self.take_text(segment, cx)? {
            self.decide_ack(cx);
        }
        Ok(())
    }

    fn update_recent_timestamp(&mut self, segment: &Segment, cx: &Context<'_>) {
        if let (true, Some(ts)) = (self.negotiated.timestamps, segment.header.options.timestamps) {
            self.ts.update(ts.val, segment.seq, self.recv.last_ack_sent(), cx.now);
        }
    }

    /// After text was taken: acknowledge now, later, or not at all (P-064). What is due now waits for all segments that
    /// arrive together, unless `tcp_low_latency` lets each have its own (S-26).
    fn decide_ack(&mut self, cx: &mut Context<'_>) {
        if self.recv.ack_decision(&self.path_times(), cx) != AckDecision::Now {
            return;
        }
        if cx.sysctl.tcp_low_latency != 0 {
            self.answer(cx);
        } else {
            self.want(pending::ACK);
        }
    }

    /// What the acknowledgement of a segment sends again leaves before the segment's text is looked at, and so does
    /// not acknowledge it (Linux's order, P-064).
    fn repair_before_text(&mut self, segment: &Segment, cx: &mut Context<'_>) {
        let repairs = self.recovery.counts().awaiting > 0 || self.recovery.wants_new_data();
        if repairs && segment.sequence_len() > 0 {
            let mut out = Batch::new(usize::MAX);
            self.send_repairs(cx, &mut out);
            cx.replies.extend(out.split_off(0));
        }
    }

    /// Answers exactly this segment: by the data that it has let go, if there is any, or by an acknowledgement.
    fn answer(&mut self, cx: &mut Context<'_>) {
        if self.unsent() == 0 {
            return self.reply_ack(SendReason::Ack, cx);
        }
        self.want(pending::ACK);
        let mut out = Batch::new(usize::MAX);
        self.output(cx, &mut out);
        cx.replies.extend(out.split_off(0));
    }

    /// Queues an acknowledgement that answers exactly this segment (DESIGN 3: never merged away).
    pub(crate) fn reply_ack(&mut self, reason: SendReason, cx: &mut Context<'_>) {
        let ack = self.build_ack(reason, cx);
        cx.replies.push_back(ack);
    }
}
