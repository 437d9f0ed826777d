//! The stack's addresses and routes (DESIGN 4.13), and the choice of a source address (RFC 6724).
//!
//! Decides by the longest prefix, then the lowest priority, then age, where packets to a destination go and
//! with which metrics; and which addresses are this stack's own. It resolves no link addresses (`neighbours`)
//! and learns nothing from the network (`path_mtu_cache`, `metrics_cache`). Who caches what it says compares
//! [`Routes::generation`].

use crate::addr::Addr;
use crate::frame::DeviceId;
use crate::stack::metrics_cache::PathMetrics;
use crate::sysctl::AlgorithmName;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use smallvec::SmallVec;

mod prefix;
mod source;
#[cfg(test)]
mod tests;

pub use prefix::{Prefix, PrefixError};

/// What a route does with packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouteKind {
    /// Sends them on.
    #[default]
    Unicast,
    /// Takes them: the whole block counts as this stack's own, as a transparent proxy needs it.
    Local,
    /// Refuses them: host unreachable.
    Unreachable,
    /// Refuses them: prohibited.
    Prohibit,
    /// Loses them.
    Blackhole,
}

/// What a route prescribes to the connections that use it. Zero means: as the system does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteMetrics {
    /// Largest packet, in bytes.
    pub mtu: u16,
    /// ICMP must not lower the MTU.
    pub mtu_lock: bool,
    /// MSS to announce, in bytes.
    pub advmss: u16,
    /// Initial congestion window, in segments.
    pub initcwnd: u16,
    /// Initial receive window, in segments.
    pub initrwnd: u16,
    /// Most bytes of receive window to offer.
    pub window: u32,
    /// Least retransmission time-out, in microseconds.
    pub rto_min_us: u32,
    /// Congestion-control algorithm.
    pub congctl: Option<AlgorithmName>,
    /// Acknowledge at once, never delayed.
    pub quickack: bool,
    /// Hop limit.
    pub hoplimit: u8,
    /// Ask for ECN whatever `tcp_ecn` says.
    pub ecn: bool,
    /// What is taken for true of its destinations until connections have learned more (S-33).
    pub path: PathMetrics,
}

/// One route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The destinations it serves.
    pub prefix: Prefix,
    /// What it does.
    pub kind: RouteKind,
    /// The router that takes the packets; `None` when destinations are on the link itself.
    pub gateway: Option<Addr>,
    /// The device they leave by.
    pub device: DeviceId,
    /// The source address to prefer.
    pub source: Option<Addr>,
    /// Of routes with the same prefix the lowest wins.
    pub priority: u32,
    /// What it prescribes.
    pub metrics: RouteMetrics,
}

impl Route {
    /// An on-link route without preferences.
    pub fn new(prefix: Prefix, device: DeviceId) -> Self {
        Route {
            prefix,
            kind: RouteKind::Unicast,
            gateway: None,
            device,
            source: None,
            priority: 0,
            metrics: RouteMetrics::default(),
        }
    }

    /// A route through a gateway.
    pub fn via(prefix: Prefix, gateway: Addr, device: DeviceId) -> Self {
        Route { gateway: Some(gateway), ..Route::new(prefix, device) }
    }
}

/// An address of this stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAddress {
    /// The address.
    pub addr: Addr,
    /// The block whose hosts are neighbours.
    pub prefix: Prefix,
    /// Where those neighbours are.
    pub device: DeviceId,
}

/// Which routes may be considered.
#[derive(Clone, Copy, Debug, Default)]
pub struct RouteQuery {
    /// Only those of this device (SO_BINDTODEVICE).
    pub device: Option<DeviceId>,
    /// Only those without a gateway (SO_DONTROUTE).
    pub on_link: bool,
    /// Rather not this next hop, because it seems dead (S-38).
    pub avoid: Option<Addr>,
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The address whose link address the packet needs: gateway or destination.
    pub next_hop: Addr,
    /// The device it leaves by.
    pub device: DeviceId,
    /// The source address for a socket that has bound none.
    pub source: Addr,
    /// The destination is this stack: the packet never leaves it.
    pub local: bool,
    /// What the route prescribes.
    pub metrics: RouteMetrics,
}

