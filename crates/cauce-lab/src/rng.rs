//! Seeded randomness: ChaCha8, one independent stream for each purpose.
//!
//! Faults, hosts and applications each draw from a stream of their own, so that adding one of them does not
//! change what the others draw under the same seed.

use cauce_core::rng::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// A repeatable source of random numbers.
///
/// ```
/// use cauce_core::rng::Rng;
/// use cauce_lab::rng::LabRng;
/// assert_eq!(LabRng::new(7, 1).next_u64(), LabRng::new(7, 1).next_u64());
/// assert_ne!(LabRng::new(7, 1).next_u64(), LabRng::new(7, 2).next_u64());
/// ```
#[derive(Clone, Debug)]
pub struct LabRng(ChaCha8Rng);

impl LabRng {
    /// Stream `stream` of `seed`.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut source = ChaCha8Rng::seed_from_u64(seed);
        source.set_stream(stream);
        LabRng(source)
    }

    /// True with the given probability. Draws exactly one number, whatever the probability.
    pub fn chance(&mut self, probability: Probability) -> bool {
        let drawn = self.next_u64() >> 1;
        drawn < probability.0
    }

    /// A number from `low` to `high`, both included; `low` when `high` is smaller.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        let span = high.saturating_sub(low).saturating_add(1);
        low + self.below(span)
    }

    /// One of `choices`. `None` when there are none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let index = self.below(choices.len() as u64) as usize;
        choices.get(index)
    }
}

impl Rng for LabRng {
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// A probability in steps of 2^-63, so that comparing draws is exact on every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probability(u64);

const ONE: u64 = 1 << 63;

impl Probability {
    /// Never.
    pub const NEVER: Probability = Probability(0);
    /// Always.
    pub const ALWAYS: Probability = Probability(ONE);

    /// The probability `p`; values outside 0 to 1 (and NaN) are taken as the nearest bound (as 0).
    pub fn new(p: f64) -> Self {
        if p >= 1.0 {
            return Self::ALWAYS;
        }
        if p > 0.0 { Probability((p * ONE as f64) as u64) } else { Self::NEVER }
    }

    /// The probability of `percent` in a hundred.
    pub fn percent(percent: f64) -> Self {
        Self::new(percent / 100.0)
    }

    /// As a number from 0 to 1.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / ONE as f64
    }

    /// True when it can never happen.
    pub fn is_never(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certain_and_impossible_events() {
        let mut rng = LabRng::new(1, 0);
        for _ in 0..1_000 {
            assert!(rng.chance(Probability::ALWAYS));
            assert!(!rng.chance(Probability::NEVER));
        }
        assert_eq!(Probability::new(f64::NAN), Probability::NEVER);
        assert_eq!(Probability::new(7.0), Probability::ALWAYS);
        assert_eq!(Probability::percent(50.0), Probability::new(0.5));
    }

    #[test]
    fn ranges_include_both_ends() {
        let mut rng = LabRng::new(2, 0);
        let drawn: Vec<u64> = (0..200).map(|_| rng.between(3, 5)).collect();
        assert!((3..=5).all(|n| drawn.contains(&n)));
        assert!(drawn.iter().all(|n| (3..=5).contains(n)));
        assert_eq!(rng.between(9, 4), 9);
        assert!(rng.between(0, u64::MAX) > 0);
        assert_eq!(rng.pick::<u8>(&[]), None);
    }
}
