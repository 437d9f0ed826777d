//! Sixth step: the URG bit (RFC 9293 3.8.5, RFC 6093; P-073, A-06, A-09, S-43).
//!
//! Keeps the peer's urgent pointer and fetches the byte that it names. What a reader makes of it is decided
//! in `connection/urgent`.

use super::Segment;
use crate::connection::Connection;
use crate::connection::urgent::{PeerUrgent, UrgentByte};
use crate::context::Context;
use crate::socket::options::flag as option;
use crate::socket::readiness::Readiness;
use cauce_wire::Flags;

impl Connection {
    pub(super) fn check_urgent(&mut self, segment: &Segment, cx: &mut Context<'_>) {
        if segment.has(Flags::URG) && self.state.can_receive_text() {
            self.take_urgent_pointer(segment, cx);
        }
        self.take_urgent_byte(segment);
    }

    /// A pointer counts if it is ahead of the reader and of what has arrived, and newer than the one before.
    fn take_urgent_pointer(&mut self, segment: &Segment, cx: &mut Context<'_>) {
        // The pointer of BSD names the byte after the urgent one, RFC 1122's the byte itself (S-43).
        let bsd = u16::from(cx.sysctl.tcp_stdurg == 0);
        let at = segment.seq + u64::from(segment.header.urgent.saturating_sub(bsd));
        let position = self.recv.read_position();
        if at < position || at < self.recv.nxt() || self.peer_urgent().is_some_and(|known| at <= known.at) {
            return;
        }
        // The reader stands at the byte of the pointer before, which will never be read: it is passed now.
        let stands_at_old = self.at_mark() && position != self.recv.nxt();
        if stands_at_old && !self.options.has(option::OOBINLINE) {
            self.recv.discard(1, None, cx);
        }
        self.rare_mut().urgent = Some(PeerUrgent { at, byte: UrgentByte::Awaited, notice: true });
        self.tell(Readiness::PRI);
    }

    /// Text that holds the urgent byte is where it is taken from, in order or not.
    fn take_urgent_byte(&mut self, segment: &Segment) {
        let Some(urgent) = self.rare.as_mut().and_then(|rare| rare.urgent.as_mut()) else { return };
        if urgent.byte != UrgentByte::Awaited {
            return;
        }
        let place = urgent.at.checked_sub(segment.seq).and_then(|place| usize::try_from(place).ok());
        if let Some(byte) = place.and_then(|place| segment.payload.byte(place)) {
            urgent.byte = UrgentByte::Here(byte);
            self.tell(Readiness::PRI);
        }
    }
}
