//! The retransmission time-out as a value that cannot be wrong (RFC 6298 2.4, 2.5, 5.5; P-060, P-062, S-57).
//!
//! An [`Rto`] is never above the cap it was made with and is a whole number of clock ticks, as the kernel's
//! is (G of RFC 6298). It knows nothing of what is outstanding and arms no timer.

use crate::time::Duration;

/// The clock granularity of the computed time-out in microseconds.
pub const TICK_US: u32 = 4_000;

/// A retransmission time-out.
///
/// ```
/// use cauce_core::recovery::rto::Rto;
/// let rto = Rto::from_estimate(14_800, 200_000, 120_000_000);
/// assert_eq!(rto.as_micros(), 216_000);
/// assert_eq!(rto.doubled(300_000).as_micros(), 300_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rto(u32);

impl Rto {
    /// Before the first RTT sample (RFC 6298 2.1).
    pub const INITIAL: Rto = Rto(1_000_000);
    /// When the handshake ended without a valid sample (RFC 6298 5.7).
    pub const FALLBACK: Rto = Rto(3_000_000);

    /// The time-out before the first sample, where a setting names it.
    pub fn initial(us: u32, max_us: u32) -> Rto {
        Rto(us.max(1)).capped(max_us)
    }

    /// srtt + rttvar in microseconds, rounded up to a tick and capped at `max_us`. `rttvar_us` is the
    /// kernel's: four times the mean deviation, and never below the minimum time-out.
    pub fn from_estimate(srtt_us: u32, rttvar_us: u32, max_us: u32) -> Rto {
        let sum = u64::from(srtt_us) + u64::from(rttvar_us);
        let ticks = sum.div_ceil(TICK_US.into()) * u64::from(TICK_US);
        Rto(u32::try_from(ticks).unwrap_or(u32::MAX).clamp(1, max_us.max(1)))
    }

    /// Twice as long, capped at `max_us` (RFC 6298 5.5).
    pub fn doubled(self, max_us: u32) -> Rto {
        Rto(self.0.saturating_mul(2).min(max_us.max(1)))
    }

    /// The initial time-out, or any other given one, capped at `max_us`.
    pub fn capped(self, max_us: u32) -> Rto {
        Rto(self.0.min(max_us.max(1)))
    }

    /// Microseconds.
    pub fn as_micros(self) -> u32 {
        self.0
    }

    /// The span.
    pub fn as_duration(self) -> Duration {
        Duration::from_micros(self.0.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// N-08: with 200 ms to start from, 15 retries take 924.6 s.
    #[test]
    fn back_off_reaches_the_cap_and_stays() {
        let mut rto = Rto::from_estimate(0, 200_000, 120_000_000);
        let mut total = 0u64;
        for _ in 0..16 {
            total += u64::from(rto.as_micros());
            rto = rto.doubled(120_000_000);
        }
        assert_eq!(total, 924_600_000);
        assert_eq!(rto.as_micros(), 120_000_000);
    }

    /// S-57: the cap is the cap.
    #[test]
    fn cap_of_one_second() {
        assert_eq!(Rto::FALLBACK.capped(1_000_000), Rto::INITIAL);
        assert_eq!(Rto::from_estimate(u32::MAX, u32::MAX, 1_000_000), Rto::INITIAL);
    }
}
