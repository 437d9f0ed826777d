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
mod tests;
