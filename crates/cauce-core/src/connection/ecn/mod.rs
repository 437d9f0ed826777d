//! Explicit congestion notification (RFC 3168, RFC 9768; S-15, S-16, X-33, P-150 to P-155).
//!
//! Decides which segments leave ECN-capable, what the ECN field of an arriving packet and the bits AE, CWR and ECE of
//! its header mean, and keeps the counts that TCP_INFO shows; `negotiation` decides what the two sides agree on,
//! `accurate` how accurate ECN counts. What an echo does to the window is decided by `recovery` and `congestion`.
//! Nothing here sends, and a connection that neither uses ECN nor has seen a marked packet has none of it.

mod accurate;
mod negotiation;

pub(crate) use negotiation::{Offer, answer, challenge_ace, syn_ack_ace, syn_ack_option};

use super::Connection;
use crate::batch::SendReason;
use crate::congestion::CwndEvent;
use crate::context::Context;
use crate::counters::Counter;
use crate::recovery::{AckSummary, Echo};
use crate::segment_arrives::Segment;
use crate::send::segmentize::Outgoing;
use accurate::Accurate;
use alloc::boxed::Box;
use cauce_wire::{Ecn as Mark, Flags, SackBlock, TcpOptions, Timestamps};

/// How many acknowledgements leave at once after a mark, or after a segment that lost its ECT.
const QUICK_ACKS: u8 = 2;
/// The bits of a header that are ECN's.
const BITS: Flags = Flags::from_ace(7);

/// What the two sides have agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// No ECN; only the marks that arrive are counted.
    #[default]
    Off,
    /// ECN as in RFC 3168, agreed on or (in SYN-SENT) asked for.
    Classic,
    /// Accurate ECN, asked for.
    Asking,
    /// Accurate ECN (RFC 9768).
    Accurate,
}

/// The state of one connection that uses ECN or has seen marks.
#[derive(Debug, Default)]
pub(crate) struct Ecn {
    pub(crate) mode: Mode,
    /// ECN-capable text has arrived.
    pub(crate) seen: bool,
    /// A CE mark has arrived and no CWR since: every segment carries ECE.
    echoing: bool,
    /// Segments of ours that were delivered with a mark, as far as the peer has told.
    pub(crate) delivered_ce: u32,
    /// What has arrived with marks.
    pub(crate) received: Received,
    /// What only accurate ECN has; there in that mode.
    pub(crate) accurate: Option<Box<Accurate>>,
}

/// Arrivals by their mark.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Received {
    /// Packets with CE, those without text too.
    pub(crate) ce: u32,
    /// Bytes of text with ECT(1).
    pub(crate) e1_bytes: u32,
    /// Bytes of text with ECT(0).
    pub(crate) e0_bytes: u32,
    /// Bytes of text with CE.
    pub(crate) ce_bytes: u32,
}

impl Received {
    fn count(&mut self, mark: Mark, segments: u16, len: u32) {
        let bytes = match mark {
            Mark::NotEct => return,
            Mark::Ect1 => &mut self.e1_bytes,
            Mark::Ect0 => &mut self.e0_bytes,
            Mark::Ce => {
                self.ce = self.ce.wrapping_add(u32::from(segments));
                &mut self.ce_bytes
            }
        };
        *bytes = bytes.wrapping_add(len);
    }
}

impl Connection {
    pub(crate) fn ecn(&self) -> Option<&Ecn> {
        self.rare.as_ref().and_then(|rare| rare.ecn.as_deref())
    }

    fn ecn_mut(&mut self) -> Option<&mut Ecn> {
        self.rare.as_mut().and_then(|rare| rare.ecn.as_deref_mut())
    }

    fn ecn_mode(&self) -> Mode {
        self.ecn().map_or(Mode::Off, |ecn| ecn.mode)
    }

    /// The bits that every segment may carry without being unusual: those of a counter.
    pub(crate) fn usual_ecn_bits(&self) -> Flags {
        if self.rare.is_some() && self.ecn_mode() == Mode::Accurate { BITS } else { Flags::NONE }
    }

