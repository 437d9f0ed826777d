//! The error queue: time stamps, zero-copy notices, ICMP errors; and records (A-18, A-42, O-44, O-50).

mod common;

use bytes::Bytes;
use cauce_core::frame::{DeviceId, Frame};
use cauce_core::socket::errno::Errno;
use cauce_core::socket::error_queue::{ErrorMessage, ErrorOrigin, ZEROCOPY_COPIED};
use cauce_core::socket::options::SocketOption;
use cauce_core::socket::readiness::Readiness;
use cauce_core::socket::timestamping::{StampKind, Timestamping as Stamps};
use cauce_core::socket::{Family, SendFlags, SocketId};
use cauce_core::time::Duration;
use cauce_wire::{IpEmit, icmp, protocol};
use common::Two;
use common::heard::heard;

const ZERO_COPY: SendFlags =
    SendFlags { more: false, end_of_record: false, out_of_band: false, zero_copy: true, timestamping: None };

fn set(two: &mut Two, id: SocketId, option: SocketOption) {
    let now = two.now;
    two.stacks[0].socket(id).set_option(now, option).unwrap();
}

fn messages(two: &mut Two, id: SocketId) -> Vec<ErrorMessage> {
    core::iter::from_fn(|| two.stacks[0].socket(id).recv_error()).collect()
}

fn has_error(two: &mut Two, id: SocketId) -> bool {
    two.stacks[0].socket(id).readiness().contains(Readiness::ERR)
}

/// A stamp for each moment of the last byte of a write, keyed by its offset.
#[test]
fn stamps_of_a_write() {
    let mut two = Two::new();
    let (client, _server) = two.connected();
    let all = Stamps::TX_SCHED | Stamps::TX_SOFTWARE | Stamps::TX_ACK | Stamps::SOFTWARE | Stamps::OPT_ID;
    set(&mut two, client, SocketOption::Timestamping(all));
    for (round, total) in [(1000, 999), (500, 1499)] {
        let now = two.now;
        two.stacks[0].socket(client).send(now, &vec![7; round]).unwrap();
        assert!(!has_error(&mut two, client));
        two.exchange();
        two.pass(Duration::from_millis(60));
        assert!(has_error(&mut two, client));
        let got = messages(&mut two, client);
        let kinds: Vec<(u32, u32)> = got.iter().map(|message| (message.info, message.data)).collect();
        let expected = [StampKind::Queued, StampKind::Sent, StampKind::Acknowledged];
        assert_eq!(kinds, expected.map(|kind| (kind as u32, total)));
        for message in &got {
            assert_eq!((message.origin, message.errno), (ErrorOrigin::Timestamping, Some(Errno::ENOMSG)));
            // A packet with its headers (IPv4's, TCP's, timestamps), or what is left of it when it is acknowledged.
            let headers = if message.info == StampKind::Acknowledged as u32 { 0 } else { 20 + 20 + 12 };
            assert_eq!(message.payload.len(), headers + round);
        }
        let times: Vec<_> = got.iter().map(|message| message.timestamp.unwrap()).collect();
        assert!(times[0] == now && times[1] == now && times[2] >= now, "{times:?}");
        assert!(!has_error(&mut two, client));
    }
}

/// Without OPT_ID there is no key, with OPT_TSONLY no packet, without SOFTWARE no time.
#[test]
fn what_a_stamp_carries_is_chosen() {
    let mut two = Two::new();
    let (client, _server) = two.connected();
    set(&mut two, client, SocketOption::Timestamping(Stamps::TX_SOFTWARE | Stamps::OPT_TSONLY));
    let now = two.now;
    two.stacks[0].socket(client).send(now, b"abc").unwrap();
    two.exchange();
    let got = messages(&mut two, client);
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].data, got[0].payload.len(), got[0].timestamp), (0, 0, None));
    let control = SendFlags { timestamping: Some(Stamps::TX_ACK), ..SendFlags::default() };
    two.stacks[0].socket(client).send_with(now, b"def", control).unwrap();
    two.pass(Duration::from_millis(60));
    let kinds: Vec<u32> = messages(&mut two, client).iter().map(|message| message.info).collect();
    assert_eq!(kinds, [StampKind::Acknowledged as u32]);
}

