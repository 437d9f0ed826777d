//! What the two sides agree on: our SYN, the answer to a peer's, and their meeting (RFC 3168 6.1.1, RFC 9768 3.1;
//! S-15, S-16, X-33, P-150, P-154).

use super::accurate::{Accurate, counting_ace, handshake_ace, option};
use super::{Mode, Received};
use crate::connection::Connection;
use crate::connection::state::State;
use crate::listen::syn_queue::{HalfOpen, HalfOpenFlags};
use crate::sysctl::Sysctls;
use cauce_wire::{AccEcn, Ecn as Mark, Flags};

/// The lowest `tcp_ecn` with accurate ECN: 3 asks for it, 4 asks for classic ECN, 5 does not ask; all accept both.
const ACCURATE: u8 = 3;
/// ACE of a SYN that asks for classic ECN.
const ASKS_CLASSIC: u8 = 0b011;
/// ACE of a SYN that asks for accurate ECN.
const ASKS_ACCURATE: u8 = 0b111;
/// SYNs, or SYN,ACKs, that ask for accurate ECN or agree to it before one goes without (RFC 9768 3.1.4).
const ACCURATE_TRIES: u8 = 2;

/// What a listener looks at beside the SYN.
pub(crate) struct Offer {
    /// The route asks for ECN.
    pub(crate) route: bool,
    /// The algorithm cannot do without.
    pub(crate) needed: bool,
}

/// What a SYN that carries `flags` and `mark` gets from a listener (S-15). A classic SYN is never ECN-capable
/// (RFC 3168 6.1.1): one that is was damaged on its way.
pub(crate) fn answer(sysctl: &Sysctls, offer: &Offer, flags: Flags, mark: Mark) -> Mode {
    let accurate = sysctl.tcp_ecn >= ACCURATE;
    let classic = offer.needed || sysctl.tcp_ecn != 0 || offer.route;
    match flags.ace() {
        0 => Mode::Off,
        ASKS_CLASSIC if offer.needed || classic && mark == Mark::NotEct => Mode::Classic,
        ASKS_CLASSIC => Mode::Off,
        // Bits that mean nothing yet ask for what is newest (RFC 9768 3.1.5).
        _ if accurate => Mode::Accurate,
        ASKS_ACCURATE if classic => Mode::Classic,
        _ => Mode::Off,
    }
}

/// The ECN bits of the SYN,ACK for a half-open record. One that is sent for the third time goes without, lest something
/// drops it for their sake (RFC 9768 3.1.4.2).
pub(crate) fn syn_ack_ace(record: &HalfOpen) -> Flags {
    if record.flags.contains(HalfOpenFlags::ECN) {
        Flags::ECE
    } else if record.flags.contains(HalfOpenFlags::ACC_ECN) && record.retransmits < ACCURATE_TRIES {
        handshake_ace(record.syn_mark)
    } else {
        Flags::NONE
    }
}

/// The option of that SYN,ACK. It is left out of those that are sent again, and by `tcp_ecn_option` 0.
pub(crate) fn syn_ack_option(record: &HalfOpen, sysctl: &Sysctls) -> Option<AccEcn> {
    let offers = record.flags.contains(HalfOpenFlags::ACC_ECN) && sysctl.tcp_ecn_option != 0;
    (offers && record.retransmits == 0).then(|| option(&Received::default(), 3))
}

/// The ECN bits of an acknowledgement that a half-open record answers a bad segment with.
pub(crate) fn challenge_ace(record: &HalfOpen) -> Flags {
    let accurate = record.flags.contains(HalfOpenFlags::ACC_ECN);
    if accurate { counting_ace(u32::from(record.syn_mark == Mark::Ce)) } else { Flags::NONE }
}

impl Connection {
    /// An active open begins: asks for what the setting, the route or the algorithm says.
    pub(crate) fn ask_for_ecn(&mut self, sysctl: &Sysctls) {
        if sysctl.tcp_ecn == ACCURATE {
            self.set_ecn(Mode::Asking);
        } else if matches!(sysctl.tcp_ecn, 1 | 4) || self.path.ecn || self.cong.needs_ecn() {
            self.set_ecn(Mode::Classic);
        }
    }

    /// What was agreed on; without ECN nothing is kept.
    fn set_ecn(&mut self, mode: Mode) {
        if mode != Mode::Off {
            self.rare_mut().ecn.get_or_insert_default().mode = mode;
        } else if let Some(rare) = &mut self.rare {
            rare.ecn = None;
            if rare.is_empty() {
                self.rare = None;
            }
        }
    }

