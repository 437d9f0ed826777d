//! The clock and the randomness that the engine is lent.

use cauce_core::rng::Rng;
use cauce_core::time::Instant;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use std::io;

/// Tells the engine's time.
pub(crate) type Clock = Box<dyn Fn() -> Instant + Send + Sync>;

/// The monotonic clock of the system, from now on.
pub(crate) fn monotonic() -> Clock {
    let epoch = std::time::Instant::now();
    // The epoch lies a second back, so that zero is in the past of everything.
    Box::new(move || Instant::from_nanos(1_000_000_000 + epoch.elapsed().as_nanos() as u64))
}

/// Random numbers that nobody outside can predict, seeded by the operating system.
pub(crate) fn unpredictable() -> io::Result<Box<dyn Rng>> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
    let mut source = ChaCha12Rng::from_seed(seed);
    Ok(Box::new(move || source.next_u64()))
}
