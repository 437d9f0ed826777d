//! When a deadline is reached: which timer it was, and when to give up
//! (RFC 9293 3.8.3, RFC 1122 4.2.3.5, RFC 5482; S-34, S-38, S-39, S-44, O-12, O-13, N-05 to N-15).
//!
//! The deadlines themselves are kept where they are made; this room finds the next one and acts on it.

use super::state::State;
use super::timers::TimerKind;
use super::{Connection, env_of, flag, pending};
use crate::context::Context;
use crate::counters::Counter;
use crate::journal::Remark;
use crate::recovery::{RecoveryTimer, TimerAction};
use crate::socket::errno::Errno;
use crate::time::{Duration, Instant};
use crate::trace::TraceEvent;

/// The time-out that the nominal total of an established connection begins with, whatever its own is (Linux).
const NOMINAL_RTO: Duration = Duration::from_millis(200);

impl Connection {
    /// The next deadline and its reason; [`Instant::NEVER`] when none is running.
    pub(crate) fn next_deadline(&self) -> (Instant, TimerKind) {
        let mut next = (Instant::NEVER, TimerKind::Retransmit);
        if self.state == State::Closed {
            return next;
        }
        let mut consider = |at: Instant, kind: TimerKind| {
            if at < next.0 {
                next = (at, kind);
            }
        };
        if let Some(at) = self.syn_ack_deadline() {
            // Nothing else is sent again before the handshake is over.
            consider(at, TimerKind::SynAck);
        } else if let Some((at, timer)) = self.recovery.deadline() {
            consider(at, kind_of(timer));
        }
        if let Some(at) = self.recv.delayed_ack_deadline() {
            consider(at, TimerKind::DelayedAck);
        }
        consider(self.timers.persist, TimerKind::Persist);
        let idle = if self.has(flag::ORPHAN) { TimerKind::FinWait2 } else { TimerKind::Keepalive };
        consider(self.timers.keepalive, idle);
        if let (true, Some(at)) = (self.unsent() > 0, self.timers.pacing.blocked_until(self.paced_at)) {
            consider(at, TimerKind::Pacing);
        }
        consider(self.user_timeout_at(), TimerKind::UserTimeout);
        // Held acknowledgements let another deadline that is near wake for them too (S-71).
        match self.recv.held_ack_deadline() {
            Some(at) if at < next.0 && self.recv.held_ack_latest() < next.0 => (at, TimerKind::DelayedAck),
            _ => next,
        }
    }

    /// A deadline is due at which something is to be sent again: a retransmission or a window probe.
    pub(crate) fn retries_now(&self, now: Instant) -> bool {
        let (at, kind) = self.next_deadline();
        at <= now && matches!(kind, TimerKind::Retransmit | TimerKind::Persist)
    }

    /// When TCP_USER_TIMEOUT ends the connection: counted from the moment at which the oldest outstanding
    /// byte was first sent, or data first met a closed window.
    fn user_timeout_at(&self) -> Instant {
        if self.options.user_timeout == 0 {
            return Instant::NEVER;
        }
        let limit = Duration::from_millis(u64::from(self.options.user_timeout));
        if self.recovery.packets_out() > 0 {
            let head = self.recovery.queue().and_then(|queue| queue.head());
            head.map_or(self.stalled_since, |head| head.first_sent) + limit
        } else if self.timers.persist != Instant::NEVER {
            self.stalled_since + limit
        } else {
            Instant::NEVER
        }
    }

    /// Handles every deadline that `cx.now` has reached.
    pub(crate) fn on_deadline(&mut self, cx: &mut Context<'_>) {
        // Each pass silences or moves the timer that it handled; the bound only guards against an error here.
        for _ in 0..16 {
            let (at, kind) = self.next_deadline();
            if at > cx.now || self.state == State::Closed {
                return;
            }
            cx.trace.emit(cx.now, Some(self.id), || TraceEvent::TimerFired { timer: kind.name(), count: 1 });
            match kind {
                TimerKind::Retransmit => self.on_recovery_timer(RecoveryTimer::Rto, cx),
                TimerKind::TailLossProbe => self.on_recovery_timer(RecoveryTimer::Tlp, cx),
                TimerKind::Reordering => self.on_recovery_timer(RecoveryTimer::Reo, cx),
                TimerKind::SynAck => self.on_syn_ack_deadline(cx),
                TimerKind::Persist => self.on_persist_deadline(cx),
                TimerKind::DelayedAck => {
                    if self.recv.ack_timeout(&self.path_times(), cx) {
                        self.want(pending::ACK);
                    }
                }
                TimerKind::FinWait2 => self.destroy(None, cx),
                TimerKind::Keepalive => self.on_keepalive_timer(cx),
                TimerKind::Pacing => {
                    self.paced_at = cx.now;
                    self.want(pending::OUTPUT);
                }
                _ => {
                    if self.recovery.packets_out() > 0 && !self.window_closed_on_data() {
                        // TCP_USER_TIMEOUT has cut the time-out short: it is one all the same.
                        cx.count(Counter::TCPTimeouts);
                        self.suspect_black_hole(true, cx);
                    }
                    cx.note(|| Remark::UserTimeout(self.key));
                    self.give_up(cx);
                }
            }
        }
    }