    /// A half-open record becomes a connection, with what its two SYNs agreed on.
    pub(crate) fn adopt_ecn(&mut self, record: &HalfOpen, sysctl: &Sysctls) {
        if record.flags.contains(HalfOpenFlags::ECN) {
            self.set_ecn(Mode::Classic);
        } else if record.flags.contains(HalfOpenFlags::ACC_ECN) {
            let again = record.retransmits;
            let accurate = Accurate::accepted(sysctl.tcp_ecn_option, again > 0, again >= ACCURATE_TRIES);
            self.become_accurate(accurate, record.syn_mark == Mark::Ce);
        }
    }

    /// Accurate ECN begins; `marked` tells that the peer's SYN or SYN,ACK arrived with CE.
    fn become_accurate(&mut self, accurate: Accurate, marked: bool) {
        let ecn = self.rare_mut().ecn.get_or_insert_default();
        ecn.mode = Mode::Accurate;
        ecn.accurate = Some(accurate.into());
        ecn.received.ce += u32::from(marked);
    }

    /// The bits of our SYN, or of our SYN,ACK in a simultaneous open. A SYN that was not answered goes `again` without
    /// them, lest something on the way drops it for their sake (RFC 3168 6.1.1.1; S-16); one that asks for accurate ECN
    /// asks twice (RFC 9768 3.1.4.1).
    pub(crate) fn handshake_ecn(&self, again: bool, sysctl: &Sysctls) -> Flags {
        let gives_up = again && sysctl.tcp_ecn_fallback != 0;
        match (self.ecn_mode(), self.state) {
            (Mode::Off, _) => Flags::NONE,
            (Mode::Classic, State::SynSent) if gives_up => Flags::NONE,
            (Mode::Classic, State::SynSent) => Flags::ECE | Flags::CWR,
            (Mode::Classic, _) => Flags::ECE,
            (Mode::Asking, _) if gives_up && self.recovery.retransmits() >= ACCURATE_TRIES => Flags::NONE,
            (Mode::Asking, _) => Flags::AE | Flags::ECE | Flags::CWR,
            (Mode::Accurate, _) => {
                let mark =
                    self.ecn().and_then(|ecn| ecn.accurate.as_ref()).and_then(|accurate| accurate.answers());
                handshake_ace(mark.unwrap_or_default())
            }
        }
    }

    /// The peer's SYN has met ours under `mark`: what the two agree on.
    pub(crate) fn agree_on_ecn(
        &mut self,
        theirs: Flags,
        mark: Mark,
        option: Option<AccEcn>,
        sysctl: &Sysctls,
    ) {
        let asked = self.ecn_mode();
        if asked == Mode::Off {
            return;
        }
        let agreed = if theirs.contains(Flags::ACK) {
            answered(asked, theirs.ace())
        } else {
            crossed(asked, theirs.ace())
        };
        self.set_ecn(agreed);
        if agreed == Mode::Accurate {
            let mut accurate = Accurate::asked(sysctl.tcp_ecn_option, mark);
            if let Some(option) = &option {
                accurate.see_option(option);
            }
            let seemed_marked = theirs.contains(Flags::ACK) && accurate.check_handshake(theirs.ace());
            self.become_accurate(accurate, mark == Mark::Ce);
            if let Some(ecn) = self.ecn_mut() {
                ecn.delivered_ce += u32::from(seemed_marked);
            }
        }
    }
}

/// What a SYN,ACK means to a SYN that asked. Classic ECN is agreed to by ECE alone: all bits of our SYN reflected come
/// from a host that knows nothing of them (RFC 3168 6.1.1; X-33). Accurate ECN is agreed to by telling how our SYN
/// arrived (RFC 9768 table 2).
fn answered(asked: Mode, ace: u8) -> Mode {
    match (asked, ace) {
        (_, 0b001 | 0b101) => Mode::Classic,
        (Mode::Asking, 0b010 | 0b011 | 0b100 | 0b110) => Mode::Accurate,
        _ => Mode::Off,
    }
}

/// What a SYN that crossed ours means: both must have asked.
fn crossed(asked: Mode, ace: u8) -> Mode {
    match (asked, ace) {
        (Mode::Asking, ASKS_ACCURATE) => Mode::Accurate,
        (_, ASKS_CLASSIC | ASKS_ACCURATE) => Mode::Classic,
        _ => Mode::Off,
    }
}
