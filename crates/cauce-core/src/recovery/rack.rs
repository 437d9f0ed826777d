//! RACK (RFC 8985 6): time decides what is lost. A segment is lost when one sent after it has been delivered
//! and the round trip plus the reordering window has passed since it was sent.
//!
//! Also the rule it replaced, the duplicate threshold over SACKed segments (RFC 6675 IsLost), for
//! `tcp_recovery` with bit 0 clear (S-65, S-35). It marks; what follows from a mark is decided elsewhere.

use super::interface::RecoveryTimer;
use super::pass::Pass;
use super::phase::Phase;
use super::window_control::WindowControl;
use crate::send::retransmit_queue::{Marks, SentRecord};
use crate::time::{Duration, Instant};

/// Added to the reordering timer, so that it never races the packets it waits for.
const TIMER_SLACK: Duration = Duration::from_millis(2);

/// RACK's knowledge while something is outstanding.
#[derive(Debug, Default)]
pub(super) struct Rack {
    /// When the most recently sent of the delivered segments was sent, and its end.
    pub sent_at: Instant,
    pub end: u64,
    /// Its round trip in microseconds.
    pub rtt_us: u32,
    /// Something was delivered since the last search for losses.
    pub advanced: bool,
    /// When the reordering window was last adapted.
    pub window_adapted: Instant,
    /// All records below are SACKed, lost, or sent again: a search for lost originals begins here.
    pub search_from: u64,
}

fn sent_after(a: (Instant, u64), b: (Instant, u64)) -> bool {
    a > b
}

