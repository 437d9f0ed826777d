//! Randomness, lent to the engine by its embedder.
//!
//! The engine draws hash keys, ephemeral port offsets and timestamp offsets from here and from nowhere
//! else, so a seeded source makes a whole run repeatable. Outside a laboratory the source must be one that
//! an attacker cannot predict (RFC 6056, RFC 6528).

/// A source of random numbers.
pub trait Rng: Send {
    /// Sixty-four uniformly distributed bits.
    fn next_u64(&mut self) -> u64;

    /// A number below `bound`; zero when `bound` is zero.
    fn below(&mut self, bound: u64) -> u64 {
        // The multiply-shift method; its bias is below 2^-32 for every bound that the engine uses.
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

impl<F: FnMut() -> u64 + Send> Rng for F {
    fn next_u64(&mut self) -> u64 {
        self()
    }
}
