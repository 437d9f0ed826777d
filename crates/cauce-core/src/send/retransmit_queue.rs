//! What has been sent and not yet cumulatively acknowledged, one record per transmission unit (DESIGN 4.5).
//!
//! The queue knows ranges, marks and times, and counts its marks in segments (`packets_out`, `sacked_out`,
//! `lost_out`, `retrans_out`, as RFC 6675 and Linux count them). It holds no payload, decides nothing about
//! loss and arms no timer; `recovery` puts the marks. A record may be a super-segment: it is split only where
//! a mark or a retransmission needs a part of it. Empty, it holds no heap memory.

use alloc::collections::VecDeque;

use crate::congestion::rate_sample::TxStamp;
use crate::time::Instant;

/// What is known about the fate of a record: a small set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(u8);

impl Marks {
    /// Nothing is known.
    pub const NONE: Marks = Marks(0);
    /// The peer has reported it in a SACK block.
    pub const SACKED: Marks = Marks(1);
    /// It is taken as lost: its last transmission is no longer in the network.
    pub const LOST: Marks = Marks(2);
    /// A retransmission of it is taken to be in the network.
    pub const RETRANS: Marks = Marks(4);
    /// It has been sent more than once.
    pub const EVER_RETRANS: Marks = Marks(8);

    /// True when all of `other` are set.
    pub const fn contains(self, other: Marks) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when at least one of `other` is set.
    pub const fn intersects(self, other: Marks) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets together.
    pub const fn with(self, other: Marks) -> Marks {
        Marks(self.0 | other.0)
    }

    /// This set less `other`.
    pub const fn without(self, other: Marks) -> Marks {
        Marks(self.0 & !other.0)
    }
}

/// The control bits in a record. Each takes one sequence number: SYN the first, FIN the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// The record begins with SYN.
    pub syn: bool,
    /// The record ends with FIN.
    pub fin: bool,
}

impl Control {
    /// Payload only.
    pub const NONE: Control = Control { syn: false, fin: false };
    /// A SYN.
    pub const SYN: Control = Control { syn: true, fin: false };
    /// A FIN, alone or after payload.
    pub const FIN: Control = Control { syn: false, fin: true };
}

/// One segment or super-segment in the network, or lost.
#[derive(Clone, Copy, Debug)]
pub struct SentRecord {
    /// First offset.
    pub start: u64,
    /// One past the last offset; SYN and FIN count one each.
    pub end: u64,
    /// When it was sent for the first time.
    pub first_sent: Instant,
    /// When it was last sent.
    pub last_sent: Instant,
    /// The delivery state at its last transmission, for rate samples.
    pub stamp: TxStamp,
    mss: u16,
    segments: u16,
    marks: Marks,
    control: Control,
    /// How often it was sent, saturating.
    pub transmissions: u8,
}

impl SentRecord {
    /// A record sent once, now.
    pub fn new(now: Instant, start: u64, end: u64, mss: u32, control: Control, stamp: TxStamp) -> Self {
        let mut record = SentRecord {
            start,
            end,
            first_sent: now,
            last_sent: now,
            stamp,
            mss: clamp_mss(mss),
            segments: 1,
            marks: Marks::NONE,
            control,
            transmissions: 1,
        };
        record.recount();
        record
    }

    /// How many segments of at most [`mss`](Self::mss) payload bytes it takes; at least 1.
    pub fn segments(&self) -> u32 {
        self.segments.into()
    }

    /// Payload bytes of its full segments.
    pub fn mss(&self) -> u32 {
        self.mss.into()
    }

    /// Payload bytes, without SYN and FIN.
    pub fn payload_len(&self) -> u64 {
        (self.end - self.start)
            .saturating_sub(u64::from(self.control.syn))
            .saturating_sub(u64::from(self.control.fin))
    }

    /// Its control bits.
    pub fn control(&self) -> Control {
        self.control
    }

    /// Its marks.
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// True when one of `marks` is set.
    pub fn is(&self, marks: Marks) -> bool {
        self.marks.intersects(marks)
    }

    /// True when it is lost and not sent again since.
    pub fn awaits_retransmission(&self) -> bool {
        self.marks.without(Marks::EVER_RETRANS) == Marks::LOST
    }

    /// The offset after `segments` of its segments, at most its end.
    pub fn boundary(&self, segments: u32) -> u64 {
        if segments >= self.segments() {
            return self.end;
        }
        let payload = u64::from(segments) * u64::from(self.mss);
        (self.start + u64::from(self.control.syn) + payload).min(self.end)
    }

    fn recount(&mut self) {
        let payload = self.payload_len();
        let mss = u64::from(self.mss);
        let segments = if payload <= mss { 1 } else { payload.div_ceil(mss) };
        self.segments = u16::try_from(segments).unwrap_or(u16::MAX);
    }
}

fn clamp_mss(mss: u32) -> u16 {
    u16::try_from(mss.max(1)).unwrap_or(u16::MAX)
}

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
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// The record as it was before.
    pub record: SentRecord,
    /// Segments of it that are acknowledged now.
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

    /// Takes what `ack` covers from the head: a whole record or a part of one. `None` when the head is not
    /// covered any further.
    ///
    /// A part of a segment that is acknowledged shortens its record without counting as a segment.
    pub fn take_acked(&mut self, ack: u64) -> Option<Taken> {
        let head = self.records.front_mut()?;
        if head.end <= ack {
            let record = *head;
            self.records.pop_front();
            self.counts.remove(&record);
            if self.records.is_empty() {
                self.release();
            }
            return Some(Taken { record, segments: record.segments(), whole: true });
        }
        if head.start >= ack {
            return None;
        }
        let record = *head;
        self.counts.remove(&record);
        head.control.syn = false;
        head.start = ack;
        head.recount();
        self.counts.add(head);
        let segments = record.segments() - head.segments();
        (segments > 0).then_some(Taken { record, segments, whole: false })
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
        left.end = offset;
        left.control.fin = false;
        left.recount();
        right.start = offset;
        right.control.syn = false;
        right.recount();
        self.counts.add(left);
        self.counts.add(&right);
        self.records.insert(index + 1, right);
    }

    /// Cuts a record into segments of another size, as before a retransmission under a new path MTU.
    pub fn resegment(&mut self, index: usize, mss: u32) {
        let mss = clamp_mss(mss);
        let Some(record) = self.records.get_mut(index) else { return };
        if record.mss != mss {
            self.counts.remove(record);
            record.mss = mss;
            record.recount();
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