    /// What an acknowledgement says of marks that have reached the peer.
    pub(crate) fn hear_echo(&mut self, segment: &Segment) -> Echo {
        let progress = segment.ack > self.snd.una || !segment.header.options.sack.is_empty();
        let (ace, mss) = (segment.flags().ace(), u32::from(self.mss));
        // The SYN was not ECN-capable.
        let sent = self.stats.segs_out.saturating_sub(1);
        let Some(ecn) = self.ecn_mut().filter(|_| !segment.has(Flags::SYN)) else { return Echo::None };
        let accurate = match (ecn.mode, ecn.accurate.as_deref_mut()) {
            (Mode::Classic, _) if segment.has(Flags::ECE) => return Echo::Classic,
            (Mode::Accurate, Some(accurate)) => accurate,
            _ => return Echo::None,
        };
        let option = segment.header.options.acc_ecn;
        if let Some(option) = &option {
            accurate.see_option(option);
        }
        if let Some(marked) = accurate.first_ace(ace, sent) {
            ecn.delivered_ce += u32::from(marked);
            return Echo::None;
        }
        if !progress || !accurate.is_heard() {
            return Echo::None;
        }
        Echo::Accurate(accurate.report(ace, option, ecn.delivered_ce, mss))
    }

    /// Takes to the books what an acknowledgement has delivered with marks.
    pub(crate) fn count_congestion(&mut self, summary: &AckSummary, cx: &mut Context<'_>) {
        let Some(ecn) = self.ecn_mut() else { return };
        ecn.delivered_ce = ecn.delivered_ce.wrapping_add(summary.newly_marked);
        if let Some(accurate) = &mut ecn.accurate {
            accurate.covered(summary.delivered);
        }
        cx.count_by(Counter::TCPDeliveredCE, u64::from(summary.newly_marked));
    }

    /// The peer has reduced his window: the echo has done its work (RFC 3168 6.1.3). A window that small may wait for
    /// this very acknowledgement.
    pub(crate) fn heed_cwr(&mut self, segment: &Segment) {
        if !segment.has(Flags::CWR) || self.ecn_mode() != Mode::Classic {
            return;
        }
        if let Some(ecn) = self.ecn_mut() {
            ecn.echoing = false;
        }
        if segment.sequence_len() > 0 {
            self.recv.ack_now();
        }
    }

    /// Counts an acceptable segment by its mark.
    pub(crate) fn count_mark(&mut self, segment: &Segment) {
        if segment.ecn == Mark::NotEct && self.rare.is_none() {
            return;
        }
        let (mark, segments, text) = (segment.ecn, segment.segments, segment.len > 0);
        if mark != Mark::NotEct {
            self.rare_mut().ecn.get_or_insert_default().received.count(mark, segments, segment.len);
        }
        let Some(ecn) = self.ecn_mut() else { return };
        let Some(accurate) = &mut ecn.accurate else { return };
        ecn.seen |= mark != Mark::NotEct;
        if accurate.arrived(mark, segments, text) {
            self.recv.ack_now();
            if !text {
                self.want(super::pending::ACK);
            }
        }
    }

    /// Text has arrived under `mark`. CE is echoed from now on, and soon: the peer's window may be down to one segment.
    /// Text without ECT on a connection that has seen some was probably sent again (Linux).
    pub(crate) fn heed_mark(&mut self, mark: Mark, cx: &Context<'_>) {
        let needed = self.cong.needs_ecn();
        let Some(ecn) = self.ecn_mut() else { return };
        let seen = ecn.seen;
        ecn.seen |= mark != Mark::NotEct;
        if ecn.mode == Mode::Off {
            return;
        }
        let hurry = match mark {
            Mark::NotEct => seen,
            Mark::Ce => ecn.mode == Mode::Classic && !core::mem::replace(&mut ecn.echoing, true),
            Mark::Ect0 | Mark::Ect1 => false,
        };
        if needed && mark != Mark::NotEct {
            let event = if mark == Mark::Ce { CwndEvent::EcnIsCe } else { CwndEvent::EcnNoCe };
            let view = self.view(cx);
            self.cong.event(event, &view);
        }
        if hurry {
            self.recv.enter_quick_ack(QUICK_ACKS);
        }
    }

