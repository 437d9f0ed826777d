//! One transmission unit: its range, its times and its marks.

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
    pub(super) marks: Marks,
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

    /// Drops what lies below `offset`, which is inside the record.
    pub(super) fn cut_start(&mut self, offset: u64) {
        self.start = offset;
        self.control.syn = false;
        self.recount();
    }

    /// Drops what lies at and above `offset`, which is inside the record.
    pub(super) fn cut_end(&mut self, offset: u64) {
        self.end = offset;
        self.control.fin = false;
        self.recount();
    }

    /// Takes `next` in, which follows it at once.
    pub(super) fn join(&mut self, next: &SentRecord) {
        self.end = next.end;
        self.control.fin |= next.control.fin;
        self.transmissions = self.transmissions.max(next.transmissions);
        if next.is(Marks::EVER_RETRANS) {
            self.marks = self.marks.with(Marks::EVER_RETRANS);
        }
        self.recount();
    }

    /// Cuts it into segments of another size.
    pub(super) fn set_mss(&mut self, mss: u16) {
        self.mss = mss;
        self.recount();
    }

    fn recount(&mut self) {
        let payload = self.payload_len();
        let mss = u64::from(self.mss);
        let segments = if payload <= mss { 1 } else { payload.div_ceil(mss) };
        self.segments = u16::try_from(segments).unwrap_or(u16::MAX);
    }
}

/// A segment size as a record keeps it.
pub(super) fn clamp_mss(mss: u32) -> u16 {
    u16::try_from(mss.max(1)).unwrap_or(u16::MAX)
}
