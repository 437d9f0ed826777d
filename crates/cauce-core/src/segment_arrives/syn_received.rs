//! The acknowledgement that ends a handshake in SYN-RECEIVED (RFC 9293 3.10.7.4; P-012, P-015).
//!
//! Passive half-open connections are records of the SYN queue and meet this step only when they have become
//! a connection; the other way here is the simultaneous open.

use super::{Segment, Step};
use crate::congestion::INFINITE_SSTHRESH;
use crate::connection::state::Event;
use crate::connection::{Connection, env_of, flag, pending};
use crate::context::Context;
use crate::drop_reason::DropReason;
use crate::socket::readiness::Readiness;
use cauce_wire::Seq;

impl Connection {
    pub(super) fn check_handshake_ack(&mut self, segment: &Segment, cx: &mut Context<'_>) -> Step {
        let acceptable = segment.ack > self.snd.una && segment.ack <= self.snd.nxt;
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
            self.cong.rate.handshake_delivered(cx.now);
        }
        self.establish(cx);
        Ok(())
    }

    /// Both SYNs are acknowledged: the connection carries data.
    pub(super) fn establish(&mut self, cx: &mut Context<'_>) {
        self.transition(Event::AckOfSyn, cx);
        self.stats.established(cx.now);
        self.begin_afresh(cx);
        self.sync_mss(cx);
        if self.recovery.total_retrans() > 1 && self.recovery.may_still_undo() {
            // A handshake that lost its SYN more than once starts with one segment (RFC 5681 3.1).
            self.cong.set_initial_window(1);
        }
        let view = self.view(cx.now);
        self.cong.start(&view);
        let settings = self.congestion_settings(cx);
        self.cong.update_pacing_rate(&view, &settings);
        self.expand_send_buffer(cx);
        self.arm_keepalive(cx);
        self.want(pending::OUTPUT);
        self.tell(Readiness::ALL);
        if self.has(flag::SND_SHUTDOWN) {
            // The user closed before the handshake ended; his FIN follows what he wrote.
            self.transition(Event::Close, cx);
        }
    }

    /// What a lost SYN has done to window and threshold says nothing of the path. A handshake without a round trip that
    /// can be trusted begins with a time-out of 3 s (RFC 6298 5.7).
    fn begin_afresh(&mut self, cx: &mut Context<'_>) {
        self.cong.set_initial_ssthresh(INFINITE_SSTHRESH);
        if self.recovery.rto_totals().0 > 0 {
            self.cong.set_initial_window(self.path.initial_window(cx.sysctl));
        }
        let (una, nxt) = (self.snd.una, self.snd.nxt);
        let env = env_of(&self.path, &self.options, cx);
        self.recovery.on_established(None, una, nxt, &env);
    }
}
