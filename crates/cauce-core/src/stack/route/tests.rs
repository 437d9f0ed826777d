use super::*;
use core::net::IpAddr;
use proptest::prelude::*;

const TUN: DeviceId = DeviceId(0);
const ETH: DeviceId = DeviceId(1);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn addr(text: &str) -> Addr {
    ip(text).into()
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn routes() -> Routes {
    let mut routes = Routes::default();
    assert!(routes.add_address(ip("10.0.0.2"), 24, TUN));
    assert!(routes.add_address(ip("192.168.1.2"), 24, ETH));
    assert!(routes.add_address(ip("fe80::2"), 64, ETH));
    assert!(routes.add_address(ip("2001:db8::2"), 64, ETH));
    routes.add(Route::via(prefix("0.0.0.0/0"), addr("10.0.0.1"), TUN));
    routes.add(Route::via(prefix("::/0"), addr("fe80::1"), ETH));
    routes
}

fn to(routes: &Routes, dst: &str) -> Result<Hop, Unroutable> {
    routes.lookup(&addr(dst), RouteQuery::default())
}

#[test]
fn the_longest_prefix_wins_and_the_source_fits() {
    let routes = routes();
    for (dst, next_hop, source, device) in [
        ("10.0.0.9", "10.0.0.9", "10.0.0.2", TUN),
        ("192.168.1.9", "192.168.1.9", "192.168.1.2", ETH),
        ("8.8.8.8", "10.0.0.1", "10.0.0.2", TUN),
        ("2001:db8::9", "2001:db8::9", "2001:db8::2", ETH),
        ("fe80::9", "fe80::9", "fe80::2", ETH),
        // RFC 6724 rule 2: a link-local source does not reach a global destination.
        ("2a00::1", "fe80::1", "2001:db8::2", ETH),
    ] {
        let hop = to(&routes, dst).unwrap();
        assert_eq!(
            (hop.next_hop, hop.source, hop.device, hop.local),
            (addr(next_hop), addr(source), device, false)
        );
    }
}

/// DESIGN 3: the stack's own addresses loop back inside it.
#[test]
fn own_addresses_are_local() {
    let routes = routes();
    let hop = to(&routes, "10.0.0.2").unwrap();
    assert!(hop.local && hop.source == addr("10.0.0.2"));
    assert!(routes.is_local(&addr("fe80::2")) && !routes.is_local(&addr("10.0.0.3")));
}

/// broadcast, multicast and no route ENETUNREACH; unreachable, prohibit and black hole.
#[test]
fn a26_what_cannot_be_reached() {
    let mut routes = routes();
    for (text, kind) in [
        ("10.9.1.0/24", RouteKind::Unreachable),
        ("10.9.2.0/24", RouteKind::Prohibit),
        ("10.9.3.0/24", RouteKind::Blackhole),
    ] {
        routes.add(Route { kind, ..Route::new(prefix(text), TUN) });
    }
    assert_eq!(to(&routes, "10.9.1.1"), Err(Unroutable::Unreachable));
    assert_eq!(to(&routes, "10.9.2.1"), Err(Unroutable::Prohibited));
    assert_eq!(to(&routes, "10.9.3.1"), Err(Unroutable::Blackhole));
    for group in ["255.255.255.255", "10.0.0.255", "224.0.0.1", "ff02::1", "0.0.0.0", "::"] {
        assert_eq!(to(&routes, group), Err(Unroutable::NoRoute), "{group}");
    }
    assert!(routes.remove(&Route::via(prefix("::/0"), addr("fe80::1"), ETH)));
    assert_eq!(to(&routes, "2a00::1"), Err(Unroutable::NoRoute));
    routes.add(Route::new(prefix("2a00::/16"), TUN));
    assert!(to(&routes, "2a00::1").is_ok());
    assert_eq!(to(&Routes::default(), "10.0.0.1"), Err(Unroutable::NoRoute));
}

/// O-43: SO_BINDTODEVICE restricts, SO_DONTROUTE reaches on-link peers only.
#[test]
fn o43_restricted_lookups() {
    let routes = routes();
    let bound = RouteQuery { device: Some(ETH), ..RouteQuery::default() };
    assert_eq!(routes.lookup(&addr("8.8.8.8"), bound), Err(Unroutable::NoRoute));
    let on_link = RouteQuery { on_link: true, ..RouteQuery::default() };
    assert_eq!(routes.lookup(&addr("8.8.8.8"), on_link), Err(Unroutable::NoRoute));
    assert!(routes.lookup(&addr("10.0.0.9"), on_link).is_ok());
}

/// S-38: a gateway that seems dead is avoided where there is another, and priority decides otherwise.
#[test]
fn s38_another_gateway() {
    let mut routes = routes();
    let second = Route { priority: 5, ..Route::via(prefix("0.0.0.0/0"), addr("192.168.1.1"), ETH) };
    routes.add(second);
    assert_eq!(to(&routes, "8.8.8.8").unwrap().next_hop, addr("10.0.0.1"));
    let avoid = |next_hop| RouteQuery { avoid: Some(addr(next_hop)), ..RouteQuery::default() };
    let hop = routes.lookup(&addr("8.8.8.8"), avoid("10.0.0.1")).unwrap();
    assert_eq!((hop.next_hop, hop.source), (addr("192.168.1.1"), addr("192.168.1.2")));
    assert!(routes.remove(&second));
    let hop = routes.lookup(&addr("8.8.8.8"), avoid("10.0.0.1")).unwrap();
    assert_eq!(hop.next_hop, addr("10.0.0.1"), "better than none");
}

/// DESIGN 4.13: metrics ride on the hop, and every change moves the generation.
#[test]
fn metrics_and_generation() {
    let mut routes = routes();
    let before = routes.generation();
    let route = Route::via(prefix("203.0.113.0/24"), addr("10.0.0.1"), TUN);
    let metrics = RouteMetrics { mtu: 1400, mtu_lock: true, initcwnd: 20, ..RouteMetrics::default() };
    routes.add(route);
    routes.add(Route { metrics, ..route });
    assert_eq!(to(&routes, "203.0.113.5").unwrap().metrics, metrics);
    assert_eq!(routes.iter().filter(|known| known.prefix == route.prefix).count(), 1);
    assert!(routes.generation() > before);
}

/// A local route takes a whole block, but that is no address to announce to neighbours.
#[test]
fn transparent_blocks() {
    let mut routes = routes();
    routes.add(Route { kind: RouteKind::Local, ..Route::new(prefix("198.18.0.0/15"), TUN) });
    assert!(routes.is_local(&addr("198.18.3.4")) && !routes.is_own_address(&addr("198.18.3.4")));
    assert!(to(&routes, "198.18.3.4").unwrap().local);
    routes.add(Route { kind: RouteKind::Local, priority: 0, ..Route::new(prefix("0.0.0.0/0"), TUN) });
    assert!(!routes.is_local(&addr("224.0.0.1")) && !routes.is_local(&addr("10.0.0.255")));
}

#[test]
fn addresses_come_and_go() {
    let mut routes = routes();
    assert!(!routes.add_address(ip("10.0.0.2"), 24, TUN));
    assert!(!routes.add_address(ip("10.0.0.3"), 33, TUN));
    assert!(routes.add_address(ip("10.0.0.3"), 24, TUN));
    assert_eq!(to(&routes, "10.0.0.9").unwrap().source, addr("10.0.0.2"));
    assert!(routes.remove_address(&addr("10.0.0.2")) && !routes.remove_address(&addr("10.0.0.2")));
    assert_eq!(to(&routes, "10.0.0.9").unwrap().source, addr("10.0.0.3"));
    assert!(routes.remove_address(&addr("10.0.0.3")));
    assert_eq!(to(&routes, "10.0.0.9").unwrap().next_hop, addr("10.0.0.1"));
    assert_eq!(routes.addresses().len(), 3);
}

fn any_addr() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0u8..4, 0u8..4).prop_map(|(a, b)| IpAddr::from([10, a << 6, 0, b])),
        (0u16..4, 0u16..4).prop_map(|(a, b)| IpAddr::from([0x2001, a << 14, 0, 0, 0, 0, 0, b + 1])),
    ]
}

