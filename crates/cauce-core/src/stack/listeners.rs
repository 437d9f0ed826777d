//! From a SYN's destination to the listener that takes it.
//!
//! The most specific listener wins: exact address and port, then a wildcard address (an IPv4 socket before a
//! dual-stack one), then listeners on any port, which transparent proxies use. Among equals a listener bound
//! to the device wins over one that is not; what then remains is an SO_REUSEPORT group, which the flow's hash
//! spreads (O-37). Whether two listeners may stand side by side is decided when they bind (`ports`).

use super::demux::scale;
use crate::addr::Addr;
use crate::frame::DeviceId;
use crate::socket::SocketId;
use alloc::collections::BTreeMap;
use core::net::{IpAddr, Ipv4Addr};
use smallvec::SmallVec;

/// The port under which listeners on any port are kept.
pub const ANY_PORT: u16 = 0;

/// Where a listener listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddr {
    /// Its address. `::` without `v6_only` takes IPv4 too.
    pub addr: Addr,
    /// Its port, or [`ANY_PORT`].
    pub port: u16,
    /// IPV6_V6ONLY: `::` takes no IPv4.
    pub v6_only: bool,
    /// SO_BINDTODEVICE.
    pub device: Option<DeviceId>,
}

/// Where a SYN comes from.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The device.
    pub device: DeviceId,
    /// Its queue, which SO_INCOMING_CPU names.
    pub queue: u16,
    /// The hash of the flow.
    pub hash: u64,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    id: SocketId,
    v6_only: bool,
    device: Option<DeviceId>,
    /// SO_INCOMING_CPU.
    queue: Option<u16>,
}

/// All listeners of a stack.
#[derive(Clone, Debug, Default)]
pub struct Listeners {
    groups: BTreeMap<(Addr, u16), SmallVec<[Member; 1]>>,
}

impl Listeners {
    /// Adds a listener. Members of a group are kept in the order in which they began to listen.
    pub fn insert(&mut self, at: ListenAddr, id: SocketId) {
        let member = Member { id, v6_only: at.v6_only, device: at.device, queue: None };
        self.groups.entry((at.addr, at.port)).or_default().push(member);
    }

    /// SO_INCOMING_CPU: within its group the listener prefers connections of this queue.
    pub fn prefer_queue(&mut self, at: ListenAddr, id: SocketId, queue: Option<u16>) {
        let group = self.groups.get_mut(&(at.addr, at.port));
        group.into_iter().flatten().filter(|member| member.id == id).for_each(|member| member.queue = queue);
    }

    /// Removes a listener. True if it was there.
    pub fn remove(&mut self, at: ListenAddr, id: SocketId) -> bool {
        let key = (at.addr, at.port);
        let Some(group) = self.groups.get_mut(&key) else { return false };
        let before = group.len();
        group.retain(|member| member.id != id);
        let removed = group.len() != before;
        if group.is_empty() {
            self.groups.remove(&key);
        }
        removed
    }

    /// The listener for a SYN to `addr` and `port`.
    pub fn lookup(&self, addr: Addr, port: u16, from: Arrival) -> Option<SocketId> {
        if self.groups.is_empty() {
            return None;
        }
        let v4 = addr.is_v4();
        let any_v4 = Addr::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        [port, ANY_PORT].into_iter().find_map(|port| {
            self.choose((addr, port), false, from)
                .or_else(|| if v4 { self.choose((any_v4, port), false, from) } else { None })
                .or_else(|| self.choose((Addr::UNSPECIFIED, port), v4, from))
        })
    }

    /// True when somebody listens on the port, on whatever address.
    pub fn any_on_port(&self, port: u16) -> bool {
        self.groups.keys().any(|(_, listening)| *listening == port)
    }

