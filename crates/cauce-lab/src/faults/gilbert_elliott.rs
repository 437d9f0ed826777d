//! Loss in bursts: the Gilbert-Elliott model.
//!
//! A hidden state is good or bad. Before each packet it may change; then the packet is lost with the
//! probability of the state. Bursts of packets spend `1 / to_good` packets in the bad state on average.

use super::{Fault, Verdict};
use crate::rng::{LabRng, Probability};
use cauce_core::time::Instant;

/// Loses packets in bursts.
#[derive(Clone, Debug)]
pub struct GilbertElliott {
    to_bad: Probability,
    to_good: Probability,
    loss_in_good: Probability,
    loss_in_bad: Probability,
    bad: bool,
}

impl GilbertElliott {
    /// The simple Gilbert model: all is well in the good state, all is lost in the bad one. `to_bad` and
    /// `to_good` are the chances to change the state before each packet.
    pub fn new(to_bad: Probability, to_good: Probability) -> Self {
        Self::with_losses(to_bad, to_good, Probability::NEVER, Probability::ALWAYS)
    }

    /// The full model, with the loss of each state.
    pub fn with_losses(
        to_bad: Probability,
        to_good: Probability,
        loss_in_good: Probability,
        loss_in_bad: Probability,
    ) -> Self {
        GilbertElliott { to_bad, to_good, loss_in_good, loss_in_bad, bad: false }
    }

    /// The share of packets that is lost in the long run, from 0 to 1.
    pub fn mean_loss(&self) -> f64 {
        let (enter, leave) = (self.to_bad.as_f64(), self.to_good.as_f64());
        if enter + leave == 0.0 {
            return self.loss_in_good.as_f64();
        }
        let bad = enter / (enter + leave);
        bad * self.loss_in_bad.as_f64() + (1.0 - bad) * self.loss_in_good.as_f64()
    }
}

impl Fault for GilbertElliott {
    fn name(&self) -> &'static str {
        "gilbert-elliott"
    }

    fn judge(&mut self, _now: Instant, _packet: &[u8], rng: &mut LabRng) -> Verdict {
        let change = if self.bad { self.to_good } else { self.to_bad };
        if rng.chance(change) {
            self.bad = !self.bad;
        }
        let loss = if self.bad { self.loss_in_bad } else { self.loss_in_good };
        if rng.chance(loss) { Verdict::Drop } else { Verdict::Pass }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loses_its_share_in_bursts_of_its_length() {
        let mut rng = LabRng::new(6, 0);
        let mut model = GilbertElliott::new(Probability::new(0.01), Probability::new(0.2));
        let lost: Vec<bool> =
            (0..200_000).map(|_| model.judge(Instant::ZERO, &[], &mut rng) == Verdict::Drop).collect();
        let share = lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64;
        assert!((share - model.mean_loss()).abs() < 0.004, "{share} against {}", model.mean_loss());
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
        let mean_burst = lost.iter().filter(|lost| **lost).count() as f64 / bursts;
        assert!((4.6..5.4).contains(&mean_burst), "{mean_burst}");
    }

    #[test]
    fn a_state_that_never_changes_keeps_its_loss() {
        let never = Probability::NEVER;
        let model = GilbertElliott::with_losses(never, never, Probability::new(0.25), Probability::ALWAYS);
        assert_eq!(model.mean_loss(), 0.25);
    }
}
