use super::super::context_for_tests::World as ContextWorld;
use super::super::control_segment::{SegmentSpec, build_segment};
use super::*;
use crate::addr::FlowKey;
use crate::batch::SendReason;
use crate::sysctl::Sysctls;
use crate::sysctl::heard::heard;
use bytes::Bytes;
use cauce_wire::IpHeader;
use cauce_wire::{Flags, Seq};
use core::net::Ipv6Addr;
use std::vec;

const OWN: Mac = [2, 0, 0, 0, 0, 1];
const PEER: Mac = [2, 0, 0, 0, 0, 2];
const ETH: DeviceId = DeviceId(1);

struct World {
    neighbours: Neighbours,
    routes: Routes,
    context: ContextWorld,
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn addr(text: &str) -> Addr {
    ip(text).into()
}

impl World {
    fn new() -> Self {
        World::with_settings(Sysctls::default())
    }

    fn with_settings(sysctl: Sysctls) -> Self {
        let mut routes = Routes::default();
        routes.add_address(ip("10.0.0.1"), 24, ETH);
        routes.add_address(ip("2001:db8::1"), 64, ETH);
        let mut neighbours = Neighbours::default();
        neighbours.add_interface(ETH, OWN);
        World { neighbours, routes, context: ContextWorld::with_settings(sysctl) }
    }

    fn send(&mut self, to: &str) -> Option<Transmit> {
        let local = if ip(to).is_ipv4() { "10.0.0.1" } else { "2001:db8::1" };
        let key = FlowKey::new((ip(local), 80).into(), (ip(to), 4000).into());
        let mut transmit = build_segment(&SegmentSpec::new(key, Seq(1), Flags::SYN, SendReason::Handshake));
        transmit.device = ETH;
        let (neighbours, routes) = (&mut self.neighbours, &self.routes);
        self.context.with(|ctx| neighbours.output(transmit, addr(to), routes, ctx))
    }

    fn input(&mut self, bytes: &[u8]) -> LinkInput {
        let frame = Frame { device: ETH, ..Frame::new(Bytes::copy_from_slice(bytes)) };
        let (neighbours, routes) = (&mut self.neighbours, &self.routes);
        self.context.with(|ctx| neighbours.input(&frame, routes, ctx))
    }

    fn arp(&mut self, operation: ArpOperation, from: (&str, Mac), to: (&str, Mac)) -> LinkInput {
        let v4 = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        let packet = ArpPacket {
            operation,
            sender_mac: from.1,
            sender_ip: v4(from.0),
            target_mac: to.1,
            target_ip: v4(to.0),
        };
        self.input(&messages::arp(ETH, &packet, from.1, to.1).header)
    }

    fn asked(&mut self) -> ArpPacket {
        let transmit = self.neighbours.poll().expect("a question");
        ArpPacket::parse(&transmit.header[14..]).unwrap()
    }

    /// Lets the next deadline pass; returns how long it was away, in milliseconds.
    fn time_out(&mut self) -> u64 {
        let at = self.neighbours.deadline().expect("a deadline");
        let wait = at.since(self.context.now).as_millis() as u64;
        self.context.now = at;
        let (neighbours, routes) = (&mut self.neighbours, &self.routes);
        self.context.with(|ctx| neighbours.handle_timeout(routes, ctx));
        wait
    }

