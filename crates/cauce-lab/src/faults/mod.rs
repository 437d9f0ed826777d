//! What a path does to packets beside carrying them.
//!
//! A [`Fault`] passes a [`Verdict`] on each packet. Faults are composed in the order in which they were
//! added: what one lets pass goes on to the next, a copy made by one passes the ones behind it on its own,
//! delays add up, a drop ends the matter. Each fault draws from its own random stream, counts what it did,
//! and can heal at a given moment, after which the path is clean. Faults never read a clock: they are told
//! the time, virtual or real.

mod corruption;
mod duplication;
mod gilbert_elliott;
mod jitter;
mod loss;
mod marking;
mod options;
mod outage;
mod reorder;

pub use corruption::Corruption;
pub use duplication::Duplication;
pub use gilbert_elliott::GilbertElliott;
pub use jitter::Jitter;
pub use loss::Loss;
pub use marking::Marking;
pub use options::FaultOptions;
pub use outage::Outage;
pub use reorder::Reorder;

use crate::rng::LabRng;
use bytes::Bytes;
use cauce_core::time::{Duration, Instant};
use std::fmt;

/// What becomes of one packet at one fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on unharmed.
    Pass,
    /// It is lost.
    Drop,
    /// It goes on later.
    Delay(Duration),
    /// It goes on, and a copy of it too.
    Duplicate,
    /// It goes on with this bit inverted, counted from the first byte's most significant bit.
    FlipBit(usize),
    /// It goes on with a congestion mark (CE).
    Mark,
}

/// A rule that judges packets one after another.
pub trait Fault: Send + fmt::Debug {
    /// A name for reports and logs.
    fn name(&self) -> &'static str;

    /// Judges the packet that enters the path at `now`.
    fn judge(&mut self, now: Instant, packet: &[u8], rng: &mut LabRng) -> Verdict;
}

/// What one fault has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Packets judged.
    pub judged: u64,
    /// Packets lost.
    pub dropped: u64,
    /// Packets held back.
    pub delayed: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Packets with a bit inverted.
    pub corrupted: u64,
    /// Packets that got a congestion mark.
    pub marked: u64,
}

impl FaultCounts {
    fn count(&mut self, verdict: Verdict) {
        self.judged += 1;
        match verdict {
            Verdict::Pass => {}
            Verdict::Drop => self.dropped += 1,
            Verdict::Delay(_) => self.delayed += 1,
            Verdict::Duplicate => self.duplicated += 1,
            Verdict::FlipBit(_) => self.corrupted += 1,
            Verdict::Mark => self.marked += 1,
        }
    }

    /// The counts of two faults together.
    pub fn plus(self, other: FaultCounts) -> FaultCounts {
        FaultCounts {
            judged: self.judged + other.judged,
            dropped: self.dropped + other.dropped,
            delayed: self.delayed + other.delayed,
            duplicated: self.duplicated + other.duplicated,
            corrupted: self.corrupted + other.corrupted,
            marked: self.marked + other.marked,
        }
    }
}

/// Most copies of one packet that leave a chain of faults, whatever its duplications say.
pub const MAX_COPIES: usize = 8;

/// A packet that left the faults, and how much later than without them.
#[derive(Clone, Debug)]
pub struct Survivor {
    /// The packet, perhaps corrupted.
    pub packet: Bytes,
    /// Delay added by the faults.
    pub extra: Duration,
}

/// The faults of one direction of a link, in order.
#[derive(Debug, Default)]
pub struct Faults {
    chain: Vec<Entry>,
    heals_at: Option<Instant>,
    seed: u64,
}

#[derive(Debug)]
struct Entry {
    fault: Box<dyn Fault>,
    rng: LabRng,
    counts: FaultCounts,
}

impl Faults {
    /// No faults yet; those added draw from streams of `seed`.
    pub fn new(seed: u64) -> Self {
        Faults { chain: Vec::new(), heals_at: None, seed }
    }

    /// Adds a fault behind the others.
    pub fn push(&mut self, fault: Box<dyn Fault>) {
        let rng = LabRng::new(self.seed, self.chain.len() as u64);
        self.chain.push(Entry { fault, rng, counts: FaultCounts::default() });
    }

    /// From `moment` on every packet passes unharmed.
    pub fn heal_at(&mut self, moment: Instant) {
        self.heals_at = Some(moment);
    }

    /// What each fault has done, in order.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, FaultCounts)> {
        self.chain.iter().map(|entry| (entry.fault.name(), entry.counts))
    }

    /// Appends to `survivors` what becomes of a packet that enters the path at `now`: nothing, itself, or
    /// several copies. Returns the name of the fault that lost the packet, if one did and no copy survived.
    pub fn apply(
        &mut self,
        now: Instant,
        packet: Bytes,
        survivors: &mut Vec<Survivor>,
    ) -> Option<&'static str> {
        let before = survivors.len();
        survivors.push(Survivor { packet, extra: Duration::ZERO });
        if self.heals_at.is_some_and(|healed| now >= healed) {
            return None;
        }
        let mut lost_to = None;
        for entry in &mut self.chain {
            let mut index = before;
            let end = survivors.len();
            let mut copies = Vec::new();
            for _ in before..end {
                match entry.judge(now, survivors, index) {
                    Verdict::Drop => {
                        lost_to = Some(entry.fault.name());
                        survivors.remove(index);
                        continue;
                    }
                    Verdict::Duplicate => copies.extend(survivors.get(index).cloned()),
                    _ => {}
                }
                index += 1;
            }
            copies.truncate(MAX_COPIES.saturating_sub(survivors.len() - before));
            survivors.extend(copies);
        }
        if survivors.len() == before { lost_to } else { None }
    }
}

