//! Who holds which local port: the rules of `bind`, and the choice of ephemeral ports (RFC 6056).
//!
//! Bindings of one kind on one port are counted, not listed, so a hundred thousand connections accepted on
//! port 80 cost one entry. This room knows no sockets: a socket says what it binds, changes and gives back.
//! Whether an address is this host's, and who may bind below 1024, is decided elsewhere.

use crate::addr::{Addr, FlowKey};
use crate::frame::DeviceId;
use crate::rng::Rng;
use crate::sysctl::Sysctls;
use alloc::collections::BTreeMap;
use core::hash::Hasher;
use siphasher::sip::SipHasher13;

/// What a holder of a port is doing; it decides how strictly the port is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// `connect` chose the port; nobody called `bind`.
    Connected,
    /// The TIME-WAIT record of such a connection.
    ConnectedTimeWait,
    /// Bound, or a connection that was bound or accepted.
    Bound,
    /// Listening.
    Listening,
    /// The TIME-WAIT record of a connection that was bound or accepted.
    TimeWait,
}

impl Holder {
    /// What the holder becomes when its connection enters TIME-WAIT.
    pub fn in_time_wait(self) -> Holder {
        if self.chosen_by_connect() { Holder::ConnectedTimeWait } else { Holder::TimeWait }
    }

    fn is_time_wait(self) -> bool {
        matches!(self, Holder::TimeWait | Holder::ConnectedTimeWait)
    }

    fn chosen_by_connect(self) -> bool {
        matches!(self, Holder::Connected | Holder::ConnectedTimeWait)
    }
}

/// One kind of binding on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binding {
    /// The local address; a wildcard meets every address of its family.
    pub addr: Addr,
    /// IPV6_V6ONLY: `::` meets no IPv4 address.
    pub v6_only: bool,
    /// SO_BINDTODEVICE.
    pub device: Option<DeviceId>,
    /// SO_REUSEADDR.
    pub reuse_addr: bool,
    /// SO_REUSEPORT.
    pub reuse_port: bool,
    /// The effective user who bound it.
    pub uid: u32,
    /// What it is doing.
    pub holder: Holder,
}

impl Binding {
    /// True when the two cannot stand on the same port. `strict` forbids even what SO_REUSEADDR and
    /// SO_REUSEPORT allow: nobody shares a port that the stack chooses.
    fn conflicts(&self, other: &Binding, strict: bool) -> bool {
        let devices_apart = matches!((self.device, other.device), (Some(a), Some(b)) if a != b);
        if devices_apart || !self.meets(other) {
            return false;
        }
        let same_group =
            self.reuse_port && other.reuse_port && (other.holder.is_time_wait() || self.uid == other.uid);
        let both_reuse = self.reuse_addr && other.reuse_addr && other.holder != Holder::Listening;
        strict || !(same_group || both_reuse)
    }

    /// True when some packet could be for both addresses.
    fn meets(&self, other: &Binding) -> bool {
        if self.addr == other.addr {
            return true;
        }
        let wildcard_covers = |wildcard: &Binding, exact: &Binding| {
            let same_family = wildcard.addr.is_v4() == exact.addr.is_v4();
            wildcard.addr.is_unspecified()
                && (same_family || wildcard.addr == Addr::UNSPECIFIED && !wildcard.v6_only)
        };
        wildcard_covers(self, other) || wildcard_covers(other, self)
    }
}

/// The ports from which the stack may choose: `ip_local_port_range` less `ip_local_reserved_ports`.
#[derive(Clone, Copy, Debug)]
pub struct PortRange<'a> {
    /// Lowest and highest port, 1 to 65535 (S-62).
    pub ports: [u16; 2],
    /// First and last port of ranges that are never chosen, though anybody may bind them by number.
    pub reserved: &'a [(u16, u16)],
}

impl<'a> PortRange<'a> {
    /// The range that the settings give.
    pub fn of(sysctl: &'a Sysctls) -> Self {
        PortRange { ports: sysctl.ip_local_port_range, reserved: sysctl.ip_local_reserved_ports.ranges() }
    }

    fn len(&self) -> u32 {
        (u32::from(self.ports[1]) + 1).saturating_sub(u32::from(self.ports[0]))
    }

