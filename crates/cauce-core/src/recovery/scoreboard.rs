//! What the ACK says about single records: the SACK scoreboard (RFC 2018, 6675), D-SACK (RFC 2883), and
//! the emulation of both without SACK, where each duplicate ACK stands for a segment that left.
//!
//! It marks what was delivered; it never marks anything lost.

use arrayvec::ArrayVec;

use super::interface::{AckInput, AckSummary};
use super::pass::Pass;
use super::window_control::WindowControl;
use crate::counters::Counter;
use crate::send::retransmit_queue::{Marks, SentRecord};
use crate::time::Instant;

/// The first and the last time at which the records newly SACKed were sent.
#[derive(Clone, Copy, Default)]
pub(super) struct SackTimes {
    pub first: Option<Instant>,
    pub last: Option<Instant>,
}

/// What one walk over the blocks collects.
struct Tagging {
    /// The lowest offset that was delivered late without having been sent again.
    reordered_from: u64,
    times: SackTimes,
}

impl<C: WindowControl> Pass<'_, C> {
    /// Takes the SACK blocks of an ACK.
    pub(super) fn take_sack(&mut self, ack: &AckInput<'_>, s: &mut AckSummary) -> SackTimes {
        let dsack = self.check_dsack(ack, s);
        if ack.ack < ack.prior_una.saturating_sub(ack.max_window) || self.fl.queue.is_empty() {
            return SackTimes::default();
        }
        let mut blocks = ArrayVec::<(u64, u64, bool), 4>::new();
        for (nth, &(start, end)) in ack.sack.iter().take(4).enumerate() {
            let is_dsack = nth == 0 && dsack;
            if self.is_block_valid(ack, start, end, is_dsack) && end > ack.prior_una {
                blocks.push((start, end, is_dsack));
            }
        }
        blocks.sort_unstable();
        let mut tagging = Tagging { reordered_from: self.nxt, times: SackTimes::default() };
        for &(start, end, is_dsack) in &blocks {
            self.tag_block(start, end, is_dsack, &mut tagging, s);
        }
        self.remember_blocks(&blocks);
        if self.base.phase != super::phase::Phase::Loss || self.fl.undo_marker != 0 {
            self.note_sack_reordering(tagging.reordered_from, false);
        }
        tagging.times
    }

    fn remember_blocks(&mut self, blocks: &[(u64, u64, bool)]) {
        let mut seen = blocks.iter().filter(|block| !block.2);
        self.fl.seen = [(); 4].map(|()| seen.next().map_or((0, 0), |block| (block.0, block.1)));
    }

    /// True when the block may be applied to the scoreboard. What is refused is counted.
    fn is_block_valid(&mut self, ack: &AckInput<'_>, start: u64, end: u64, is_dsack: bool) -> bool {
        let (una, marker) = (self.una, self.fl.undo_marker);
        let sane = end <= self.nxt && start < end;
        let old_duplicate = is_dsack
            && marker != 0
            && end <= una
            && (start >= marker || (end > marker && start >= end.saturating_sub(ack.max_window)));
        if sane && (start > una || old_duplicate) {
            return true;
        }
        if is_dsack {
            self.count(if marker == 0 {
                Counter::TCPDSACKIgnoredNoUndo
            } else {
                Counter::TCPDSACKIgnoredOld
            });
        } else if ack.ack == una || end > una {
            // A block below an old ACK is only late, not wrong.
            self.count(Counter::TCPSACKDiscard);
        }
        false
    }

    /// Recognises a D-SACK: a first block below the ACK, or inside the second block.
    fn check_dsack(&mut self, ack: &AckInput<'_>, s: &mut AckSummary) -> bool {
        let Some(&(start, end)) = ack.sack.first() else { return false };
        if start < ack.ack {
            self.count(Counter::TCPDSACKRecv);
        } else if ack.sack.get(1).is_some_and(|second| second.0 <= start && end <= second.1) {
            self.count(Counter::TCPDSACKOfoRecv);
        } else {
            return false;
        }
        let Some(segments) = self.believe_dsack(ack, start, end, s) else {
            self.count(Counter::TCPDSACKIgnoredDubious);
            return false;
        };
        self.counters.add(Counter::TCPDSACKRecvSegs, segments.into());
        if end <= ack.prior_una {
            self.note_needless(segments, end);
        }
        true
    }

    /// How many duplicate segments a D-SACK reports; `None` when it cannot be about our retransmissions.
    fn believe_dsack(&mut self, ack: &AckInput<'_>, start: u64, end: u64, s: &mut AckSummary) -> Option<u32> {
        let len = end.checked_sub(start).filter(|len| *len > 0 && *len <= ack.max_window)?;
        let mss = u64::from(self.mss.max(1));
        let segments = if len > mss { u32::try_from(len.div_ceil(mss)).unwrap_or(u32::MAX) } else { 1 };
        let of_probe = len <= mss && self.fl.tlp_high_seq != 0 && self.fl.tlp_high_seq == end;
        s.dsack_of_probe |= of_probe;
        self.base.dsack_dups = self.base.dsack_dups.saturating_add(segments);
        if self.base.dsack_dups > self.base.total_retrans {
            // The network duplicates by itself: such reports say nothing about what we sent again.
            return None;
        }
        self.base.dsack_seen = true;
        if self.base.reordering.seen > 0 && !of_probe {
            self.base.reordering.dsack_pending = true;
        }
        s.dsack = true;
        s.delivered += segments;
        Some(segments)
    }

    /// Marks the records inside a block. What the blocks of the last ACK covered is skipped.
    fn tag_block(&mut self, start: u64, end: u64, is_dsack: bool, t: &mut Tagging, s: &mut AckSummary) {
        let mut from = start;
        for (seen_start, seen_end) in self.fl.seen {
            if is_dsack || seen_end <= from || seen_start >= end {
                continue;
            }
            if seen_start > from {
                self.tag_range(from, seen_start, (start, end), is_dsack, t, s);
            }
            from = from.max(seen_end);
        }
        if from < end {
            self.tag_range(from, end, (start, end), is_dsack, t, s);
        }
    }

    /// Marks the records that touch `from..to` and lie inside `block`, split at segment boundaries.
    fn tag_range(
        &mut self,
        from: u64,
        to: u64,
        block: (u64, u64),
        is_dsack: bool,
        t: &mut Tagging,
        s: &mut AckSummary,
    ) {
        let mut index = self.fl.queue.position(from);
        while let Some(record) = self.fl.queue.get(index).filter(|record| record.start < to) {
            if record.start < block.0 || record.end > block.1 {
                let Some(cut) = covered_cut(record, block) else {
                    index += 1;
                    continue;
                };
                let covers_left = record.start >= block.0;
                self.fl.queue.split(index, cut);
                if !covers_left {
                    // The right part is looked at next.
                    index += 1;
                    continue;
                }
            }
            self.tag_record(index, is_dsack, t, s);
            index += 1;
        }
    }

    /// A block covers this record.
    fn tag_record(&mut self, index: usize, is_dsack: bool, t: &mut Tagging, s: &mut AckSummary) {
        let Some(&record) = self.fl.queue.get(index) else { return };
        let (mut marks, segments) = (record.marks(), record.segments());
        if is_dsack && marks.intersects(Marks::RETRANS.with(Marks::EVER_RETRANS)) {
            self.note_needless(segments, record.end);
            if marks.contains(Marks::SACKED) {
                t.reordered_from = t.reordered_from.min(record.start);
            }
        }
        if record.end <= self.una {
            return;
        }
        if !marks.contains(Marks::SACKED) {
            self.rack_advance(&record);
            self.note_delivered(&record);
            let resent = marks.contains(Marks::RETRANS);
            if !marks.contains(Marks::EVER_RETRANS) {
                self.note_original_sacked(&record, t, s);
            }
            // A retransmission of what is not marked lost is still believed to be in the network.
            if marks.contains(Marks::LOST) {
                marks = marks.without(Marks::LOST);
                marks = if resent { marks.without(Marks::RETRANS) } else { marks };
            }
            marks = marks.with(Marks::SACKED);
            s.newly_sacked += segments;
            s.delivered += segments;
            self.fl.fack =
                if self.fl.queue.counts.sacked_out == 0 { record.end } else { self.fl.fack.max(record.end) };
        }
        if is_dsack {
            marks = marks.without(Marks::RETRANS);
        }
        self.fl.queue.set_marks(index, marks);
    }

    /// The first transmission of a record was SACKed.
    fn note_original_sacked(&mut self, record: &SentRecord, t: &mut Tagging, s: &mut AckSummary) {
        if record.start < self.fl.highest_sack(self.una) {
            t.reordered_from = t.reordered_from.min(record.start);
        }
        s.never_resent_delivered |= self.settings.frto_trusts_sack() && record.end <= self.fl.high_seq;
        t.times.first.get_or_insert(record.last_sent);
        t.times.last = Some(record.last_sent);
    }

    /// A record reached the receiver, by SACK or cumulatively: once in its life.
    pub(super) fn note_delivered(&mut self, record: &SentRecord) {
        let resent = record.is(Marks::EVER_RETRANS);
        self.cc.on_delivered(&mut self.delivery, &record.stamp, record.last_sent, record.end, resent);
        self.newest_delivered = self.newest_delivered.max(Some(record.last_sent));
    }

    /// Without SACK: duplicate ACKs, each for a segment that left the network.
    pub(super) fn add_reno_sack(&mut self, dupacks: u32, s: &mut AckSummary) {
        if dupacks == 0 {
            return;
        }
        let before = self.fl.queue.counts.sacked_out;
        self.fl.queue.counts.sacked_out += dupacks;
        self.note_reno_reordering(0);
        s.delivered += self.fl.queue.counts.sacked_out.saturating_sub(before);
    }

    /// Without SACK: one of `acked` segments filled the hole, the others had sent duplicate ACKs before.
    pub(super) fn remove_reno_sacks(&mut self, acked: u32, s: &mut AckSummary) {
        let sacked = &mut self.fl.queue.counts.sacked_out;
        if acked > 0 {
            s.delivered += acked.saturating_sub(*sacked).max(1);
            *sacked = sacked.saturating_sub(acked - 1);
        }
        self.note_reno_reordering(acked);
    }
}

/// Where to split a record that a block covers in part, so that whole segments are marked; `None` when no
/// whole segment is covered.
fn covered_cut(record: &SentRecord, block: (u64, u64)) -> Option<u64> {
    if record.segments() == 1 {
        return None;
    }
    let origin = record.boundary(0);
    let cut = if record.start >= block.0 {
        let whole = block.1.saturating_sub(origin) / u64::from(record.mss());
        record.boundary(u32::try_from(whole).ok().filter(|whole| *whole > 0)?)
    } else {
        let before = block.0.saturating_sub(origin).div_ceil(u64::from(record.mss()));
        record.boundary(u32::try_from(before).ok()?.max(1))
    };
    (cut > record.start && cut < record.end).then_some(cut)
}
