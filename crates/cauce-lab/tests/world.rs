//! Worlds of raw packets: the order of events, links between several hosts, repeatability.

mod common;

use bytes::Bytes;
use cauce_core::frame::DeviceId;
use cauce_core::time::{Duration, Instant};
use cauce_lab::faults::{Corruption, Duplication, GilbertElliott, Jitter, Loss, Reorder};
use cauce_lab::link::LinkOptions;
use cauce_lab::log::EventLog;
use cauce_lab::queue::QueueLimit;
use cauce_lab::rng::Probability;
use cauce_lab::world::{Happened, HostId, Way, World};
use common::Raw;

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn world(seed: u64) -> World<Raw> {
    World::new(seed, Instant::ZERO)
}

fn delay(millis: u64) -> LinkOptions {
    LinkOptions { delay: Duration::from_millis(millis), ..LinkOptions::default() }
}

#[test]
fn a_packet_there_and_an_answer_back() {
    let mut world = world(1);
    let mut asking = Raw::default();
    asking.send_at(ms(10), 0, "Question");
    let (a, b) = (world.add_host(asking), world.add_host(Raw::default()));
    let link = world.connect(a, b, delay(5), delay(7));
    let done = world.drive(ms(1_000), |world| !world.host(a).endpoint().inbox.is_empty());
    assert!(done);
    assert_eq!(world.now(), ms(22));
    assert_eq!(world.host(b).endpoint().inbox, [(ms(15), DeviceId(0), Bytes::from_static(b"Question"))]);
    assert_eq!(world.host(a).endpoint().inbox, [(ms(22), DeviceId(0), Bytes::from_static(b"answer"))]);
    assert_eq!(world.host(a).endpoint().transmitted, 1);
    assert_eq!(world.link(link, Way::Forward).stats().sent_bytes, 8);
    assert_eq!(world.link(link, Way::Backward).stats().sent_bytes, 6);
    assert_eq!(world.step(), None);
}

#[test]
fn events_of_one_moment_keep_their_order_and_deadlines_come_last() {
    let mut world = world(1);
    let mut timed = Raw::default();
    timed.send_at(ms(10), 0, "timed");
    let (a, b) = (world.add_host(Raw::default()), world.add_host(timed));
    world.connect(a, b, delay(0), delay(0));
    world.wake_at(ms(10), 1);
    world.wake_at(ms(10), 2);
    world.wake_at(ms(9), 3);
    let seen: Vec<Happened> = std::iter::from_fn(|| world.step()).collect();
    use Happened::{Arrived, Timeout, Woken};
    assert_eq!(seen, [Woken(3), Woken(1), Woken(2), Timeout(HostId(1)), Arrived(HostId(0))]);
}

#[test]
fn a_wake_in_the_past_is_due_now() {
    let mut world = world(1);
    world.add_host(Raw::default());
    world.run_until(ms(50));
    assert_eq!(world.now(), ms(50));
    world.wake_at(ms(20), 9);
    assert_eq!((world.next_at(), world.step()), (Some(ms(50)), Some(Happened::Woken(9))));
}

#[test]
fn drive_stops_at_its_limit_with_the_clock_there() {
    let mut world = world(1);
    world.wake_at(ms(10), 1);
    world.wake_at(ms(30), 2);
    assert!(!world.drive(ms(20), |_| false));
    assert_eq!((world.now(), world.next_at()), (ms(20), Some(ms(30))));
    assert!(world.drive(ms(20), |_| true));
}

#[test]
fn three_hosts_know_their_devices() {
    let mut world = world(1);
    let mut middle = Raw::default();
    middle.send_at(ms(1), 0, "to a");
    middle.send_at(ms(1), 1, "to c");
    middle.send_at(ms(1), 2, "to nobody");
    let (a, c) = (world.add_host(Raw::default()), world.add_host(Raw::default()));
    let b = world.add_host(middle);
    world.connect(a, b, delay(1), delay(1));
    world.connect(b, c, delay(2), delay(2));
    world.run_until(ms(10));
    assert_eq!(world.host(a).endpoint().inbox, [(ms(2), DeviceId(0), Bytes::from_static(b"to a"))]);
    assert_eq!(world.host(c).endpoint().inbox, [(ms(3), DeviceId(0), Bytes::from_static(b"to c"))]);
    assert_eq!((world.host(b).stats().sent, world.host(b).stats().unplugged), (3, 1));
}

