//! Duplication: some packets arrive twice.

use super::{Fault, Verdict};
use crate::rng::{LabRng, Probability};
use cauce_core::time::Instant;

/// Doubles each packet with one probability. The copy follows at the same moment, behind the original,
/// unless a later fault moves it.
#[derive(Clone, Debug)]
pub struct Duplication {
    probability: Probability,
}

impl Duplication {
    /// Doubles packets with `probability`.
    pub fn new(probability: Probability) -> Self {
        Duplication { probability }
    }
}

impl Fault for Duplication {
    fn name(&self) -> &'static str {
        "duplication"
    }

    fn judge(&mut self, _now: Instant, _packet: &[u8], rng: &mut LabRng) -> Verdict {
        if rng.chance(self.probability) { Verdict::Duplicate } else { Verdict::Pass }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_its_share() {
        let mut rng = LabRng::new(8, 0);
        let mut duplication = Duplication::new(Probability::percent(3.0));
        let doubled = (0..100_000)
            .filter(|_| duplication.judge(Instant::ZERO, &[], &mut rng) == Verdict::Duplicate)
            .count();
        assert!((2_784..=3_216).contains(&doubled), "{doubled}");
    }
}
