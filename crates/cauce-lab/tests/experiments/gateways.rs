//! Two gateways, one of which dies: N-10.

use crate::rig::ms;
use cauce_core::counters::Counter;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::{Family, SocketId};
use cauce_core::stack::route::Route;
use cauce_core::stack::{InterfaceConfig, Medium, Stack};
use cauce_core::sysctl::Sysctls;
use cauce_core::time::{Duration, Instant};
use cauce_lab::faults::Outage;
use cauce_lab::link::LinkOptions;
use cauce_lab::rng::LabRng;
use cauce_lab::tape::{Segment, Tape};
use cauce_lab::world::{LinkId, Way, World};
use std::net::{IpAddr, SocketAddr};

/// A host with two interfaces, each with a gateway towards the addresses of the other host; the first is preferred.
fn host(number: u8, settings: &[(&str, &str)]) -> Stack {
    let mut sysctls = Sysctls::default();
    settings.iter().for_each(|(name, text)| sysctls.set(name, text).unwrap());
    let mut stack = Stack::new(sysctls, Box::new(LabRng::new(1, u64::from(number))));
    for link in 0..2 {
        let device = stack.add_interface(InterfaceConfig {
            name: format!("lab{link}"),
            mtu: 1500,
            medium: Medium::Ip,
            max_super: 0,
        });
        let interfaces = stack.interfaces();
        interfaces.add_address(device, IpAddr::from([10, number, link, 2]), 24);
        let gateway = IpAddr::from([10, number, link, 1]).into();
        let elsewhere = format!("10.{}.0.0/16", 3 - number).parse().unwrap();
        let route = Route { priority: u32::from(link), ..Route::via(elsewhere, gateway, device) };
        interfaces.routes_mut().add(route);
    }
    stack
}

/// What host 1 sends over either link, after its preferred gateway towards host 2 has died.
fn gateway_dies(settings: &[(&str, &str)]) -> (World<Stack>, Instant, Vec<Segment>) {
    let mut world = World::new(1, Instant::from_secs(1));
    let [a, b] = [1, 2].map(|number| world.add_host(host(number, settings)));
    let options = LinkOptions { delay: Duration::from_micros(1), ..LinkOptions::default() };
    let links: [LinkId; 2] = [(); 2].map(|()| world.connect(a, b, options, options));
    let tape = Tape::new();
    world.tap(Box::new(tape.clone()));
    let server = SocketAddr::new(IpAddr::from([10, 2, 0, 2]), 80);
    world.with(b, |stack, _| {
        let id = stack.open(Family::V4).unwrap();
        stack.socket(id).bind(server).unwrap();
        stack.socket(id).listen(1).unwrap();
    });
    let client: SocketId = world.with(a, |stack, now| {
        let id = stack.open(Family::V4).unwrap();
        assert_eq!(stack.socket(id).connect(now, server), Err(Errno::EINPROGRESS));
        id
    });
    world.run_until(world.now() + Duration::from_secs(1));
    let start = world.now();
    let dead = Outage::new(start, Instant::NEVER);
    world.link_mut(links[0], Way::Forward).faults_mut().push(Box::new(dead));
    tape.clear();
    world.with(a, |stack, now| stack.socket(client).send(now, b"anybody there?").unwrap());
    world.run_until(start + Duration::from_secs(60));
    let unacknowledged = world.with(a, |stack, _| stack.socket(client).bytes_queued().0);
    assert_eq!(unacknowledged, 0, "what was sent has arrived in the end");
    let sent = tape.sent(Way::Forward).into_iter().filter(|segment| segment.len > 0).collect();
    (world, start, sent)
}

/// Three retransmissions last 0.2 (2^4 - 1) = 3.0 s. The first expiry past that asks for help, and the other gateway
/// takes the segment.
#[test]
fn n10_retries1() {
    let expiry = |k: i32| 204.0 * (2f64.powi(k) - 1.0);
    for (retries, last) in [("3", 5), ("0", 2), ("1", 3), ("5", 6)] {
        let settings = [("tcp_retries1", retries), ("tcp_early_retrans", "0")];
        let (world, start, sent) = gateway_dies(&settings);
        let times: Vec<_> = sent.iter().map(|segment| ms(segment.at, start)).collect();
        let expected: Vec<_> = (0..=last).map(expiry).collect();
        assert_eq!(times, expected, "tcp_retries1 {retries}");
        let host = world.host(cauce_lab::world::HostId(0));
        assert_eq!(host.endpoint().counters().get(Counter::TCPRouteRefresh), 1);
        let link = |number| world.link(LinkId(number), Way::Forward).stats();
        assert_eq!((link(0).lost, link(1).arrived), (last as u64, 1), "all but the last were lost");
    }
}
