//! Sixth step: the URG bit (RFC 9293 3.8.5, RFC 6093; P-073, A-09, S-43).
//!
//! Keeps the receive urgent pointer and tells the user that urgent data lies ahead. What becomes of the
//! urgent byte is decided where the user reads.

use super::Segment;
use crate::connection::state::State;
use crate::connection::{Connection, flag};
use crate::socket::readiness::Readiness;
use cauce_wire::Flags;

impl Connection {
    pub(super) fn check_urgent(&mut self, segment: &Segment) {
        let may_carry_text =
            matches!(self.state, State::Established | State::FinWait1 | State::FinWait2 | State::SynReceived);
        if !segment.has(Flags::URG) || !may_carry_text {
            return;
        }
        let up = segment.seq + u64::from(segment.header.urgent);
        let is_news = up > self.recv.read_position() && (!self.has(flag::URGENT) || up > self.rcv_up);
        if is_news {
            self.rcv_up = up;
            self.set(flag::URGENT);
            self.tell(Readiness::PRI);
        }
    }
}