    /// Gives a segment its mark and its ECN bits. Classic: new text is ECN-capable, and the first of it after a
    /// reduction says CWR; what is sent again, probes and bare acknowledgements are not (RFC 3168 6.1.4 to 6.1.6;
    /// P-151), unless the algorithm needs every packet to be. Accurate: everything but SYNs is (Linux), and bears the
    /// counter.
    pub(crate) fn mark_outgoing(&mut self, segment: &Outgoing, flags: &mut Flags) -> Mark {
        let by_algorithm = if self.cong.needs_ecn() { Mark::Ect0 } else { Mark::NotEct };
        let syn = flags.contains(Flags::SYN);
        let Some(ecn) = self.ecn_mut().filter(|ecn| ecn.mode != Mode::Off) else { return Mark::NotEct };
        if syn {
            return by_algorithm;
        }
        if let Some(accurate) = &mut ecn.accurate {
            *flags |= accurate.ace(&ecn.received);
            accurate.told();
            return if accurate.ect_off { Mark::NotEct } else { Mark::Ect0 };
        }
        if ecn.echoing {
            *flags |= Flags::ECE;
        }
        let beyond_window = segment.reason == SendReason::WindowProbe && self.window_room() == 0;
        if segment.len == 0 || segment.seq < self.snd.nxt || beyond_window {
            return by_algorithm;
        }
        if self.cong.take_cwr() {
            *flags |= Flags::CWR;
        }
        Mark::Ect0
    }

    /// Something is about to leave: the option of accurate ECN may be due again. It is asked before the lengths of
    /// segments are, which the option shortens.
    pub(crate) fn remind_of_ecn(&mut self, cx: &Context<'_>) {
        if self.rare.is_none() {
            return;
        }
        let (srtt_us, beacon) = (self.recovery.srtt_us(), cx.sysctl.tcp_ecn_option_beacon);
        if let Some(accurate) = self.ecn_mut().and_then(|ecn| ecn.accurate.as_mut()) {
            accurate.remind(cx.now, srtt_us, beacon);
        }
    }

    /// Adds the option of accurate ECN to a segment's others, where there is room for it.
    pub(crate) fn add_ecn_option(&mut self, options: &mut TcpOptions, cx: &Context<'_>) {
        let Some(ecn) = self.ecn_mut() else { return };
        if let Some(accurate) = &mut ecn.accurate {
            accurate.add_option(options, &ecn.received, cx.now);
        }
    }

    /// Bytes of options that accurate ECN takes of a segment that has `blocks` SACK blocks.
    pub(crate) fn ecn_space(&self, blocks: usize) -> u16 {
        let Some(ecn) = self.ecn() else { return 0 };
        let Some(accurate) = &ecn.accurate else { return 0 };
        let others = TcpOptions {
            timestamps: self.negotiated.timestamps.then(Timestamps::default),
            sack: (0..blocks.min(4)).map(|_| SackBlock::default()).collect(),
            ..TcpOptions::default()
        };
        let acc_ecn = accurate.choose_option(&others, &ecn.received);
        let without = others.wire_len();
        (TcpOptions { acc_ecn, ..others }.wire_len() - without) as u16
    }

    /// Whether segments may leave as one that a device cuts: cutting keeps CWR on the first one, and would falsify a
    /// counter of which it is a part.
    pub(crate) fn may_join_segments(&self) -> bool {
        let Some(ecn) = self.ecn() else { return true };
        ecn.accurate.as_ref().is_none_or(|accurate| !accurate.ace(&ecn.received).contains(Flags::CWR))
    }
}
