//! How much the path reorders: the learned duplicate threshold and the steps of RACK's window
//! (S-35, S-66, RFC 8985 6.2 step 4).
//!
//! Learns from holes that filled without a retransmission and from D-SACKs. It marks nothing.

use super::pass::Pass;
use super::window_control::WindowControl;
use crate::counters::Counter;

/// Recoveries for which a widened reordering window is kept (RFC 8985: 16).
pub(super) const PERSIST: u8 = 16;

/// What a connection has learned about reordering.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reordering {
    /// The reordering metric and duplicate threshold in segments.
    pub metric: u32,
    /// How often reordering was seen.
    pub seen: u32,
    /// RACK's window is so many quarters of the minimum RTT.
    pub steps: u8,
    /// Recoveries after which `steps` returns to 1.
    pub persist: u8,
    /// A D-SACK that speaks for a wider window has arrived in this round.
    pub dsack_pending: bool,
}

impl Reordering {
    pub fn new(metric: u32) -> Self {
        Reordering { metric, seen: 0, steps: 1, persist: 0, dsack_pending: false }
    }
}

impl<C: WindowControl> Pass<'_, C> {
    /// Data from `low` on arrived after data up to the highest SACK, and had not been sent again.
    pub(super) fn note_sack_reordering(&mut self, low: u64, by_timestamp: bool) {
        let fack = self.fl.highest_sack(self.una);
        if low >= fack {
            return;
        }
        let (span, mss) = (fack - low, u64::from(self.mss.max(1)));
        if span > u64::from(self.base.reordering.metric) * mss {
            let segments = u32::try_from(span.div_ceil(mss)).unwrap_or(u32::MAX);
            self.base.reordering.metric = segments.min(self.settings.max_reordering);
        }
        self.base.reordering.seen = self.base.reordering.seen.saturating_add(1);
        self.count(if by_timestamp { Counter::TCPTSReorder } else { Counter::TCPSACKReorder });
    }

    /// Without SACK: more duplicate ACKs than segments can have left, so the path reorders or duplicates.
    pub(super) fn note_reno_reordering(&mut self, addend: u32) {
        if !self.limit_reno_sacked() {
            return;
        }
        let metric = self.fl.queue.counts.packets_out.saturating_add(addend);
        self.base.reordering.metric = metric.min(self.settings.max_reordering);
        self.base.reordering.seen = self.base.reordering.seen.saturating_add(1);
        self.count(Counter::TCPRenoReorder);
    }

    /// Keeps the emulated `sacked_out` plausible: there is at least one hole. True when it was cut.
    pub(super) fn limit_reno_sacked(&mut self) -> bool {
        let counts = &mut self.fl.queue.counts;
        let holes = counts.lost_out.max(1).min(counts.packets_out);
        if counts.sacked_out + holes > counts.packets_out {
            counts.sacked_out = counts.packets_out - holes;
            return true;
        }
        false
    }

    /// Widens RACK's window by a step when a D-SACK asks for it, at most once a round trip, and forgets
    /// the widening after [`PERSIST`] recoveries without.
    pub(super) fn adapt_reordering_window(&mut self) {
        let Some(newest_sent) = self.newest_delivered else { return };
        if self.settings.has_static_window() {
            return;
        }
        let reordering = &mut self.base.reordering;
        if newest_sent < self.fl.rack.window_adapted {
            reordering.dsack_pending = false;
        }
        if reordering.dsack_pending {
            reordering.dsack_pending = false;
            reordering.steps = reordering.steps.saturating_add(1);
            reordering.persist = PERSIST;
            self.fl.rack.window_adapted = self.now;
        } else if reordering.persist == 0 {
            reordering.steps = 1;
        }
    }
}
