//! The interfaces of a stack and the ways over them: addresses, routes, learned path MTUs (DESIGN 4.13).

use super::dead_hops::DeadHops;
use super::path_mtu_cache::PathMtuCache;
use super::route::{Prefix, Route, RouteQuery, Routes, Unroutable};
use crate::addr::Addr;
use crate::connection::Connection;
use crate::connection::path::Path;
use crate::context::Context;
use crate::frame::DeviceId;
use crate::socket::errno::Errno;
use crate::sysctl::AlgorithmName;
use crate::time::Instant;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

/// What a device carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// IP packets without a link header (TUN, pipes, packet channels).
    Ip,
    /// Ethernet frames; the stack resolves neighbours by ARP and NDP.
    Ethernet {
        /// The device's own address.
        mac: [u8; 6],
    },
}

/// What a stack must know of a device.
#[derive(Clone, Debug)]
pub struct InterfaceConfig {
    /// A name for people.
    pub name: String,
    /// Largest IP packet in bytes, at least 68 (IPv4) or 1280 (IPv6).
    pub mtu: u16,
    /// What it carries.
    pub medium: Medium,
    /// Most payload bytes of a super-segment; 0 when the device takes none.
    pub max_super: u16,
}

/// The device that leads from a stack to itself.
pub const LOOPBACK: DeviceId = DeviceId(u16::MAX);
/// The device of packets for which there is no way.
pub(super) const NOWHERE: DeviceId = DeviceId(u16::MAX - 1);

/// The MTU between a stack and itself, as Linux's `lo` has it (less one, because IPv4 says so).
const LOOPBACK_MTU: u16 = 65_535;

/// The smallest MTU that IPv4 can live with (RFC 791).
const LEAST_MTU: u16 = 68;

/// Why there is no path, as the error that `connect` reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathError(pub(crate) Errno);

/// All interfaces of a stack.
#[derive(Debug, Default)]
pub struct Interfaces {
    list: Vec<InterfaceConfig>,
    routes: Routes,
    pub(super) path_mtu: PathMtuCache,
    dead_hops: DeadHops,
    accept_any: bool,
    /// Counts changes of the devices themselves.
    changes: u32,
}

impl Interfaces {
    pub(super) fn add(&mut self, config: InterfaceConfig) -> DeviceId {
        let id = DeviceId(self.list.len() as u16);
        self.list.push(config);
        id
    }

    /// The interface with this id.
    pub fn get(&self, id: DeviceId) -> Option<&InterfaceConfig> {
        self.list.get(usize::from(id.0))
    }

    /// The name of a device; `lo` for the stack's own.
    pub fn name(&self, id: DeviceId) -> &str {
        if id == LOOPBACK { "lo" } else { self.get(id).map_or("", |config| &config.name) }
    }

    /// The device with this name, as SO_BINDTODEVICE asks for it.
    pub fn by_name(&self, name: &str) -> Option<DeviceId> {
        if name == "lo" {
            return Some(LOOPBACK);
        }
        self.iter().find(|(_, config)| config.name == name).map(|(id, _)| id)
    }

    /// The number of a device as programs know it (SO_BINDTOIFINDEX, IP_PKTINFO): `lo` is 1, the others follow.
    pub fn index(id: DeviceId) -> u32 {
        if id == LOOPBACK { 1 } else { u32::from(id.0) + 2 }
    }

    /// The device with this number.
    pub fn by_index(&self, index: u32) -> Option<DeviceId> {
        match index {
            0 => None,
            1 => Some(LOOPBACK),
            _ => self.iter().map(|(id, _)| id).find(|id| Interfaces::index(*id) == index),
        }
    }