/// Why there is no way to a destination (A-26).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unroutable {
    /// No route, or a destination that is a group: ENETUNREACH.
    NoRoute,
    /// An unreachable route: EHOSTUNREACH.
    Unreachable,
    /// A prohibiting route: EACCES.
    Prohibited,
    /// A black hole: EINVAL.
    Blackhole,
    /// A route, but no address of this stack to send from: EADDRNOTAVAIL.
    NoSource,
}

type SamePrefix = SmallVec<[Route; 1]>;

/// Addresses and routes of one stack.
///
/// ```
/// use cauce_core::{frame::DeviceId, stack::route::{Route, RouteQuery, Routes}};
/// use core::net::IpAddr;
/// let ip = |text: &str| text.parse::<IpAddr>().unwrap();
/// let mut routes = Routes::default();
/// routes.add_address(ip("10.0.0.2"), 24, DeviceId(0));
/// routes.add(Route::via("0.0.0.0/0".parse().unwrap(), ip("10.0.0.1").into(), DeviceId(0)));
/// let hop = routes.lookup(&ip("192.0.2.7").into(), RouteQuery::default()).unwrap();
/// assert_eq!((hop.next_hop.ip(), hop.source.ip()), (ip("10.0.0.1"), ip("10.0.0.2")));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Routes {
    table: BTreeMap<Prefix, SamePrefix>,
    /// The prefix lengths in the table, longest first, with the number of prefixes of each.
    lengths: Vec<(u8, u32)>,
    addresses: Vec<LocalAddress>,
    generation: u32,
}

impl Routes {
    /// Changes whenever an answer may have changed.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Gives the stack an address whose neighbours are the hosts of its first `len` bits, and a route to them.
    /// False, and nothing changes, if it has the address or `len` is too long.
    pub fn add_address(&mut self, ip: core::net::IpAddr, len: u8, device: DeviceId) -> bool {
        let addr = Addr::from(ip);
        let Some(prefix) = Prefix::new(ip, len).filter(|_| !self.is_own_address(&addr)) else { return false };
        let connected = Route { source: Some(addr), ..Route::new(prefix, device) };
        // The first address of a block is the one to send from.
        if !self.table.get(&prefix).is_some_and(|same| same.iter().any(|route| route.gateway.is_none())) {
            self.add(connected);
        }
        self.addresses.push(LocalAddress { addr, prefix, device });
        self.changed();
        true
    }

    /// Takes an address away, and its route if no other address needs it. True if the stack had it.
    pub fn remove_address(&mut self, addr: &Addr) -> bool {
        let Some(at) = self.addresses.iter().position(|own| own.addr == *addr) else { return false };
        let gone = self.addresses.remove(at);
        let connected = Route { source: Some(gone.addr), ..Route::new(gone.prefix, gone.device) };
        if self.remove(&connected) {
            let heir = self.addresses.iter().find(|own| own.prefix == gone.prefix).copied();
            if let Some(heir) = heir {
                self.add(Route { source: Some(heir.addr), ..Route::new(heir.prefix, heir.device) });
            }
        }
        self.changed();
        true
    }

    /// Adds a route. One that is equal in everything but its metrics is replaced.
    pub fn add(&mut self, route: Route) {
        let same = self.table.entry(route.prefix).or_insert_with(|| {
            let bits = route.prefix.bits();
            match self.lengths.binary_search_by_key(&Reverse(bits), |(bits, _)| Reverse(*bits)) {
                Ok(at) => self.lengths[at].1 += 1,
                Err(at) => self.lengths.insert(at, (bits, 1)),
            }
            SamePrefix::new()
        });
        match same.iter_mut().find(|known| Route { metrics: route.metrics, ..**known } == route) {
            Some(known) => *known = route,
            None => {
                let at = same.partition_point(|known| known.priority <= route.priority);
                same.insert(at, route);
            }
        }
        self.changed();
    }

    /// Removes the route that is equal to `route` in everything but metrics. True if there was one.
    pub fn remove(&mut self, route: &Route) -> bool {
        let Some(same) = self.table.get_mut(&route.prefix) else { return false };
        let before = same.len();
        same.retain(|known| Route { metrics: route.metrics, ..*known } != *route);
        let removed = same.len() < before;
        if same.is_empty() {
            self.table.remove(&route.prefix);
            let bits = route.prefix.bits();
            self.lengths.iter_mut().filter(|(known, _)| *known == bits).for_each(|(_, count)| *count -= 1);
            self.lengths.retain(|(_, count)| *count > 0);
        }
        self.changed();
        removed
    }

