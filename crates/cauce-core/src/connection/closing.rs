//! Closing: by the user, by abort, and what is left without an owner
//! (RFC 9293 3.6, 3.10.4, 3.10.5; P-017 to P-031, O-08, O-35, A-34, A-35).

use super::state::{Event, State};
use super::{Connection, flag, pending};
use crate::context::Context;
use crate::counters::Counter;
use crate::socket::errno::Errno;
use crate::socket::options::flag as option;
use crate::time::{Duration, Instant};
use cauce_wire::Seq;

/// Shortest stay of an orphan in FIN-WAIT-2, in retransmission time-outs, times two (S-20: 3.5).
const LEAST_STAY_HALF_RTOS: u32 = 7;

impl Connection {
    /// The user closes his sending direction: a FIN follows what he wrote.
    pub(crate) fn shutdown_write(&mut self, cx: &mut Context<'_>) {
        if self.has(flag::SND_SHUTDOWN) {
            return;
        }
        match self.state {
            // It waits for the end of the handshake; a close does not (Linux).
            State::SynReceived if !self.has(flag::ORPHAN) => self.set(flag::SND_SHUTDOWN),
            State::Established | State::SynReceived | State::CloseWait => {
                self.set(flag::SND_SHUTDOWN);
                self.transition(Event::Close, cx);
                self.want(pending::OUTPUT);
            }
            State::SynSent => self.set(flag::SND_SHUTDOWN),
            _ => {}
        }
    }

    /// The user lets go of the connection (close). What remains is an orphan that lives by itself.
    pub(crate) fn close(&mut self, cx: &mut Context<'_>) {
        self.set(flag::ORPHAN | flag::RCV_SHUTDOWN);
        if self.state == State::SynSent {
            self.destroy(None, cx);
            return;
        }
        self.recv.stop();
        if self.recv.readable() > 0 && self.state != State::Closed {
            cx.count(Counter::TCPAbortOnClose);
            self.reset_and_destroy(None, cx);
            return;
        }
        if self.options.has(option::LINGER) && self.options.linger == 0 {
            cx.count(Counter::TCPAbortOnData);
            self.reset_and_destroy(None, cx);
            return;
        }
        self.shutdown_write(cx);
        self.timers.keepalive = Instant::NEVER;
        if self.state == State::FinWait2 && self.options.linger2 < 0 {
            cx.count(Counter::TCPAbortOnLinger);
            self.reset_and_destroy(None, cx);
        } else if self.state == State::FinWait2 {
            self.stay_in_fin_wait_2(cx);
        }
    }

    /// ABORT of RFC 9293 3.10.5: a reset tells the peer, everything queued is lost.
    pub(crate) fn abort(&mut self, cx: &mut Context<'_>) {
        self.reset_and_destroy(Some(Errno::ECONNABORTED), cx);
    }

    /// Sends a reset where the peer knows the connection, and ends it.
    pub(crate) fn reset_and_destroy(&mut self, error: Option<Errno>, cx: &mut Context<'_>) {
        let peer_knows = matches!(
            self.state,
            State::Established
                | State::CloseWait
                | State::SynReceived
                | State::FinWait1
                | State::FinWait2
                | State::Closing
                | State::LastAck
        );
        if peer_knows {
            let reset = self.build_reset(cx);
            cx.replies.push_back(reset);
        }
        self.destroy(error, cx);
    }

    /// Our FIN was acknowledged.
    pub(crate) fn on_fin_acked(&mut self, cx: &mut Context<'_>) {
        self.transition(Event::AckOfFin, cx);
        if self.state == State::FinWait2 && self.has(flag::ORPHAN) {
            self.stay_in_fin_wait_2(cx);
        }
        if self.state == State::Closed {
            self.report_path(cx);
            self.destroy(None, cx);
        }
    }

    /// An orphan waits for the peer's FIN only for so long (S-20), or not at all (O-08): then the segment that
    /// acknowledged our FIN is answered by a reset.
    fn stay_in_fin_wait_2(&mut self, cx: &mut Context<'_>) {
        if self.options.linger2 < 0 {
            cx.count(Counter::TCPAbortOnData);
            self.reply_reset_at(Seq::at(self.snd.una), cx);
            self.destroy(None, cx);
            return;
        }
        self.timers.keepalive = cx.now + self.fin_wait_2_stay(cx);
    }

    fn fin_wait_2_stay(&self, cx: &Context<'_>) -> Duration {
        let wanted = match self.options.linger2 {
            0 => Duration::from_secs(cx.sysctl.tcp_fin_timeout as u64),
            seconds => Duration::from_secs(seconds.unsigned_abs().into()),
        };
        wanted.max(self.recovery.rto().as_duration() * LEAST_STAY_HALF_RTOS / 2)
    }
}