    /// All interfaces, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (DeviceId, &InterfaceConfig)> {
        self.list.iter().enumerate().map(|(index, config)| (DeviceId(index as u16), config))
    }

    /// Changes the MTU of a device. Connections over it follow with their next segment. False when there is no
    /// such device, or the MTU is below the 68 bytes that IPv4 needs.
    pub fn set_mtu(&mut self, id: DeviceId, mtu: u16) -> bool {
        let Some(config) = self.list.get_mut(usize::from(id.0)).filter(|_| mtu >= LEAST_MTU) else {
            return false;
        };
        config.mtu = mtu;
        self.changes = self.changes.wrapping_add(1);
        true
    }

    /// Gives an interface an address whose neighbours are the first `len` bits of it. False if the stack has
    /// that address already, or `len` is too long.
    pub fn add_address(&mut self, device: DeviceId, ip: IpAddr, len: u8) -> bool {
        self.routes.add_address(ip, len, device)
    }

    /// Adds a route through a gateway, or on the link itself. False if `len` is too long.
    pub fn add_route(&mut self, ip: IpAddr, len: u8, gateway: Option<IpAddr>, device: DeviceId) -> bool {
        let Some(prefix) = Prefix::new(ip, len) else { return false };
        let route = match gateway {
            Some(gateway) => Route::via(prefix, gateway.into(), device),
            None => Route::new(prefix, device),
        };
        self.routes.add(route);
        true
    }

    /// The routing table.
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// The routing table, to change it.
    pub fn routes_mut(&mut self) -> &mut Routes {
        &mut self.routes
    }

    /// Forgets what ICMP has told of the MTUs of paths of IPv4, or of IPv6 (`ip route flush cache`). Connections ask their
    /// routes again.
    pub fn forget_path_mtus(&mut self, v4: bool) {
        self.path_mtu.clear(v4);
    }

    /// Takes packets for every address as if it were this stack's (transparent proxies).
    pub fn accept_any_address(&mut self, on: bool) {
        self.accept_any = on;
    }

    /// True when the stack answers under this address.
    pub fn is_local(&self, addr: Addr) -> bool {
        self.routes.is_local(&addr)
    }

    /// True when a packet to this address is taken in.
    pub(super) fn accepts(&self, addr: Addr) -> bool {
        self.accept_any && !addr.is_multicast_or_broadcast() || self.is_local(addr) || is_loopback(addr)
    }

    /// The device that has this address.
    pub(super) fn device_of(&self, addr: Addr) -> Option<DeviceId> {
        self.routes.device_of(&addr)
    }

    /// True when packets to this address never leave the stack.
    pub(super) fn loops_back(&self, addr: Addr) -> bool {
        self.is_local(addr) || is_loopback(addr)
    }

    /// The next hop of a packet, for devices that need its link address.
    pub(super) fn next_hop(&self, to: Addr, device: DeviceId) -> Addr {
        let avoid = self.dead_hops.on_the_way_to(&to);
        let query = RouteQuery { device: Some(device), avoid, ..RouteQuery::default() };
        self.routes.lookup(&to, query).map_or(to, |hop| hop.next_hop)
    }

    /// The way from `from` (or the best source) to `to`, as a connection keeps it, with what has been learned of its MTU,
    /// and the source. A socket that is bound to a device goes over `device` alone.
    pub(crate) fn path(
        &self,
        from: Option<Addr>,
        to: Addr,
        query: RouteQuery,
        now: Instant,
    ) -> Result<(Path, Addr), PathError> {
        // In IPv6 who is bound to the loopback reaches no address of another device (Linux).
        let elsewhere = !to.is_v4() && query.device == Some(LOOPBACK) && self.device_of(to).is_some();
        if elsewhere {
            return Err(PathError(Errno::ENETUNREACH));
        }
        if self.loops_back(to) {
            let path = Path {
                device: LOOPBACK,
                mtu: LOOPBACK_MTU,
                max_super: 0,
                generation: self.generation(),
                v4: to.is_v4(),
                advmss: 0,
                initcwnd: 0,
                initrwnd: 0,
                rto_min_us: 0,
                ecn: false,
                hints: 0,
            };
            return Ok((path, from.unwrap_or(to)));
        }
        // SO_DONTROUTE means nothing to IPv6 (Linux).
        let on_link = query.on_link && to.is_v4();
        let query = RouteQuery { avoid: self.dead_hops.on_the_way_to(&to), on_link, ..query };
        let hop = self.routes.lookup(&to, query).map_err(|why| PathError(errno_of(why)))?;
        let interface = self.get(hop.device);
        let device_mtu = interface.map_or(1500, |config| config.mtu);
        let metrics = hop.metrics;
        let mut mtu = if metrics.mtu != 0 { metrics.mtu.min(device_mtu) } else { device_mtu };
        let learned = self.path_mtu.get(&to, now);
        if let Some(learned) = learned {
            mtu = mtu.min(learned.mtu);
        }
        let mtu_locked = metrics.mtu_lock || learned.is_some_and(|learned| learned.fragment);
        let path = Path {
            device: hop.device,
            mtu,
            max_super: interface.map_or(0, |config| config.max_super),
            generation: self.generation(),
            v4: to.is_v4(),
            advmss: metrics.advmss,
            initcwnd: metrics.initcwnd,
            initrwnd: metrics.initrwnd,
            rto_min_us: metrics.rto_min_us,
            ecn: metrics.ecn,
            hints: (if mtu_locked { Path::MTU_LOCKED } else { 0 })
                | (if metrics.quickack { Path::QUICKACK } else { 0 }),
        };
        Ok((path, from.unwrap_or(hop.source)))
    }

    /// A connection's retransmissions fail: its packets rather take another next hop, if there is one (S-38).
    pub(super) fn advise_against(&mut self, conn: &Connection, now: Instant) {
        let (to, device) = (conn.key.remote, Some(conn.path.device));
        let avoid = self.dead_hops.on_the_way_to(&to);
        let query = RouteQuery { device, avoid, ..RouteQuery::default() };
        if let Ok(hop) = self.routes.lookup(&to, query) {
            self.dead_hops.advise(to, hop.next_hop, now);
            self.changes = self.changes.wrapping_add(1);
        }
    }

    /// Advice that is too old does not bind those who open connections now.
    pub(super) fn forget_old_advice(&mut self, now: Instant) {
        self.changes = self.changes.wrapping_add(u32::from(self.dead_hops.expire(now)));
    }

    /// The algorithm that the route to `to` asks for, before what the socket or the system would take.
    pub(super) fn algorithm(&self, to: Addr, query: RouteQuery) -> Option<AlgorithmName> {
        self.routes.lookup(&to, query).ok().and_then(|hop| hop.metrics.congctl)
    }

    /// Renews a connection's copy of its path after the table has changed.
    pub(super) fn refresh(&self, conn: &mut Connection, cx: &mut Context<'_>) {
        match self.path(Some(conn.key.local), conn.key.remote, conn.options.route_query(), cx.now) {
            Ok((path, _)) => {
                // What is outstanding is not sent again for that: it may have arrived.
                let other_mtu = path.mtu != conn.path.mtu;
                conn.path = path;
                if other_mtu {
                    conn.sync_mss(cx);
                }
            }
            // Without a way, now or with these options, what is sent is lost until there is one again or the connection
            // gives up, as on Linux, which tells the user in IPv6 alone. Every packet asks again.
            Err(PathError(why)) => {
                conn.path.device = NOWHERE;
                conn.path.generation = self.generation().wrapping_sub(1);
                if !conn.key.is_v4() {
                    conn.soft_error = Some(why);
                }
            }
        }
    }

    /// Connections that took their path under another generation ask again.
    pub(super) fn generation(&self) -> u32 {
        self.routes.generation().wrapping_add(self.path_mtu.generation()).wrapping_add(self.changes)
    }
}

fn is_loopback(addr: Addr) -> bool {
    addr.ip().is_loopback()
}

fn errno_of(why: Unroutable) -> Errno {
    match why {
        Unroutable::NoRoute => Errno::ENETUNREACH,
        Unroutable::Unreachable => Errno::EHOSTUNREACH,
        Unroutable::Prohibited => Errno::EACCES,
        Unroutable::Blackhole => Errno::EINVAL,
        Unroutable::NoSource => Errno::EADDRNOTAVAIL,
    }
}
