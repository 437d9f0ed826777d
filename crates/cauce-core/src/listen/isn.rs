//! Initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323 5.4), both keyed by the four-tuple.
//!
//! The ISN is a clock of 64 ns plus a secret function of the tuple: successive connections of one tuple do
//! not overlap (P-045), and nobody outside learns one tuple's numbers from another's. The timestamp offset is
//! the secret function alone, so a tuple's timestamps go on rising from one connection to the next (P-116).
//! Nothing here remembers anything but the secret.

use crate::addr::FlowKey;
use crate::time::Instant;
use core::hash::Hasher;
use siphasher::sip::SipHasher13;

/// The secrets of one stack, common to its shards.
#[derive(Clone, Copy)]
pub struct IsnGenerator {
    isn: [u64; 2],
    timestamp: [u64; 2],
}

impl core::fmt::Debug for IsnGenerator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("IsnGenerator(secret)")
    }
}

impl IsnGenerator {
    /// A generator with this secret: 256 bits that nobody can guess.
    pub fn new(secret: [u64; 4]) -> Self {
        IsnGenerator { isn: [secret[0], secret[1]], timestamp: [secret[2], secret[3]] }
    }

    /// The initial sequence number of a connection that begins at `now`.
    pub fn initial_sequence(&self, key: &FlowKey, now: Instant) -> u32 {
        let clock = (now.as_nanos() >> 6) as u32;
        (tuple_hash(self.isn, key, 0) as u32).wrapping_add(clock)
    }

    /// What the flow label of the tuple's half-open connection is made of.
    pub fn flow_seed(&self, key: &FlowKey) -> u16 {
        tuple_hash(self.timestamp, key, 1) as u16
    }

    /// What to add to the millisecond clock to make the tuple's TSval (`tcp_timestamps` = 1; S-47).
    pub fn timestamp_offset(&self, key: &FlowKey) -> u32 {
        tuple_hash(self.timestamp, key, 0) as u32
    }
}

/// Keyed hash of the tuple, as seen from this host, and of `salt`.
pub(super) fn tuple_hash(secret: [u64; 2], key: &FlowKey, salt: u64) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(secret[0], secret[1]);
    hasher.write(&key.local.0);
    hasher.write(&key.remote.0);
    hasher.write_u64(u64::from(key.local_port) << 16 | u64::from(key.remote_port));
    hasher.write_u64(salt);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    fn key(port: u16) -> FlowKey {
        FlowKey::new("10.0.0.1:80".parse().unwrap(), (core::net::Ipv4Addr::new(10, 0, 0, 2), port).into())
    }

    /// P-045: 7,812,500 in half a second for one tuple, whatever the tuple.
    #[test]
    fn p045_the_clock_ticks_every_64_ns() {
        let generator = IsnGenerator::new([1, 2, 3, 4]);
        let start = Instant::from_secs(1000);
        for port in [5000, 5001] {
            let first = generator.initial_sequence(&key(port), start);
            let second = generator.initial_sequence(&key(port), start + Duration::from_millis(500));
            assert_eq!(second.wrapping_sub(first), 7_812_500);
        }
        let apart = generator
            .initial_sequence(&key(5000), start)
            .wrapping_sub(generator.initial_sequence(&key(5001), start));
        assert!((1 << 16..u32::MAX - (1 << 16)).contains(&apart));
    }

    /// P-116, S-47: stable for a tuple, unrelated between tuples, and another secret gives others.
    #[test]
    fn p116_timestamp_offsets() {
        let generator = IsnGenerator::new([1, 2, 3, 4]);
        assert_eq!(generator.timestamp_offset(&key(5000)), generator.timestamp_offset(&key(5000)));
        assert_ne!(generator.timestamp_offset(&key(5000)), generator.timestamp_offset(&key(5001)));
        assert_ne!(
            generator.timestamp_offset(&key(5000)),
            IsnGenerator::new([1, 2, 3, 5]).timestamp_offset(&key(5000))
        );
    }
}
