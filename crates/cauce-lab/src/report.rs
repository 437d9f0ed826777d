//! Which situations the worlds reached: proof that random tests go where TCP is difficult.
//!
//! Situations are read from counters under their Linux names and, where Linux has no counter, from the wire.

use crate::watch::Watch;
use cauce_core::counters::{Counter, Counters};
use std::fmt;

/// A situation that a world can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Situation {
    /// A retransmission time-out.
    Rto,
    /// A segment sent again by fast retransmit.
    FastRetransmit,
    /// A tail-loss probe.
    TailLossProbe,
    /// A receive window of zero.
    ZeroWindow,
    /// FINs that crossed.
    SimultaneousClose,
    /// Segments that arrived out of order and waited for the gap to be filled.
    Reassembly,
    /// SYNs that crossed.
    SimultaneousOpen,
    /// A SYN or SYN,ACK sent again.
    HandshakeRetransmit,
    /// A probe of a zero window.
    WindowProbe,
    /// A D-SACK that told of a duplicate.
    DuplicateSack,
    /// A recovery that proved needless and was undone.
    Undo,
    /// A connection that was reset.
    Reset,
    /// A connection that was given up after too many tries.
    GiveUp,
    /// A segment whose checksum was wrong.
    BadChecksum,
    /// A challenge ACK.
    ChallengeAck,
    /// A delivery of which the peer told that it was marked (ECN).
    MarkedDelivery,
    /// A connection that its SYN has opened (Fast Open).
    FastOpen,
    /// A probe of the path MTU that arrived or was lost.
    PathProbe,
}

impl Situation {
    /// All situations; the first six are those that every large run has to reach in 1 % of its worlds.
    pub const ALL: [Situation; 18] = [
        Situation::Rto,
        Situation::FastRetransmit,
        Situation::TailLossProbe,
        Situation::ZeroWindow,
        Situation::SimultaneousClose,
        Situation::Reassembly,
        Situation::SimultaneousOpen,
        Situation::HandshakeRetransmit,
        Situation::WindowProbe,
        Situation::DuplicateSack,
        Situation::Undo,
        Situation::Reset,
        Situation::GiveUp,
        Situation::BadChecksum,
        Situation::ChallengeAck,
        Situation::MarkedDelivery,
        Situation::FastOpen,
        Situation::PathProbe,
    ];

    /// Those that every large run has to reach in 1 % of its worlds.
    pub const REQUIRED: [Situation; 6] = [
        Situation::Rto,
        Situation::FastRetransmit,
        Situation::TailLossProbe,
        Situation::ZeroWindow,
        Situation::SimultaneousClose,
        Situation::Reassembly,
    ];

    /// The counters that tell of it; empty for what only the wire shows.
    fn counters(self) -> &'static [Counter] {
        match self {
            Situation::Rto => &[Counter::TCPTimeouts],
            Situation::FastRetransmit => &[Counter::TCPFastRetrans],
            Situation::TailLossProbe => &[Counter::TCPLossProbes],
            Situation::ZeroWindow => &[Counter::TCPToZeroWindowAdv],
            Situation::SimultaneousClose | Situation::SimultaneousOpen => &[],
            Situation::Reassembly => &[Counter::TCPOFOQueue],
            Situation::HandshakeRetransmit => &[Counter::TCPSynRetrans],
            Situation::WindowProbe => &[Counter::TCPWinProbe],
            Situation::DuplicateSack => &[Counter::TCPDSACKRecv, Counter::TCPDSACKOfoRecv],
            Situation::Undo => {
                &[Counter::TCPFullUndo, Counter::TCPPartialUndo, Counter::TCPDSACKUndo, Counter::TCPLossUndo]
            }
            Situation::Reset => &[Counter::EstabResets],
            Situation::GiveUp => &[Counter::TCPAbortOnTimeout],
            Situation::BadChecksum => &[Counter::InCsumErrors],
            Situation::ChallengeAck => &[Counter::TCPChallengeACK],
            Situation::MarkedDelivery => &[Counter::TCPDeliveredCE],
            Situation::FastOpen => &[Counter::TCPFastOpenPassive],
            Situation::PathProbe => &[Counter::TCPMTUPSuccess, Counter::TCPMTUPFail],
        }
    }

    /// How reports call it.
    pub const fn name(self) -> &'static str {
        match self {
            Situation::Rto => "RTO",
            Situation::FastRetransmit => "fast retransmit",
            Situation::TailLossProbe => "tail-loss probe",
            Situation::ZeroWindow => "zero window",
            Situation::SimultaneousClose => "simultaneous close",
            Situation::Reassembly => "reassembly",
            Situation::SimultaneousOpen => "simultaneous open",
            Situation::HandshakeRetransmit => "handshake retransmit",
            Situation::WindowProbe => "window probe",
            Situation::DuplicateSack => "D-SACK received",
            Situation::Undo => "undo",
            Situation::Reset => "reset",
            Situation::GiveUp => "give-up",
            Situation::BadChecksum => "bad checksum",
            Situation::ChallengeAck => "challenge ACK",
            Situation::MarkedDelivery => "marked delivery",
            Situation::FastOpen => "Fast Open",
            Situation::PathProbe => "path-MTU probe",
        }
    }
}

