//! The stack's own addresses, which the tool tells nobody: they are learned from what it does.
//!
//! packetdrill binds to its local address and injects packets for it, so both are seen before they matter. A
//! script that only connects shows its address to nobody; for it there is the tool's default one, until
//! another is seen. With `local=` a family has exactly the addresses that were given. Everything is reached
//! through the one device: scripts choose their peers freely.

use cauce_core::addr::Addr;
use cauce_core::frame::DeviceId;
use cauce_core::stack::Stack;
use cauce_core::stack::route::{Prefix, Route};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// packetdrill's `--local_ip` when nothing is said.
const DEFAULT_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 1));
const DEFAULT_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd3d, 0x0a0b, 0x17d6, 0, 0, 0, 0, 1));
/// Addresses of a family that are learned, at most.
const MOST: usize = 64;

/// The addresses of both families.
#[derive(Debug)]
pub(crate) struct Addresses {
    device: DeviceId,
    v4: Family,
    v6: Family,
}

#[derive(Debug)]
struct Family {
    any: IpAddr,
    /// The address that stands in until one is seen.
    guess: Option<IpAddr>,
    /// How many more may be learned.
    room: usize,
}

impl Addresses {
    /// Gives the stack the addresses `local`, the tool's default one in each family without any, and a route
    /// to everywhere.
    pub(crate) fn new(stack: &mut Stack, device: DeviceId, local: &[IpAddr]) -> Addresses {
        let family = |stack: &mut Stack, any: IpAddr, default: IpAddr| {
            let given: Vec<IpAddr> =
                local.iter().copied().filter(|ip| ip.is_ipv4() == any.is_ipv4()).collect();
            for ip in &given {
                stack.interfaces().add_address(device, *ip, whole(*ip));
            }
            if given.is_empty() {
                stack.interfaces().add_address(device, default, whole(default));
            }
            let source = given.first().copied().unwrap_or(default);
            route(stack, device, any, None, source);
            let learns = given.is_empty();
            Family { any, guess: learns.then_some(default), room: if learns { MOST } else { 0 } }
        };
        let v4 = family(stack, Ipv4Addr::UNSPECIFIED.into(), DEFAULT_V4);
        let v6 = family(stack, Ipv6Addr::UNSPECIFIED.into(), DEFAULT_V6);
        Addresses { device, v4, v6 }
    }

    /// bind() names `ip`, or a packet is for it: it is one of ours.
    pub(crate) fn seen(&mut self, stack: &mut Stack, ip: IpAddr) {
        let ip = ip.to_canonical();
        let device = self.device;
        let family = self.family(ip);
        if family.guess == Some(ip) {
            family.guess = None;
        }
        let single = !(ip.is_unspecified() || Addr::from(ip).is_multicast_or_broadcast() || ip.is_loopback());
        if !single || family.room == 0 || !stack.interfaces().add_address(device, ip, whole(ip)) {
            return;
        }
        family.room -= 1;
        if let Some(guess) = family.guess.take() {
            let any = family.any;
            stack.interfaces().routes_mut().remove_address(&guess.into());
            route(stack, device, any, Some(guess), ip);
        }
    }

    /// connect() to `peer` may use the guess, which therefore stays.
    pub(crate) fn connects(&mut self, peer: IpAddr) {
        self.family(peer.to_canonical()).guess = None;
    }

    fn family(&mut self, ip: IpAddr) -> &mut Family {
        if ip.is_ipv4() { &mut self.v4 } else { &mut self.v6 }
    }
}

/// The route to everywhere, with the address to send from; it takes the place of the one that sent from
/// `before`.
fn route(stack: &mut Stack, device: DeviceId, any: IpAddr, before: Option<IpAddr>, source: IpAddr) {
    let Some(prefix) = Prefix::new(any, 0) else { return };
    let from = |source: IpAddr| Route { source: Some(source.into()), ..Route::new(prefix, device) };
    let routes = stack.interfaces().routes_mut();
    if let Some(before) = before {
        routes.remove(&from(before));
    }
    routes.add(from(source));
}

/// A prefix that holds one address.
fn whole(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cauce_core::stack::route::RouteQuery;
    use cauce_core::stack::{InterfaceConfig, Medium};
    use cauce_core::sysctl::Sysctls;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn world(local: &[IpAddr]) -> (Stack, Addresses) {
        let mut n = 0;
        let rng = move || {
            n += 1;
            n
        };
        let mut stack = Stack::new(Sysctls::default(), Box::new(rng));
        let config = InterfaceConfig { name: "tun0".to_owned(), mtu: 1500, medium: Medium::Ip, max_super: 0 };
        let device = stack.add_interface(config);
        let addresses = Addresses::new(&mut stack, device, local);
        (stack, addresses)
    }

    fn source(stack: &mut Stack, peer: &str) -> IpAddr {
        let query = RouteQuery::default();
        stack.interfaces().routes().lookup(&ip(peer).into(), query).unwrap().source.ip()
    }

    #[test]
    fn the_default_stands_in_until_another_is_seen() {
        let (mut stack, mut addresses) = world(&[]);
        assert_eq!(source(&mut stack, "192.0.2.1"), DEFAULT_V4);
        assert_eq!(source(&mut stack, "2001:db8::1"), DEFAULT_V6);
        addresses.seen(&mut stack, ip("::ffff:10.0.0.1"));
        addresses.seen(&mut stack, ip("10.0.0.2"));
        assert_eq!(source(&mut stack, "192.0.2.1"), ip("10.0.0.1"));
        assert!(!stack.interfaces().is_local(DEFAULT_V4.into()));
        assert!(stack.interfaces().is_local(ip("10.0.0.2").into()));
        assert_eq!(source(&mut stack, "2001:db8::1"), DEFAULT_V6);
        for other in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "127.0.0.1", "::", "ff02::1"] {
            addresses.seen(&mut stack, ip(other));
            assert!(!stack.interfaces().is_local(ip(other).into()), "{other}");
        }
    }

    #[test]
    fn an_address_in_use_stays_and_given_ones_are_all_there_are() {
        let (mut stack, mut addresses) = world(&[]);
        addresses.connects(ip("192.0.2.1"));
        addresses.seen(&mut stack, ip("10.0.0.1"));
        assert!(stack.interfaces().is_local(DEFAULT_V4.into()));
        assert_eq!(source(&mut stack, "192.0.2.1"), DEFAULT_V4);
        let (mut stack, mut addresses) = world(&[ip("10.0.0.7"), ip("10.0.0.8")]);
        addresses.seen(&mut stack, ip("10.0.0.1"));
        assert!(!stack.interfaces().is_local(ip("10.0.0.1").into()));
        assert!(stack.interfaces().is_local(ip("10.0.0.8").into()));
        assert_eq!(source(&mut stack, "192.0.2.1"), ip("10.0.0.7"));
        assert_eq!(source(&mut stack, "2001:db8::1"), DEFAULT_V6);
    }

    /// What is learned has a bound.
    #[test]
    fn no_more_than_so_many_are_learned() {
        let (mut stack, mut addresses) = world(&[]);
        for i in 0..100u8 {
            addresses.seen(&mut stack, ip(&format!("10.0.0.{i}")));
        }
        let count = (0..100u8).filter(|i| stack.interfaces().is_local(ip(&format!("10.0.0.{i}")).into()));
        assert_eq!(count.count(), MOST);
    }
}
