//! Proofs that a recovery was needless, and its undoing (RFC 3522, 3708, 4015; P-093, P-098, S-22).
//!
//! An episode is needless when D-SACKs have reported every retransmission of it as a duplicate, or when an
//! ACK echoes a timestamp from before the first. Recovery takes back its marks; the window is asked to
//! take back its reduction, or, after a time-out and by `tcp_frto_response`, half of it.

use super::interface::AckSummary;
use super::pass::Pass;
use super::phase::Phase;
use super::reordering::PERSIST;
use super::window_control::WindowControl;
use crate::counters::Counter;
use crate::send::retransmit_queue::Marks;

impl<C: WindowControl> Pass<'_, C> {
    /// A new episode begins: what is retransmitted from here on can prove it needless.
    pub(super) fn begin_undo(&mut self) {
        let fl = &mut self.fl;
        fl.undo_marker = self.una;
        let probe = fl.tlp_high_seq != 0 && fl.tlp_retrans;
        let in_network = fl.queue.counts.retrans_out + u32::from(probe);
        fl.undo_retrans = if in_network == 0 { -1 } else { i32::try_from(in_network).unwrap_or(i32::MAX) };
    }

    /// A D-SACK reported `segments` retransmitted segments as duplicates.
    pub(super) fn note_needless(&mut self, segments: u32, end: u64) {
        let fl = &mut self.fl;
        if fl.undo_marker != 0 && fl.undo_retrans > 0 && end > fl.undo_marker {
            let segments = i32::try_from(segments).unwrap_or(i32::MAX);
            fl.undo_retrans = (fl.undo_retrans - segments).max(0);
        }
    }

    fn may_undo(&self, s: &AckSummary) -> bool {
        self.fl.undo_marker != 0 && (self.fl.undo_retrans == 0 || self.was_delayed(s))
    }

    /// The original arrived after all: the ACK answers something sent before the first retransmission.
    fn was_delayed(&self, s: &AckSummary) -> bool {
        match self.fl.retrans_stamp {
            Some(stamp) => self.echoes_before(stamp),
            // Nothing was retransmitted yet, save where the stamp was cleared early.
            None => !s.syn_acked && (self.base.sack || self.una < self.fl.high_seq),
        }
    }

    /// Takes back marks and reduction. True when the window was halved instead.
    pub(super) fn undo(&mut self, unmark_lost: bool, s: &mut AckSummary) -> bool {
        if unmark_lost {
            for index in 0..self.fl.queue.len() {
                let Some(record) = self.fl.queue.get(index) else { break };
                if record.is(Marks::LOST) {
                    let marks = record.marks().without(Marks::LOST);
                    self.fl.queue.set_marks(index, marks);
                }
            }
            self.fl.rack.search_from = 0;
        }
        let view = self.view();
        let halves = self.base.phase == Phase::Loss && self.settings.halves_after_spurious_timeout();
        let halved = halves && self.cc.halve_after_timeout(&view);
        if !halved {
            s.ssthresh_restored |= self.cc.undo(&view);
        }
        self.fl.undo_marker = 0;
        self.fl.rack.advanced = true;
        s.undone = true;
        halved
    }

    /// Everything up to the recovery point is acknowledged. True when the phase must be held.
    pub(super) fn try_undo_recovery(&mut self, s: &mut AckSummary) -> bool {
        if self.may_undo(s) {
            self.count(if self.base.phase == Phase::Loss {
                Counter::TCPLossUndo
            } else {
                Counter::TCPFullUndo
            });
            self.undo(false, s);
        } else if self.base.reordering.persist > 0 {
            self.base.reordering.persist -= 1;
        }
        if self.must_hold_phase() {
            return true;
        }
        self.reopen();
        false
    }

    /// Without SACK the phase is held until something above the recovery point is acknowledged, or
    /// duplicate ACKs of the old flight would start a second recovery (RFC 6582).
    fn must_hold_phase(&mut self) -> bool {
        if self.base.sack || self.una != self.fl.high_seq {
            return false;
        }
        if !self.fl.any_retransmission() {
            self.fl.retrans_stamp = None;
        }
        true
    }

    fn reopen(&mut self) {
        self.set_phase(Phase::Open);
        self.fl.reneged = false;
    }

    /// D-SACKs have reported all retransmissions of the episode.
    pub(super) fn try_undo_dsack(&mut self, s: &mut AckSummary) -> bool {
        if self.fl.undo_marker == 0 || self.fl.undo_retrans != 0 {
            return false;
        }
        let persist = &mut self.base.reordering.persist;
        *persist = (*persist + 1).min(PERSIST);
        self.undo(false, s);
        self.count(Counter::TCPDSACKUndo);
        true
    }

    /// In Loss: by timestamps, by D-SACK, or because F-RTO has the proof.
    pub(super) fn try_undo_loss(&mut self, frto: bool, s: &mut AckSummary) -> bool {
        if !frto && !self.may_undo(s) {
            return false;
        }
        let halved = self.undo(true, s);
        self.count(Counter::TCPLossUndo);
        if frto {
            self.count(Counter::TCPSpuriousRTOs);
        }
        self.base.retransmits = 0;
        if self.must_hold_phase() {
            return true;
        }
        if frto || self.base.sack {
            self.reopen();
            if halved && self.settings.halves_over_a_round_trip() {
                self.spread_reduction();
            }
        }
        true
    }

    /// What is in flight now is acknowledged while the window falls to the half that it has been set to.
    fn spread_reduction(&mut self) {
        self.fl.high_seq = self.nxt;
        self.set_phase(Phase::Cwr);
    }

    /// A partial ACK in Recovery. True when this ACK says nothing about further losses.
    pub(super) fn try_undo_partial(&mut self, prior_una: u64, s: &mut AckSummary) -> bool {
        if self.fl.undo_marker == 0 || !self.was_delayed(s) {
            return false;
        }
        // The hole was filled by its delayed original.
        self.note_sack_reordering(prior_una, true);
        if self.fl.queue.counts.retrans_out > 0 {
            return true;
        }
        if !self.fl.any_retransmission() {
            self.fl.retrans_stamp = None;
        }
        self.undo(true, s);
        self.count(Counter::TCPPartialUndo);
        self.try_keep_open();
        false
    }
}
