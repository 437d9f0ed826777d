//! Reordering: some packets are held back, and those behind them overtake.

use super::{Fault, Verdict};
use crate::rng::{LabRng, Probability};
use cauce_core::time::{Duration, Instant};

/// Holds back each packet with one probability, for a fixed time.
#[derive(Clone, Debug)]
pub struct Reorder {
    probability: Probability,
    extra: Duration,
}

impl Reorder {
    /// Holds packets back for `extra` with `probability`. Only those that arrive within `extra` behind such
    /// a packet overtake it.
    pub fn new(probability: Probability, extra: Duration) -> Self {
        Reorder { probability, extra }
    }
}

impl Fault for Reorder {
    fn name(&self) -> &'static str {
        "reorder"
    }

    fn judge(&mut self, _now: Instant, _packet: &[u8], rng: &mut LabRng) -> Verdict {
        if rng.chance(self.probability) { Verdict::Delay(self.extra) } else { Verdict::Pass }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_back_its_share_for_its_time() {
        let mut rng = LabRng::new(7, 0);
        let mut reorder = Reorder::new(Probability::percent(25.0), Duration::from_millis(2));
        let held = (0..40_000)
            .filter(|_| {
                let verdict = reorder.judge(Instant::ZERO, &[], &mut rng);
                assert!(
                    matches!(verdict, Verdict::Pass) || verdict == Verdict::Delay(Duration::from_millis(2))
                );
                verdict != Verdict::Pass
            })
            .count();
        assert!((9_650..=10_350).contains(&held), "{held}");
    }
}
