//! Fourth step: a SYN on a synchronised connection (RFC 9293 3.10.7.4, RFC 5961 4; P-015, P-038).

use super::{Segment, Step};
use crate::connection::Connection;
use crate::connection::state::State;
use crate::context::Context;
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use cauce_wire::Flags;

impl Connection {
    pub(super) fn check_syn(&mut self, segment: &Segment, cx: &mut Context<'_>) -> Step {
        if !segment.has(Flags::SYN) {
            return Ok(());
        }
        // The second SYN,ACK of a simultaneous open acknowledges ours and repeats the peer's SYN (P-007).
        let completes_simultaneous_open = self.state == State::SynReceived
            && segment.has(Flags::ACK)
            && segment.sequence_len() == 1
            && segment.seq + 1 == self.recv.nxt()
            && segment.ack == self.snd.nxt;
        if completes_simultaneous_open {
            return Ok(());
        }
        Err(self.challenge_syn(cx))
    }

    /// A SYN that cannot belong to this connection: the peer is asked, whatever its numbers.
    pub(super) fn challenge_syn(&mut self, cx: &mut Context<'_>) -> DropReason {
        if self.state == State::Established {
            cx.count(Counter::InErrs);
        }
        cx.count(Counter::TCPSYNChallenge);
        self.challenge(cx);
        DropReason::InvalidSyn
    }
}