/// each MSG_ZEROCOPY send is numbered; notices of sends that are through merge.
#[test]
fn zero_copy_sends_complete_in_ranges() {
    let mut two = Two::new();
    let (client, server) = two.connected();
    let now = two.now;
    two.stacks[0].socket(client).send_with(now, b"x", ZERO_COPY).unwrap();
    two.exchange();
    assert!(messages(&mut two, client).is_empty(), "without SO_ZEROCOPY the flag says nothing");
    set(&mut two, client, SocketOption::ZeroCopy(1));
    let now = two.now;
    for _ in 0..3 {
        two.stacks[0].socket(client).send_with(now, &[1; 4000], ZERO_COPY).unwrap();
    }
    let mut shared = Bytes::from(vec![2; 4000]);
    two.stacks[0].socket(client).send_bytes_with(now, &mut shared, ZERO_COPY).unwrap();
    assert!(!has_error(&mut two, client));
    for _ in 0..10 {
        two.pass(Duration::from_millis(50));
        let now = two.now;
        let _ = two.stacks[1].socket(server).recv(now, &mut [0; 20_000]);
    }
    assert!(has_error(&mut two, client));
    let got: Vec<_> =
        messages(&mut two, client).iter().map(|m| (m.origin, m.errno, m.code, m.info, m.data)).collect();
    let zero_copy = ErrorOrigin::ZeroCopy;
    assert_eq!(got, [(zero_copy, None, ZEROCOPY_COPIED, 0, 2), (zero_copy, None, 0, 3, 3)]);
}

/// A zero-copy send is not through while a device still holds its bytes.
#[test]
fn zero_copy_waits_for_the_device() {
    use cauce_core::batch::Batch;
    let mut two = Two::new();
    let (client, _server) = two.connected();
    set(&mut two, client, SocketOption::ZeroCopy(1));
    let now = two.now;
    two.stacks[0].socket(client).send_with(now, &[1; 100], ZERO_COPY).unwrap();
    let mut batch = Batch::new(8);
    two.stacks[0].poll_transmit(now, &mut batch);
    let held = batch.pop().unwrap();
    two.stacks[1].handle_packet(now, Two::frame(&held));
    two.pass(Duration::from_millis(60));
    assert!(messages(&mut two, client).is_empty(), "acknowledged, and still below");
    let now = two.now;
    two.stacks[0].handle_transmitted(now, &[held.token]);
    assert_eq!(messages(&mut two, client).len(), 1);
}

/// The queue holds `cauce.max_error_queue` messages; what is there stays.
#[test]
fn the_queue_is_bounded() {
    let outcomes = heard("cauce.max_error_queue", "2", |sysctl| {
        let mut two = Two::with(sysctl);
        let (client, _server) = two.connected();
        let asked = Stamps::TX_SCHED | Stamps::OPT_ID;
        set(&mut two, client, SocketOption::Timestamping(asked));
        set(&mut two, client, SocketOption::NoDelay(true));
        for _ in 0..5 {
            let now = two.now;
            two.stacks[0].socket(client).send(now, b"x").unwrap();
            two.exchange();
        }
        messages(&mut two, client).iter().map(|message| message.data).collect::<Vec<u32>>()
    });
    assert_eq!(outcomes, [vec![0, 1, 2, 3, 4], vec![0, 1]]);
}

/// An ICMP host-unreachable from a router, about the SYN or the next byte of a connection of stack 0.
fn host_unreachable(two: &mut Two, sent: &common::Sent) {
    let local = "10.0.0.1".parse().unwrap();
    let remote = "10.0.0.2".parse().unwrap();
    let router = "10.0.0.254".parse().unwrap();
    let ip = |src, dst, protocol, payload_len| IpEmit {
        src,
        dst,
        protocol,
        hop_limit: 64,
        traffic_class: 0,
        flow_label: 0,
        identification: 0,
        dont_fragment: true,
        payload_len,
    };
    let mut quoted = [0; 28];
    let at = ip(local, remote, protocol::TCP, 20).emit(&mut quoted);
    quoted[at..at + 2].copy_from_slice(&sent.header.src_port.to_be_bytes());
    quoted[at + 2..at + 4].copy_from_slice(&sent.header.dst_port.to_be_bytes());
    quoted[at + 4..at + 8].copy_from_slice(&sent.header.seq.0.to_be_bytes());
    let mut message = [0; 64];
    let len = icmp::emit_v4(3, 1, 0, &quoted, &mut message);
    let mut packet = vec![0; 20];
    ip(router, local, protocol::ICMP, len).emit(&mut packet);
    packet.extend_from_slice(&message[..len]);
    let mut frame = Frame::new(packet.into());
    frame.device = DeviceId(0);
    let now = two.now;
    assert!(two.stacks[0].handle_packet(now, frame).is_none());
}

/// in SYN-SENT the error is queued whatever IP_RECVERR says; reading it takes the pending error away.
#[test]
fn a42_icmp_in_syn_sent() {
    let mut two = Two::new();
    let client = two.stacks[0].open(Family::V4).unwrap();
    let now = two.now;
    let _ = two.stacks[0].socket(client).connect(now, "10.0.0.2:9".parse().unwrap());
    let mut batch = cauce_core::batch::Batch::new(4);
    two.stacks[0].poll_transmit(now, &mut batch);
    let syn = two.seen(0, &batch.pop().unwrap());
    host_unreachable(&mut two, &syn);
    assert!(has_error(&mut two, client));
    let got = messages(&mut two, client);
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].errno, got[0].origin), (Some(Errno::EHOSTUNREACH), ErrorOrigin::Icmp));
    assert_eq!((got[0].kind, got[0].code, got[0].offender), (3, 1, Some("10.0.0.254".parse().unwrap())));
    assert_eq!(got[0].peer, "10.0.0.2:9".parse().unwrap());
    assert_eq!(got[0].payload.len(), 8, "the quoted TCP header, as far as it is quoted");
    assert_eq!(two.stacks[0].socket(client).take_error(), None);
}

