//! What has been sent and not yet cumulatively acknowledged, one record per transmission unit (DESIGN 4.5).
//!
//! The queue knows ranges, marks and times, and counts its marks in segments (`packets_out`, `sacked_out`,
//! `lost_out`, `retrans_out`, as RFC 6675 and Linux count them). It holds no payload, decides nothing about
//! loss and arms no timer; `recovery` puts the marks. A record may be a super-segment: it is split only where
//! a mark or a retransmission needs a part of it. Empty, it holds no heap memory.

mod record;

use alloc::collections::VecDeque;

use crate::congestion::rate_sample::TxStamp;
use crate::time::Instant;

use record::clamp_mss;
pub use record::{Control, Marks, SentRecord};

/// Marks counted in segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sent and not cumulatively acknowledged.
    pub packets_out: u32,
    /// Of those SACKed; without SACK, the duplicate ACKs that stand for them.
    pub sacked_out: u32,
    /// Of those lost.
    pub lost_out: u32,
    /// Retransmissions in the network.
    pub retrans_out: u32,
    /// Lost and not sent again yet.
    pub awaiting: u32,
}

impl Counts {
    /// Segments in the network: out, less what left it, plus what was sent again.
    pub fn in_flight(&self) -> u32 {
        (self.packets_out + self.retrans_out).saturating_sub(self.sacked_out + self.lost_out)
    }

    fn add(&mut self, record: &SentRecord) {
        let n = record.segments();
        self.packets_out += n;
        self.add_marks(record.marks, n);
    }

    fn remove(&mut self, record: &SentRecord) {
        let n = record.segments();
        self.packets_out = self.packets_out.saturating_sub(n);
        self.remove_marks(record.marks, n);
    }

    fn add_marks(&mut self, marks: Marks, n: u32) {
        if marks.without(Marks::EVER_RETRANS) == Marks::NONE {
            return;
        }
        self.sacked_out += if marks.contains(Marks::SACKED) { n } else { 0 };
        self.lost_out += if marks.contains(Marks::LOST) { n } else { 0 };
        self.retrans_out += if marks.contains(Marks::RETRANS) { n } else { 0 };
        self.awaiting += if marks.without(Marks::EVER_RETRANS) == Marks::LOST { n } else { 0 };
    }

    fn remove_marks(&mut self, marks: Marks, n: u32) {
        if marks.without(Marks::EVER_RETRANS) == Marks::NONE {
            return;
        }
        let take = |count: &mut u32, set: bool| *count = count.saturating_sub(if set { n } else { 0 });
        take(&mut self.sacked_out, marks.contains(Marks::SACKED));
        take(&mut self.lost_out, marks.contains(Marks::LOST));
        take(&mut self.retrans_out, marks.contains(Marks::RETRANS));
        take(&mut self.awaiting, marks.without(Marks::EVER_RETRANS) == Marks::LOST);
    }
}

/// A retransmission in the order of time: stale once its records are acknowledged or sent again.
#[derive(Clone, Copy, Debug)]
pub struct Resent {
    /// When it left.
    pub at: Instant,
    /// First offset of the range sent then.
    pub start: u64,
    /// One past its last offset.
    pub end: u64,
}

/// What a cumulative ACK took from the head of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Segments that are acknowledged now.
    pub segments: u32,
    /// False when a part of the record stays in the queue.
    pub whole: bool,
}

/// All sent records in the order of sequence, and the retransmissions in the order of time.
///
/// Records that were never retransmitted have the same order in both, so only retransmissions are listed
/// a second time.
#[derive(Debug, Default)]
pub struct RetransmitQueue {
    records: VecDeque<SentRecord>,
    resent: VecDeque<Resent>,
    /// The marks of all records, counted. Without SACK, `recovery` keeps `sacked_out` itself.
    pub counts: Counts,
}

