//! SYN cookies (RFC 4987 3.6): a half-open connection kept in the sequence number that the peer returns.
//!
//! The ISN holds a secret hash of the tuple, a counter of minutes and one of four MSS values; window scale,
//! SACK and ECN ride in the low six bits of the timestamp, so without timestamps they are lost (S-46). This
//! room is arithmetic only: when to answer with a cookie is the SYN queue's decision, what to do with a
//! decoded one the listener's.

use super::isn::tuple_hash;
use crate::addr::FlowKey;
use crate::time::{Duration, Instant};

const HASH_BITS: u32 = 24;
const HASH_MASK: u32 = (1 << HASH_BITS) - 1;
/// Minutes for which a cookie is good.
const MAX_AGE: u32 = 2;
const MSS_V4: [u16; 4] = [536, 1300, 1440, 1460];
const MSS_V6: [u16; 4] = [1280 - 60, 1480 - 60, 1500 - 60, 9000 - 60];

const OPTION_BITS: u32 = 6;
const OPTION_MASK: u32 = (1 << OPTION_BITS) - 1;
const NO_SCALE: u32 = 0xf;
const SACK: u32 = 1 << 4;
const ECN: u32 = 1 << 5;

/// A listener takes cookies back only if it has sent one not longer ago than this; an ACK out of the blue is
/// otherwise refused without any arithmetic.
pub const COOKIE_LIFE: Duration = Duration::from_secs(2 * 60);

/// What a cookie's timestamp carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CookieOptions {
    /// The window scale of the peer's SYN.
    pub window_scale: Option<u8>,
    /// The peer permits SACK.
    pub sack: bool,
    /// The peer asked for ECN and this side agrees.
    pub ecn: bool,
}

/// The secret and the arithmetic.
#[derive(Clone, Copy)]
pub struct SynCookies {
    secrets: [[u64; 2]; 2],
}

impl core::fmt::Debug for SynCookies {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SynCookies(secret)")
    }
}

impl SynCookies {
    /// Cookies under this secret, common to all shards of a stack.
    pub fn new(secret: [u64; 4]) -> Self {
        SynCookies { secrets: [[secret[0], secret[1]], [secret[2], secret[3]]] }
    }

    /// The initial sequence number for the SYN,ACK that answers a SYN with sequence number `irs` and MSS
    /// `mss`, and the MSS that it stands for.
    pub fn encode(&self, key: &FlowKey, irs: u32, mss: u16, now: Instant) -> (u32, u16) {
        let table = mss_table(key);
        let index = table.iter().rposition(|known| *known <= mss).unwrap_or(0);
        let minutes = minutes(now);
        let cookie = self
            .tuple(key)
            .wrapping_add(irs)
            .wrapping_add(minutes << HASH_BITS)
            .wrapping_add(self.at(key, minutes).wrapping_add(index as u32) & HASH_MASK);
        (cookie, table[index])
    }

    /// What the ACK that completes such a handshake stands for: the MSS, if its acknowledgment number less
    /// one is a cookie of this stack, not older than about two minutes. `seq` is the ACK's sequence number.
    pub fn decode(&self, key: &FlowKey, seq: u32, ack: u32, now: Instant) -> Option<u16> {
        let rest = ack.wrapping_sub(1).wrapping_sub(self.tuple(key)).wrapping_sub(seq.wrapping_sub(1));
        let age = minutes(now).wrapping_sub(rest >> HASH_BITS) & (u32::MAX >> HASH_BITS);
        if age >= MAX_AGE {
            return None;
        }
        let index = rest.wrapping_sub(self.at(key, minutes(now).wrapping_sub(age))) & HASH_MASK;
        mss_table(key).get(index as usize).copied()
    }

    fn tuple(&self, key: &FlowKey) -> u32 {
        tuple_hash(self.secrets[0], key, 0) as u32
    }

    fn at(&self, key: &FlowKey, minutes: u32) -> u32 {
        tuple_hash(self.secrets[1], key, u64::from(minutes)) as u32
    }
}