impl<C: WindowControl> Pass<'_, C> {
    /// A record was delivered: it is RACK's reference if it was sent last.
    pub(super) fn rack_advance(&mut self, record: &SentRecord) {
        let rtt_us = u32::try_from(self.now.micros_since(record.last_sent)).unwrap_or(u32::MAX);
        if rtt_us < self.base.rtt.min_us() && record.is(Marks::EVER_RETRANS) {
            // Too soon to be the answer to the retransmission: the original arrived late.
            return;
        }
        let rack = &mut self.fl.rack;
        rack.advanced = true;
        rack.rtt_us = rtt_us;
        if sent_after((record.last_sent, record.end), (rack.sent_at, rack.end)) {
            rack.sent_at = record.last_sent;
            rack.end = record.end;
        }
    }

    /// RACK.reo_wnd in microseconds.
    fn reordering_window_us(&self) -> u32 {
        let reordering = &self.base.reordering;
        if reordering.seen == 0 {
            let threshold = self.fl.queue.counts.sacked_out >= reordering.metric
                && !self.settings.ignores_dup_threshold();
            if self.base.phase >= Phase::Recovery || threshold {
                return 0;
            }
        }
        let min = self.base.rtt.min_us();
        let min = if min == u32::MAX { 0 } else { min };
        (min / 4).saturating_mul(reordering.steps.into()).min(self.base.rtt.srtt_us())
    }

    /// Microseconds until `record` counts as lost under a window; zero or less when it does.
    pub(super) fn rack_remaining_us(&self, record: &SentRecord, window_us: u32) -> i64 {
        let waited = i64::try_from(self.now.micros_since(record.last_sent)).unwrap_or(i64::MAX);
        i64::from(self.fl.rack.rtt_us) + i64::from(window_us) - waited
    }

    /// After an ACK: marks what is lost and arms the reordering timer for what may be. True when armed.
    pub(super) fn rack_mark_lost(&mut self) -> bool {
        if !core::mem::take(&mut self.fl.rack.advanced) {
            return false;
        }
        let Some(wait) = self.rack_detect_loss() else { return false };
        let wait = (wait + TIMER_SLACK).min(self.base.rto.as_duration());
        self.arm(RecoveryTimer::Reo, self.now + wait);
        true
    }

    /// Marks what is lost by now. Returns the longest time until something else may be.
    pub(super) fn rack_detect_loss(&mut self) -> Option<Duration> {
        let window_us = self.reordering_window_us();
        let originals = self.search_originals(window_us);
        let resent = self.search_resent(window_us);
        originals.max(resent).map(Duration::from_micros)
    }

    /// Never retransmitted records were sent in the order of sequence.
    fn search_originals(&mut self, window_us: u32) -> Option<u64> {
        let reference = (self.fl.rack.sent_at, self.fl.rack.end);
        let mut longest = None;
        let mut contiguous = true;
        let mut index = self.fl.queue.position(self.fl.rack.search_from);
        while let Some(record) = self.fl.queue.get(index) {
            if !record.is(Marks::SACKED.with(Marks::LOST).with(Marks::EVER_RETRANS)) {
                if !sent_after(reference, (record.last_sent, record.end)) {
                    break;
                }
                match u64::try_from(self.rack_remaining_us(record, window_us)) {
                    Ok(remaining @ 1..) => {
                        longest = longest.max(Some(remaining));
                        contiguous = false;
                    }
                    _ => self.mark_lost(index),
                }
            }
            if contiguous {
                self.fl.rack.search_from = self.fl.queue.get(index).map_or(0, |record| record.end);
            }
            index += 1;
        }
        longest
    }

    /// Retransmissions, in the order in which they were sent.
    fn search_resent(&mut self, window_us: u32) -> Option<u64> {
        let reference = (self.fl.rack.sent_at, self.fl.rack.end);
        let mut longest = None;
        let mut at = 0;
        while let Some(resent) = self.fl.queue.resent(at) {
            if !self.fl.queue.is_current(resent) {
                self.fl.queue.forget_resent(at);
                continue;
            }
            if resent.at > reference.0 {
                break;
            }
            let mut index = self.fl.queue.position(resent.start);
            let mut waiting = false;
            while let Some(record) = self.fl.queue.get(index).filter(|record| record.start < resent.end) {
                let current = record.last_sent == resent.at
                    && !record.is(Marks::SACKED)
                    && (!record.is(Marks::LOST) || record.is(Marks::RETRANS));
                if current && sent_after(reference, (record.last_sent, record.end)) {
                    match u64::try_from(self.rack_remaining_us(record, window_us)) {
                        Ok(remaining @ 1..) => {
                            longest = longest.max(Some(remaining));
                            waiting = true;
                        }
                        _ => self.mark_lost(index),
                    }
                } else {
                    waiting |= current;
                }
                index += 1;
            }
            if waiting {
                at += 1;
            } else {
                self.fl.queue.forget_resent(at);
            }
        }
        longest
    }

    /// RFC 6675 IsLost without clocks: lost is what has at least the duplicate threshold of SACKed
    /// segments above it.
    pub(super) fn mark_by_dup_threshold(&mut self) {
        if self.settings.fack && self.base.reordering.seen == 0 {
            return self.mark_by_forward_ack();
        }
        let sacked = self.fl.queue.counts.sacked_out;
        let Some(below) = sacked.checked_sub(self.base.reordering.metric) else { return };
        let mut passed = 0;
        let mut index = 0;
        while let Some(record) = self.fl.queue.get(index) {
            if record.is(Marks::SACKED) {
                passed += record.segments();
                if passed > below {
                    break;
                }
            } else if !record.is(Marks::LOST.with(Marks::EVER_RETRANS)) {
                self.mark_lost(index);
            }
            index += 1;
        }
    }

    /// Forward acknowledgement (S-17): what lies further below the highest SACK than the threshold is lost, however
    /// little of what lies between was SACKed. It trusts the network's order, so the first reordering ends it.
    fn mark_by_forward_ack(&mut self) {
        let fack = self.fl.highest_sack(self.una);
        let mut out = 0;
        for index in 0..self.fl.queue.len() {
            out += self
                .fl
                .queue
                .get(index)
                .filter(|record| record.end <= fack)
                .map_or(0, |record| record.segments());
        }
        let mut lost = out.saturating_sub(self.base.reordering.metric);
        let mut index = 0;
        while let Some(&record) = self.fl.queue.get(index).filter(|_| lost > 0) {
            if record.segments() > lost {
                self.fl.queue.split(index, record.boundary(lost));
            }
            lost = lost.saturating_sub(record.segments());
            if !record.is(Marks::SACKED) && !record.is(Marks::LOST.with(Marks::EVER_RETRANS)) {
                self.mark_lost(index);
            }
            index += 1;
        }
    }
}
