//! The timer of recovery: one of time-out, tail-loss probe and reordering at a time (DESIGN 4.7).
//!
//! Deadlines are exact. Whether a connection has waited long enough to be given up is not decided here.

use super::Recovery;
use super::interface::{Env, RecoveryTimer, SenderState, TimerAction};
use super::pass::Pass;
use super::phase::Phase;
use super::state::{Base, Flight};
use super::window_control::WindowControl;
use crate::counters::Counter;
use crate::time::{Duration, Instant};

/// The shortest time-out: two ticks of the clock.
const LEAST_TIMEOUT: Duration = Duration::from_micros(2 * super::rto::TICK_US as u64);
/// A stream with fewer segments out is thin.
const THIN: u32 = 4;
/// A thin stream's time-outs are linear so many times.
const THIN_RETRIES: u8 = 6;

/// Arms the time-out, or disarms when nothing is out. When a probe or reordering timer was pending, the
/// time that has passed since the head was sent counts.
pub(super) fn rearm_rto(base: &Base, fl: &mut Flight, now: Instant) {
    let Some(head) = fl.queue.head() else {
        fl.pending = None;
        return;
    };
    let rto = base.rto.as_duration();
    fl.deadline = match fl.pending {
        Some(RecoveryTimer::Tlp | RecoveryTimer::Reo) => {
            (head.last_sent + rto).max(now + Duration::from_nanos(1))
        }
        Some(RecoveryTimer::Rto) | None => now + rto,
    };
    fl.pending = Some(RecoveryTimer::Rto);
}

impl Base {
    /// Counts a time-out, which begins an episode unless it is in one.
    pub(super) fn count_rto(&mut self, fl: &mut Flight, now: Instant) {
        if self.retransmits == 0 {
            self.total_rto_recoveries = self.total_rto_recoveries.saturating_add(1);
            fl.rto_since = Some(now);
        }
        self.retransmits = self.retransmits.saturating_add(1);
        self.total_rto = self.total_rto.saturating_add(1);
    }

    /// The episode that time-outs began is over.
    pub(super) fn end_rto(&mut self, fl: &mut Flight, now: Instant) {
        if let Some(since) = fl.rto_since.take() {
            let ms = now.since(since).as_millis();
            let total = &mut self.total_rto_time_ms;
            *total = total.saturating_add(u32::try_from(ms).unwrap_or(u32::MAX));
        }
    }
}

impl<C: WindowControl> Pass<'_, C> {
    pub(super) fn rearm_rto(&mut self) {
        rearm_rto(self.base, self.fl, self.now);
    }

    /// RACK's reordering window is over.
    fn on_reordering_timer(&mut self) -> TimerAction {
        let before = self.fl.queue.counts.in_flight();
        self.rack_detect_loss();
        let found = self.fl.queue.counts.in_flight() != before;
        if found && self.base.phase != Phase::Recovery {
            self.enter_recovery(false);
            let view = self.view();
            self.cc.reduce_on_timer(self.newly_lost, &view);
        }
        self.rearm_rto();
        if found { TimerAction::Retransmit } else { TimerAction::None }
    }

    /// The retransmission time-out.
    fn on_rto(&mut self, state: &SenderState) -> TimerAction {
        self.count(Counter::TCPTimeouts);
        if self.base.retransmits == 0 {
            self.count_failure();
        }
        self.begin_loss(state);
        self.base.count_rto(self.fl, self.now);
        self.back_off(state);
        self.restart_rto(state)
    }

    fn begin_loss(&mut self, state: &SenderState) {
        self.fl.hold = Default::default();
        self.enter_loss();
        // What was larger than the path carries has caused it: there is nothing to find out (Linux).
        self.fl.frto &= !state.path_probe;
    }

    /// The time-out of data beyond a window that the peer has closed since: probes it.
    fn on_rto_of_closed_window(&mut self, state: &SenderState) -> TimerAction {
        self.begin_loss(state);
        self.base.rto = self.base.rto.doubled(self.settings.rto_max_us);
        self.restart_rto(state)
    }

    fn restart_rto(&mut self, state: &SenderState) -> TimerAction {
        let rto = self.base.rto.as_duration();
        self.arm(RecoveryTimer::Rto, self.now + self.within_user_timeout(rto, state));
        self.fl.timed_out = true;
        TimerAction::Retransmit
    }

    fn count_failure(&mut self) {
        let (with_sack, without) = match self.base.phase {
            Phase::Recovery => (Counter::TCPSackRecoveryFail, Counter::TCPRenoRecoveryFail),
            Phase::Loss => (Counter::TCPLossFailures, Counter::TCPLossFailures),
            Phase::Disorder => (Counter::TCPSackFailures, Counter::TCPRenoFailures),
            _ if self.fl.queue.counts.sacked_out > 0 => (Counter::TCPSackFailures, Counter::TCPRenoFailures),
            _ => return,
        };
        self.count(if self.base.sack { with_sack } else { without });
    }

    /// Doubles the time-out, save for the first SYNs and for thin streams that asked for it. (A stream that has timed
    /// out is in its first slow start no more, which would keep it from being thin.)
    fn back_off(&mut self, state: &SenderState) {
        let thin = state.established
            && self.settings.thin_linear_timeouts
            && self.fl.queue.counts.packets_out < THIN
            && self.base.retransmits <= THIN_RETRIES;
        if thin {
            self.base.backoff = 0;
            self.base.rto = self.base.rtt.rto(self.settings.rto_max_us);
        } else if !state.syn_sent || self.base.total_rto > u16::from(self.settings.syn_linear_timeouts) {
            self.base.backoff = self.base.backoff.saturating_add(1);
            self.base.rto = self.base.rto.doubled(self.settings.rto_max_us);
        }
    }

    fn within_user_timeout(&self, rto: Duration, state: &SenderState) -> Duration {
        let (Some(limit), Some(since)) = (state.user_timeout, self.fl.retrans_stamp) else { return rto };
        let left = limit.saturating_sub(self.now.since(since));
        rto.min(left.max(Duration::from_millis(1)))
    }
}

