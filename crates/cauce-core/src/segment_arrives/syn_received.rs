//! The acknowledgement that ends a handshake in SYN-RECEIVED (RFC 9293 3.10.7.4; P-012, P-015).
//!
//! Passive half-open connections are records of the SYN queue and meet this step only when they have become
//! a connection; the other way here is the simultaneous open.

use super::{Segment, Step};
use crate::congestion::INFINITE_SSTHRESH;
use crate::connection::state::{Event, State};
use crate::connection::{Connection, env_of, flag, pending};
use crate::context::Context;
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use crate::socket::errno::Errno;
use crate::socket::readiness::Readiness;
use crate::stack::control_segment::build_segment;
use crate::stack::reset::{ReplyPath, reset_for};
use cauce_wire::{FastOpen, Flags, Seq};

impl Connection {
    pub(super) fn check_handshake_ack(&mut self, segment: &Segment, cx: &mut Context<'_>) -> Step {
        let unconfirmed = self.is_unconfirmed();
        let least = if unconfirmed { self.snd.iss() + 1 } else { self.snd.una + 1 };
        let acceptable = segment.ack >= least && segment.ack <= self.snd.nxt;
        if !acceptable && self.state != State::SynReceived {
            self.challenge(cx);
            return Err(DropReason::InvalidHandshakeAck);
        }
        if !acceptable {
            self.reply_reset_at(segment.header.ack, cx);
            return Err(DropReason::InvalidHandshakeAck);
        }
        self.snd.wnd = self.scaled_window(segment);
        self.snd.max_wnd = self.snd.max_wnd.max(self.snd.wnd);
        self.snd.wl1 = Seq::at(segment.seq);
        if !self.has(flag::ACTIVE) {
            // The SYN,ACK left before this block existed: there is no record of it to acknowledge.
            self.snd.una = self.snd.iss() + 1;
        }
        self.confirm(segment.header.options.timestamps.map(|ts| ts.ecr), cx);
        if self.state == State::SynReceived {
            self.established(!unconfirmed, cx);
        }
        Ok(())
    }

    /// The segment has ended a handshake and everything else has looked at its acknowledgement: as on Linux our SYN
    /// counts as delivered only now, and the window is scaled even if the segment is a SYN; for the largest window that
    /// the peer has shown it does not count as such.
    pub(super) fn handshake_acked(&mut self, segment: &Segment) {
        self.cong.rate.handshake_delivered();
        self.snd.wnd = u32::from(segment.header.window) << self.negotiated.snd_scale;
    }

    /// Takes the text of the SYN that has opened this connection, and answers it (RFC 7413 4.2.2).
    pub(crate) fn take_syn_text(
        &mut self,
        mut segment: Segment,
        cookie: Option<FastOpen>,
        cx: &mut Context<'_>,
    ) {
        self.snd.wnd = u32::from(segment.header.window);
        self.snd.max_wnd = self.snd.wnd;
        self.snd.wl1 = segment.header.seq;
        self.sync_mss(cx);
        self.stats.segs_in = u32::from(segment.segments);
        segment.seq = self.recv.nxt();
        segment.header.flags = segment.header.flags - Flags::SYN;
        self.recv.begin_syn_text();
        if segment.len > 0 {
            self.stats.data_segs_in = self.stats.data_segs_in.wrapping_add(u32::from(segment.segments));
            self.rare_mut().syn_data_acked = true;
            // In order and within the first window: it is taken, or there is no memory for it and it comes again.
            let _ = self.take_text(segment, cx);
        }
        self.start_transfer(cx);
        self.send_first_syn_ack(cookie, cx);
    }

