//! Accurate ECN (RFC 9768): a counter of marked packets in three header bits (ACE), counters of bytes in an option.
//!
//! Decides what the handshake says about the ECN field of each side's first packet, what the two kinds of counters
//! tell the sender, when the receiver shows its own, and when either side stops trusting the path. The counters of the
//! receiver are those of [`Received`]; on the wire they begin where RFC 9768 3.2.1 says, so that zero means a path
//! that erases them.

use super::Received;
use crate::recovery::AceReport;
use crate::time::{Duration, Instant};
use cauce_wire::{AccEcn, AccEcnOrder, Ecn as Mark, Flags, TcpOptions};

/// Where the counter of marked packets begins.
const FIRST_ACE: u32 = 5;
/// Where the counters of ECN-capable bytes begin; that of marked bytes begins at 0.
const FIRST_BYTES: u32 = 1;
/// The counters in the option have so many bits.
const FIELD: u32 = 0xff_ffff;
/// A counter that moved by more than this has moved back.
const HALF_FIELD: u32 = 0x80_0000;
/// So many marked packets are acknowledged at once: with text among them, or without any (RFC 9768 3.2.2.5.1).
const MARKED_TEXT: u8 = 2;
const MARKED_ACKS: u8 = 3;
/// Acknowledgements that carry the option after a change (RFC 9768 3.2.3.3).
const DEMAND: u8 = 2;

/// Bits of [`Accurate::fail_mode`], as `tcpi_accecn_fail_mode` has them.
pub(crate) mod fail {
    /// The peer was told an ECN field that our packet did not have, or its counter was erased.
    pub(crate) const ACE_RECEIVED: u16 = 2;
    /// A SYN,ACK with the option got no answer: it is not sent any more.
    pub(crate) const OPTION_SENT: u16 = 4;
    /// The peer's option was erased: it is not believed.
    pub(crate) const OPTION_RECEIVED: u16 = 8;
}

/// What was seen of the peer's option, as `tcpi_accecn_opt_seen` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OptionSeen {
    #[default]
    No = 0,
    Empty = 1,
    Counters = 2,
    Erased = 3,
}

/// What the ACE field of the next arriving segment means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expected {
    /// How our SYN,ACK arrived.
    Handshake,
    /// A counter that cannot be zero yet.
    FirstCounter,
    #[default]
    Counter,
}

/// The state of a connection under accurate ECN, beside what it has in common with others.
#[derive(Debug, Default)]
pub(crate) struct Accurate {
    expected: Expected,
    /// The mark of the peer's SYN,ACK, until our acknowledgement has told it.
    reflects: Option<Mark>,
    /// Our packets are not ECN-capable any more.
    pub(crate) ect_off: bool,
    pub(crate) fail_mode: u16,
    pub(crate) seen: OptionSeen,
    /// `tcp_ecn_option` when the connection began.
    option_mode: u8,
    /// Segments that will carry the option because something has changed.
    demand: u8,
    option_sent: Option<Instant>,
    /// The mark of the last segment that arrived.
    last: Mark,
    /// Marked packets since an acknowledgement left.
    pending: u8,
    /// What the peer's option says of our bytes: ECT(1), CE, ECT(0).
    pub(crate) delivered: Received,
    /// The last acknowledgement that made progress had counters of bytes.
    current: bool,
    /// Segments that an acknowledgement usually covers, in 64ths.
    usual: u32,
}

/// The ACE field of a SYN,ACK, or of the acknowledgement of one: the ECN field of what it answers
/// (RFC 9768 tables 2 and 3).
pub(crate) fn handshake_ace(mark: Mark) -> Flags {
    Flags::from_ace(match mark {
        Mark::NotEct => 0b010,
        Mark::Ect1 => 0b011,
        Mark::Ect0 => 0b100,
        Mark::Ce => 0b110,
    })
}

/// The ACE field that counts `ce` marked packets.
pub(crate) fn counting_ace(ce: u32) -> Flags {
    Flags::from_ace((FIRST_ACE.wrapping_add(ce) & 7) as u8)
}

