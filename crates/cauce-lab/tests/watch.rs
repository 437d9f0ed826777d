//! The watch on the wire: SYNs and FINs that cross, and those that do not.

mod common;

use cauce_core::time::{Duration, Instant};
use cauce_lab::pair::{Pair, PairOptions, Side};
use cauce_lab::watch::Watch;
use cauce_wire::{Flags, IpEmit, TcpHeader};
use common::Raw;

/// A segment without payload, its checksums left out: the watch does not verify.
fn segment(from: Side, port: u16, flags: Flags) -> Vec<u8> {
    let header = TcpHeader { src_port: port, dst_port: port, flags, ..TcpHeader::default() };
    let ip = IpEmit {
        src: from.ipv4(),
        dst: from.other().ipv4(),
        protocol: 6,
        hop_limit: 64,
        traffic_class: 0,
        flow_label: 0,
        identification: 0,
        dont_fragment: true,
        payload_len: 20,
    };
    let mut packet = vec![0; 40];
    ip.emit(&mut packet);
    header.emit(&mut packet[20..]);
    packet
}

/// What the watch sees when A and B send these flags at these milliseconds; 10 ms apart.
fn watched(sends: &[(u64, Side, u16, Flags)]) -> (u64, u64) {
    let mut raws = [Raw::default(), Raw::default()];
    for (at, side, port, flags) in sends {
        raws[*side as usize].send_at(Instant::from_millis(*at), 0, segment(*side, *port, *flags));
    }
    let [a, b] = raws;
    let mut pair = Pair::of(&PairOptions { start: Instant::ZERO, ..PairOptions::default() }, a, b);
    let watch = Watch::new();
    pair.tap(Box::new(watch.clone()));
    pair.run_for(Duration::from_secs(1));
    (watch.simultaneous_opens(), watch.simultaneous_closes())
}

#[test]
fn crossing_and_answering() {
    use Side::{A, B};
    assert_eq!(watched(&[(0, A, 1, Flags::SYN), (9, B, 1, Flags::SYN)]), (1, 0));
    assert_eq!(watched(&[(0, A, 1, Flags::SYN), (11, B, 1, Flags::SYN)]), (0, 0));
    assert_eq!(watched(&[(0, A, 1, Flags::SYN), (9, B, 1, Flags::SYN | Flags::ACK)]), (0, 0));
    assert_eq!(watched(&[(0, A, 1, Flags::SYN), (9, B, 2, Flags::SYN)]), (0, 0));
    assert_eq!(watched(&[(5, A, 1, Flags::FIN), (0, B, 1, Flags::FIN)]), (0, 1));
    assert_eq!(watched(&[(0, A, 1, Flags::FIN), (20, B, 1, Flags::FIN)]), (0, 0));
    // Retransmissions count once.
    assert_eq!(watched(&[(0, A, 1, Flags::FIN), (1, B, 1, Flags::FIN), (2, B, 1, Flags::FIN)]), (0, 1));
}