/// The millisecond clock `now_ms` moved to the last value that carries `options` in its low bits. Add the
/// tuple's timestamp offset afterwards.
pub fn timestamp(now_ms: u32, options: CookieOptions) -> u32 {
    let scale = options.window_scale.map_or(NO_SCALE, |scale| u32::from(scale) & 0xf);
    let bits = scale | if options.sack { SACK } else { 0 } | if options.ecn { ECN } else { 0 };
    let carried = now_ms & !OPTION_MASK | bits;
    if carried > now_ms { carried.wrapping_sub(1 << OPTION_BITS) } else { carried }
}

/// Reads the options back from an echoed timestamp, after its offset has been taken off.
pub fn options(echoed: u32) -> CookieOptions {
    let scale = echoed & NO_SCALE;
    CookieOptions {
        window_scale: (scale != NO_SCALE).then_some(scale as u8),
        sack: echoed & SACK != 0,
        ecn: echoed & ECN != 0,
    }
}

fn minutes(now: Instant) -> u32 {
    (now.as_secs() / 60) as u32
}

fn mss_table(key: &FlowKey) -> &'static [u16; 4] {
    if key.is_v4() { &MSS_V4 } else { &MSS_V6 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> FlowKey {
        FlowKey::new("10.0.0.1:80".parse().unwrap(), "10.0.0.2:4000".parse().unwrap())
    }

    /// S-46: peer MSS 500..1299 becomes 536, 1300..1439: 1300, 1440..1459: 1440, 1460+: 1460.
    #[test]
    fn s46_coarse_mss() {
        let cookies = SynCookies::new([1, 2, 3, 4]);
        for (mss, coarse) in [
            (500, 536),
            (1299, 536),
            (1300, 1300),
            (1439, 1300),
            (1440, 1440),
            (1459, 1440),
            (1460, 1460),
            (9000, 1460),
        ] {
            let now = Instant::from_secs(12345);
            let (cookie, stands_for) = cookies.encode(&key(), 77, mss, now);
            assert_eq!(stands_for, coarse);
            assert_eq!(cookies.decode(&key(), 78, cookie.wrapping_add(1), now), Some(coarse));
        }
        let v6 = FlowKey::new("[2001:db8::1]:80".parse().unwrap(), "[2001:db8::2]:4000".parse().unwrap());
        assert_eq!(cookies.encode(&v6, 77, 1440, Instant::ZERO).1, 1440);
    }

    /// S-46: good for about two minutes.
    #[test]
    fn s46_expiry() {
        let cookies = SynCookies::new([1, 2, 3, 4]);
        let sent = Instant::from_secs(600 + 30);
        let (cookie, _) = cookies.encode(&key(), 77, 1460, sent);
        let decode =
            |secs| cookies.decode(&key(), 78, cookie.wrapping_add(1), sent + Duration::from_secs(secs));
        assert_eq!(decode(0), Some(1460));
        assert_eq!(decode(89), Some(1460));
        assert_eq!(decode(90), None);
        assert_eq!(decode(3600), None);
    }

    proptest! {
        #[test]
        fn round_trip(secret: [u64; 4], irs: u32, mss: u16, secs in 0u64..1 << 40) {
            let cookies = SynCookies::new(secret);
            let now = Instant::from_secs(secs);
            let (cookie, coarse) = cookies.encode(&key(), irs, mss, now);
            let decoded = cookies.decode(&key(), irs.wrapping_add(1), cookie.wrapping_add(1), now);
            prop_assert_eq!(decoded, Some(coarse));
        }

        /// S-46: a forged acknowledgment is not taken, save one in four million.
        #[test]
        fn forgeries(ack: u32) {
            let cookies = SynCookies::new([9, 8, 7, 6]);
            let taken = cookies.decode(&key(), 78, ack, Instant::from_secs(600));
            let good: std::vec::Vec<u32> = [540, 600].into_iter().flat_map(|secs| {
                MSS_V4.map(|mss| cookies.encode(&key(), 77, mss, Instant::from_secs(secs)).0.wrapping_add(1))
            }).collect();
            prop_assert_eq!(taken.is_some(), good.contains(&ack));
        }

        #[test]
        fn timestamps_carry_the_options(
            now in 64u32.., scale in prop::option::of(0u8..=14), sack: bool, ecn: bool
        ) {
            let carried = CookieOptions { window_scale: scale, sack, ecn };
            let value = timestamp(now, carried);
            prop_assert_eq!(options(value), carried);
            prop_assert!(value <= now && now - value < 64);
        }
    }
}
