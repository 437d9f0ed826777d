//! A connection that its SYN has opened, while the client has not yet confirmed it by the ACK of the handshake
//! (RFC 7413 4.2.2; P-162, P-164, P-165, P-166, O-15).
//!
//! It is used like an established one: its user reads and writes. But only the SYN,ACK is sent again until the
//! handshake is over, and a reset is believed at once. The listener counts it until then.

use super::state::State;
use super::{Connection, Setup, ecn, env_of, flag, pending};
use crate::context::Context;
use crate::counters::Counter;
use crate::listen::syn_queue::HalfOpen;
use crate::socket::SocketId;
use crate::stack::control_segment::build_segment;
use crate::stack::rate_limit::allow_invalid_ack;
use crate::time::Instant;
use alloc::boxed::Box;
use cauce_wire::{FastOpen, Seq};

/// The handshake of such a connection.
#[derive(Debug)]
pub(crate) struct Unconfirmed {
    /// What the SYNs agree upon: the SYN,ACK is built from it.
    record: HalfOpen,
    deadline: Instant,
}

/// How such a handshake has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confirmed {
    pub(crate) listener: SocketId,
    /// The peer has reset a connection that somebody had accepted.
    pub(crate) by_reset: bool,
}

impl Connection {
    /// The connection that a SYN opens; its text is still to be taken.
    pub(crate) fn opened_by_syn(setup: Setup, record: HalfOpen, cx: &mut Context<'_>) -> Connection {
        let mut conn = Connection::from_record(setup, &record, cx);
        conn.snd.una = conn.snd.nxt;
        let deadline = cx.now + cx.sysctl.rto_initial().min(conn.options.rto_max());
        let rare = conn.rare_mut();
        rare.unconfirmed = Some(Box::new(Unconfirmed { record, deadline }));
        rare.opened_by_syn = true;
        let una = conn.snd.una;
        let env = conn.env(cx);
        conn.recovery.on_established(None, una, una, &env);
        conn
    }

    /// True until the ACK of the handshake has come.
    pub(crate) fn is_unconfirmed(&self) -> bool {
        self.unconfirmed().is_some()
    }

    fn unconfirmed(&self) -> Option<&Unconfirmed> {
        self.rare.as_ref()?.unconfirmed.as_deref()
    }

    /// True when the user may read and write, if there is anything.
    pub(crate) fn is_open_to_user(&self) -> bool {
        match self.state {
            State::SynSent => false,
            State::SynReceived => self.is_unconfirmed(),
            _ => true,
        }
    }

    /// True for the number of the SYN that has opened this connection.
    pub(crate) fn is_opening_syn(&self, seq: Seq) -> bool {
        self.unconfirmed().is_some_and(|open| open.record.irs == seq.0)
    }

    /// The SYN,ACK leaves for the first time: it acknowledges the text of the SYN, and may bring a cookie.
    pub(crate) fn send_first_syn_ack(&mut self, cookie: Option<FastOpen>, cx: &mut Context<'_>) {
        let Some(window) = self.unconfirmed().map(|open| open.record.rcv_wnd) else { return };
        self.send_syn_ack(cookie, cx);
        self.recv.syn_text_acked(window, cx);
        self.done(pending::ACK);
    }

    /// The SYN has come again, and is answered again, within the limit of such answers (S-67). Its text is known.
    pub(crate) fn repeat_syn_ack(&mut self, cx: &mut Context<'_>) {
        let gap = cx.sysctl.invalid_ratelimit().as_millis() as u32;
        if allow_invalid_ack(&mut self.last_oow_ack, cx.now, gap, false) {
            self.send_syn_ack_again(cx);
        } else {
            cx.count(Counter::TCPACKSkippedSynRecv);
        }
    }

    fn send_syn_ack_again(&mut self, cx: &mut Context<'_>) {
        if let Some(open) = self.rare.as_mut().and_then(|rare| rare.unconfirmed.as_deref_mut()) {
            open.record.count_repetition();
        }
        cx.count(Counter::TCPSynRetrans);
        cx.count(Counter::RetransSegs);
        self.recovery.handshake_retransmitted(1);
        self.send_syn_ack(None, cx);
    }

