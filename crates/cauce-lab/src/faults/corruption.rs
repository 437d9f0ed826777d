//! Corruption: a single bit of some packets is inverted, anywhere in headers or payload.

use super::{Fault, Verdict};
use crate::rng::{LabRng, Probability};
use cauce_core::rng::Rng;
use cauce_core::time::Instant;

/// Inverts one bit of each packet with one probability.
#[derive(Clone, Debug)]
pub struct Corruption {
    probability: Probability,
}

impl Corruption {
    /// Corrupts packets with `probability`; every bit is as likely as any other.
    pub fn new(probability: Probability) -> Self {
        Corruption { probability }
    }
}

impl Fault for Corruption {
    fn name(&self) -> &'static str {
        "corruption"
    }

    fn judge(&mut self, _now: Instant, packet: &[u8], rng: &mut LabRng) -> Verdict {
        let hit = rng.chance(self.probability);
        let bit = rng.below(packet.len() as u64 * 8) as usize;
        if hit && !packet.is_empty() { Verdict::FlipBit(bit) } else { Verdict::Pass }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Faults;
    use super::*;
    use bytes::Bytes;

    #[test]
    fn inverts_exactly_one_bit_and_reaches_all() {
        let mut faults = Faults::new(9);
        faults.push(Box::new(Corruption::new(Probability::ALWAYS)));
        let original = Bytes::from(vec![0x5au8; 4]);
        let mut out = Vec::new();
        for _ in 0..2_000 {
            faults.apply(Instant::ZERO, original.clone(), &mut out);
        }
        let mut hits = [0u32; 32];
        for survivor in &out {
            let difference = u32::from_be_bytes(survivor.packet.as_ref().try_into().unwrap()) ^ 0x5a5a_5a5a;
            assert_eq!(difference.count_ones(), 1);
            hits[difference.leading_zeros() as usize] += 1;
        }
        assert!(hits.iter().all(|hits| (30..=95).contains(hits)), "{hits:?}");
        assert_eq!(original.as_ref(), [0x5a; 4]);
    }

    #[test]
    fn an_empty_packet_has_no_bit() {
        let mut rng = LabRng::new(1, 0);
        let mut corruption = Corruption::new(Probability::ALWAYS);
        assert_eq!(corruption.judge(Instant::ZERO, &[], &mut rng), Verdict::Pass);
    }
}