/// The situations that one world reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached(u32);

impl Reached {
    /// Reads the counters of all stacks of a world and what was seen on its wire.
    pub fn read<'a>(stacks: impl IntoIterator<Item = &'a Counters>, watch: &Watch) -> Self {
        let mut reached = Reached::default();
        for counters in stacks {
            for situation in Situation::ALL {
                if situation.counters().iter().any(|counter| counters.get(*counter) > 0) {
                    reached.insert(situation);
                }
            }
        }
        if watch.simultaneous_closes() > 0 {
            reached.insert(Situation::SimultaneousClose);
        }
        if watch.simultaneous_opens() > 0 {
            reached.insert(Situation::SimultaneousOpen);
        }
        reached
    }

    /// Adds a situation.
    pub fn insert(&mut self, situation: Situation) {
        self.0 |= 1 << situation as u8;
    }

    /// True when the situation was reached.
    pub fn contains(self, situation: Situation) -> bool {
        self.0 & (1 << situation as u8) != 0
    }
}

/// How many of many worlds reached each situation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    worlds: u64,
    reached: [u64; Situation::ALL.len()],
}

impl Report {
    /// Counts one world.
    pub fn add(&mut self, reached: Reached) {
        self.worlds += 1;
        for (situation, count) in Situation::ALL.into_iter().zip(&mut self.reached) {
            *count += u64::from(reached.contains(situation));
        }
    }

    /// Adds the worlds of another report.
    pub fn merge(&mut self, other: &Report) {
        self.worlds += other.worlds;
        self.reached.iter_mut().zip(other.reached).for_each(|(count, more)| *count += more);
    }

    /// Worlds counted.
    pub fn worlds(&self) -> u64 {
        self.worlds
    }

    /// Worlds that reached a situation.
    pub fn reached(&self, situation: Situation) -> u64 {
        self.reached[situation as usize]
    }

    /// The required situations that fewer than `percent` in a hundred worlds reached.
    pub fn missed(&self, percent: u64) -> Vec<Situation> {
        let too_few = |situation: &Situation| self.reached(*situation) * 100 < self.worlds * percent;
        Situation::REQUIRED.into_iter().filter(too_few).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} worlds, of which reached", self.worlds)?;
        for situation in Situation::ALL {
            let count = self.reached(situation);
            let percent = count as f64 * 100.0 / self.worlds.max(1) as f64;
            writeln!(f, "  {:<22}{count:>9}{percent:>8.2} %", situation.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_every_situation_at_its_own_index() {
        for (index, situation) in Situation::ALL.into_iter().enumerate() {
            assert_eq!(situation as usize, index);
        }
        assert_eq!(Situation::ALL[..6], Situation::REQUIRED);
    }

    #[test]
    fn counts_worlds_and_names_what_is_missing() {
        let mut counters = Counters::default();
        counters.add(Counter::TCPTimeouts, 3);
        counters.add(Counter::TCPOFOQueue, 1);
        let reached = Reached::read([&counters], &Watch::new());
        assert!(reached.contains(Situation::Rto) && !reached.contains(Situation::GiveUp));
        let mut report = Report::default();
        report.add(reached);
        (0..99).for_each(|_| report.add(Reached::default()));
        let mut twice = report;
        twice.merge(&report);
        assert_eq!((twice.worlds(), twice.reached(Situation::Rto)), (200, 2));
        let missed = twice.missed(1);
        assert!(!missed.contains(&Situation::Rto) && missed.contains(&Situation::ZeroWindow));
        assert_eq!(missed.len(), 4);
        assert!(twice.to_string().contains("RTO                           2    1.00 %"), "{twice}");
    }
}