    /// What a connection that its SYN has opened still expects is the ACK of a handshake: the SYN again is answered
    /// again, another one is refused, and a reset at exactly the next number ends it.
    pub(super) fn check_unconfirmed(&mut self, segment: &Segment, cx: &mut Context<'_>) -> Step {
        let flags = segment.flags();
        let opening_syn = segment.has(Flags::SYN) && self.is_opening_syn(segment.header.seq);
        if opening_syn && !flags.intersects(Flags::ACK | Flags::RST | Flags::FIN) {
            self.repeat_syn_ack(cx);
            return Err(DropReason::DuplicateData);
        }
        self.check_unconfirmed_window(segment, cx)?;
        if segment.has(Flags::RST) && segment.seq != self.recv.nxt() {
            if self.may_challenge(cx) {
                self.answer_unconfirmed(cx);
            }
            return Err(DropReason::InvalidRst);
        }
        if segment.has(Flags::RST) {
            // The handshake has failed, and so has the connection: Linux counts both.
            cx.count_by(Counter::AttemptFails, 2);
            self.end_unconfirmed(true);
            self.destroy(Some(Errno::ECONNRESET), cx);
            return Err(DropReason::Reset);
        }
        if segment.has(Flags::SYN) && !opening_syn {
            cx.count(Counter::AttemptFails);
            let path = ReplyPath {
                device: self.path.device,
                ttl: self.options.hop_limit(self.key.is_v4(), cx.sysctl),
                tos: self.options.traffic_class(self.key.is_v4()),
            };
            if let Some(reset) = reset_for(&self.key, &segment.header, segment.len, path) {
                cx.count(Counter::OutSegs);
                cx.count(Counter::OutRsts);
                cx.replies.push_back(build_segment(&reset));
            }
            return Err(DropReason::InvalidSyn);
        }
        Ok(())
    }

    /// Old timestamps and what lies outside the first window are answered by an ACK, within the limit, as for a
    /// half-open connection.
    fn check_unconfirmed_window(&mut self, segment: &Segment, cx: &mut Context<'_>) -> Step {
        let stamp = segment.header.options.timestamps.filter(|_| self.negotiated.timestamps);
        let old = stamp.is_some_and(|ts| self.ts.rejects(ts.val, cx.now));
        let nxt = self.recv.nxt();
        let in_window = segment.end().max(segment.seq + 1) > nxt && segment.seq < nxt + self.first_window();
        if in_window && !old {
            return Ok(());
        }
        if old {
            cx.count(Counter::PAWSEstab);
        }
        if !segment.has(Flags::RST) && !self.is_rate_limited(Counter::TCPACKSkippedSynRecv, cx) {
            self.answer_unconfirmed(cx);
        }
        Err(if old { DropReason::Paws } else { DropReason::AfterWindow })
    }

    /// Both SYNs are acknowledged: the connection carries data.
    pub(super) fn establish(&mut self, cx: &mut Context<'_>) {
        self.established(true, cx);
    }

    /// The same; `begins` is false when it has carried data before.
    fn established(&mut self, begins: bool, cx: &mut Context<'_>) {
        self.transition(Event::AckOfSyn, cx);
        self.stats.established(begins, cx.now);
        self.sync_mss(cx);
        self.recv.expect_segments_of(self.mss);
        if begins {
            self.begin_afresh(cx);
            self.start_transfer(cx);
        } else {
            self.begin_pacing(cx);
        }
        self.arm_keepalive(cx);
        self.want(pending::OUTPUT);
        self.tell(Readiness::ALL);
        if self.has(flag::SND_SHUTDOWN) {
            // The user closed before the handshake ended; his FIN follows what he wrote.
            self.transition(Event::Close, cx);
        }
    }

    /// What a lost SYN has done to the threshold says nothing of the path. A handshake without a round trip that can be
    /// trusted begins with a time-out of 3 s (RFC 6298 5.7).
    fn begin_afresh(&mut self, cx: &mut Context<'_>) {
        self.cong.set_initial_ssthresh(INFINITE_SSTHRESH);
        let (una, nxt) = (self.snd.una, self.snd.nxt);
        let env = env_of(&self.path, &self.options, cx);
        self.recovery.on_established(None, una, nxt, &env);
    }

    fn begin_pacing(&mut self, cx: &Context<'_>) {
        let (view, settings) = (self.view(cx), self.congestion_settings(cx));
        self.cong.update_pacing_rate(&view, &settings);
    }

    /// What congestion control and the send buffer begin with.
    fn start_transfer(&mut self, cx: &mut Context<'_>) {
        if self.recovery.total_retrans() > 1 && self.recovery.may_still_undo() {
            // A handshake that lost its SYN more than once starts with one segment (RFC 5681 3.1).
            self.cong.set_initial_window(1);
        } else if self.has(flag::ACTIVE) {
            // Whatever became of the SYN: the window begins here.
            let initial = self.congestion_settings(cx).initial_window;
            self.cong.set_initial_window(initial);
        }
        self.begin_path_probing(cx);
        self.recall_path(cx);
        let view = self.view(cx);
        self.cong.start(&view);
        if !self.has(flag::ACTIVE) && !self.is_unconfirmed() {
            // An active connection has learned its rate from the acknowledgement of its SYN, which Linux keeps.
            self.begin_pacing(cx);
        }
        self.expand_send_buffer(cx);
    }
}
