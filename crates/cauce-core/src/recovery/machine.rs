//! The phases of recovery and the ways between them (RFC 5681, 6582, 6675, 8985; P-084 to P-099).
//!
//! An ACK that is out of the ordinary comes here after its records are marked. Entering or leaving a phase
//! asks the window for its part.

use super::interface::{AckInput, AckSummary, RecoveryTimer};
use super::pass::Pass;
use super::phase::Phase;
use super::state::Hold;
use super::window_control::WindowControl;
use crate::counters::Counter;
use crate::send::retransmit_queue::Marks;
use crate::time::Duration;

impl<C: WindowControl> Pass<'_, C> {
    /// Moves the phase by an ACK that is a duplicate, brings SACK, D-SACK or ECE, or meets a phase other
    /// than Open (Linux: `tcp_fastretrans_alert`).
    pub(super) fn run_phase(&mut self, ack: &AckInput<'_>, dupacks: u32, s: &mut AckSummary) {
        if self.fl.queue.is_empty() {
            self.fl.queue.counts.sacked_out = 0;
        }
        if s.ece {
            self.cc.forbid_undo();
        }
        if s.head_was_sacked && s.una_advanced {
            self.suspect_reneging(s);
            return;
        }
        if self.finish_episode(s) {
            return;
        }
        match self.base.phase {
            Phase::Recovery => self.run_recovery(ack, dupacks, s),
            Phase::Loss => {
                self.process_loss(ack, dupacks, s);
                if self.base.phase != Phase::Loss {
                    self.close_rto_time();
                }
                self.identify_losses(s);
                if self.base.phase != Phase::Loss || s.lost_retransmit {
                    self.run_open(ack, dupacks, s);
                }
            }
            Phase::Open | Phase::Disorder | Phase::Cwr => self.run_open(ack, dupacks, s),
        }
    }

    /// The ACK ends in front of data that the peer had SACKed: unless it recovers soon, all SACKs are void.
    fn suspect_reneging(&mut self, s: &mut AckSummary) {
        let wait =
            Duration::from_micros(u64::from(self.base.rtt.srtt_us() / 2)).max(Duration::from_millis(10));
        self.arm(RecoveryTimer::Rto, self.now + wait);
        self.fl.hold = Hold::UntilNextAck;
        s.rearm = false;
    }

    /// Leaves the phase when its recovery point is acknowledged. True when nothing else is to be done.
    fn finish_episode(&mut self, s: &mut AckSummary) -> bool {
        match self.base.phase {
            Phase::Open => self.fl.retrans_stamp = None,
            _ if self.una < self.fl.high_seq => {}
            // CWR must reach the peer: wait for something above the point.
            Phase::Cwr if self.una != self.fl.high_seq => {
                let view = self.view();
                self.cc.end_reduction(&view);
                self.set_phase(Phase::Open);
            }
            Phase::Recovery => {
                if !self.base.sack {
                    self.fl.queue.counts.sacked_out = 0;
                }
                let view = self.view();
                if self.try_undo_recovery(s) {
                    return true;
                }
                self.cc.end_reduction(&view);
            }
            _ => {}
        }
        false
    }

    fn run_recovery(&mut self, ack: &AckInput<'_>, dupacks: u32, s: &mut AckSummary) {
        if !s.una_advanced {
            if !self.base.sack {
                self.add_reno_sack(dupacks, s);
            }
        } else if self.try_undo_partial(ack.prior_una, s) {
            self.fl.hold = Hold::UntilNextAck;
            return;
        }
        if self.try_undo_dsack(s) {
            self.try_keep_open();
        }
        self.identify_losses(s);
        if self.base.phase != Phase::Recovery && self.fl.queue.counts.lost_out > 0 {
            self.enter_recovery(s.ece);
        }
    }

    fn run_open(&mut self, ack: &AckInput<'_>, dupacks: u32, s: &mut AckSummary) {
        if !self.base.sack {
            if s.una_advanced {
                self.fl.queue.counts.sacked_out = 0;
            }
            self.add_reno_sack(dupacks, s);
        }
        if self.base.phase <= Phase::Disorder {
            self.try_undo_dsack(s);
        }
        self.identify_losses(s);
        if self.fl.queue.counts.lost_out > 0 {
            if self.base.phase < Phase::Cwr && ack.path_probe == Some(self.una) {
                // Too large for the path, which is no congestion: its sender knows what to do.
                s.path_probe_lost = true;
                return;
            }
            self.enter_recovery(s.ece);
        } else {
            self.try_to_open(s.ece);
        }
    }

    /// Marks what is lost, by the rule in force.
    fn identify_losses(&mut self, s: &mut AckSummary) {
        if self.fl.queue.is_empty() {
            return;
        }
        let before = self.fl.queue.counts.retrans_out;
        if !self.base.sack || self.settings.one_hole {
            self.newreno_mark_lost(s.una_advanced);
        } else if !self.settings.uses_rack() {
            self.mark_by_dup_threshold();
        } else if self.rack_mark_lost() {
            s.rearm = false;
        }
        s.lost_retransmit |= self.fl.queue.counts.retrans_out < before;
    }

    /// Without SACK, or without trust in it: the head is lost at the duplicate threshold, and again on each partial ACK (RFC 6582).
    fn newreno_mark_lost(&mut self, una_advanced: bool) {
        let entering = self.base.phase < Phase::Recovery
            && self.fl.queue.counts.sacked_out >= self.base.reordering.metric;
        let partial = self.base.phase == Phase::Recovery && una_advanced;
        if !entering && !partial {
            return;
        }
        let Some(cut) =
            self.fl.queue.head().filter(|head| !head.is(Marks::LOST)).map(|head| head.boundary(1))
        else {
            return;
        };
        self.fl.queue.split(0, cut);
        self.mark_lost(0);
    }

    /// Fast recovery begins.
    pub(super) fn enter_recovery(&mut self, ece: bool) {
        if !self.fl.any_retransmission() {
            self.fl.retrans_stamp = None;
        }
        self.count(if self.base.sack { Counter::TCPSackRecovery } else { Counter::TCPRenoRecovery });
        self.begin_undo();
        self.begin_reduction(!ece);
        self.set_phase(Phase::Recovery);
    }

    /// Asks for the reduction of the window and sets the recovery point, unless in CWR both are there.
    pub(super) fn begin_reduction(&mut self, undoable: bool) {
        if !self.base.phase.is_reducing() {
            self.fl.high_seq = self.nxt;
            self.fl.tlp_high_seq = 0;
        }
        self.reduced = true;
        let view = self.view();
        self.cc.begin_reduction(&view, undoable);
    }

    /// A reduction without loss: ECN, or this host's own queues were full.
    pub(super) fn enter_cwr(&mut self) {
        self.cc.forbid_undo();
        if self.base.phase < Phase::Cwr {
            self.fl.undo_marker = 0;
            self.begin_reduction(false);
            self.set_phase(Phase::Cwr);
        }
    }

    fn try_to_open(&mut self, ece: bool) {
        if !self.fl.any_retransmission() {
            self.fl.retrans_stamp = None;
        }
        if ece {
            self.enter_cwr();
        }
        if self.base.phase != Phase::Cwr {
            self.try_keep_open();
        }
    }

    /// Open, or Disorder while something is SACKed, lost or sent again.
    pub(super) fn try_keep_open(&mut self) {
        let counts = &self.fl.queue.counts;
        let left = counts.sacked_out + counts.lost_out > 0;
        let to = if left || self.fl.any_retransmission() { Phase::Disorder } else { Phase::Open };
        if self.base.phase != to {
            self.set_phase(to);
            self.fl.high_seq = self.nxt;
        }
    }

    /// A retransmission time-out: what was sent long enough ago is lost (Linux: `tcp_enter_loss`).
    pub(super) fn enter_loss(&mut self) {
        let phase = self.base.phase;
        self.mark_for_timeout();
        let new_event = phase <= Phase::Disorder
            || self.una >= self.fl.high_seq
            || (phase == Phase::Loss && self.base.retransmits == 0);
        if new_event {
            self.begin_undo();
        }
        let view = self.view();
        self.cc.enter_loss(&view, new_event);
        let reordering = &mut self.base.reordering;
        if phase <= Phase::Disorder && view.sacked_out >= self.settings.reordering {
            // So many duplicates and no recovery: the threshold was set too high.
            reordering.metric = reordering.metric.min(self.settings.reordering);
        }
        self.set_phase(Phase::Loss);
        self.fl.high_seq = self.nxt;
        self.fl.tlp_high_seq = 0;
        self.fl.frto = self.settings.frto != 0 && (phase < Phase::Recovery || self.base.retransmits > 0);
    }

    fn mark_for_timeout(&mut self) {
        let reneged = self.fl.queue.head().is_some_and(|head| head.is(Marks::SACKED));
        if reneged {
            self.count(Counter::TCPSACKReneging);
            self.fl.reneged = true;
            self.fl.seen = Default::default();
        } else if !self.base.sack {
            self.fl.queue.counts.sacked_out = 0;
        }
        for index in 0..self.fl.queue.len() {
            let Some(&record) = self.fl.queue.get(index) else { break };
            if reneged {
                self.fl.queue.set_marks(index, record.marks().without(Marks::SACKED));
            } else if index > 0 && self.settings.uses_rack() && self.rack_remaining_us(&record, 0) > 0 {
                continue;
            }
            self.mark_lost(index);
        }
        self.fl.retransmit_hint = 0;
        self.fl.rack.search_from = 0;
    }

    /// Counts the time of a recovery from time-outs.
    pub(super) fn close_rto_time(&mut self) {
        if let Some(since) = self.fl.rto_since.take() {
            let ms = self.now.since(since).as_millis();
            let total = &mut self.base.total_rto_time_ms;
            *total = total.saturating_add(u32::try_from(ms).unwrap_or(u32::MAX));
        }
    }
}
