//! The bridge between two in-memory devices: segmentation, checksums, faults, both directions.

use bytes::Bytes;
use cauce_core::batch::{Batch, Gso, PartialChecksum, SendReason, Token, Transmit};
use cauce_core::frame::{ChecksumState, DeviceId, Frame};
use cauce_device::{Device, Pipe, PipeOptions, pipe};
use cauce_lab::bridge::{Bridge, BridgeOptions, BridgeReport};
use cauce_lab::faults::FaultOptions;
use cauce_lab::link::LinkOptions;
use cauce_lab::rng::Probability;
use cauce_wire::checksum::{pseudo_header, verify_tcp};
use cauce_wire::{Flags, IpEmit, IpHeader, Seq, TCP_CHECKSUM_OFFSET, TcpHeader};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const A: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

/// A TCP packet whose checksum is still partial, cut later when `gso` says so.
fn tcp(src: IpAddr, dst: IpAddr, seq: u32, payload: Vec<u8>, gso: Option<Gso>) -> Transmit {
    let header = TcpHeader {
        src_port: 1000,
        dst_port: 2000,
        seq: Seq(seq),
        flags: Flags::ACK,
        window: 100,
        ..TcpHeader::default()
    };
    let len = header.header_len();
    let ip = IpEmit {
        src,
        dst,
        protocol: 6,
        hop_limit: 64,
        traffic_class: 0,
        flow_label: 0,
        identification: 7,
        dont_fragment: true,
        payload_len: len + payload.len(),
    };
    let mut bytes = vec![0; 20 + len];
    ip.emit(&mut bytes);
    header.emit(&mut bytes[20..]);
    let pseudo = pseudo_header(src, dst, 6, len + payload.len()).folded();
    bytes[20 + TCP_CHECKSUM_OFFSET..][..2].copy_from_slice(&pseudo.to_be_bytes());
    Transmit {
        header: bytes.into_iter().collect(),
        payload: [Bytes::from(payload)].into_iter().collect(),
        gso,
        checksum: Some(PartialChecksum { start: 20, offset: TCP_CHECKSUM_OFFSET as u16 }),
        network_offset: 0,
        transport_offset: 20,
        device: DeviceId(0),
        reason: SendReason::Data,
        token: Token::NONE,
    }
}

fn checksum_is_right(packet: &[u8]) -> bool {
    let Ok(ip) = IpHeader::parse(packet, packet.len()) else { return false };
    let segment = &packet[ip.header_len..ip.total_len];
    verify_tcp(ip.src, ip.dst, [segment].into_iter(), segment.len())
}

/// Receives until `enough` says so or half a minute has passed.
fn receive(device: &mut Pipe, mut enough: impl FnMut(&[Frame]) -> bool) -> Vec<Frame> {
    let (mut frames, started) = (Vec::new(), Instant::now());
    while !enough(&frames) && started.elapsed() < Duration::from_secs(30) {
        if device.receive(64, &mut frames).unwrap() == 0 {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    frames
}

fn send(device: &mut Pipe, packets: impl IntoIterator<Item = Transmit>) {
    let (mut batch, mut sent) = (Batch::new(usize::MAX), Vec::new());
    packets.into_iter().for_each(|packet| batch.push(packet));
    while !batch.is_empty() {
        device.transmit(&mut batch, &mut sent).unwrap();
    }
}

/// Runs a bridge between two pipes while `body` plays both ends.
fn bridged(options: BridgeOptions, body: impl FnOnce(&mut Pipe, &mut Pipe)) -> BridgeReport {
    let pipes = PipeOptions { tso: true, gro: false, capacity: 100_000, ..PipeOptions::default() };
    let (mut a, left) = pipe(pipes);
    let (right, mut b) = pipe(pipes);
    let bridge = Bridge::new(Box::new(left), Box::new(right), &options).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| bridge.run(&stop));
        body(&mut a, &mut b);
        stop.store(true, Ordering::Relaxed);
        running.join().unwrap().unwrap()
    })
}

#[test]
fn super_packets_are_cut_and_checksums_completed_before_the_link() {
    let payload: Vec<u8> = (0..10_000u32).map(|n| n as u8).collect();
    let report = bridged(BridgeOptions::default(), |a, b| {
        send(a, [tcp(A, B, 1, payload.clone(), Some(Gso { size: 1460, segments: 7 }))]);
        let frames = receive(b, |frames| frames.len() >= 7);
        assert_eq!(frames.len(), 7);
        let mut received = Vec::new();
        for frame in frames {
            assert!(frame.len() <= 1500 && frame.checksum != ChecksumState::Partial);
            let packet = frame.to_bytes();
            assert!(checksum_is_right(&packet));
            received.extend_from_slice(&packet[40..]);
        }
        assert_eq!(received, payload);
        send(b, [tcp(B, A, 1, vec![1; 100], None)]);
        assert!(receive(a, |frames| !frames.is_empty()).iter().all(|f| checksum_is_right(&f.to_bytes())));
    });
    assert_eq!(report.links.map(|link| link.arrived), [7, 1]);
}

#[test]
fn faults_act_and_are_counted() {
    let faults = FaultOptions {
        loss: Probability::percent(20.0),
        duplication: Probability::percent(10.0),
        corruption: Probability::percent(10.0),
        reorder: Probability::percent(10.0),
        reorder_delay: Duration::from_millis(2),
        ..FaultOptions::default()
    };
    let link = LinkOptions { delay: Duration::from_millis(1), ..LinkOptions::default() };
    let options = BridgeOptions { seed: 5, links: [link; 2], faults: [faults; 2] };
    let mut right_sums = 0;
    let report = bridged(options, |a, b| {
        send(a, (0..500).map(|n| tcp(A, B, n * 100, vec![n as u8; 100], None)));
        // Markers follow the packets; when one comes, the packets have come or are lost, save a few
        // that are held back.
        let mut marker = || send(a, [tcp(A, B, u32::MAX, vec![0; 5], None)]);
        let mut polls = 0;
        let frames = receive(b, |frames| {
            polls += 1;
            if polls % 50 == 0 {
                marker();
            }
            frames.last().is_some_and(|frame| frame.len() == 45)
        });
        right_sums = frames.iter().filter(|frame| checksum_is_right(&frame.to_bytes())).count();
    });
    let [loss, duplication, corruption, reorder] = &report.faults[0][..] else { panic!("four faults") };
    assert!((60..=160).contains(&loss.1.dropped), "{report:?}");
    assert!(duplication.1.duplicated > 10 && corruption.1.corrupted > 10 && reorder.1.delayed > 10);
    assert!(right_sums >= 250 && report.links[0].arrived > right_sums as u64, "{right_sums} {report:?}");
    assert_eq!(report.malformed, [0, 0]);
}

#[test]
fn what_is_no_ip_packet_is_counted_and_goes_nowhere() {
    let report = bridged(BridgeOptions::default(), |a, b| {
        let mut junk = tcp(A, B, 1, vec![2; 10], None);
        junk.header[0] = 0x75;
        junk.checksum = None;
        send(a, [junk, tcp(A, B, 1, vec![3; 10], None)]);
        assert_eq!(receive(b, |frames| !frames.is_empty()).len(), 1);
    });
    assert_eq!((report.malformed, report.links[0].offered), ([1, 0], 1));
}
