//! Explicit congestion notification (RFC 3168; S-15, S-16, X-33, P-150 to P-155).
//!
//! Decides what our SYN asks for and what the two SYNs agree on, which segments leave ECN-capable, what the ECN field
//! of an arriving packet and the bits ECE and CWR mean, and keeps the counts that TCP_INFO shows. What an echo does to
//! the window is decided by `recovery` and `congestion`. Nothing here sends, and a connection that neither uses ECN
//! nor has seen a marked packet has none of it.

use super::Connection;
use super::state::State;
use crate::batch::SendReason;
use crate::congestion::CwndEvent;
use crate::context::Context;
use crate::counters::Counter;
use crate::recovery::AckSummary;
use crate::segment_arrives::Segment;
use crate::send::segmentize::Outgoing;
use crate::sysctl::Sysctls;
use cauce_wire::{Ecn as Mark, Flags};

/// How many acknowledgements leave at once after a mark, or after a segment that lost its ECT.
const QUICK_ACKS: u8 = 2;

/// What the two sides have agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// No ECN; only the marks that arrive are counted.
    #[default]
    Off,
    /// ECN as in RFC 3168, agreed on or (in SYN-SENT) asked for.
    Classic,
}

/// The state of one connection that uses ECN or has seen marks.
#[derive(Debug, Default)]
pub(crate) struct Ecn {
    pub(crate) mode: Mode,
    /// ECN-capable text has arrived.
    pub(crate) seen: bool,
    /// A CE mark has arrived and no CWR since: every segment carries ECE.
    echoing: bool,
    /// Segments of ours that were acknowledged under an echo.
    pub(crate) delivered_ce: u32,
    /// What has arrived with marks.
    pub(crate) received: Received,
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

/// Whether a SYN that carries `flags` and `mark` gets ECN from a listener (S-15). A SYN is never ECN-capable
/// (RFC 3168 6.1.1): one that is was damaged on its way, or its sender knows more than RFC 3168 does.
pub(crate) fn accepts(sysctl: &Sysctls, route: bool, needed: bool, flags: Flags, mark: Mark) -> bool {
    let asks = flags.contains(Flags::ECE | Flags::CWR);
    let sound = mark == Mark::NotEct || flags.contains(Flags::AE);
    asks && (needed || sound && (sysctl.tcp_ecn != 0 || route))
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

    /// An active open begins: asks for ECN if the setting, the route or the algorithm says so.
    pub(crate) fn ask_for_ecn(&mut self, sysctl: &Sysctls) {
        if sysctl.tcp_ecn == 1 || self.path.ecn || self.cong.needs_ecn() {
            self.set_ecn(Mode::Classic);
        }
    }

    /// What was agreed on; without ECN nothing is kept.
    pub(crate) fn set_ecn(&mut self, mode: Mode) {
        if mode != Mode::Off {
            self.rare_mut().ecn.get_or_insert_default().mode = mode;
        } else if let Some(rare) = &mut self.rare {
            rare.ecn = None;
            if rare.is_empty() {
                self.rare = None;
            }
        }
    }

    /// The bits of our SYN, or of our SYN,ACK in a simultaneous open. A SYN that was not answered goes `again` without
    /// them, lest something on the way drops it for their sake (RFC 3168 6.1.1.1; S-16).
    pub(crate) fn handshake_ecn(&self, again: bool, sysctl: &Sysctls) -> Flags {
        match (self.ecn_mode(), self.state) {
            (Mode::Off, _) => Flags::NONE,
            (Mode::Classic, State::SynSent) if again && sysctl.tcp_ecn_fallback != 0 => Flags::NONE,
            (Mode::Classic, State::SynSent) => Flags::ECE | Flags::CWR,
            (Mode::Classic, _) => Flags::ECE,
        }
    }

    /// The peer's SYN has met ours. A SYN,ACK agrees by ECE alone: one that reflects all bits of our SYN comes from a
    /// host that knows nothing of them (RFC 3168 6.1.1; X-33). A SYN that crossed ours asks by both.
    pub(crate) fn agree_on_ecn(&mut self, theirs: Flags) {
        if self.ecn_mode() == Mode::Off {
            return;
        }
        let agreed =
            theirs.contains(Flags::ECE) && theirs.contains(Flags::CWR) != theirs.contains(Flags::ACK);
        self.set_ecn(if agreed { Mode::Classic } else { Mode::Off });
    }

    /// Whether an acknowledgement says that marks have reached the peer.
    pub(crate) fn hears_echo(&self, segment: &Segment) -> bool {
        segment.has(Flags::ECE) && !segment.has(Flags::SYN) && self.ecn_mode() == Mode::Classic
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
        if segment.ecn == Mark::NotEct {
            return;
        }
        let ecn = self.rare_mut().ecn.get_or_insert_default();
        ecn.received.count(segment.ecn, segment.segments, segment.len);
    }

    /// Text has arrived under `mark`. CE is echoed from now on, and soon: the peer's window may be down to one segment.
    /// Text without ECT on a connection that has seen some was probably sent again (Linux).
    pub(crate) fn heed_mark(&mut self, mark: Mark, cx: &Context<'_>) {
        let needed = self.cong.needs_ecn();
        let Some(ecn) = self.ecn_mut() else { return };
        let seen = ecn.seen;
        ecn.seen |= mark != Mark::NotEct;
        if ecn.mode != Mode::Classic {
            return;
        }
        let hurry = match mark {
            Mark::NotEct => seen,
            Mark::Ce => !core::mem::replace(&mut ecn.echoing, true),
            Mark::Ect0 | Mark::Ect1 => false,
        };
        if needed && mark != Mark::NotEct {
            let event = if mark == Mark::Ce { CwndEvent::EcnIsCe } else { CwndEvent::EcnNoCe };
            let view = self.view(cx.now);
            self.cong.event(event, &view);
        }
        if hurry {
            self.recv.enter_quick_ack(QUICK_ACKS);
        }
    }

    /// Gives a segment its mark and its ECN bits: new text is ECN-capable, and the first of it after a reduction says
    /// CWR; what is sent again, probes and bare acknowledgements are not (RFC 3168 6.1.4 to 6.1.6; P-151), unless the
    /// algorithm needs every packet to be.
    pub(crate) fn mark_outgoing(&mut self, segment: &Outgoing, flags: &mut Flags) -> Mark {
        let Some(ecn) = self.ecn().filter(|ecn| ecn.mode == Mode::Classic) else { return Mark::NotEct };
        let by_algorithm = if self.cong.needs_ecn() { Mark::Ect0 } else { Mark::NotEct };
        if flags.contains(Flags::SYN) {
            return by_algorithm;
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

    /// Takes to the books what an acknowledgement has delivered under an echo.
    pub(crate) fn count_congestion(&mut self, summary: &AckSummary, cx: &mut Context<'_>) {
        if !summary.ece {
            return;
        }
        cx.count_by(Counter::TCPDeliveredCE, u64::from(summary.delivered));
        if let Some(ecn) = self.ecn_mut() {
            ecn.delivered_ce = ecn.delivered_ce.wrapping_add(summary.delivered);
        }
    }
}
