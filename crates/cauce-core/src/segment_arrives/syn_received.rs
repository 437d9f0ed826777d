//! The acknowledgement that ends a handshake in SYN-RECEIVED (RFC 9293 3.10.7.4; P-012, P-015).
//!
//! Passive half-open connections are records of the SYN queue and meet this step only when they have become
//! a connection; the other way here is the simultaneous open.

use super::{Segment, Step};
use crate::connection::state::Event;
use crate::connection::{Connection, flag, pending};
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
        self.stats.last_ack_recv = cx.now;
        self.sync_mss(cx);
        self.recall_path(cx);
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
}