/// The option with the first `count` counters. With room for fewer than all, those stand first that the peer uses.
pub(crate) fn option(received: &Received, count: usize) -> AccEcn {
    let e0 = received.e0_bytes.wrapping_add(FIRST_BYTES);
    let e1 = received.e1_bytes.wrapping_add(FIRST_BYTES);
    let (order, fields) = if count < 3 && received.e1_bytes == 0 {
        (AccEcnOrder::E0First, [e0, received.ce_bytes, e1])
    } else {
        (AccEcnOrder::E1First, [e1, received.ce_bytes, e0])
    };
    AccEcn::new(order, fields.get(..count).unwrap_or(&fields))
}

impl Accurate {
    /// The side that accepted: `option_failed` when a SYN,ACK with the option got no answer, `plain` when one without
    /// any ECN was sent, after which nothing of ours is ECN-capable (RFC 9768 3.1.4.2).
    pub(crate) fn accepted(option_mode: u8, option_failed: bool, plain: bool) -> Self {
        Accurate {
            expected: Expected::Handshake,
            option_mode,
            fail_mode: if option_failed { fail::OPTION_SENT } else { 0 },
            ect_off: plain,
            ..Accurate::default()
        }
    }

    /// The side that asked, and was answered by a SYN,ACK that arrived under `mark`.
    pub(crate) fn asked(option_mode: u8, mark: Mark) -> Self {
        Accurate {
            expected: Expected::FirstCounter,
            option_mode,
            reflects: Some(mark),
            demand: DEMAND,
            ..Accurate::default()
        }
    }

    /// Our SYN or SYN,ACK was not ECN-capable. A peer to whom it seemed so is behind something that changes the
    /// field: nothing of ours is ECN-capable from now on (RFC 9768 3.2.2.3). True when it seemed marked.
    pub(crate) fn check_handshake(&mut self, ace: u8) -> bool {
        let changed = matches!(ace, 0b000 | 0b011 | 0b100 | 0b110);
        if changed {
            self.distrust_ace();
        }
        ace == 0b110
    }

    fn distrust_ace(&mut self) {
        self.ect_off = true;
        self.fail_mode |= fail::ACE_RECEIVED;
    }

    /// How the peer's SYN or SYN,ACK arrived, as long as he has to be told.
    pub(crate) fn answers(&self) -> Option<Mark> {
        self.reflects
    }

    /// The bits of the next segment that is not a SYN.
    pub(crate) fn ace(&self, received: &Received) -> Flags {
        self.reflects.map_or_else(|| counting_ace(received.ce), handshake_ace)
    }

    /// A segment with these bits leaves: nothing more is owed.
    pub(crate) fn told(&mut self) {
        self.pending = 0;
        self.reflects = None;
    }

    /// A segment has arrived under `mark`, with text or without. True when it is to be acknowledged at once: the mark
    /// is another than that of the segment before, or several were marked (RFC 9768 3.2.2.5.1).
    pub(crate) fn arrived(&mut self, mark: Mark, segments: u16, text: bool) -> bool {
        let changed = mark != self.last;
        self.last = mark;
        if changed || mark == Mark::Ce {
            self.demand = DEMAND;
        }
        if mark == Mark::Ce {
            self.pending = self.pending.saturating_add(segments.min(255) as u8);
        }
        if text { changed || self.pending >= MARKED_TEXT } else { self.pending >= MARKED_ACKS }
    }

    /// What the first segment after the handshake says in the ACE field; `None` for a counter like any other. The
    /// answer tells whether our SYN,ACK was marked. `sent` of our segments may have been marked by then, at most.
    pub(crate) fn first_ace(&mut self, ace: u8, sent: u32) -> Option<bool> {
        match core::mem::take(&mut self.expected) {
            Expected::Handshake => Some(self.check_handshake(ace)),
            Expected::FirstCounter => {
                // It takes three marks from 5 to 0: before, something erases the counter (RFC 9768 3.2.2.4).
                if ace == 0 && sent < 8 - FIRST_ACE {
                    self.distrust_ace();
                }
                None
            }
            Expected::Counter => None,
        }
    }

    /// Whether the peer's counters are acted on.
    pub(crate) fn is_heard(&self) -> bool {
        self.fail_mode & fail::ACE_RECEIVED == 0
    }

    /// Notes an option of the peer. The first one with counters shows whether something erases them
    /// (RFC 9768 3.2.3.2.4).
    pub(crate) fn see_option(&mut self, option: &AccEcn) {
        let erased = option.e0b() == Some(0) || option.e1b() == Some(0);
        match self.seen {
            OptionSeen::Counters | OptionSeen::Erased => {}
            _ if option.counters().is_empty() => self.seen = OptionSeen::Empty,
            _ if erased => {
                self.seen = OptionSeen::Erased;
                self.fail_mode |= fail::OPTION_RECEIVED;
            }
            _ => (self.seen, self.current) = (OptionSeen::Counters, true),
        }
    }

