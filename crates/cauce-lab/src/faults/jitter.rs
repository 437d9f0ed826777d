//! Jitter: every packet is delayed by a random time, in order or not.

use super::{Fault, Verdict};
use crate::rng::LabRng;
use cauce_core::rng::Rng;
use cauce_core::time::{Duration, Instant};

/// Delays each packet by a time drawn uniformly from zero to a maximum.
#[derive(Clone, Debug)]
pub struct Jitter {
    most: Duration,
    keep_order: bool,
    last_exit: Instant,
}

impl Jitter {
    /// Delays up to `most`; a packet with a small delay overtakes one with a large delay.
    pub fn new(most: Duration) -> Self {
        Jitter { most, keep_order: false, last_exit: Instant::ZERO }
    }

    /// Delays up to `most`, but no packet leaves before the one that entered ahead of it.
    pub fn in_order(most: Duration) -> Self {
        Jitter { keep_order: true, ..Jitter::new(most) }
    }
}

impl Fault for Jitter {
    fn name(&self) -> &'static str {
        "jitter"
    }

    fn judge(&mut self, now: Instant, _packet: &[u8], rng: &mut LabRng) -> Verdict {
        let most = u64::try_from(self.most.as_nanos()).unwrap_or(u64::MAX);
        let mut extra = Duration::from_nanos(rng.below(most.saturating_add(1)));
        if self.keep_order {
            self.last_exit = self.last_exit.max(now + extra);
            extra = self.last_exit.since(now);
        }
        if extra.is_zero() { Verdict::Pass } else { Verdict::Delay(extra) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exits(mut jitter: Jitter) -> Vec<Instant> {
        let mut rng = LabRng::new(10, 0);
        (0..10_000)
            .map(|n| {
                let now = Instant::from_micros(n * 100);
                match jitter.judge(now, &[], &mut rng) {
                    Verdict::Delay(extra) => now + extra,
                    _ => now,
                }
            })
            .collect()
    }

    #[test]
    fn spreads_evenly_and_may_reorder() {
        let exits = exits(Jitter::new(Duration::from_millis(1)));
        let mean = exits
            .iter()
            .enumerate()
            .map(|(n, exit)| exit.micros_since(Instant::from_micros(n as u64 * 100)))
            .sum::<u64>()
            / 10_000;
        assert!((485..=515).contains(&mean), "{mean}");
        assert!(exits.windows(2).any(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn keeps_order_when_asked() {
        let exits = exits(Jitter::in_order(Duration::from_millis(1)));
        assert!(exits.windows(2).all(|pair| pair[0] <= pair[1]));
        let bound = |(n, exit): (usize, &Instant)| {
            exit.since(Instant::from_micros(n as u64 * 100)) <= Duration::from_millis(1)
        };
        assert!(exits.iter().enumerate().all(bound));
    }
}