    /// All ports once, beginning `offset` into the range and two apart: the ports of one parity first, so that
    /// `bind` and `connect` do not compete for the same ones.
    fn walk(&self, offset: u32) -> impl Iterator<Item = u16> + '_ {
        let len = self.len();
        let half = |parity: u32| {
            let count = (len + 1 - parity) / 2;
            (0..count).map(move |n| parity + 2 * ((offset / 2 + n) % count))
        };
        half(offset % 2)
            .chain(half(1 - offset % 2))
            .map(|n| self.ports[0].saturating_add(n as u16))
            .filter(|port| !self.reserved.iter().any(|range| (range.0..=range.1).contains(port)))
    }
}

/// The bound ports of one stack.
#[derive(Clone, Debug)]
pub struct Ports {
    bound: BTreeMap<(u16, Binding), u32>,
    secret: [u64; 2],
    /// How far each group of destinations has moved on (RFC 6056 3.3.4: the table of algorithm 4).
    perturbations: [u32; PERTURBATIONS],
}

const PERTURBATIONS: usize = 256;

impl Ports {
    /// No port bound. `secret` keys the choice of ports.
    pub fn new(secret: [u64; 2]) -> Self {
        Ports { bound: BTreeMap::new(), secret, perturbations: [0; PERTURBATIONS] }
    }

    /// True when `binding` may stand on `port` beside what is there: the rules of `bind` and `listen`
    /// (EADDRINUSE otherwise).
    pub fn may_bind(&self, port: u16, binding: &Binding) -> bool {
        !self.on(port).any(|(other, _)| binding.conflicts(other, false))
    }

    /// True when one of the bindings counted as `own` on `port` may become `wanted`: what `listen` asks, since
    /// another socket may have begun to listen after this one was bound.
    pub fn may_change(&self, port: u16, own: &Binding, wanted: &Binding) -> bool {
        !self.on(port).any(|(other, count)| {
            let others = if other == own { count.saturating_sub(1) } else { count };
            others > 0 && wanted.conflicts(other, false)
        })
    }

    /// Counts a holder of `port`.
    pub fn insert(&mut self, port: u16, binding: Binding) {
        *self.bound.entry((port, binding)).or_default() += 1;
    }

    /// Gives a holder back. True if there was one.
    pub fn remove(&mut self, port: u16, binding: &Binding) -> bool {
        let Some(count) = self.bound.get_mut(&(port, *binding)) else { return false };
        *count -= 1;
        if *count == 0 {
            self.bound.remove(&(port, *binding));
        }
        true
    }

    /// Changes a holder: a bound socket listens, a connection becomes TIME-WAIT. True if there was one.
    pub fn change(&mut self, port: u16, from: &Binding, to: Binding) -> bool {
        let held = self.remove(port, from);
        if held {
            self.insert(port, to);
        }
        held
    }

    /// Holders of a port.
    pub fn holders(&self, port: u16) -> u32 {
        self.on(port).map(|(_, count)| count).sum()
    }

    /// True when no port is held at all.
    pub fn is_empty(&self) -> bool {
        self.bound.is_empty()
    }

    /// A port for `bind` with port 0 or `listen` without `bind`: one that nobody else holds in a way that
    /// meets `binding`. `None` is EADDRINUSE. The port is not yet taken: call [`Ports::insert`].
    pub fn choose_for_bind(&self, binding: &Binding, range: PortRange<'_>, rng: &mut dyn Rng) -> Option<u16> {
        let offset = rng.below(u64::from(range.len().max(1))) as u32 | 1;
        range.walk(offset).find(|port| !self.on(*port).any(|(other, _)| binding.conflicts(other, true)))
    }

    /// A port for `connect` (S-62). `key` names local address and peer; its local port does not matter. A port
    /// that somebody has bound is passed over; of the others `usable` says whether the four-tuple is free, or
    /// whether its TIME-WAIT may be taken over (S-50), and whether replies reach this shard.
    ///
    /// `None` is EADDRNOTAVAIL: all ports are in use towards this peer, though others may have some.
    ///
    /// The first candidate is a keyed hash of the addresses and the peer's port plus a counter of the
    /// destination's group (RFC 6056 3.3.4), which moves on by a random amount with every connection, so that
    /// nobody can tell the next port, and old ports come back late.
    pub fn choose_for_connect(
        &mut self,
        key: &FlowKey,
        range: PortRange<'_>,
        rng: &mut dyn Rng,
        mut usable: impl FnMut(u16) -> bool,
    ) -> Option<u16> {
        let hash = self.hash(key);
        let group = (hash >> 32) as usize % PERTURBATIONS;
        let offset = ((hash as u32).wrapping_add(self.perturbations[group]) % range.len().max(1)) & !1;
        let (tried, port) =
            range.walk(offset).enumerate().find(|(_, port)| !self.guarded(*port) && usable(*port))?;
        let noise = 2 * rng.below(8) as u32;
        self.perturbations[group] = self.perturbations[group].wrapping_add(2 * tried as u32 + 2 + noise);
        Some(port)
    }

