//! Outages: nothing passes between two moments, as when a cable is pulled and put back.

use super::{Fault, Verdict};
use crate::rng::LabRng;
use cauce_core::time::Instant;

/// Loses every packet that enters from one moment until another.
#[derive(Clone, Debug)]
pub struct Outage {
    from: Instant,
    until: Instant,
}

impl Outage {
    /// Nothing passes from `from` (included) until `until` (excluded).
    pub fn new(from: Instant, until: Instant) -> Self {
        Outage { from, until }
    }
}

impl Fault for Outage {
    fn name(&self) -> &'static str {
        "outage"
    }

    fn judge(&mut self, now: Instant, _packet: &[u8], _rng: &mut LabRng) -> Verdict {
        if (self.from..self.until).contains(&now) { Verdict::Drop } else { Verdict::Pass }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_exact() {
        let mut rng = LabRng::new(1, 0);
        let mut outage = Outage::new(Instant::from_nanos(10), Instant::from_nanos(20));
        let mut verdict = |nanos| outage.judge(Instant::from_nanos(nanos), &[], &mut rng);
        assert_eq!(
            [9, 10, 19, 20].map(&mut verdict),
            [Verdict::Pass, Verdict::Drop, Verdict::Drop, Verdict::Pass]
        );
    }
}
