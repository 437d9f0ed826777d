//! The flow label of IPv6 (O-44): one for all packets of a connection, and another one after each time-out.

use bytes::Bytes;
use cauce_core::batch::Batch;
use cauce_core::frame::{ChecksumState, Frame};
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::SocketOption;
use cauce_core::socket::{Family, SocketId};
use cauce_core::stack::{InterfaceConfig, Medium, Stack};
use cauce_core::sysctl::Sysctls;
use cauce_core::time::{Duration, Instant};
use cauce_wire::IpHeader;

/// Two stacks, `2001:db8::1` and `2001:db8::2`.
fn stacks(sysctl: &Sysctls) -> [Stack; 2] {
    ["2001:db8::1", "2001:db8::2"].map(|addr| {
        let mut seed = 0x9e37_79b9_7f4a_7c15u64 ^ addr.len() as u64;
        let rng = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let mut stack = Stack::new(sysctl.clone(), Box::new(rng));
        let config = InterfaceConfig { name: "pipe".into(), mtu: 1500, medium: Medium::Ip, max_super: 0 };
        let device = stack.add_interface(config);
        assert!(stack.interfaces().add_address(device, addr.parse().unwrap(), 64));
        stack
    })
}

/// What a stack sends now, and the labels of it.
fn sent(stack: &mut Stack, now: Instant) -> (Vec<Frame>, Vec<u32>) {
    let mut out = Batch::new(64);
    stack.poll_transmit(now, &mut out);
    let (mut frames, mut labels) = (Vec::new(), Vec::new());
    while let Some(packet) = out.pop() {
        labels.push(IpHeader::parse(&packet.header, packet.len()).unwrap().flow_label);
        let mut frame = Frame::new(Bytes::copy_from_slice(&packet.header));
        frame.frags = packet.payload.to_vec();
        frame.checksum = ChecksumState::Partial;
        frames.push(frame);
    }
    (frames, labels)
}

fn connecting(stack: &mut Stack, now: Instant) -> SocketId {
    let id = stack.open(Family::V6).unwrap();
    let peer = "[2001:db8::2]:80".parse().unwrap();
    assert_eq!(stack.socket(id).connect(now, peer), Err(Errno::EINPROGRESS));
    id
}

/// The labels of a SYN and of its repetitions.
fn labels_of_syns(stack: &mut Stack, mut now: Instant) -> Vec<u32> {
    let mut labels = sent(stack, now).1;
    for _ in 0..3 {
        now += Duration::from_secs(1);
        stack.handle_timeout(now);
        labels.extend(sent(stack, now).1);
    }
    labels
}

#[test]
fn o44_each_time_out_takes_another_label() {
    let now = Instant::from_secs(10);
    let [mut stack, _] = stacks(&Sysctls::default());
    let id = connecting(&mut stack, now);
    let mut labels = labels_of_syns(&mut stack, now);
    assert_eq!((labels.len(), stack.socket(id).tcp_info(now).unwrap().rehash), (4, 3));
    assert!(labels.iter().all(|label| *label != 0 && *label < 1 << 20), "{labels:x?}");
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), 4, "{labels:x?}");
}

#[test]
fn o44_a_socket_that_must_not_keeps_its_label() {
    let now = Instant::from_secs(10);
    let [mut stack, _] = stacks(&Sysctls::default());
    let id = connecting(&mut stack, now);
    stack.socket(id).set_option(now, SocketOption::TxRehash(0)).unwrap();
    let labels = labels_of_syns(&mut stack, now);
    assert!(labels.iter().all(|label| *label == labels[0] && *label != 0), "{labels:x?}");
    let info = stack.socket(id).tcp_info(now).unwrap();
    assert_eq!((info.total_rto, info.rehash), (3, 0));
}

#[test]
fn one_label_for_the_handshake_and_what_follows() {
    for (setting, labelled) in [(0, false), (1, true), (2, false), (3, true)] {
        let now = Instant::from_secs(10);
        let sysctl = Sysctls { ipv6_auto_flowlabels: setting, ..Sysctls::default() };
        let mut stacks = stacks(&sysctl);
        let listener = stacks[1].open(Family::V6).unwrap();
        stacks[1].socket(listener).bind("[::]:80".parse().unwrap()).unwrap();
        stacks[1].socket(listener).listen(1).unwrap();
        let client = connecting(&mut stacks[0], now);
        let mut labels = [Vec::new(), Vec::new()];
        for turn in 0..6 {
            let side = turn % 2;
            let (frames, these) = sent(&mut stacks[side], now);
            labels[side].extend(these);
            for frame in frames {
                assert!(stacks[1 - side].handle_packet(now, frame).is_none());
            }
            if turn == 1 {
                assert_eq!(stacks[0].socket(client).send(now, b"ping"), Ok(4));
            }
        }
        for mut labels in labels {
            assert!(labels.len() >= 2, "{labels:x?}");
            labels.dedup();
            assert_eq!((labels.len(), labels[0] != 0), (1, labelled), "{setting}: {labels:x?}");
        }
    }
}