    /// True when a `bind` has claimed the port, so `connect` must not choose it.
    fn guarded(&self, port: u16) -> bool {
        self.on(port).any(|(binding, _)| !binding.holder.chosen_by_connect())
    }

    fn on(&self, port: u16) -> impl Iterator<Item = (&Binding, u32)> {
        let least = Binding {
            addr: Addr::UNSPECIFIED,
            v6_only: false,
            device: None,
            reuse_addr: false,
            reuse_port: false,
            uid: 0,
            holder: Holder::Connected,
        };
        self.bound
            .range((port, least)..)
            .take_while(move |((at, _), _)| *at == port)
            .map(|((_, binding), count)| (binding, *count))
    }

    fn hash(&self, key: &FlowKey) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.secret[0], self.secret[1]);
        hasher.write(&key.local.0);
        hasher.write(&key.remote.0);
        hasher.write_u16(key.remote_port);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use core::net::{IpAddr, SocketAddr};
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    fn binding(addr: &str, holder: Holder) -> Binding {
        Binding {
            addr: addr.parse::<IpAddr>().unwrap().into(),
            v6_only: false,
            device: None,
            reuse_addr: false,
            reuse_port: false,
            uid: 1000,
            holder,
        }
    }

    fn rng() -> impl Rng {
        let mut state = 7u64;
        move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state ^ state >> 29
        }
    }

    fn ports() -> Ports {
        Ports::new([3, 4])
    }

    /// EADDRINUSE, also across wildcards and families.
    #[test]
    fn a23_addresses_that_meet() {
        let cases = [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("0.0.0.0", "10.0.0.2", true),
            ("10.0.0.2", "::", true),
            ("2001:db8::1", "::", true),
            ("2001:db8::1", "0.0.0.0", false),
            ("0.0.0.0", "::", true),
        ];
        for (held, wanted, conflict) in cases {
            let mut ports = ports();
            ports.insert(80, binding(held, Holder::Bound));
            assert_eq!(!ports.may_bind(80, &binding(wanted, Holder::Bound)), conflict, "{held} {wanted}");
            assert!(ports.may_bind(81, &binding(wanted, Holder::Bound)));
        }
        let mut ports = ports();
        ports.insert(80, binding("0.0.0.0", Holder::Listening));
        let v6_only = Binding { v6_only: true, ..binding("::", Holder::Bound) };
        assert!(ports.may_bind(80, &v6_only), "IPV6_V6ONLY stands beside IPv4");
    }

    /// O-36: beside TIME-WAIT with SO_REUSEADDR only, never beside a live listener.
    #[test]
    fn o36_reuse_addr() {
        let plain = |holder| binding("0.0.0.0", holder);
        let reusing = |holder| Binding { reuse_addr: true, ..plain(holder) };
        let mut ports = ports();
        ports.insert(80, reusing(Holder::TimeWait));
        assert!(!ports.may_bind(80, &plain(Holder::Bound)));
        assert!(ports.may_bind(80, &reusing(Holder::Bound)));
        // Two may be bound; the first that listens wins.
        ports.insert(80, reusing(Holder::Bound));
        assert!(ports.may_bind(80, &reusing(Holder::Bound)));
        ports.insert(80, reusing(Holder::Bound));
        assert!(ports.may_change(80, &reusing(Holder::Bound), &reusing(Holder::Listening)));
        assert!(ports.change(80, &reusing(Holder::Bound), reusing(Holder::Listening)));
        assert!(!ports.may_change(80, &reusing(Holder::Bound), &reusing(Holder::Listening)));
        assert!(!ports.may_bind(80, &reusing(Holder::Bound)));
        assert_eq!(ports.holders(80), 3);
    }

    /// O-37: a group of one user; a third without the flag, or of another user, is refused.
    #[test]
    fn o37_reuse_port() {
        let member = Binding { reuse_port: true, ..binding("0.0.0.0", Holder::Listening) };
        let mut ports = ports();
        ports.insert(80, member);
        assert!(ports.may_bind(80, &Binding { holder: Holder::Bound, ..member }));
        assert!(!ports.may_bind(80, &Binding { uid: 0, ..member }));
        assert!(!ports.may_bind(80, &binding("0.0.0.0", Holder::Bound)));
        assert!(ports.remove(80, &member) && !ports.remove(80, &member) && ports.is_empty());
    }

    fn connect(
        ports: &mut Ports,
        used: &mut BTreeSet<(SocketAddr, u16)>,
        rng: &mut dyn Rng,
        to: &str,
        range: [u16; 2],
    ) -> Option<u16> {
        let peer: SocketAddr = to.parse().unwrap();
        let key = FlowKey::new("10.0.0.1:0".parse().unwrap(), peer);
        let range = PortRange { ports: range, reserved: &[] };
        let port = ports.choose_for_connect(&key, range, rng, |port| !used.contains(&(peer, port)))?;
        used.insert((peer, port));
        ports.insert(port, binding("10.0.0.1", Holder::Connected));
        Some(port)
    }

    /// S-62: a range of 2: the third connect to one host fails, another host still works.
    #[test]
    fn s62_exhausted_for_one_destination() {
        let (mut ports, mut used, mut rng) = (ports(), BTreeSet::new(), rng());
        let range = [40000, 40001];
        let mut got: Vec<_> =
            (0..3).map(|_| connect(&mut ports, &mut used, &mut rng, "10.0.0.2:80", range)).collect();
        got.sort();
        assert_eq!(got, [None, Some(40000), Some(40001)]);
        assert!(connect(&mut ports, &mut used, &mut rng, "10.0.0.3:80", range).is_some());
        assert!(connect(&mut ports, &mut used, &mut rng, "10.0.0.2:81", range).is_some());
        // An old connection in TIME-WAIT does not keep the port from other destinations.
        let connected = binding("10.0.0.1", Holder::Connected);
        let waiting = Binding { holder: connected.holder.in_time_wait(), ..connected };
        assert!(ports.change(40000, &connected, waiting));
        assert!(connect(&mut ports, &mut used, &mut rng, "10.0.0.4:80", [40000, 40000]).is_some());
    }

    #[test]
    fn connect_passes_over_bound_and_reserved_ports() {
        let mut ports = ports();
        ports.insert(40000, binding("10.9.9.9", Holder::Bound));
        let key = FlowKey::new("10.0.0.1:0".parse().unwrap(), "10.0.0.2:80".parse().unwrap());
        let range = PortRange { ports: [40000, 40003], reserved: &[(40001, 40002)] };
        assert_eq!(ports.choose_for_connect(&key, range, &mut rng(), |_| true), Some(40003));
        assert_eq!(ports.choose_for_connect(&key, range, &mut rng(), |port| port != 40003), None);
    }

    /// RFC 6056: successive ports towards one peer are not successive numbers, and do not come back soon.
    #[test]
    fn successive_ports_differ() {
        let (mut ports, mut used, mut rng) = (ports(), BTreeSet::new(), rng());
        let chosen: Vec<u16> = (0..2000)
            .map(|_| connect(&mut ports, &mut used, &mut rng, "10.0.0.2:80", [32768, 60999]).unwrap())
            .collect();
        assert_eq!(chosen.iter().collect::<BTreeSet<_>>().len(), 2000);
        assert!(chosen.iter().all(|port| (32768..=60999).contains(port)));
        let steps: BTreeSet<i32> = chosen.windows(2).map(|w| i32::from(w[1]) - i32::from(w[0])).collect();
        assert!(steps.len() > 5, "{steps:?}");
    }

    /// `bind` with port 0 shares with nobody, whatever the flags.
    #[test]
    fn bind_to_port_zero() {
        let mut ports = ports();
        let wanted = Binding { reuse_addr: true, reuse_port: true, ..binding("0.0.0.0", Holder::Bound) };
        let range = PortRange { ports: [5000, 5002], reserved: &[(5001, 5001)] };
        let mut rng = rng();
        let mut got: Vec<_> = (0..3)
            .map(|_| {
                let port = ports.choose_for_bind(&wanted, range, &mut rng);
                port.inspect(|port| ports.insert(*port, wanted))
            })
            .collect();
        got.sort();
        assert_eq!(got, [None, Some(5000), Some(5002)]);
    }

    #[test]
    fn the_default_range_is_s62s() {
        assert_eq!(PortRange::of(&Sysctls::default()).ports, [32768, 60999]);
    }

    proptest! {
        #[test]
        fn a_walk_visits_every_port_once(low in 1u16.., span in 0u16..50, offset in 0u32..200) {
            let high = low.saturating_add(span);
            let range = PortRange { ports: [low, high], reserved: &[] };
            let mut visited: Vec<u16> = range.walk(offset).collect();
            visited.sort();
            prop_assert_eq!(visited, (low..=high).collect::<Vec<_>>());
        }
    }
}
