//! First step: is the segment acceptable? PAWS, then the sequence numbers
//! (RFC 9293 3.10.7.4, RFC 7323 5, RFC 5961; P-041, P-113, P-114, S-67).

use super::{Segment, Step};
use crate::batch::SendReason;
use crate::connection::Connection;
use crate::connection::state::State;
use crate::context::Context;
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use crate::stack::rate_limit::allow_invalid_ack;
use cauce_wire::Flags;

impl Connection {
    pub(super) fn check_sequence(&mut self, segment: &Segment, cx: &mut Context<'_>) -> Step {
        self.check_paws(segment, cx)?;
        let Err(reason) = self.is_in_window(segment) else { return Ok(()) };
        if segment.has(Flags::RST) {
            return self.reset_outside_window(segment, reason, cx);
        }
        if segment.has(Flags::SYN) {
            return Err(self.challenge_syn(cx));
        }
        if reason == DropReason::AfterWindow {
            cx.count(Counter::BeyondWindow);
        }
        self.answer_unacceptable(segment, Counter::TCPACKSkippedSeq, cx);
        Err(reason)
    }

    /// PAWS: an old timestamp means an old duplicate. Resets are exempt (RFC 7323 5.3 R1).
    fn check_paws(&mut self, segment: &Segment, cx: &mut Context<'_>) -> Step {
        if !self.negotiated.timestamps {
            return Ok(());
        }
        let Some(ts) = segment.header.options.timestamps else {
            // RFC 7323 says drop; Linux accepts, and so do we.
            if !segment.has(Flags::RST) {
                cx.count(Counter::TCPMissingTimestamp);
            }
            return Ok(());
        };
        if segment.has(Flags::RST) || !self.ts.rejects(ts.val, cx.now) {
            return Ok(());
        }
        let bare = segment.sequence_len() == 0 && segment.has(Flags::ACK);
        if bare && segment.seq < self.recv.nxt() {
            // An acknowledgement that data has overtaken.
            cx.count(Counter::PAWSOldAck);
            return Err(DropReason::Paws);
        }
        if bare && self.is_disordered_ack(segment, ts.val) {
            return Ok(());
        }
        if segment.has(Flags::SYN) {
            return Err(self.challenge_syn(cx));
        }
        cx.count(Counter::PAWSEstab);
        self.answer_unacceptable(segment, Counter::TCPACKSkippedPAWS, cx);
        Err(DropReason::Paws)
    }

    /// A pure acknowledgement that says nothing new and is a little late only is no reason for a reply.
    fn is_disordered_ack(&self, segment: &Segment, value: u32) -> bool {
        let late = self.ts.recent().wrapping_sub(value);
        // Within a time-out, by a clock of at most 1200 Hz.
        let replay = u64::from(self.recovery.rto().as_micros()) * 12 / 10_000;
        segment.seq == self.recv.nxt()
            && segment.ack == self.snd.una
            && !self.is_window_news(segment.seq, segment.ack, self.scaled_window(segment))
            && u64::from(late) <= replay
    }

    /// The four cases of RFC 9293 table 6. Text beyond the right edge of a segment that starts inside is
    /// refused only while the user has not read what arrived before, as Linux does.
    fn is_in_window(&self, segment: &Segment) -> Result<(), DropReason> {
        if segment.end() < self.recv.last_ack_sent() {
            return Err(DropReason::BeforeWindow);
        }
        let edge = self.recv.right_edge();
        // A FIN may stand just beyond the edge: it takes no room (Linux).
        let beyond = segment.end() - u64::from(segment.has(Flags::FIN)) > edge;
        if beyond && (segment.seq > edge || self.recv.readable() > 0) {
            return Err(DropReason::AfterWindow);
        }
        Ok(())
    }

    /// Replies to a segment that was not acceptable with an acknowledgement, which also repeats what arrived
    /// twice (D-SACK). Empty segments are answered only so often, or two stacks could answer each other for
    /// ever.
    pub(super) fn answer_unacceptable(&mut self, segment: &Segment, skipped: Counter, cx: &mut Context<'_>) {
        // What it acknowledges does not count; but it tells what the peer has, and so what he takes for acceptable.
        if segment.has(Flags::ACK) && (self.snd.una + 1..=self.snd.nxt).contains(&segment.ack) {
            let rare = self.rare_mut();
            rare.heard = rare.heard.max(segment.ack);
        }
        if segment.sequence_len() > 0 && segment.seq < self.recv.nxt() {
            self.recv.duplicate(segment.seq, segment.end(), cx);
        }
        let has_text = segment.sequence_len() > 0 && !segment.has(Flags::SYN);
        if !has_text && self.is_rate_limited(skipped, cx) {
            return;
        }
        self.reply_ack(SendReason::ChallengeAck, cx);
    }

    /// Answers to segments outside the window keep tcp_invalid_ratelimit between each other (S-67).
    pub(super) fn is_rate_limited(&mut self, skipped: Counter, cx: &mut Context<'_>) -> bool {
        let gap = cx.sysctl.invalid_ratelimit().as_millis() as u32;
        if allow_invalid_ack(&mut self.last_oow_ack, cx.now, gap, false) {
            return false;
        }
        cx.count(skipped);
        true
    }

    fn reset_outside_window(&mut self, segment: &Segment, reason: DropReason, cx: &mut Context<'_>) -> Step {
        // A peer that has nothing to send any more may place its reset on its own FIN.
        let after_fin = matches!(self.state, State::CloseWait | State::LastAck | State::Closing)
            && segment.seq + 1 == self.recv.nxt();
        if after_fin {
            self.reset_by_peer(cx);
            return Err(DropReason::Reset);
        }
        Err(reason)
    }
}
