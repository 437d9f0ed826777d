//! Second step: the RST bit (RFC 9293 3.10.7.4, RFC 5961 3; P-014, P-028, P-051, A-28, A-29).

use super::{Segment, Step};
use crate::batch::SendReason;
use crate::connection::Connection;
use crate::connection::state::State;
use crate::context::Context;
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use crate::socket::errno::Errno;
use cauce_wire::Flags;

impl Connection {
    /// Only a reset at exactly the next expected number, or behind the last SACK block, ends the connection; inside the window it is
    /// challenged, so that a blind attacker must guess 32 bits.
    pub(super) fn check_reset(&mut self, segment: &Segment, cx: &mut Context<'_>) -> Step {
        if !segment.has(Flags::RST) {
            return Ok(());
        }
        // A peer whose data beyond a hole we have reported resets from there (Linux).
        let exact = segment.seq == self.recv.nxt() || self.recv.reported_end() == Some(segment.seq);
        if exact {
            self.reset_by_peer(cx);
            return Err(DropReason::Reset);
        }
        self.challenge(cx);
        Err(DropReason::InvalidRst)
    }

    /// The peer has reset the connection.
    pub(super) fn reset_by_peer(&mut self, cx: &mut Context<'_>) {
        let error = match self.state {
            State::SynSent | State::SynReceived => Errno::ECONNREFUSED,
            State::CloseWait => Errno::EPIPE,
            _ => Errno::ECONNRESET,
        };
        if matches!(self.state, State::SynSent | State::SynReceived) {
            cx.count(Counter::AttemptFails);
        }
        self.destroy(Some(error), cx);
    }

    /// A challenge ACK, within the limits per connection and for the whole stack (RFC 5961 7, S-67, S-68).
    pub(super) fn challenge(&mut self, cx: &mut Context<'_>) {
        if self.may_challenge(cx) {
            self.reply_ack(SendReason::ChallengeAck, cx);
        }
    }

    /// True, and counted, when one more challenge is within the limits.
    pub(super) fn may_challenge(&mut self, cx: &mut Context<'_>) -> bool {
        if self.is_rate_limited(Counter::TCPACKSkippedChallenge, cx) {
            return false;
        }
        let allowed = cx.challenges.allow(cx.now, cx.sysctl.tcp_challenge_ack_limit, cx.rng);
        if allowed {
            cx.count(Counter::TCPChallengeACK);
        }
        allowed
    }
}
