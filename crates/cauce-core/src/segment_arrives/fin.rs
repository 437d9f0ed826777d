//! Eighth step: the FIN bit (RFC 9293 3.10.7.4; P-016, P-018, P-020 to P-022).

use crate::batch::SendReason;
use crate::connection::state::{Event, State};
use crate::connection::{Connection, flag};
use crate::context::Context;
use crate::socket::readiness::Readiness;

impl Connection {
    /// The peer's FIN has been reached in sequence: nothing follows any more.
    pub(super) fn fin_reached(&mut self, cx: &mut Context<'_>) {
        if self.has(flag::FIN_RECEIVED) {
            return;
        }
        self.set(flag::FIN_RECEIVED);
        self.transition(Event::Fin, cx);
        self.tell(Readiness::ALL);
        if matches!(self.state, State::TimeWait | State::Closing) {
            // Nothing else may come that could carry it, and a TIME-WAIT is only a record: it leaves at once.
            self.reply_ack(SendReason::Ack, cx);
        } else {
            // The user is expected to answer with his own, which can carry it (Linux; P-064).
            self.recv.enter_pingpong();
        }
    }
}
