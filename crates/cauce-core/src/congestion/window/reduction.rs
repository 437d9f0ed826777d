//! Reductions of the window, step by step or at once, and their undoing: what loss recovery calls.

use super::{Congestion, Window, in_reduction};
use crate::congestion::prr::{Prr, Reduction};
use crate::congestion::view::SenderView;
use crate::congestion::{AckCounts, CongestionControl, CwndEvent, INFINITE_SSTHRESH};
use crate::recovery::phase::Phase;

impl Congestion {
    /// Begins to bring the window down: on entering CWR (with `save_prior` false, as it is never undone)
    /// or Recovery (with `save_prior`, unless the ACK carried ECE). In CWR already, the reduction that
    /// runs goes on and only becomes final.
    pub fn begin_reduction(&mut self, view: &SenderView, save_prior: bool) {
        let window = &mut self.window;
        window.prior_ssthresh = 0;
        window.reduced = true;
        if in_reduction(view.phase) {
            return;
        }
        if save_prior {
            window.prior_ssthresh = window.current_ssthresh(view.phase);
        }
        window.cwnd_cnt = 0;
        window.prior_cwnd = window.cwnd;
        window.prr = Prr::default();
        let ssthresh = self.algorithm.ssthresh(window, view);
        window.set_ssthresh(ssthresh);
        window.cwr_owed = true;
    }

    /// Ends the reduction on leaving CWR or Recovery: cwnd becomes ssthresh, unless it was undone.
    pub fn end_reduction(&mut self, view: &SenderView) {
        if self.algorithm.owns_window() {
            return;
        }
        let window = &mut self.window;
        if window.ssthresh < INFINITE_SSTHRESH && (view.phase == Phase::Cwr || window.reduced) {
            window.set_cwnd(window.ssthresh);
            window.stamp(view);
        }
        window.reduced = false;
        self.event(CwndEvent::CompleteCwr, view);
    }

    /// A retransmission time-out. `view` already has everything outstanding marked lost, so that the window
    /// becomes one segment (P-088), or one more than what F-RTO leaves in flight. `save_prior`: ssthresh
    /// falls and may be restored, which holds for the first time-out of a window and not for those that
    /// follow it.
    pub fn enter_loss(&mut self, view: &SenderView, save_prior: bool) {
        let window = &mut self.window;
        if save_prior {
            window.prior_ssthresh = window.current_ssthresh(view.phase);
            window.prior_cwnd = window.cwnd;
            let ssthresh = self.algorithm.ssthresh(window, view);
            window.set_ssthresh(ssthresh);
            window.reduced = true;
            // Counted from here on, should the reduction be spread over a round trip after all.
            window.prr = Prr::default();
            self.algorithm.cwnd_event(window, view, CwndEvent::Loss);
        }
        let window = &mut self.window;
        window.cwr_owed = true;
        window.set_cwnd(view.in_flight().saturating_add(1));
        window.cwnd_cnt = 0;
        window.stamp(view);
    }

    /// The path's MTU shrank and segments must be sent again: no congestion, so the window stays, and
    /// ssthresh remembers it (Linux: `tcp_simple_retransmit`).
    pub fn enter_loss_without_reduction(&mut self, view: &SenderView) {
        let window = &mut self.window;
        window.ssthresh = window.current_ssthresh(view.phase);
        window.prior_ssthresh = 0;
        window.reduced = false;
    }

    /// The last reduction was a mistake: gives back the window, and ssthresh if it was higher. True when
    /// ssthresh was restored, so that a CWR owed to the peer can be dropped.
    pub fn undo(&mut self, view: &SenderView) -> bool {
        let mut restored = false;
        if self.window.prior_ssthresh != 0 {
            let cwnd = self.algorithm.undo_cwnd(&self.window);
            let window = &mut self.window;
            window.set_cwnd(window.cwnd.max(cwnd));
            if window.prior_ssthresh > window.ssthresh {
                window.ssthresh = window.prior_ssthresh;
                window.cwr_owed = false;
                restored = true;
            }
        }
        self.window.stamp(view);
        self.window.reduced = false;
        restored
    }

    /// The last time-out was a mistake, but is answered by half the window and half the threshold, whatever the
    /// algorithm would have taken (S-22). In Cwr, if that follows, the window falls to it step by step, counted
    /// from the time-out on. False, and nothing done, when ECN has confirmed the reduction or the algorithm owns
    /// the window.
    pub fn halve_after_timeout(&mut self, view: &SenderView) -> bool {
        let window = &mut self.window;
        if window.prior_ssthresh == 0 || self.algorithm.owns_window() {
            return false;
        }
        window.set_ssthresh((window.prior_cwnd / 2).max(2));
        window.set_cwnd(window.ssthresh);
        window.prior_ssthresh = 0;
        // That the larger window was full is no reason to let this one grow.
        window.is_cwnd_limited = false;
        window.max_packets_out = 0;
        window.stamp(view);
        true
    }

    /// The last reduction stands, whatever proves spurious later: ECN has confirmed it.
    pub fn forbid_undo(&mut self) {
        self.window.prior_ssthresh = 0;
    }

    /// The reordering timer has entered Recovery, as `view.phase` shows, and no ACK drives the reduction:
    /// takes its first step as if one segment had been delivered.
    pub fn reduce_on_timer(&mut self, newly_lost: u32, view: &SenderView) {
        if !self.algorithm.owns_window() {
            let counts = AckCounts { newly_delivered: 1, newly_lost, ..AckCounts::default() };
            self.window.reduce(&counts, view);
        }
    }

    /// Counts segments sent, new or again: a reduction lets out as many as are delivered.
    pub fn on_sent(&mut self, segments: u32) {
        self.window.prr.on_sent(segments);
    }

    /// Counts segments sent again; the same as [`on_sent`](Self::on_sent), under the name recovery uses.
    pub fn on_retransmitted(&mut self, segments: u32) {
        self.on_sent(segments);
    }
}

impl Window {
    /// One step of proportional rate reduction.
    pub(super) fn reduce(&mut self, counts: &AckCounts, view: &SenderView) {
        let step = Reduction {
            prior_cwnd: self.prior_cwnd,
            ssthresh: self.ssthresh,
            in_flight: view.in_flight(),
            newly_delivered: counts.newly_delivered,
            newly_lost: counts.newly_lost,
            una_advanced: counts.una_advanced,
        };
        if let Some(cwnd) = self.prr.on_ack(&step) {
            self.set_cwnd(cwnd);
        }
    }
}