/// O-50, X-20: on an open connection IP_RECVERR decides, and the connection lives.
#[test]
fn a42_icmp_in_established() {
    for asked in [false, true] {
        let mut two = Two::new();
        let (client, server) = two.connected();
        set(&mut two, client, SocketOption::RecvErr(asked));
        two.log.clear();
        let now = two.now;
        two.stacks[0].socket(client).send(now, b"x").unwrap();
        let mut batch = cauce_core::batch::Batch::new(4);
        two.stacks[0].poll_transmit(now, &mut batch);
        let segment = two.seen(0, batch.front().unwrap());
        host_unreachable(&mut two, &segment);
        assert_eq!(has_error(&mut two, client), asked);
        assert_eq!(messages(&mut two, client).len(), usize::from(asked));
        if !asked {
            assert_eq!(
                two.stacks[0].socket(client).take_error(),
                Some(Errno::EHOSTUNREACH),
                "the soft error"
            );
        }
        two.stacks[1].handle_packet(now, Two::frame(&batch.pop().unwrap()));
        assert_eq!(two.stacks[1].socket(server).recv(now, &mut [0; 4]), Ok(1));
        two.transfer(0, client, server, 5_000);
    }
}

/// MSG_EOR: no segment joins what lies before and behind the end of a record, repetitions neither.
#[test]
fn records_end_with_their_segments() {
    let record = SendFlags { end_of_record: true, ..SendFlags::default() };
    let mut two = Two::new();
    let (client, _server) = two.connected();
    two.log.clear();
    let now = two.now;
    for (len, flags) in [(1000, record), (400, record), (100, SendFlags::default()), (200, record)] {
        two.stacks[0].socket(client).send_with(now, &vec![1; len], flags).unwrap();
    }
    // Nothing arrives: what left is sent again later, in the same pieces. The last one waits for Nagle.
    let mut batch = cauce_core::batch::Batch::new(64);
    two.stacks[0].poll_transmit(now, &mut batch);
    let lens: Vec<usize> = batch.iter().map(|packet| packet.payload_len()).collect();
    assert_eq!(lens, [1000, 400]);
    let mut again = Vec::new();
    while again.len() < 8 {
        let at = two.stacks[0].poll_timeout().unwrap().0;
        two.now = at;
        two.stacks[0].handle_timeout(at);
        let mut batch = cauce_core::batch::Batch::new(64);
        two.stacks[0].poll_transmit(at, &mut batch);
        again.extend(batch.iter().map(|packet| packet.payload_len()));
    }
    // The tail-loss probe does not wait for Nagle.
    assert!(again.iter().all(|len| [1000, 400, 300].contains(len)), "{again:?}");
}

/// SO_PRIORITY, SO_MARK and IP_TOS go out with every packet (O-42).
#[test]
fn o42_the_class_of_packets() {
    let mut two = Two::new();
    let (client, _server) = two.connected();
    for option in [SocketOption::Tos(0x10), SocketOption::Mark(77)] {
        set(&mut two, client, option);
    }
    two.log.clear();
    let now = two.now;
    two.stacks[0].socket(client).send(now, b"x").unwrap();
    two.exchange();
    assert_eq!((two.log[0].class.priority, two.log[0].class.mark), (6, 77));
    set(&mut two, client, SocketOption::Priority(3));
    two.log.clear();
    let now = two.now;
    two.stacks[0].socket(client).send(now, b"x").unwrap();
    two.exchange();
    assert_eq!(two.log[0].class.priority, 3);
}

/// A read tells when the newest byte that it took arrived, for those who ask.
#[test]
fn reads_are_stamped() {
    let mut two = Two::new();
    let (client, server) = two.connected();
    let mut byte = [0];
    let mut arrivals = Vec::new();
    for asked in [false, true] {
        let now = two.now;
        two.stacks[1].socket(server).set_option(now, SocketOption::ReceiveTimestampNanos(asked)).unwrap();
        two.stacks[0].socket(client).send(now, b"x").unwrap();
        arrivals.push(two.now);
        two.exchange();
        two.pass(Duration::from_millis(100));
        let now = two.now;
        assert_eq!(two.stacks[1].socket(server).recv(now, &mut byte), Ok(1));
        let stamp = two.stacks[1].socket(server).read_stamp();
        assert_eq!(stamp.is_some(), asked);
        if let Some(stamp) = stamp {
            assert!(stamp.since(arrivals[1]) < Duration::from_millis(1));
        }
    }
}
