//! Independent loss: each packet is lost with the same probability.

use super::{Fault, Verdict};
use crate::rng::{LabRng, Probability};
use cauce_core::time::Instant;

/// Loses each packet with one probability, whatever happened to the others.
#[derive(Clone, Debug)]
pub struct Loss {
    probability: Probability,
}

impl Loss {
    /// Loses packets with `probability`.
    pub fn new(probability: Probability) -> Self {
        Loss { probability }
    }
}

impl Fault for Loss {
    fn name(&self) -> &'static str {
        "loss"
    }

    fn judge(&mut self, _now: Instant, _packet: &[u8], rng: &mut LabRng) -> Verdict {
        if rng.chance(self.probability) { Verdict::Drop } else { Verdict::Pass }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loses_its_share() {
        let mut rng = LabRng::new(5, 0);
        let mut loss = Loss::new(Probability::percent(10.0));
        let lost = (0..100_000).filter(|_| loss.judge(Instant::ZERO, &[], &mut rng) == Verdict::Drop).count();
        // Four standard deviations of a binomial distribution around 10,000.
        assert!((9_621..=10_379).contains(&lost), "{lost}");
    }
}