    /// Where packets to `dst` go.
    ///
    /// # Errors
    /// See [`Unroutable`]. A group of hosts has no route: TCP talks to single ones.
    pub fn lookup(&self, dst: &Addr, query: RouteQuery) -> Result<Hop, Unroutable> {
        if dst.is_multicast_or_broadcast() || self.is_subnet_broadcast(dst) || dst.is_unspecified() {
            return Err(Unroutable::NoRoute);
        }
        if let Some(own) = self.addresses.iter().find(|own| own.addr == *dst) {
            return Ok(Hop {
                next_hop: *dst,
                device: own.device,
                source: *dst,
                local: true,
                metrics: RouteMetrics::default(),
            });
        }
        let usable = |route: &&Route| {
            query.device.is_none_or(|device| route.kind != RouteKind::Unicast || route.device == device)
                && !(query.on_link && route.gateway.is_some())
        };
        let mut found = self.matches(dst).filter(usable);
        let first = found.next().ok_or(Unroutable::NoRoute)?;
        let avoided = |route: &Route| query.avoid == Some(route.gateway.unwrap_or(*dst));
        let route = if first.kind == RouteKind::Unicast && avoided(first) {
            found.find(|other| other.kind == RouteKind::Unicast && !avoided(other)).unwrap_or(first)
        } else {
            first
        };
        self.hop(dst, route)
    }

    fn hop(&self, dst: &Addr, route: &Route) -> Result<Hop, Unroutable> {
        match route.kind {
            RouteKind::Unicast | RouteKind::Local => {}
            RouteKind::Unreachable => return Err(Unroutable::Unreachable),
            RouteKind::Prohibit => return Err(Unroutable::Prohibited),
            RouteKind::Blackhole => return Err(Unroutable::Blackhole),
        }
        let local = route.kind == RouteKind::Local;
        let next_hop = route.gateway.unwrap_or(*dst);
        let source = match route.source {
            Some(source) => source,
            None if local => *dst,
            None => {
                source::select(&self.addresses, dst, &next_hop, route.device).ok_or(Unroutable::NoSource)?
            }
        };
        Ok(Hop { next_hop, device: route.device, source, local, metrics: route.metrics })
    }

    /// True when packets to `addr` are for this stack: one of its addresses, or in a block that a local route
    /// takes.
    pub fn is_local(&self, addr: &Addr) -> bool {
        self.is_own_address(addr)
            || self.matches(addr).next().is_some_and(|route| route.kind == RouteKind::Local)
                && !self.is_subnet_broadcast(addr)
                && !addr.is_multicast_or_broadcast()
    }

    /// True when `addr` is one of the stack's addresses, which it may also announce to neighbours.
    pub fn is_own_address(&self, addr: &Addr) -> bool {
        self.addresses.iter().any(|own| own.addr == *addr)
    }

    /// The device that has `addr` as one of the stack's addresses.
    pub fn device_of(&self, addr: &Addr) -> Option<DeviceId> {
        self.addresses.iter().find(|own| own.addr == *addr).map(|own| own.device)
    }

    /// True when `addr` is the broadcast address of a block of neighbours.
    pub fn is_subnet_broadcast(&self, addr: &Addr) -> bool {
        addr.is_v4() && self.addresses.iter().any(|own| own.prefix.broadcast() == Some(*addr))
    }

    /// The stack's addresses in the order in which they were added.
    pub fn addresses(&self) -> &[LocalAddress] {
        &self.addresses
    }

    /// All routes, by prefix and priority.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.table.values().flatten()
    }

    /// Every route that serves `dst`, the best first.
    fn matches<'a>(&'a self, dst: &Addr) -> impl Iterator<Item = &'a Route> + use<'a> {
        let dst = *dst;
        self.lengths
            .iter()
            .filter_map(move |(bits, _)| self.table.get(&Prefix::of(&dst, *bits)))
            .filter(move |same| same.first().is_some_and(|route| route.prefix.contains(&dst)))
            .flatten()
    }

    fn changed(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }
}