    /// Every listener with where it listens, in order of address and port.
    pub fn iter(&self) -> impl Iterator<Item = (ListenAddr, SocketId)> + '_ {
        self.groups.iter().flat_map(|((addr, port), group)| {
            group.iter().map(|member| {
                let at =
                    ListenAddr { addr: *addr, port: *port, v6_only: member.v6_only, device: member.device };
                (at, member.id)
            })
        })
    }

    /// How many listeners there are.
    pub fn len(&self) -> usize {
        self.groups.values().map(SmallVec::len).sum()
    }

    /// True when nobody listens.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    fn choose(&self, key: (Addr, u16), must_be_dual: bool, from: Arrival) -> Option<SocketId> {
        let group = self.groups.get(&key)?;
        let fits = |device: Option<DeviceId>, queue: Option<u16>| {
            group.iter().filter(move |member| {
                member.device == device
                    && !(must_be_dual && member.v6_only)
                    && (queue.is_none() || member.queue == queue)
            })
        };
        [Some(from.device), None].into_iter().find_map(|device| {
            [Some(from.queue), None].into_iter().find_map(|queue| {
                let count = fits(device, queue).count();
                fits(device, queue).nth(scale(from.hash, count as u32) as usize).map(|member| member.id)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotmap::SlotMap;
    use std::vec::Vec;

    fn arrival(device: DeviceId, queue: u16, hash: u64) -> Arrival {
        Arrival { device, queue, hash }
    }

    struct Table {
        listeners: Listeners,
        sockets: SlotMap<SocketId, &'static str>,
    }

    impl Table {
        fn new() -> Self {
            Table { listeners: Listeners::default(), sockets: SlotMap::with_key() }
        }

        fn listen(
            &mut self,
            name: &'static str,
            addr: &str,
            port: u16,
            v6_only: bool,
        ) -> (ListenAddr, SocketId) {
            let addr = addr.parse::<IpAddr>().unwrap().into();
            let at = ListenAddr { addr, port, v6_only, device: None };
            let id = self.sockets.insert(name);
            self.listeners.insert(at, id);
            (at, id)
        }

        fn find(&self, addr: &str, port: u16) -> Option<&'static str> {
            let addr = addr.parse::<IpAddr>().unwrap().into();
            Some(self.sockets[self.listeners.lookup(addr, port, arrival(DeviceId(0), 0, 0))?])
        }
    }

    #[test]
    fn the_most_specific_listener_wins() {
        let mut table = Table::new();
        assert_eq!(table.find("10.0.0.1", 80), None);
        table.listen("transparent", "::", ANY_PORT, false);
        table.listen("dual", "::", 80, false);
        assert_eq!(table.find("10.0.0.1", 80), Some("dual"));
        table.listen("v4 any", "0.0.0.0", 80, false);
        table.listen("exact", "10.0.0.1", 80, false);
        let (v6, v6_id) = table.listen("exact v6", "2001:db8::1", 80, false);
        assert_eq!(table.find("10.0.0.1", 80), Some("exact"));
        assert_eq!(table.find("10.0.0.2", 80), Some("v4 any"));
        assert_eq!(table.find("2001:db8::1", 80), Some("exact v6"));
        assert_eq!(table.find("2001:db8::2", 80), Some("dual"));
        assert_eq!(table.find("10.0.0.1", 81), Some("transparent"));
        assert!(table.listeners.remove(v6, v6_id) && !table.listeners.remove(v6, v6_id));
        assert_eq!(table.find("2001:db8::1", 80), Some("dual"));
        assert_eq!(table.listeners.len(), table.listeners.iter().count());
        assert!(table.listeners.any_on_port(80) && !table.listeners.any_on_port(81));
    }

    /// O-57: with IPV6_V6ONLY the wildcard takes no IPv4.
    #[test]
    fn v6_only() {
        let mut table = Table::new();
        table.listen("v6", "::", 80, true);
        assert_eq!(table.find("10.0.0.1", 80), None);
        assert_eq!(table.find("::1", 80), Some("v6"));
    }

    #[test]
    fn a_listener_bound_to_the_device_is_preferred() {
        let mut table = Table::new();
        let (free, _) = table.listen("free", "0.0.0.0", 80, false);
        let id = table.sockets.insert("bound");
        table.listeners.insert(ListenAddr { device: Some(DeviceId(1)), ..free }, id);
        assert_eq!(table.find("10.0.0.1", 80), Some("free"));
        let addr = "10.0.0.1".parse::<IpAddr>().unwrap().into();
        assert_eq!(table.listeners.lookup(addr, 80, arrival(DeviceId(1), 0, u64::MAX)), Some(id));
    }

    /// O-37: a group shares the connections by hash.
    #[test]
    fn o37_a_group_shares_by_hash() {
        let mut table = Table::new();
        let ids: Vec<SocketId> = (0..3).map(|_| table.listen("member", "0.0.0.0", 80, false).1).collect();
        let addr = "10.0.0.1".parse::<IpAddr>().unwrap().into();
        let mut hits = [0; 3];
        for n in 0..3000u64 {
            let chosen = table
                .listeners
                .lookup(addr, 80, arrival(DeviceId(0), 0, n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
                .unwrap();
            hits[ids.iter().position(|id| *id == chosen).unwrap()] += 1;
        }
        assert!(hits.iter().all(|hits| (900..1100).contains(hits)), "{hits:?}");
    }

    /// O-44: SO_INCOMING_CPU wins within a group, and binds nobody.
    #[test]
    fn o44_a_queue_is_preferred() {
        let mut table = Table::new();
        let members: Vec<_> = (0..3).map(|_| table.listen("member", "0.0.0.0", 80, false)).collect();
        let (at, preferred) = members[1];
        table.listeners.prefer_queue(at, preferred, Some(7));
        let addr = "10.0.0.1".parse::<IpAddr>().unwrap().into();
        for hash in [0, u64::MAX / 2, u64::MAX] {
            let found = |queue| table.listeners.lookup(addr, 80, arrival(DeviceId(0), queue, hash));
            assert_eq!(found(7), Some(preferred));
            assert!(found(1).is_some());
        }
        let other = table.listeners.lookup(addr, 80, arrival(DeviceId(0), 1, 0));
        assert_eq!(other, Some(members[0].1));
    }
}
