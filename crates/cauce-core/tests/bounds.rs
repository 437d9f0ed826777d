//! The bounds that are settings of ours alone, `cauce.max_*`: what is beyond them is refused, and all else goes on.

mod common;

use bytes::Bytes;
use cauce_core::batch::Batch;
use cauce_core::counters::Counter;
use cauce_core::frame::{DeviceId, Frame};
use cauce_core::socket::errno::Errno;
use cauce_core::socket::{Family, SocketId};
use cauce_core::stack::Stack;
use cauce_core::sysctl::Sysctls;
use cauce_wire::{Flags, IpEmit, Seq, TcpHeader, TcpOptions, checksum};
use common::Two;
use common::heard::heard;
use std::net::IpAddr;

const PEER: &str = "10.0.0.1";
const OURS: &str = "10.0.0.2";

/// A segment without text from `port` of the peer to port 80 of stack 1.
fn segment(port: u16, flags: Flags) -> Frame {
    let header = TcpHeader {
        src_port: port,
        dst_port: 80,
        seq: Seq(1000),
        ack: Seq(7),
        flags,
        window: 1000,
        urgent: 0,
        options: TcpOptions::default(),
    };
    let (src, dst): (IpAddr, IpAddr) = (PEER.parse().unwrap(), OURS.parse().unwrap());
    let mut tcp = [0; 60];
    let len = header.emit(&mut tcp);
    let mut sum = checksum::pseudo_header(src, dst, 6, len);
    sum.add_bytes(&tcp[..len]);
    tcp[16..18].copy_from_slice(&sum.finish().to_be_bytes());
    let ip = IpEmit {
        src,
        dst,
        protocol: 6,
        hop_limit: 64,
        traffic_class: 0,
        flow_label: 0,
        identification: 0,
        dont_fragment: true,
        payload_len: len,
    };
    let mut packet = [0; 60];
    let head = ip.emit(&mut packet);
    let bytes = Bytes::from([&packet[..head], &tcp[..len]].concat());
    Frame { device: DeviceId(0), ..Frame::new(bytes) }
}

fn listening(two: &mut Two) -> SocketId {
    let stack = &mut two.stacks[1];
    let listener = stack.open(Family::V4).unwrap();
    stack.socket(listener).bind("10.0.0.2:80".parse().unwrap()).unwrap();
    stack.socket(listener).listen(100).unwrap();
    listener
}

fn packets(stack: &mut Stack, two_now: cauce_core::time::Instant) -> usize {
    let mut batch = Batch::new(64);
    while stack.poll_transmit(two_now, &mut batch) > 0 {}
    std::iter::from_fn(|| batch.pop()).count()
}

/// `cauce.max_sockets`: one more is ENFILE, until one has gone.
#[test]
fn so_many_sockets() {
    let mut two = Two::with(Sysctls { max_sockets: 2, ..Sysctls::default() });
    let stack = &mut two.stacks[0];
    let first = stack.open(Family::V4).unwrap();
    stack.open(Family::V6).unwrap();
    assert_eq!(stack.open(Family::V4), Err(Errno::ENFILE));
    stack.socket(first).close(two.now).unwrap();
    assert!(stack.open(Family::V4).is_ok());
}

/// `cauce.max_half_open`: further SYNs are dropped and counted, whatever the backlog allows.
#[test]
fn so_many_half_open() {
    let mut two = Two::with(Sysctls { max_half_open: 2, tcp_syncookies: 0, ..Sysctls::default() });
    listening(&mut two);
    for port in 0..4 {
        two.stacks[1].handle_packet(two.now, segment(5000 + port, Flags::SYN));
    }
    let now = two.now;
    assert_eq!(packets(&mut two.stacks[1], now), 2, "one SYN,ACK each");
    assert_eq!(two.stacks[1].counters().get(Counter::ListenDrops), 2);
}

/// `cauce.max_pending_replies`: what the device does not take in time is not answered.
#[test]
fn so_many_replies() {
    let outcomes = heard("cauce.max_pending_replies", "3", |sysctl| {
        let mut two = Two::with(sysctl);
        for port in 0..10 {
            two.stacks[1].handle_packet(two.now, segment(5000 + port, Flags::SYN));
        }
        let now = two.now;
        packets(&mut two.stacks[1], now)
    });
    assert_eq!(outcomes, [10, 3], "no listener: one reset each");
}

/// `cauce.max_loopback_queue`: what is beyond is lost, as in any queue, and TCP sends it again.
#[test]
fn so_many_looped_back() {
    let accepted_at_once = heard("cauce.max_loopback_queue", "1", |sysctl| {
        let mut two = Two::with(sysctl);
        let listener = listening(&mut two);
        let now = two.now;
        let stack = &mut two.stacks[1];
        let clients: Vec<SocketId> = (0..4).map(|_| stack.open(Family::V4).unwrap()).collect();
        for client in &clients {
            let begun = stack.socket(*client).connect(now, "10.0.0.2:80".parse().unwrap());
            assert_eq!(begun, Err(Errno::EINPROGRESS));
        }
        two.exchange();
        let accepted = |two: &mut Two| {
            let now = two.now;
            std::iter::from_fn(|| two.stacks[1].socket(listener).accept(now).ok()).count()
        };
        let at_once = accepted(&mut two);
        two.pass(cauce_core::time::Duration::from_secs(60));
        assert_eq!(at_once + accepted(&mut two), 4);
        at_once
    });
    assert!(accepted_at_once[0] == 4 && accepted_at_once[1] < 4, "{accepted_at_once:?}");
}