impl Entry {
    /// Judges one survivor and does to it in place what can be done in place.
    fn judge(&mut self, now: Instant, survivors: &mut [Survivor], index: usize) -> Verdict {
        let Some(survivor) = survivors.get_mut(index) else { return Verdict::Pass };
        let verdict = self.fault.judge(now, &survivor.packet, &mut self.rng);
        self.counts.count(verdict);
        match verdict {
            Verdict::Delay(extra) => survivor.extra += extra,
            Verdict::FlipBit(bit) => survivor.packet = flip_bit(&survivor.packet, bit),
            Verdict::Mark => survivor.packet = marking::mark(&survivor.packet),
            Verdict::Pass | Verdict::Drop | Verdict::Duplicate => {}
        }
        verdict
    }
}

/// The packet with one bit inverted. A bit behind its end changes nothing.
fn flip_bit(packet: &Bytes, bit: usize) -> Bytes {
    let mut copy = packet.to_vec();
    if let Some(byte) = copy.get_mut(bit / 8) {
        *byte ^= 0x80 >> (bit % 8);
    }
    copy.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Probability;

    fn run(faults: &mut Faults, packets: usize) -> Vec<Survivor> {
        let mut out = Vec::new();
        for number in 0..packets {
            let packet = Bytes::from((number as u32).to_be_bytes().to_vec());
            faults.apply(Instant::from_millis(number as u64), packet, &mut out);
        }
        out
    }

    #[test]
    fn copies_pass_the_faults_behind_on_their_own() {
        let mut faults = Faults::new(3);
        faults.push(Box::new(Duplication::new(Probability::ALWAYS)));
        faults.push(Box::new(Loss::new(Probability::new(0.5))));
        let survivors = run(&mut faults, 1_000);
        let counts: Vec<_> = faults.counts().collect();
        assert_eq!(
            counts[0],
            ("duplication", FaultCounts { judged: 1_000, duplicated: 1_000, ..FaultCounts::default() })
        );
        assert_eq!(counts[1].1.judged, 2_000);
        assert_eq!(survivors.len() as u64, 2_000 - counts[1].1.dropped);
        assert!((900..1_100).contains(&survivors.len()));
    }

    #[test]
    fn a_drop_hides_the_packet_from_later_faults() {
        let mut faults = Faults::new(3);
        faults.push(Box::new(Loss::new(Probability::ALWAYS)));
        faults.push(Box::new(Corruption::new(Probability::ALWAYS)));
        let mut out = Vec::new();
        assert_eq!(faults.apply(Instant::ZERO, Bytes::from_static(b"x"), &mut out), Some("loss"));
        assert!(out.is_empty());
        assert_eq!(faults.counts().nth(1).unwrap().1.judged, 0);
    }

    #[test]
    fn copies_are_bounded() {
        let mut faults = Faults::new(3);
        (0..10).for_each(|_| faults.push(Box::new(Duplication::new(Probability::ALWAYS))));
        assert_eq!(run(&mut faults, 1).len(), MAX_COPIES);
    }

    #[test]
    fn delays_add_up() {
        let mut faults = Faults::new(3);
        faults.push(Box::new(Reorder::new(Probability::ALWAYS, Duration::from_millis(3))));
        faults.push(Box::new(Reorder::new(Probability::ALWAYS, Duration::from_millis(4))));
        assert_eq!(run(&mut faults, 1)[0].extra, Duration::from_millis(7));
    }

    #[test]
    fn healing_is_exact() {
        let mut faults = Faults::new(3);
        faults.push(Box::new(Loss::new(Probability::ALWAYS)));
        faults.heal_at(Instant::from_millis(60));
        let survivors = run(&mut faults, 100);
        assert_eq!(survivors.len(), 40);
        assert_eq!(survivors[0].packet.as_ref(), 60u32.to_be_bytes());
        assert_eq!(faults.counts().next().unwrap().1.judged, 60);
    }

    #[test]
    fn a_later_fault_does_not_change_what_an_earlier_one_draws() {
        let lost = |with_more: bool| {
            let mut faults = Faults::new(11);
            faults.push(Box::new(Loss::new(Probability::new(0.3))));
            if with_more {
                faults.push(Box::new(Jitter::new(Duration::from_millis(1))));
            }
            run(&mut faults, 500).into_iter().map(|s| s.packet).collect::<Vec<_>>()
        };
        assert_eq!(lost(false), lost(true));
    }
}
