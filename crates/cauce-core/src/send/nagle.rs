//! Nagle's rule in Minshall's form, and the cork (RFC 896, RFC 9293 3.7.4; P-065, O-02, O-10).
//!
//! Decides whether a segment smaller than the MSS must wait. A full segment never asks here. What only a cork, or
//! MSG_MORE, holds back leaves as a window probe would, a retransmission time-out later (N-13: 200 ms or a little
//! more on a short path).

use crate::connection::{Connection, flag, pending};
use crate::socket::options::flag as option;
use cauce_wire::Seq;

impl Connection {
    /// True when a partial segment at the end of what was written must wait.
    pub(crate) fn nagle_holds(&self) -> bool {
        if self.is_pending(pending::FLUSH) {
            return false;
        }
        if self.is_urgent() {
            return false;
        }
        if self.is_corked() {
            return true;
        }
        !self.options.has(option::NODELAY) && self.recovery.packets_out() > 0 && self.small_is_outstanding()
    }

    /// Urgent mode: the peer has not acknowledged our last urgent byte.
    pub(crate) fn is_urgent(&self) -> bool {
        self.snd.up > self.snd.una
    }

    /// True while the user asks to collect more: TCP_CORK, or MSG_MORE on the last write.
    pub(crate) fn is_corked(&self) -> bool {
        self.options.has(option::CORK) || self.has(flag::MORE)
    }

    /// Minshall: only a small segment that is still unacknowledged holds the next one back.
    fn small_is_outstanding(&self) -> bool {
        let end = self.snd.small_end;
        end.after(Seq::at(self.snd.una)) && end.at_or_before(Seq::at(self.snd.nxt))
    }
}
