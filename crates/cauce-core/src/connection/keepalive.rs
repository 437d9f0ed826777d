//! Keepalive: is a silent peer still there? (RFC 9293 3.8.4; S-23 to S-25, O-26, P-069, P-070, N-02.)
//!
//! A probe is an empty segment just before `snd.nxt`; every peer must answer it. Nothing is probed while data
//! is outstanding or waits: the retransmission and persist timers own the clock then.

use super::state::State;
use super::{Connection, flag};
use crate::batch::SendReason;
use crate::context::Context;
use crate::counters::Counter;
use crate::journal::Remark;
use crate::send::segmentize::Outgoing;
use crate::socket::errno::Errno;
use crate::socket::options::flag as option;
use crate::time::{Duration, Instant};
use cauce_wire::Flags;

impl Connection {
    /// Starts, re-arms or stops the timer after an option, the state or the owner changed.
    pub(crate) fn arm_keepalive(&mut self, cx: &Context<'_>) {
        self.arm_keepalive_since(self.last_activity(), cx);
    }

    /// SO_KEEPALIVE was switched: how long the peer has been silent until now does not count (O-33).
    pub(crate) fn switch_keepalive(&mut self, cx: &Context<'_>) {
        self.arm_keepalive_since(cx.now, cx);
    }

    fn arm_keepalive_since(&mut self, since: Instant, cx: &Context<'_>) {
        if self.has(flag::ORPHAN) && self.state == State::FinWait2 {
            return;
        }
        let runs = self.options.has(option::KEEPALIVE)
            && !matches!(self.state, State::Closed | State::SynSent | State::Listen);
        if !runs {
            self.timers.keepalive = Instant::NEVER;
            return;
        }
        let due = since + self.options.keep_idle(cx.sysctl);
        self.timers.keepalive = due.max(cx.now);
    }

    fn last_activity(&self) -> Instant {
        self.stats.last_data_recv.max(self.stats.last_ack_recv)
    }

    /// The timer went off: probe, wait on, or give the connection up.
    pub(crate) fn on_keepalive_timer(&mut self, cx: &mut Context<'_>) {
        self.timers.keepalive = Instant::NEVER;
        if !self.options.has(option::KEEPALIVE) || self.state == State::Closed {
            return;
        }
        let idle = self.options.keep_idle(cx.sysctl);
        if self.recovery.packets_out() > 0 || self.unsent() > 0 {
            self.timers.keepalive = cx.now + idle;
            return;
        }
        let silent = cx.now.since(self.last_activity());
        if silent < idle {
            self.timers.keepalive = cx.now + (idle - silent);
            return;
        }
        if self.keepalive_is_over(silent, cx) {
            let reset = self.build_reset(cx);
            cx.replies.push_back(reset);
            cx.count(Counter::TCPAbortOnTimeout);
            cx.note(|| Remark::UserTimeout(self.key));
            let error = self.soft_error.unwrap_or(Errno::ETIMEDOUT);
            self.destroy(Some(error), cx);
            return;
        }
        let probe = Outgoing::bare(self.snd.nxt.saturating_sub(1), Flags::ACK, SendReason::Keepalive);
        let packet = self.build(probe, cx);
        cx.replies.push_back(packet);
        cx.count(Counter::TCPKeepAlive);
        self.keepalive_probes = self.keepalive_probes.saturating_add(1);
        self.timers.keepalive = cx.now + self.options.keep_interval(cx.sysctl).max(Duration::from_millis(1));
    }

    fn keepalive_is_over(&self, silent: Duration, cx: &Context<'_>) -> bool {
        if self.options.user_timeout > 0 {
            let limit = Duration::from_millis(u64::from(self.options.user_timeout));
            return silent >= limit && self.keepalive_probes > 0;
        }
        u32::from(self.keepalive_probes) >= self.options.keep_count(cx.sysctl)
    }
}