proptest! {
    /// Against a linear scan: the longest prefix, then the lowest priority, then the oldest.
    #[test]
    fn lookup_agrees_with_a_linear_scan(
        added in prop::collection::vec((any_addr(), 0u8..=128, 0u32..3, 0u16..50), 0..30),
        removed in prop::collection::vec(0usize..30, 0..10),
        asked in prop::collection::vec(any_addr(), 1..20)
    ) {
        let mut routes = Routes::default();
        let mut model: Vec<Route> = Vec::new();
        for (ip, len, priority, device) in added {
            let Some(prefix) = Prefix::new(ip, len) else { continue };
            let source = Some(ip.into());
            let route = Route { source, priority, ..Route::new(prefix, DeviceId(device)) };
            routes.add(route);
            if !model.contains(&route) {
                model.push(route);
            }
        }
        for at in removed {
            if at < model.len() {
                let route = model.remove(at);
                prop_assert!(routes.remove(&route) && !routes.remove(&route));
            }
        }
        prop_assert_eq!(routes.iter().count(), model.len());
        for dst in asked {
            let dst = dst.into();
            let best = model.iter().filter(|route| route.prefix.contains(&dst)).fold(None, |best: Option<&Route>, route| {
                let rank = |route: &Route| (Reverse(route.prefix.length()), route.priority);
                match best {
                    Some(best) if rank(best) <= rank(route) => Some(best),
                    _ => Some(route),
                }
            });
            let found = routes.lookup(&dst, RouteQuery::default()).ok();
            prop_assert_eq!(found.map(|hop| hop.device), best.map(|route| route.device));
        }
    }
}
