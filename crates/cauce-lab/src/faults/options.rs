//! The usual faults as plain data: what command lines, scenarios and random worlds write down.

use super::{Corruption, Duplication, Faults, GilbertElliott, Jitter, Loss, Marking, Reorder};
use crate::rng::Probability;
use cauce_core::time::Duration;

/// Faults of one direction, in the order in which they are applied. The default has none.
///
/// ```
/// use cauce_lab::faults::{FaultOptions, Faults};
/// use cauce_lab::rng::Probability;
/// let options = FaultOptions { loss: Probability::percent(0.1), ..FaultOptions::default() };
/// let mut faults = Faults::new(1);
/// options.install(&mut faults);
/// assert_eq!(faults.counts().count(), 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultOptions {
    /// Independent loss of each packet.
    pub loss: Probability,
    /// Loss in bursts: the chances to enter and to leave the state in which everything is lost.
    pub burst_loss: Option<(Probability, Probability)>,
    /// A copy of each packet.
    pub duplication: Probability,
    /// A bit inverted in each packet.
    pub corruption: Probability,
    /// A congestion mark on each packet that is ECN-capable.
    pub marking: Probability,
    /// Each packet held back for [`FaultOptions::reorder_delay`].
    pub reorder: Probability,
    /// How long packets are held back.
    pub reorder_delay: Duration,
    /// Most random delay of each packet.
    pub jitter: Duration,
    /// Jitter may change the order of packets.
    pub jitter_reorders: bool,
}

impl FaultOptions {
    /// Adds these faults behind those that `faults` already has; what never acts is left out.
    pub fn install(&self, faults: &mut Faults) {
        if !self.loss.is_never() {
            faults.push(Box::new(Loss::new(self.loss)));
        }
        if let Some((enter, leave)) = self.burst_loss {
            faults.push(Box::new(GilbertElliott::new(enter, leave)));
        }
        if !self.duplication.is_never() {
            faults.push(Box::new(Duplication::new(self.duplication)));
        }
        if !self.corruption.is_never() {
            faults.push(Box::new(Corruption::new(self.corruption)));
        }
        if !self.marking.is_never() {
            faults.push(Box::new(Marking::new(self.marking)));
        }
        if !self.reorder.is_never() {
            faults.push(Box::new(Reorder::new(self.reorder, self.reorder_delay)));
        }
        if !self.jitter.is_zero() {
            let jitter = if self.jitter_reorders { Jitter::new } else { Jitter::in_order };
            faults.push(Box::new(jitter(self.jitter)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installs_what_acts_in_order() {
        let half = Probability::new(0.5);
        let all = FaultOptions {
            loss: half,
            burst_loss: Some((half, half)),
            duplication: half,
            corruption: half,
            marking: half,
            reorder: half,
            reorder_delay: Duration::from_millis(1),
            jitter: Duration::from_millis(1),
            jitter_reorders: true,
        };
        let mut faults = Faults::new(1);
        all.install(&mut faults);
        FaultOptions::default().install(&mut faults);
        let names: Vec<_> = faults.counts().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["loss", "gilbert-elliott", "duplication", "corruption", "marking", "reorder", "jitter"]
        );
    }
}