    /// Takes an acknowledgement that makes progress; `delivered_ce` marked packets were known before.
    pub(crate) fn report(
        &mut self,
        ace: u8,
        option: Option<AccEcn>,
        delivered_ce: u32,
        mss: u32,
    ) -> AceReport {
        let before = FIRST_ACE.wrapping_add(delivered_ce);
        let trusted = option.filter(|_| self.seen == OptionSeen::Counters);
        let followed = core::mem::replace(&mut self.current, trusted.is_some());
        let marked = trusted.and_then(|option| self.take_bytes(&option)).filter(|_| followed);
        AceReport {
            delta: (u32::from(ace).wrapping_sub(before) & 7) as u8,
            marked_bytes: marked,
            mss,
            usual: self.usual,
        }
    }

    /// Adds what the option counts since it was last seen. Returns the growth of the marked bytes, if it has them.
    fn take_bytes(&mut self, option: &AccEcn) -> Option<u32> {
        let grown = |counted: &mut u32, first: u32, now: Option<u32>| {
            let by = now?.wrapping_sub(counted.wrapping_add(first)) & FIELD;
            let by = if by < HALF_FIELD { by } else { 0 };
            *counted = counted.wrapping_add(by);
            Some(by)
        };
        let delivered = &mut self.delivered;
        grown(&mut delivered.e1_bytes, FIRST_BYTES, option.e1b());
        grown(&mut delivered.e0_bytes, FIRST_BYTES, option.e0b());
        grown(&mut delivered.ce_bytes, 0, option.ceb())
    }

    /// Learns how much acknowledgements cover.
    pub(crate) fn covered(&mut self, segments: u32) {
        if segments > 0 {
            let sample = segments.min(1 << 16) << 6;
            self.usual = if self.usual == 0 { sample } else { self.usual - self.usual / 64 + sample / 64 };
        }
    }

    /// The option is due again: `beacon` times in a round trip it goes out though nothing has changed.
    pub(crate) fn remind(&mut self, now: Instant, srtt_us: u32, beacon: u8) {
        let Some(gap_us) = srtt_us.checked_div(u32::from(beacon)) else { return };
        let gap = Duration::from_micros(gap_us.into());
        if self.option_sent.is_none_or(|at| now.since(at) >= gap) {
            self.demand = self.demand.max(1);
        }
    }

    /// Whether the next segment carries the option: never before the peer has shown his, and in mode 1 only when
    /// something has changed or a beacon is due. Mode 3 goes on where mode 2 gives up.
    pub(crate) fn offers_option(&self) -> bool {
        let failed = self.fail_mode & fail::OPTION_SENT != 0;
        match self.option_mode {
            _ if self.seen == OptionSeen::No => false,
            0 => false,
            1 => !failed && self.demand > 0,
            2 => !failed,
            _ => true,
        }
    }

    /// Puts the option into what room the others have left.
    pub(crate) fn add_option(&mut self, options: &mut TcpOptions, received: &Received, now: Instant) {
        options.acc_ecn = self.choose_option(options, received);
        if options.acc_ecn.is_some() {
            self.demand = self.demand.saturating_sub(1);
            self.option_sent = Some(now);
        }
    }

    /// The option that fits beside `others`: all counters, or at least those that have to be there.
    pub(crate) fn choose_option(&self, others: &TcpOptions, received: &Received) -> Option<AccEcn> {
        if !self.offers_option() {
            return None;
        }
        let least = if self.demand == 0 { 1 } else { received.fields() };
        let candidates = (least..=3).rev().map(|count| option(received, count));
        candidates.into_iter().find(|option| TcpOptions { acc_ecn: Some(*option), ..others.clone() }.fits())
    }
}

impl Received {
    /// How many counters of the option it takes to tell what has arrived.
    fn fields(&self) -> usize {
        match (self.e1_bytes, self.ce_bytes, self.e0_bytes) {
            (0, 0, _) | (_, 0, 0) => 1,
            (0, ..) | (_, _, 0) => 2,
            _ => 3,
        }
    }
}
