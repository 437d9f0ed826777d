//! Limits on answers that a stranger can provoke: challenge ACKs (RFC 5961 7) and ACKs for invalid segments.
//!
//! Only says yes or no. Who asks counts `TCPChallengeACK` or the `TCPACKSkipped*` that fits.

use crate::rng::Rng;
use crate::time::Instant;

/// The stack-wide budget of challenge ACKs a second (`tcp_challenge_ack_limit`, S-68).
///
/// The budget of each second is drawn anew between half the limit and one and a half times it, so that a
/// stranger who counts our challenge ACKs learns nothing of other connections (CVE-2016-5696).
#[derive(Clone, Debug, Default)]
pub struct ChallengeAcks {
    second: Option<u64>,
    left: u32,
}

impl ChallengeAcks {
    /// True when one more challenge ACK may be sent now.
    pub fn allow(&mut self, now: Instant, limit: i32, rng: &mut dyn Rng) -> bool {
        if limit == i32::MAX {
            return true;
        }
        let limit = limit.max(0) as u32;
        let second = now.as_secs();
        if self.second != Some(second) {
            self.second = Some(second);
            self.left = limit.div_ceil(2) + rng.below(u64::from(limit)) as u32;
        }
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}

/// True when an invalid segment may be answered with an ACK: not within `gap_ms` (`tcp_invalid_ratelimit`,
/// S-67) of the last such answer, whose time `last` keeps in milliseconds (0 for never).
///
/// Segments with payload or FIN but without SYN are always answered: they are no part of an ACK loop, and
/// their sender may need the answer. Say so with `carries_data`.
pub fn allow_invalid_ack(last: &mut u32, now: Instant, gap_ms: u32, carries_data: bool) -> bool {
    let now_ms = (now.as_millis() as u32).max(1);
    if !carries_data && *last != 0 && now_ms.wrapping_sub(*last) < gap_ms {
        return false;
    }
    if !carries_data {
        *last = now_ms;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S-67: ten bad segments 100 ms apart give 2 ACKs.
    #[test]
    fn s67_ten_bad_segments_two_acks() {
        let mut last = 0;
        let answered = (0..10)
            .filter(|n| allow_invalid_ack(&mut last, Instant::from_millis(5000 + n * 100), 500, false))
            .count();
        assert_eq!(answered, 2);
        assert!(allow_invalid_ack(&mut last, Instant::from_millis(5901), 500, true));
        assert!(!allow_invalid_ack(&mut last, Instant::from_millis(5901), 500, false));
        assert!(
            allow_invalid_ack(&mut last, Instant::from_millis(5901), 0, false),
            "0 switches the limit off"
        );
    }

    /// S-68: limit 5 admits 3 to 7 of 20 in one second, and again in the next.
    #[test]
    fn s68_challenge_acks() {
        let mut state = 1u64;
        let mut rng = move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state
        };
        let mut limiter = ChallengeAcks::default();
        for second in 0..50 {
            let sent = (0..20)
                .filter(|n| limiter.allow(Instant::from_millis(second * 1000 + n), 5, &mut rng))
                .count();
            assert!((3..=7).contains(&sent), "{sent}");
        }
        assert!((0..1000).all(|_| limiter.allow(Instant::ZERO, i32::MAX, &mut rng)));
        let mut closed = ChallengeAcks::default();
        assert!(!closed.allow(Instant::ZERO, 0, &mut rng) && !closed.allow(Instant::ZERO, -1, &mut rng));
    }
}