    fn send_syn_ack(&mut self, cookie: Option<FastOpen>, cx: &mut Context<'_>) {
        let ttl = self.options.hop_limit(self.key.is_v4(), cx.sysctl);
        let Some(open) = self.unconfirmed() else { return };
        let mut spec = open.record.syn_ack(ttl, cx.now);
        spec.ack = Seq::at(self.recv.nxt());
        spec.options.fast_open = cookie;
        spec.options.acc_ecn = ecn::syn_ack_option(&open.record, cx.sysctl);
        spec.flow_label = self.flow_label(cx.sysctl);
        cx.count(Counter::OutSegs);
        cx.replies.push_back(build_segment(&spec));
    }

    /// Bytes of the window that the SYN,ACK offers.
    pub(crate) fn first_window(&self) -> u64 {
        self.unconfirmed().map_or(0, |open| u64::from(open.record.rcv_wnd))
    }

    /// An ACK for what cannot be taken, made from the SYN,ACK.
    pub(crate) fn answer_unconfirmed(&mut self, cx: &mut Context<'_>) {
        let ttl = self.options.hop_limit(self.key.is_v4(), cx.sysctl);
        let Some(open) = self.unconfirmed() else { return };
        let mut spec = open.record.acknowledgement(ttl, cx.now);
        spec.flow_label = self.flow_label(cx.sysctl);
        (spec.seq, spec.ack) = (Seq::at(self.snd.nxt), Seq::at(self.recv.nxt()));
        cx.count(Counter::OutSegs);
        cx.replies.push_back(build_segment(&spec));
    }

    /// When the SYN,ACK is to be sent again.
    pub(super) fn syn_ack_deadline(&self) -> Option<Instant> {
        self.unconfirmed().map(|open| open.deadline)
    }

    /// How often the SYN,ACK has been sent again for want of an answer.
    pub(crate) fn syn_ack_timeouts(&self) -> u8 {
        self.unconfirmed().map_or(0, |open| open.record.timeouts)
    }

    /// The SYN,ACK is sent again, or so many have been in vain that the connection is given up. From the second time
    /// on the path is known to lose, and what was sent under the first window is lost, too (RFC 5681 3.1).
    pub(super) fn on_syn_ack_deadline(&mut self, cx: &mut Context<'_>) {
        let retries = match self.options.syn_count {
            0 => cx.sysctl.tcp_synack_retries.saturating_add(1),
            count => count,
        };
        let Some(open) = self.rare.as_mut().and_then(|rare| rare.unconfirmed.as_deref_mut()) else { return };
        cx.count(Counter::TCPTimeouts);
        if open.record.timeouts >= retries {
            return self.give_up(cx);
        }
        open.record.timeouts += 1;
        self.recovery.count_handshake_timeout(cx.now);
        let Some(rare) = self.rare.as_mut() else { return };
        rare.not_rehashed = rare.not_rehashed.saturating_add(1);
        let Some(open) = rare.unconfirmed.as_deref_mut() else { return };
        let timeouts = open.record.timeouts;
        let wait =
            (0..timeouts).fold(cx.sysctl.rto_initial(), |wait, _| (wait * 2).min(self.options.rto_max()));
        open.deadline = cx.now + wait;
        if timeouts == 2 {
            let state = self.sender_state();
            let env = &mut env_of(&self.path, &self.options, cx);
            self.recovery.handshake_lost(&state, env, &mut self.cong);
        }
        self.send_syn_ack_again(cx);
    }

    /// The ACK of the handshake has come: from now on the connection is like any other.
    /// `echo` is the timestamp of ours that it echoes.
    pub(crate) fn confirm(&mut self, echo: Option<u32>, cx: &mut Context<'_>) {
        let Some(record) = self.unconfirmed().map(|open| open.record) else { return };
        self.end_unconfirmed(false);
        self.sample_syn_ack(&record, echo, cx);
        let state = self.sender_state();
        self.recovery.handshake_over(&state, &mut env_of(&self.path, &self.options, cx), &mut self.cong);
    }

    /// The handshake is over, or has failed: the listener is to be told. A reset weighs more there when the
    /// connection had been accepted.
    pub(crate) fn end_unconfirmed(&mut self, by_reset: bool) {
        let accepted = !self.has(flag::UNACCEPTED);
        let Some(rare) = self.rare.as_mut() else { return };
        if let Some(open) = rare.unconfirmed.take() {
            let by_reset = by_reset && accepted;
            rare.confirmed = Some(Confirmed { listener: open.record.listener, by_reset });
        }
    }
}