    fn on_recovery_timer(&mut self, timer: RecoveryTimer, cx: &mut Context<'_>) {
        let closed = timer == RecoveryTimer::Rto && self.window_closed_on_data();
        if timer == RecoveryTimer::Rto {
            let last = self.retries_are_over(cx);
            self.suspect_black_hole(last, cx);
            if last {
                if !closed {
                    cx.count(Counter::TCPTimeouts);
                }
                return self.give_up(cx);
            }
            if !closed {
                self.rehash(cx);
            }
        }
        if timer == RecoveryTimer::Rto && self.asks_for_help(cx) {
            self.suspect_narrow_path(cx);
            cx.count(Counter::TCPRouteRefresh);
            self.set(flag::SUSPECT);
        }
        let state = self.sender_state();
        let env = &mut env_of(&self.path, &self.options, cx);
        let action = if closed {
            self.recovery.on_rto_of_closed_window(&state, env, &mut self.cong)
        } else {
            self.recovery.on_timer(timer, &state, env, &mut self.cong)
        };
        match action {
            TimerAction::Retransmit => self.want(pending::OUTPUT),
            TimerAction::Probe => self.want(pending::PROBE),
            TimerAction::None => {}
        }
    }

    /// Has this connection been retransmitting for too long?
    fn retries_are_over(&mut self, cx: &mut Context<'_>) -> bool {
        let done = u32::from(self.recovery.retransmits());
        if matches!(self.state, State::SynSent | State::SynReceived) {
            let retries = match self.options.syn_count {
                0 => cx.sysctl.tcp_syn_retries as u32,
                count => u32::from(count),
            };
            let linear =
                if self.state == State::SynSent { cx.sysctl.tcp_syn_linear_timeouts as u32 } else { 0 };
            // The linear ones come on top, but not beyond the time that back-off alone would take (S-44).
            let total = nominal_total(retries, cx.sysctl.rto_initial(), self.options.rto_max());
            return done >= retries + linear || cx.now.since(self.stalled_since) >= total;
        }
        if self.window_closed_on_data() {
            // A peer that still answers may keep its window closed; one that is silent may not (RFC 1122).
            return cx.now.since(self.stats.last_ack_recv) > self.options.rto_max() * 2;
        }
        // TCP_USER_TIMEOUT takes the place of all counts, and is a deadline of its own (O-13).
        if self.options.user_timeout > 0 {
            return false;
        }
        self.retried_for(self.retries_allowed(cx), cx)
    }

    /// RFC 1122's R1: after `tcp_retries1` retransmissions, taken as the time they would last, each further one is
    /// preceded by negative advice to the layer below (S-38, N-10).
    fn asks_for_help(&self, cx: &Context<'_>) -> bool {
        self.state.is_synchronized() && self.retried_for(u32::from(cx.sysctl.tcp_retries1), cx)
    }

    /// Have retransmissions gone on for as long as `retries` of them would take?
    fn retried_for(&self, retries: u32, cx: &Context<'_>) -> bool {
        let since = self.recovery.retrans_stamp();
        since.is_some_and(|since| {
            cx.now.since(since) >= nominal_total(retries, NOMINAL_RTO, self.options.rto_max())
        })
    }

    fn retries_allowed(&self, cx: &Context<'_>) -> u32 {
        let orphan = self.has(flag::ORPHAN);
        u32::from(if orphan { cx.sysctl.orphan_retries() } else { cx.sysctl.tcp_retries2 })
    }

    /// The peer has taken its window back while data was on its way.
    fn window_closed_on_data(&self) -> bool {
        self.snd.wnd == 0 && self.state.is_synchronized()
    }

    /// A persist deadline: probe again unless the peer has been silent for too long.
    fn on_persist_deadline(&mut self, cx: &mut Context<'_>) {
        if u32::from(self.window_probes) >= self.retries_allowed(cx) {
            self.give_up(cx);
        } else {
            self.on_persist_timer(cx);
        }
    }

    /// The connection is given up without a word to the peer: ETIMEDOUT, or the last soft error.
    pub(crate) fn give_up(&mut self, cx: &mut Context<'_>) {
        cx.count(Counter::TCPAbortOnTimeout);
        if matches!(self.state, State::SynSent | State::SynReceived) {
            cx.count(Counter::AttemptFails);
        }
        let error = self.soft_error.unwrap_or(Errno::ETIMEDOUT);
        self.destroy(Some(error), cx);
    }
}

fn kind_of(timer: RecoveryTimer) -> TimerKind {
    match timer {
        RecoveryTimer::Rto => TimerKind::Retransmit,
        RecoveryTimer::Tlp => TimerKind::TailLossProbe,
        RecoveryTimer::Reo => TimerKind::Reordering,
    }
}

/// The time that `retries` retransmissions take from the RTO `base` on, doubling up to its cap. Linux
/// compares against this total instead of counting (S-39, X-16).
fn nominal_total(retries: u32, base: Duration, cap: Duration) -> Duration {
    let mut total = Duration::ZERO;
    let mut step = base;
    for _ in 0..=retries {
        total += step;
        step = (step * 2).min(cap);
    }
    total
}
