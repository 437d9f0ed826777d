//! The tail-loss probe (RFC 8985 7; S-64, P-096): when the end of a flight goes unanswered for two round
//! trips, one segment is sent to make the receiver speak.
//!
//! Decides when to probe, and afterwards whether the probe repaired a loss. What is sent is the caller's.

use super::interface::{AckInput, AckSummary, RecoveryTimer};
use super::pass::Pass;
use super::phase::Phase;
use super::state::{Base, Flight};
use super::window_control::WindowControl;
use super::{interface::Settings, rto::Rto};
use crate::counters::Counter;
use crate::time::{Duration, Instant};

/// Added to two round trips when more than one segment is out.
const SLACK_US: u64 = 2_000;

/// When the probe should leave; `None` when there is to be none. `rto_from_now` tells that the time-out
/// starts anew at this moment, instead of running since the head was sent.
pub(super) fn probe_deadline(
    base: &Base,
    fl: &Flight,
    settings: &Settings,
    now: Instant,
    rto_from_now: bool,
) -> Option<Instant> {
    let head = fl.queue.head()?;
    if !settings.probes_tail() || !base.sack || !matches!(base.phase, Phase::Open | Phase::Cwr) {
        return None;
    }
    let wait = if base.rtt.has_sample() {
        let one_out = fl.queue.counts.packets_out == 1;
        let allowance = if one_out { u64::from(settings.rto_min_us) } else { SLACK_US };
        Duration::from_micros(2 * u64::from(base.rtt.srtt_us()) + allowance)
    } else {
        Rto::INITIAL.as_duration()
    };
    let rto = if rto_from_now { now } else { head.last_sent } + base.rto.as_duration();
    let probe = now + wait;
    Some(if rto > now { probe.min(rto) } else { probe })
}

impl<C: WindowControl> Pass<'_, C> {
    /// Judges the outstanding probe by an ACK.
    pub(super) fn process_probe_ack(&mut self, ack: &AckInput<'_>, s: &mut AckSummary) {
        let high = self.fl.tlp_high_seq;
        if high == 0 || ack.ack < high {
            return;
        }
        if !self.fl.tlp_retrans || s.dsack_of_probe {
            // New data was acknowledged, or both copies arrived: nothing was lost.
            self.fl.tlp_high_seq = 0;
        } else if ack.ack > high {
            self.count(Counter::TCPLossProbeRecovery);
            self.begin_reduction(false);
            self.fl.tlp_high_seq = 0;
            self.set_phase(Phase::Cwr);
            let view = self.view();
            self.cc.end_reduction(&view);
            self.try_keep_open();
        } else if s.is_dup && s.newly_sacked == 0 {
            self.fl.tlp_high_seq = 0;
        }
    }

    /// The tail-loss timer has run out. True when a probe is wanted.
    pub(super) fn on_tail_timer(&mut self) -> bool {
        let wanted = self.fl.tlp_high_seq == 0 && !self.fl.queue.is_empty();
        self.rearm_rto();
        wanted
    }
}

/// The bookkeeping of a probe that left.
pub(super) fn note_probe(base: &Base, fl: &mut Flight, now: Instant, nxt: u64, retransmitted: bool) {
    fl.tlp_retrans = retransmitted;
    fl.tlp_high_seq = nxt;
    fl.pending = Some(RecoveryTimer::Rto);
    fl.deadline = now + base.rto.as_duration();
}
