//! Seventh step: the segment text (RFC 9293 3.10.7.4; P-031, P-049, A-32, A-35).

use super::Segment;
use crate::connection::state::State;
use crate::connection::{Connection, flag};
use crate::context::Context;
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use crate::receive::{AckDecision, TextSegment};
use crate::socket::errno::Errno;
use crate::socket::readiness::Readiness;
use cauce_wire::Flags;

impl Connection {
    /// Takes text and FIN as far as the window allows, in order or not. True when it has decided about the
    /// acknowledgement too: it is asked for once a segment, since those that are held are counted (S-71).
    pub(super) fn take_text(&mut self, segment: Segment, cx: &mut Context<'_>) -> Result<bool, DropReason> {
        if segment.has(Flags::SYN) {
            // The SYN,ACK that ends a simultaneous open repeats the peer's SYN: answered as what arrives twice (Linux).
            cx.count(Counter::DelayedACKLost);
            self.recv.duplicate(segment.seq, segment.end(), cx);
            self.answer(cx);
            return Ok(true);
        }
        let fin = segment.has(Flags::FIN);
        if segment.len == 0 && !fin {
            return Ok(false);
        }
        if !self.state.can_receive_text() {
            return Err(self.text_after_fin(&segment, cx));
        }
        if self.refuses_text(&segment) {
            return Err(self.refuse_text(&segment, Errno::ECONNRESET, DropReason::DataAfterClose, cx));
        }
        let had = self.recv.readable();
        if segment.len > 0 {
            self.stats.last_data_recv = cx.now;
        }
        self.note_echo(&segment, cx);
        let times = self.path_times();
        let (len, mark) = (segment.len, segment.ecn);
        let text = TextSegment {
            seq: segment.seq,
            payload: segment.payload,
            flags: segment.header.flags,
            options_len: segment.header.options.wire_len() as u8,
            segments: segment.segments,
            segment_size: segment.segment_size,
        };
        let outcome = self.recv.text(text, &times, cx);
        let queued = outcome.dropped.is_none() && !outcome.duplicate;
        if len > 0 && (queued || outcome.out_of_order) {
            self.heed_mark(mark, cx);
        }
        if self.recv.readable() > had {
            self.note_arrival(cx);
            self.tell(Readiness::IN);
        }
        let answered_each_time = outcome.out_of_order || outcome.duplicate || outcome.dropped.is_some();
        if answered_each_time && self.recv.ack_decision(&times, cx) == AckDecision::Now {
            // What arrived out of order, twice or in vain is answered each time: the sender counts replies.
            self.answer(cx);
        }
        if outcome.fin_reached {
            self.fin_reached(cx);
        }
        match outcome.dropped {
            Some(reason) => Err(reason),
            None => Ok(answered_each_time && !outcome.fin_reached),
        }
    }

    /// A segment with text that echoes our timestamp measures the round trip for the receiver (S-31).
    fn note_echo(&mut self, segment: &Segment, cx: &Context<'_>) {
        let echo = segment.header.options.timestamps.filter(|ts| self.negotiated.timestamps && ts.ecr != 0);
        if let Some(ts) = echo {
            let millis = self.ts.now(cx.now).wrapping_sub(ts.ecr);
            self.recv.note_rtt(ts.ecr, millis.saturating_mul(1000), segment.len);
        }
    }

    /// Nobody will ever read what arrives now: the user has closed both directions.
    fn refuses_text(&self, segment: &Segment) -> bool {
        matches!(self.state, State::FinWait1 | State::FinWait2)
            && self.has(flag::RCV_SHUTDOWN)
            && segment.len > 0
            && segment.seq + u64::from(segment.len) > self.recv.nxt()
    }

    /// Ends the connection, and answers the segment by a reset.
    fn refuse_text(
        &mut self,
        segment: &Segment,
        error: Errno,
        reason: DropReason,
        cx: &mut Context<'_>,
    ) -> DropReason {
        cx.count(Counter::TCPAbortOnData);
        self.reply_reset_at(segment.header.ack, cx);
        self.destroy(Some(error), cx);
        reason
    }

    /// CLOSE-WAIT, CLOSING, LAST-ACK: only repetitions may come, and they are acknowledged again. Text that
    /// begins before the FIN and goes beyond it contradicts it.
    fn text_after_fin(&mut self, segment: &Segment, cx: &mut Context<'_>) -> DropReason {
        if segment.end() <= self.recv.nxt() {
            self.answer_unacceptable(segment, Counter::TCPACKSkippedSeq, cx);
            return DropReason::DuplicateData;
        }
        let beyond = segment.seq + u64::from(segment.len) > self.recv.nxt();
        if segment.seq < self.recv.nxt() && beyond {
            let error = if self.state == State::CloseWait { Errno::EPIPE } else { Errno::ECONNRESET };
            return self.refuse_text(segment, error, DropReason::DataAfterFin, cx);
        }
        DropReason::DataAfterFin
    }
}