impl Recovery {
    /// Moves the time-out to almost at once, unless it has run out before: there is news that makes sending
    /// again worth while (Linux: `TCP_TIMEOUT_MIN`).
    pub fn hurry_first_timeout(&mut self, now: Instant) {
        if let Some(fl) = self.flight.as_deref_mut()
            && self.base.retransmits == 0
            && fl.pending == Some(RecoveryTimer::Rto)
        {
            fl.deadline = now + LEAST_TIMEOUT;
        }
    }

    /// The armed timer and its deadline.
    pub fn deadline(&self) -> Option<(Instant, RecoveryTimer)> {
        let fl = self.flight.as_ref()?;
        fl.pending.map(|timer| (fl.deadline, timer))
    }

    /// A deadline has passed. The caller has decided before that the connection is not given up. The next
    /// deadline is set; the action tells what to send.
    pub fn on_timer<C: WindowControl>(
        &mut self,
        timer: RecoveryTimer,
        state: &SenderState,
        env: &mut Env<'_>,
        cc: &mut C,
    ) -> TimerAction {
        self.with_flight(state, env, cc, |pass| match timer {
            RecoveryTimer::Reo => pass.on_reordering_timer(),
            RecoveryTimer::Tlp if pass.on_tail_timer() => TimerAction::Probe,
            RecoveryTimer::Tlp => TimerAction::None,
            RecoveryTimer::Rto => pass.on_rto(state),
        })
    }

    /// As [`on_timer`](Self::on_timer) for the time-out, while the peer's window is zero although data is
    /// out: what is sent again probes the window, and counts neither as a time-out nor as a retry.
    pub fn on_rto_of_closed_window<C: WindowControl>(
        &mut self,
        state: &SenderState,
        env: &mut Env<'_>,
        cc: &mut C,
    ) -> TimerAction {
        self.with_flight(state, env, cc, |pass| pass.on_rto_of_closed_window(state))
    }

    fn with_flight<C: WindowControl>(
        &mut self,
        state: &SenderState,
        env: &mut Env<'_>,
        cc: &mut C,
        work: impl FnOnce(&mut Pass<'_, C>) -> TimerAction,
    ) -> TimerAction {
        let Some(mut flight) = self.flight.take() else { return TimerAction::None };
        let mut action = TimerAction::None;
        if flight.queue.is_empty() {
            flight.pending = None;
        } else {
            action = work(&mut Pass::for_timer(state, &mut self.base, &mut flight, cc, env));
        }
        self.keep(flight);
        action
    }
}