#[test]
fn what_an_endpoint_refuses_is_kept_for_the_embedder() {
    let mut world = world(1);
    let mut sender = Raw::default();
    (0..100).for_each(|n: u8| sender.send_at(ms(1), 0, vec![b'!', n]));
    let (a, b) = (world.add_host(sender), world.add_host(Raw::default()));
    world.connect(a, b, delay(1), delay(1));
    world.run_until(ms(10));
    assert_eq!(world.host(b).stats().foreign, 100);
    // The newest 64 are kept.
    assert_eq!(world.pop_foreign(b).unwrap().head.as_ref(), [b'!', 36]);
    assert!(world.host(b).endpoint().inbox.is_empty());
}

/// A world in which everything that can go wrong does.
fn stormy(seed: u64) -> String {
    let mut world = world(seed);
    let mut sides = [Raw::default(), Raw::default()];
    for n in 0..400u64 {
        for side in &mut sides {
            let first = if n % 3 == 0 { b'Q' } else { b'.' };
            side.send_at(Instant::from_micros(n * 130), 0, vec![first; 40 + (n as usize * 37) % 1460]);
        }
    }
    let [a, b] = sides.map(|side| world.add_host(side));
    let options = LinkOptions {
        rate: Some(40_000_000),
        delay: Duration::from_millis(3),
        queue: QueueLimit::packets(12),
        mtu: 1400,
        tells_too_big: false,
    };
    let link = world.connect(a, b, options, options);
    for way in [Way::Forward, Way::Backward] {
        let faults = world.link_mut(link, way).faults_mut();
        faults.push(Box::new(Loss::new(Probability::percent(3.0))));
        faults.push(Box::new(GilbertElliott::new(Probability::percent(1.0), Probability::percent(30.0))));
        faults.push(Box::new(Duplication::new(Probability::percent(5.0))));
        faults.push(Box::new(Reorder::new(Probability::percent(10.0), Duration::from_millis(1))));
        faults.push(Box::new(Corruption::new(Probability::percent(2.0))));
        faults.push(Box::new(Jitter::new(Duration::from_micros(300))));
    }
    let log = EventLog::new();
    world.tap(Box::new(log.clone()));
    world.run_until(ms(500));
    log.text()
}

#[test]
fn a_seed_repeats_its_world_byte_for_byte() {
    let first = stormy(42);
    assert_eq!(first, stormy(42));
    assert_ne!(first, stormy(43));
    for word in ["arrived", "(loss)", "(gilbert-elliott)", "(queue full)", "(longer than the MTU)"] {
        assert!(first.contains(word), "{word}");
    }
}

#[test]
fn healing_ends_every_fault_of_every_link() {
    let mut world = world(1);
    let mut sender = Raw::default();
    (0..20).for_each(|n| sender.send_at(ms(n), 0, "packet"));
    let (a, b) = (world.add_host(sender), world.add_host(Raw::default()));
    let link = world.connect(a, b, delay(1), delay(1));
    world.link_mut(link, Way::Forward).faults_mut().push(Box::new(Loss::new(Probability::ALWAYS)));
    world.heal_at(ms(15));
    world.run_until(ms(100));
    assert_eq!(world.host(b).endpoint().inbox.len(), 5);
    assert_eq!(world.link(link, Way::Forward).stats().lost, 15);
}

/// RFC 1191: whoever sends more than a link carries is told at once.
#[test]
fn too_long_a_packet_is_answered_by_the_router() {
    let mut packet = vec![0u8; 1200];
    let ip = cauce_wire::IpEmit {
        src: [10, 0, 0, 1].into(),
        dst: [10, 0, 0, 2].into(),
        protocol: 6,
        hop_limit: 64,
        traffic_class: 0,
        flow_label: 0,
        identification: 0,
        dont_fragment: true,
        payload_len: 1180,
    };
    ip.emit(&mut packet);
    let received = |tells_too_big| {
        let mut world = world(1);
        let mut sender = Raw::default();
        sender.send_at(ms(5), 0, packet.clone());
        let (a, b) = (world.add_host(sender), world.add_host(Raw::default()));
        let narrow = LinkOptions { mtu: 1000, tells_too_big, ..delay(10) };
        let link = world.connect(a, b, narrow, delay(10));
        world.run_until(ms(100));
        assert_eq!(world.link(link, Way::Forward).stats().too_big, 1);
        assert!(world.host(b).endpoint().inbox.is_empty());
        world.host(a).endpoint().inbox.clone()
    };
    assert_eq!(received(false), []);
    let [(at, _, answer)] = &received(true)[..] else { panic!("one answer") };
    assert_eq!((*at, answer[9], answer.len()), (ms(5), 1, 576));
}