impl RetransmitQueue {
    /// No record; no heap memory.
    pub const fn new() -> Self {
        RetransmitQueue {
            records: VecDeque::new(),
            resent: VecDeque::new(),
            counts: Counts { packets_out: 0, sacked_out: 0, lost_out: 0, retrans_out: 0, awaiting: 0 },
        }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True when nothing is outstanding.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The oldest record.
    pub fn head(&self) -> Option<&SentRecord> {
        self.records.front()
    }

    /// The record with the highest offsets.
    pub fn tail(&self) -> Option<&SentRecord> {
        self.records.back()
    }

    /// The record at a position, 0 being the head.
    pub fn get(&self, index: usize) -> Option<&SentRecord> {
        self.records.get(index)
    }

    /// All records in the order of sequence.
    pub fn iter(&self) -> impl Iterator<Item = &SentRecord> {
        self.records.iter()
    }

    /// The position of the record that holds `offset`, or of the first one above it.
    pub fn position(&self, offset: u64) -> usize {
        match self.records.front() {
            Some(head) if head.end > offset => 0,
            _ => self.records.partition_point(|record| record.end <= offset),
        }
    }

    /// Appends a record, which must begin at or above the end of the last.
    pub fn push(&mut self, record: SentRecord) {
        self.counts.add(&record);
        self.records.push_back(record);
    }

    /// The first record leaves once more, without being sent again.
    pub fn touch_head(&mut self, now: Instant) {
        if let Some(head) = self.records.front_mut() {
            head.last_sent = now;
        }
    }

    /// Takes what `ack` covers from the head: a whole record or a part of one. `None` when the head is not
    /// covered any further. Whoever needs the record looks at the [`head`](Self::head) before.
    ///
    /// A part of a segment that is acknowledged shortens its record without counting as a segment.
    #[inline]
    pub fn take_acked(&mut self, ack: u64) -> Option<Taken> {
        let head = self.records.front_mut()?;
        if head.end <= ack {
            let segments = head.segments();
            self.counts.remove(head);
            self.records.pop_front();
            if self.records.is_empty() {
                self.release();
            }
            return Some(Taken { segments, whole: true });
        }
        if head.start >= ack {
            return None;
        }
        let before = head.segments();
        self.counts.remove(head);
        head.cut_start(ack);
        self.counts.add(head);
        let segments = before - head.segments();
        (segments > 0).then_some(Taken { segments, whole: false })
    }

    fn release(&mut self) {
        *self = RetransmitQueue::new();
    }

    /// Forgets everything and frees the memory.
    pub fn clear(&mut self) {
        self.release();
    }

    /// Replaces the marks of a record and keeps the counts.
    pub fn set_marks(&mut self, index: usize, marks: Marks) {
        let Some(record) = self.records.get_mut(index) else { return };
        let n = record.segments();
        self.counts.remove_marks(record.marks, n);
        self.counts.add_marks(marks, n);
        record.marks = marks;
    }

    /// Splits a record so that one begins at `offset`, which must lie inside it; otherwise nothing happens.
    pub fn split(&mut self, index: usize, offset: u64) {
        let Some(left) = self.records.get_mut(index) else { return };
        if offset <= left.start || offset >= left.end {
            return;
        }
        self.counts.remove(left);
        let mut right = *left;
        left.cut_end(offset);
        right.cut_start(offset);
        self.counts.add(left);
        self.counts.add(&right);
        self.records.insert(index + 1, right);
    }

    /// Joins the record behind `index` to it: two small segments that are sent again as one. The marks are those of
    /// the first, with what the second has been through.
    pub fn join_next(&mut self, index: usize) {
        let Some(next) = self.records.get(index + 1).copied() else { return };
        let Some(record) = self.records.get_mut(index) else { return };
        self.counts.remove(record);
        self.counts.remove(&next);
        record.join(&next);
        self.counts.add(record);
        self.records.remove(index + 1);
    }

    /// Cuts a record into segments of another size, as before a retransmission under a new path MTU.
    pub fn resegment(&mut self, index: usize, mss: u32) {
        let mss = clamp_mss(mss);
        let Some(record) = self.records.get_mut(index) else { return };
        if record.mss() != u32::from(mss) {
            self.counts.remove(record);
            record.set_mss(mss);
            self.counts.add(record);
        }
    }

    /// Notes that the records which begin in `start..end` left again. `in_network` tells whether the
    /// retransmission counts in `retrans_out`; a tail-loss probe does not. Returns the segments sent.
    pub fn resend(&mut self, now: Instant, start: u64, end: u64, stamp: TxStamp, in_network: bool) -> u32 {
        let mut segments = 0;
        let mut index = self.position(start);
        while let Some(record) = self.records.get_mut(index).filter(|record| record.start < end) {
            record.last_sent = now;
            record.stamp = stamp;
            record.transmissions = record.transmissions.saturating_add(1);
            segments += record.segments();
            let added =
                if in_network { Marks::RETRANS.with(Marks::EVER_RETRANS) } else { Marks::EVER_RETRANS };
            let marks = record.marks.with(added);
            self.set_marks(index, marks);
            index += 1;
        }
        if segments > 0 {
            self.resent.push_back(Resent { at: now, start, end });
        }
        segments
    }

    /// The retransmission at a position in the order of time.
    pub fn resent(&self, index: usize) -> Option<Resent> {
        self.resent.get(index).copied()
    }

    /// True when any record sent by `resent` may still be in the network by that transmission.
    pub fn is_current(&self, resent: Resent) -> bool {
        let from = self.position(resent.start);
        self.records
            .range(from.min(self.records.len())..)
            .take_while(|record| record.start < resent.end)
            .any(|record| record.last_sent == resent.at && is_watched(record))
    }

    /// Forgets a retransmission in the order of time.
    pub fn forget_resent(&mut self, index: usize) {
        self.resent.remove(index);
    }
}

/// Sent again, neither SACKed nor lost again: RACK still watches its retransmission.
fn is_watched(record: &SentRecord) -> bool {
    let marks = record.marks;
    marks.contains(Marks::EVER_RETRANS)
        && !marks.contains(Marks::SACKED)
        && (!marks.contains(Marks::LOST) || marks.contains(Marks::RETRANS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(records: &[(u64, u64)], control: Control) -> RetransmitQueue {
        let mut queue = RetransmitQueue::new();
        for &(start, end) in records {
            queue.push(SentRecord::new(Instant::ZERO, start, end, 1000, control, TxStamp::default()));
        }
        queue
    }

    /// SYN and FIN take a sequence number and no room in a segment.
    #[test]
    fn control_bits_are_not_payload() {
        let syn = queue(&[(10, 11)], Control::SYN);
        assert_eq!(syn.head().map(|head| (head.segments(), head.payload_len())), Some((1, 0)));
        let mut fin = queue(&[(10, 2011)], Control::FIN);
        assert_eq!(fin.counts.packets_out, 2);
        fin.split(0, 1010);
        assert_eq!(fin.get(0).map(|left| (left.segments(), left.control().fin)), Some((1, false)));
        assert_eq!(fin.get(1).map(|right| (right.segments(), right.control().fin)), Some((1, true)));
        assert_eq!(fin.take_acked(2010).map(|taken| taken.segments), Some(1));
        assert!(fin.take_acked(2010).is_none(), "the FIN alone is still a segment");
        assert_eq!(fin.counts.packets_out, 1);
        assert_eq!(fin.take_acked(2011).map(|taken| taken.whole), Some(true));
    }

    /// A partial acknowledgement of a super-segment takes whole segments.
    #[test]
    fn super_segment_acknowledged_in_part() {
        let mut queue = queue(&[(0, 5000), (5000, 5001)], Control::NONE);
        assert_eq!(queue.counts.packets_out, 6);
        assert_eq!(queue.take_acked(2500).map(|taken| (taken.segments, taken.whole)), Some((2, false)));
        assert_eq!((queue.counts.packets_out, queue.position(2600)), (4, 0));
        assert_eq!(queue.take_acked(5000).map(|taken| taken.segments), Some(3));
        assert_eq!(queue.position(5000), 0);
    }

    #[test]
    fn marks_are_counted_through_splits() {
        let mut queue = queue(&[(0, 5000)], Control::NONE);
        queue.set_marks(0, Marks::LOST);
        assert_eq!((queue.counts.lost_out, queue.counts.awaiting, queue.counts.in_flight()), (5, 5, 0));
        queue.split(0, 2000);
        assert_eq!(queue.resend(Instant::from_millis(1), 0, 2000, TxStamp::default(), true), 2);
        let expected = Counts { packets_out: 5, sacked_out: 0, lost_out: 5, retrans_out: 2, awaiting: 3 };
        assert_eq!(queue.counts, expected);
        assert!(queue.resent(0).is_some_and(|resent| queue.is_current(resent)));
        queue.set_marks(0, Marks::SACKED.with(Marks::EVER_RETRANS));
        assert!(queue.resent(0).is_some_and(|resent| !queue.is_current(resent)));
    }

    #[test]
    fn record_is_compact() {
        assert!(size_of::<SentRecord>() <= 64, "{}", size_of::<SentRecord>());
    }
}
