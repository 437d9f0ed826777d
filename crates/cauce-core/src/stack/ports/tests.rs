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