    fn learn_peer(&mut self) {
        assert!(self.send("10.0.0.2").is_none());
        self.neighbours.poll().unwrap();
        self.arp(ArpOperation::Reply, ("10.0.0.2", PEER), ("10.0.0.1", OWN));
        assert!(self.neighbours.poll().is_some() && self.neighbours.poll().is_none());
    }
}

#[test]
fn packets_wait_for_the_answer_and_leave_in_order() {
    let mut world = World::new();
    assert!(world.send("10.0.0.2").is_none());
    assert!(world.send("10.0.0.2").is_none());
    assert_eq!(world.neighbours.resolve(ETH, &addr("10.0.0.2")), Resolution::Pending);
    let question = world.asked();
    assert_eq!((question.sender_mac, question.sender_ip), (OWN, "10.0.0.1".parse().unwrap()));
    assert!(world.neighbours.poll().is_none(), "one question for both");
    world.arp(ArpOperation::Reply, ("10.0.0.2", PEER), ("10.0.0.1", OWN));
    for _ in 0..2 {
        let transmit = world.neighbours.poll().unwrap();
        let link = EthernetHeader::parse(&transmit.header).unwrap();
        assert_eq!((link.dst, link.src, link.ethertype), (PEER, OWN, ethertype::IPV4));
        assert_eq!((transmit.network_offset, transmit.transport_offset), (14, 34));
        assert_eq!(transmit.checksum.unwrap().start, 34);
    }
    assert_eq!(world.neighbours.deadline(), None, "nothing runs while nothing is in doubt");
    assert!(world.send("10.0.0.2").is_some());
}

#[test]
fn who_does_not_answer_is_reported_with_what_waited() {
    for to in ["10.0.0.2", "2001:db8::2"] {
        let mut world = World::new();
        assert!(world.send(to).is_none());
        let waits: Vec<u64> = (0..3).map(|_| world.time_out()).collect();
        assert_eq!(waits, [1000, 1000, 1000]);
        assert_eq!(core::iter::from_fn(|| world.neighbours.poll()).count(), 3, "mcast_solicit");
        let undelivered = world.neighbours.poll_undelivered().unwrap();
        assert_eq!((undelivered.reason, undelivered.next_hop), (Undeliverable::NoAnswer, addr(to)));
        assert_eq!(world.context.counters.get(Counter::IpOutDiscards), 1);
        assert!(world.neighbours.is_empty() && world.neighbours.deadline().is_none());
    }
}

/// How long each question to a neighbour that never answers waits, in milliseconds.
fn questions(sysctl: Sysctls) -> Vec<u64> {
    let mut world = World::with_settings(sysctl);
    assert!(world.send("10.0.0.2").is_none());
    core::iter::from_fn(|| world.neighbours.deadline().map(|_| world.time_out())).collect()
}

/// `neigh.default.mcast_solicit`: how often a new neighbour is asked.
#[test]
fn the_setting_says_how_often_is_asked() {
    let waits = heard("neigh.default.mcast_solicit", "2", questions);
    assert_eq!(waits, [vec![1000; 3], vec![1000; 2]]);
}

/// `neigh.default.retrans_time_ms`: how fast.
#[test]
fn the_setting_says_how_fast_is_asked() {
    let waits = heard("neigh.default.retrans_time_ms", "300", questions);
    assert_eq!(waits, [vec![1000; 3], vec![300; 3]]);
}

/// How long each question waits to a neighbour that was there, and whose help is asked for after `seconds`.
fn questions_to_who_was_there(sysctl: Sysctls, seconds: u64) -> Vec<u64> {
    let mut world = World::with_settings(sysctl);
    world.learn_peer();
    world.context.now += Duration::from_secs(seconds);
    assert!(world.send("10.0.0.2").is_some());
    core::iter::from_fn(|| world.neighbours.deadline().map(|_| world.time_out())).collect()
}

/// `neigh.default.base_reachable_time_ms` says when an entry is stale.
#[test]
fn the_setting_says_when_a_neighbour_is_stale() {
    let after_ten_seconds = |sysctl| questions_to_who_was_there(sysctl, 10);
    let waits = heard("neigh.default.base_reachable_time_ms", "1000", after_ten_seconds);
    assert_eq!(waits, [vec![], vec![5000, 1000, 1000, 1000]]);
}

/// `neigh.default.delay_first_probe_time`: how long a stale neighbour is used before it is asked.
#[test]
fn the_setting_says_how_long_the_stale_are_used() {
    let stale = |sysctl| questions_to_who_was_there(sysctl, 100);
    let waits = heard("neigh.default.delay_first_probe_time", "7", stale);
    assert_eq!(waits, [vec![5000, 1000, 1000, 1000], vec![7000, 1000, 1000, 1000]]);
}

/// `neigh.default.ucast_solicit`: how often a stale neighbour is asked before it goes.
#[test]
fn the_setting_says_how_often_the_stale_are_asked() {
    let waits = heard("neigh.default.ucast_solicit", "1", |sysctl| questions_to_who_was_there(sysctl, 100));
    assert_eq!(waits, [vec![5000, 1000, 1000, 1000], vec![5000, 1000]]);
}

#[test]
fn requests_for_our_addresses_are_answered() {
    let mut world = World::new();
    let broadcast = |target| (target, BROADCAST);
    assert_eq!(
        world.arp(ArpOperation::Request, ("10.0.0.2", PEER), broadcast("10.0.0.1")),
        LinkInput::Consumed
    );
    let transmit = world.neighbours.poll().unwrap();
    assert_eq!(EthernetHeader::parse(&transmit.header).unwrap().dst, PEER);
    let answer = ArpPacket::parse(&transmit.header[14..]).unwrap();
    assert_eq!((answer.operation, answer.sender_mac, answer.target_mac), (ArpOperation::Reply, OWN, PEER));
    assert!(world.send("10.0.0.2").is_some(), "who asks is known");
    for target in ["10.0.0.9", "10.0.0.255"] {
        world.arp(ArpOperation::Request, ("10.0.0.3", PEER), broadcast(target));
    }
    assert!(world.neighbours.poll().is_none());
    assert_eq!(world.neighbours.len(), 1, "strangers who ask for strangers are not remembered");
}

/// RFC 4861 7.3: a stale entry is used, and asked after 5 s; without an answer it goes.
#[test]
fn a_stale_neighbour_is_asked_again() {
    let mut world = World::new();
    world.learn_peer();
    world.context.now += Duration::from_secs(46);
    assert!(world.send("10.0.0.2").is_some());
    assert_eq!(world.time_out(), 5000);
    let transmit = world.neighbours.poll().unwrap();
    assert_eq!(EthernetHeader::parse(&transmit.header).unwrap().dst, PEER, "asked by unicast");
    assert!(world.send("10.0.0.2").is_some(), "and used meanwhile");
    world.arp(ArpOperation::Reply, ("10.0.0.2", PEER), ("10.0.0.1", OWN));
    assert_eq!(world.neighbours.deadline(), None);

    world.context.now += Duration::from_secs(46);
    assert!(world.send("10.0.0.2").is_some());
    for _ in 0..4 {
        world.time_out();
    }
    assert!(world.neighbours.is_empty() && world.neighbours.poll_undelivered().is_none());
}

#[test]
fn progress_above_confirms_a_neighbour() {
    let mut world = World::new();
    world.learn_peer();
    world.context.now += Duration::from_secs(46);
    assert!(world.send("10.0.0.2").is_some());
    let (neighbours, peer) = (&mut world.neighbours, addr("10.0.0.2"));
    world.context.with(|ctx| neighbours.confirm(ETH, &peer, ctx));
    assert_eq!(world.neighbours.deadline(), None);
    assert!(world.neighbours.iter(world.context.now).all(|(.., reachable)| reachable));
}

#[test]
fn a_moved_neighbour_is_followed() {
    let mut world = World::new();
    world.learn_peer();
    let moved: Mac = [2, 0, 0, 0, 0, 9];
    world.arp(ArpOperation::Request, ("10.0.0.2", moved), ("10.0.0.2", BROADCAST));
    assert_eq!(world.neighbours.resolve(ETH, &addr("10.0.0.2")), Resolution::Ready(moved));
    // Neither a group address nor our own IP address is believed.
    world.arp(ArpOperation::Reply, ("10.0.0.2", [3, 0, 0, 0, 0, 9]), ("10.0.0.1", OWN));
    world.arp(ArpOperation::Reply, ("10.0.0.1", PEER), ("10.0.0.1", OWN));
    assert_eq!(world.neighbours.resolve(ETH, &addr("10.0.0.2")), Resolution::Ready(moved));
    assert_eq!(world.neighbours.len(), 1);
}

#[test]
fn neighbour_discovery_both_ways() {
    let mut world = World::new();
    let (us, them): (Ipv6Addr, Ipv6Addr) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    assert!(world.send("2001:db8::2").is_none());
    let question = world.neighbours.poll().unwrap();
    let group = cauce_wire::ndp::solicited_node(them);
    assert_eq!(EthernetHeader::parse(&question.header).unwrap().dst, messages::multicast_mac(group));
    let asked = NdpMessage::parse(&question.header[54..], us, group, 255).unwrap().unwrap();
    assert_eq!(asked, NdpMessage::Solicitation { target: them, source_mac: Some(OWN) });

    let flags = |target, target_mac| NdpMessage::Advertisement {
        target,
        target_mac,
        router: false,
        solicited: true,
        overrides: true,
    };
    let answer = messages::ndp(ETH, &flags(them, Some(PEER)), them, us, PEER, OWN);
    assert_eq!(world.input(&answer.header), LinkInput::Consumed);
    let released = world.neighbours.poll().unwrap();
    assert_eq!(EthernetHeader::parse(&released.header).unwrap().ethertype, ethertype::IPV6);
    assert_eq!(released.transport_offset, 54);

    // They ask for us; and somebody checks whether our address is free.
    let third: Ipv6Addr = "2001:db8::3".parse().unwrap();
    let ask = NdpMessage::Solicitation { target: us, source_mac: Some(PEER) };
    let own_group = cauce_wire::ndp::solicited_node(us);
    world.input(&messages::ndp(ETH, &ask, third, own_group, PEER, messages::multicast_mac(own_group)).header);
    let reply = world.neighbours.poll().unwrap();
    assert_eq!(NdpMessage::parse(&reply.header[54..], us, third, 255), Ok(Some(flags(us, Some(OWN)))));
    assert!(world.send("2001:db8::3").is_some());
    let check = NdpMessage::Solicitation { target: us, source_mac: None };
    let unspecified = Ipv6Addr::UNSPECIFIED;
    world.input(
        &messages::ndp(ETH, &check, unspecified, own_group, PEER, messages::multicast_mac(own_group)).header,
    );
    let reply = world.neighbours.poll().unwrap();
    let IpAddr::V6(to) = IpHeader::parse(&reply.header[14..], reply.len() - 14).unwrap().dst else {
        panic!()
    };
    assert_eq!(to, messages::ALL_NODES);
}

/// `neigh.default.unres_qlen_bytes`: what waits for a neighbour is bounded.
#[test]
fn what_waits_is_bounded() {
    let refused = heard("neigh.default.unres_qlen_bytes", "100", |sysctl| {
        let mut world = World::with_settings(sysctl);
        (0..4).for_each(|_| assert!(world.send("10.0.0.2").is_none()));
        let refused = core::iter::from_fn(|| world.neighbours.poll_undelivered());
        refused.map(|undelivered| undelivered.reason).collect::<Vec<_>>()
    });
    assert_eq!(refused, [vec![], vec![Undeliverable::QueueFull; 2]]);
}

/// `neigh.default.gc_thresh3`: what is remembered is bounded, too; who is asked stays.
#[test]
fn what_is_remembered_is_bounded() {
    let known = heard("neigh.default.gc_thresh3", "2", |sysctl| {
        let mut world = World::with_settings(sysctl);
        assert!(world.send("10.0.0.2").is_none());
        for from in ["10.0.0.3", "10.0.0.4"] {
            world.arp(ArpOperation::Request, (from, PEER), ("10.0.0.1", BROADCAST));
        }
        ["10.0.0.2", "10.0.0.3", "10.0.0.4"].map(|of| world.neighbours.resolve(ETH, &addr(of)))
    });
    let [asked, there] = [Resolution::Pending, Resolution::Ready(PEER)];
    assert_eq!(known, [[asked, there, there], [asked, Resolution::Unknown, there]]);
}

#[test]
fn questions_are_answered_up_to_a_bound() {
    let mut world = World::new();
    for _ in 0..2 * MAX_REPLIES {
        world.arp(ArpOperation::Request, ("10.0.0.4", PEER), ("10.0.0.1", BROADCAST));
    }
    assert_eq!(core::iter::from_fn(|| world.neighbours.poll()).count(), MAX_REPLIES);
}

#[test]
fn frames_for_others_and_other_protocols() {
    let mut world = World::new();
    let frame = |dst, ethertype| {
        let mut bytes = [0; 34];
        EthernetHeader { dst, src: PEER, ethertype }.emit(&mut bytes);
        bytes
    };
    assert_eq!(world.input(&frame(OWN, ethertype::IPV4)), LinkInput::Ip(14));
    assert_eq!(world.input(&frame(BROADCAST, ethertype::IPV6)), LinkInput::Ip(14));
    assert_eq!(world.input(&frame(PEER, ethertype::IPV4)), LinkInput::Dropped);
    assert_eq!(world.input(&frame(OWN, 0x1234)), LinkInput::Dropped);
    assert_eq!(world.input(&frame(OWN, ethertype::IPV4)[..13]), LinkInput::Dropped);
    assert_eq!(world.input(&frame(OWN, ethertype::ARP)), LinkInput::Consumed);
    let tun = Frame::new(Bytes::from_static(&[0x45]));
    let (neighbours, routes) = (&mut world.neighbours, &world.routes);
    assert_eq!(world.context.with(|ctx| neighbours.input(&tun, routes, ctx)), LinkInput::Ip(0));
}

mod hostile {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever a station sends ends in a verdict, within bounds.
        #[test]
        fn any_frame_is_survived(
            frames in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..100), 0u8..4), 1..40)
        ) {
            let mut world = World::new();
            world.context.sysctl.neigh_gc_thresh3 = 4;
            world.send("10.0.0.2");
            for (mut bytes, kind) in frames {
                if let Some(link) = bytes.first_chunk_mut::<14>() {
                    let ethertype = [ethertype::ARP, ethertype::IPV6, ethertype::IPV4, 7][usize::from(kind)];
                    EthernetHeader { dst: OWN, src: PEER, ethertype }.emit(link);
                }
                if kind == 0 && bytes.len() >= 22 {
                    let operation = 1 + (bytes[21] & 1);
                    bytes[14..22].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, operation]);
                }
                world.input(&bytes);
                prop_assert!(world.neighbours.len() <= 4);
            }
            while world.neighbours.deadline().is_some() {
                world.time_out();
            }
            prop_assert!(world.neighbours.timers.is_empty());
        }
    }
}
