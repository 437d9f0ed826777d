//! Path MTUs learned from ICMP, by destination (RFC 1191, RFC 8201; S-63).
//!
//! Remembers what a believable message said until it expires, never below the floor: 552 over IPv4
//! (`route.min_pmtu`), 1280 over IPv6. Whether a message is believable is decided where its quoted segment is
//! known; what the MTU does to a connection is `send`'s business.

use crate::addr::Addr;
use crate::time::{Duration, Instant};
use alloc::collections::BTreeMap;

/// The least MTU of an IPv6 link (RFC 8200 5).
pub const IPV6_MIN_MTU: u16 = 1280;
/// Most destinations remembered; the one that expires first makes room.
const MAX_ENTRIES: usize = 4096;

/// The settings that decide what is kept.
#[derive(Clone, Copy, Debug)]
pub struct PathMtuLimits {
    /// `route.min_pmtu`, bytes.
    pub min_pmtu: u16,
    /// `route.mtu_expires`.
    pub expires: Duration,
}

/// A learned path MTU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMtu {
    /// Largest packet, bytes.
    pub mtu: u16,
    /// The message asked for less than the IPv4 floor: packets of this size go without Don't Fragment.
    pub fragment: bool,
}

/// The path MTUs of one stack.
#[derive(Clone, Debug, Default)]
pub struct PathMtuCache {
    entries: BTreeMap<Addr, (PathMtu, Instant)>,
    generation: u32,
}

impl PathMtuCache {
    /// Changes whenever an answer may have changed.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// A router says that packets to `dst` may have `mtu` bytes at most (0 from routers that do not say).
    /// `current` is what was sent: nothing may grow by such a message. Returns what holds from now on, or
    /// `None` if nothing changes.
    pub fn learn(
        &mut self,
        dst: Addr,
        mtu: u32,
        current: u16,
        now: Instant,
        limits: PathMtuLimits,
    ) -> Option<PathMtu> {
        let floor = if dst.is_v4() { limits.min_pmtu } else { IPV6_MIN_MTU };
        let asked = mtu.min(u32::from(u16::MAX)) as u16;
        let fragment = dst.is_v4() && asked < floor;
        let learned = PathMtu { mtu: asked.max(floor).min(current), fragment };
        let known = self.get(&dst, now);
        if asked >= current || known.is_some_and(|known| known.mtu < learned.mtu) {
            return None;
        }
        if self.entries.len() >= MAX_ENTRIES && !self.entries.contains_key(&dst) {
            self.make_room();
        }
        self.entries.insert(dst, (learned, now + limits.expires));
        self.generation = self.generation.wrapping_add(1);
        Some(learned)
    }

    /// What is known of the way to `dst`.
    pub fn get(&self, dst: &Addr, now: Instant) -> Option<PathMtu> {
        self.entries.get(dst).filter(|(_, expires)| *expires > now).map(|(known, _)| *known)
    }

    /// Forgets what has expired; returns true if connections should ask again.
    pub fn expire(&mut self, now: Instant) -> bool {
        let before = self.entries.len();
        self.entries.retain(|_, (_, expires)| *expires > now);
        let changed = self.entries.len() < before;
        self.generation = self.generation.wrapping_add(u32::from(changed));
        changed
    }

    /// When [`PathMtuCache::expire`] should be called next.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.entries.values().map(|(_, expires)| *expires).min()
    }

    /// Forgets everything about destinations of IPv4, or of IPv6.
    pub fn clear(&mut self, v4: bool) {
        self.entries.retain(|dst, _| dst.is_v4() != v4);
        self.generation = self.generation.wrapping_add(1);
    }

    /// Destinations remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when nothing has been learned.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn make_room(&mut self) {
        let first = self.entries.iter().min_by_key(|(_, (_, expires))| *expires).map(|(dst, _)| *dst);
        first.map(|dst| self.entries.remove(&dst));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::IpAddr;

    const LIMITS: PathMtuLimits = PathMtuLimits { min_pmtu: 552, expires: Duration::from_secs(600) };

    fn addr(text: &str) -> Addr {
        text.parse::<IpAddr>().unwrap().into()
    }

    /// S-63: ICMP frag-needed 300: path MTU held at 552; gone after 600 s.
    #[test]
    fn s63_floor_and_expiry() {
        let mut cache = PathMtuCache::default();
        let start = Instant::from_secs(5);
        let dst = addr("10.0.0.1");
        let held = cache.learn(dst, 300, 1500, start, LIMITS);
        assert_eq!(held, Some(PathMtu { mtu: 552, fragment: true }));
        assert_eq!(cache.learn(dst, 1400, 1500, start, LIMITS), None, "no message raises it");
        assert_eq!(cache.next_expiry(), Some(start + LIMITS.expires));
        assert_eq!(cache.get(&dst, start + Duration::from_secs(599)), held);
        assert_eq!(cache.get(&dst, start + LIMITS.expires), None);
        assert!(cache.expire(start + LIMITS.expires) && cache.is_empty());
        assert_eq!(cache.learn(dst, 0, 1500, start, LIMITS).unwrap().mtu, 552);
        cache.clear(true);
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn ipv6_has_its_own_floor() {
        let mut cache = PathMtuCache::default();
        let dst = addr("2001:db8::1");
        assert_eq!(
            cache.learn(dst, 500, 1500, Instant::ZERO, LIMITS),
            Some(PathMtu { mtu: 1280, fragment: false })
        );
        assert_eq!(cache.learn(dst, 1280, 1280, Instant::ZERO, LIMITS), None);
        assert_eq!(cache.learn(dst, 70_000, 1500, Instant::ZERO, LIMITS), None);
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut cache = PathMtuCache::default();
        for n in 0..2 * MAX_ENTRIES as u32 {
            let dst = IpAddr::from(n.to_be_bytes()).into();
            cache.learn(dst, 1000, 1500, Instant::from_nanos(u64::from(n)), LIMITS).unwrap();
        }
        assert_eq!(cache.len(), MAX_ENTRIES);
        assert!(cache.get(&IpAddr::from([0, 0, 0, 1]).into(), Instant::from_secs(1)).is_none());
    }
}
