//! Header prediction: the two segments that a busy connection sees all day, the next text in order and the
//! pure acknowledgement, without the questions that cannot apply to them (RFC 9293 3.10.7.4 in short).
//!
//! Everything else takes the long way. The outcome is the same; only the path is shorter. `TCPHPHits`, `TCPHPAcks` and
//! `TCPPureAcks` follow Linux's own prediction, which also wants an unchanged window.

use super::Segment;
use crate::connection::Connection;
use crate::connection::state::State;
use crate::context::Context;
use crate::counters::Counter;
use cauce_wire::{Flags, Seq};

impl Connection {
    /// Handles a segment that [`Connection::is_predicted`] has found to be one of the two.
    pub(super) fn fast_path(&mut self, segment: Segment, cx: &mut Context<'_>) {
        self.update_recent_timestamp(&segment, cx);
        self.count_mark(&segment);
        if segment.len == 0 {
            self.process_ack(&segment, cx);
            return;
        }
        let predicted = segment.predicted && self.recv.has_memory_at_hand(segment.payload.truesize);
        if predicted {
            cx.count(Counter::TCPHPHits);
        }
        if segment.ack > self.snd.una
            || u32::from(segment.header.window) << self.negotiated.snd_scale != self.snd.wnd
        {
            self.process_ack(&segment, cx);
        } else {
            self.snd.wl1 = Seq::at(segment.seq);
            if !predicted {
                self.stats.last_ack_recv = cx.now;
            }
            self.keepalive_probes = 0;
        }
        // Text of a segment that has passed the prediction cannot be refused for its place, but for want of memory.
        if self.take_text(segment, cx) == Ok(false) {
            self.decide_ack(cx);
        }
    }

    /// True where Linux's header prediction would hold for a segment that is `predicted` here or not: nothing has changed
    /// in the header but numbers, and the state of the receiver is a plain one (its `pred_flags`).
    pub(super) fn would_linux_predict(&self, segment: &Segment, predicted: bool) -> bool {
        u32::from(segment.header.window) == self.snd.wnd >> self.negotiated.snd_scale
            && segment.header.options.acc_ecn.is_none()
            && self.recv.is_plain()
            && (predicted || self.has_plain_header(segment))
    }

    /// What [`Connection::is_predicted`] asks of a header, without what only we ask.
    fn has_plain_header(&self, segment: &Segment) -> bool {
        let plain = segment.flags() - Flags::PSH - self.usual_ecn_bits();
        let options = &segment.header.options;
        self.state == State::Established
            && plain == Flags::ACK
            && segment.seq == self.recv.nxt()
            && segment.ack <= self.snd.nxt
            && options.sack.is_empty()
            && options.timestamps.is_some() == self.negotiated.timestamps
            && self.peer_urgent().is_none()
    }

    /// True for the next text in order and for a pure acknowledgement, with nothing unusual about them.
    pub(super) fn is_predicted(&self, segment: &Segment, cx: &Context<'_>) -> bool {
        let plain = segment.flags() - Flags::PSH - self.usual_ecn_bits();
        let options = &segment.header.options;
        self.state == State::Established
            && plain == Flags::ACK
            && segment.seq == self.recv.nxt()
            && segment.end() <= self.recv.right_edge()
            && segment.ack >= self.snd.una
            && segment.ack <= self.snd.nxt
            && (segment.ack > self.snd.una || segment.len > 0)
            && options.sack.is_empty()
            && options.timestamps.is_some() == self.negotiated.timestamps
            && options.timestamps.is_none_or(|ts| !self.ts.rejects(ts.val, cx.now))
            && self.window_probes == 0
            && self.peer_urgent().is_none()
            && (segment.ack > self.snd.una || self.recovery.counts().awaiting == 0)
    }
}
