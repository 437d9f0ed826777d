//! Packets of a peer: right in everything that the input does not bend.

use super::flow::Flow;
use super::options::{self, stray};
use crate::input::Input;
use cauce_wire::{Flags, IpEmit, Seq, checksum, icmp, protocol};
use std::net::IpAddr;

/// A TCP packet for `flow`, from the IP header on, with what a peer remembers of it.
pub(super) struct Crafted {
    pub(super) packet: Vec<u8>,
    pub(super) flags: Flags,
    pub(super) seq: Seq,
    pub(super) scaled: bool,
}

/// Draws a segment: kind, how far its numbers stray, options, payload.
pub(super) fn segment(input: &mut Input<'_>, flow: &Flow, ts_clock: u32) -> Crafted {
    let kind = input.u8();
    let (flags, mut len) = match kind & 15 {
        0 => (Flags::SYN, 0),
        1 => (Flags::SYN | Flags::ACK, 0),
        2 => (Flags::ACK | Flags::FIN, 0),
        3 => (Flags::RST, 0),
        4 => (Flags::RST | Flags::ACK, 0),
        5 => (Flags(input.u16() & 0x1ff), usize::from(input.u8())),
        6 => (Flags::ACK | Flags::URG | Flags::PSH, usize::from(input.u8())),
        7 | 8 => (Flags::ACK | Flags::PSH, usize::from(input.u16() % 1461)),
        9 => (Flags::ACK | Flags::PSH | Flags::FIN, usize::from(input.u8())),
        10 => (Flags::ACK | Flags::ECE | Flags::CWR, usize::from(input.u8() & 1)),
        11 => (Flags::SYN, usize::from(input.u8())),
        _ => (Flags::ACK, 0),
    };
    let syn = flags.contains(Flags::SYN);
    let bends = if kind & 0x10 != 0 { input.u8() } else { 0 };
    let mut seq = if syn && kind & 0x20 == 0 { flow.expected - 1 } else { flow.expected };
    if bends & 1 != 0 {
        let base = input.choose(&[flow.expected, flow.edge.unwrap_or(flow.expected), flow.irs]);
        seq = stray(input, base);
    }
    let mut ack = flow.sent;
    if bends & 2 != 0 {
        let base = input.choose(&[flow.sent, flow.iss, flow.sent - 1448]);
        ack = stray(input, base);
    }
    let window = if bends & 4 != 0 { input.u16() } else { 0xffff };
    let urgent = if flags.contains(Flags::URG) { input.u16() } else { 0 };
    if bends & 8 != 0 {
        len = usize::from(input.u16() % 9000);
    }
    let options = options::draw(input, flow, syn, ts_clock);
    let scaled = options.windows(2).any(|pair| pair == [3, 3]);
    let mut packet = vec![0; header_len(flow) + 20 + options.len() + len];
    let ip = ip_header(flow, protocol::TCP, packet.len() - header_len(flow), bends, input);
    let start = ip.emit(&mut packet);
    let tcp = &mut packet[start..];
    tcp[..2].copy_from_slice(&flow.remote.port().to_be_bytes());
    tcp[2..4].copy_from_slice(&flow.local.port().to_be_bytes());
    tcp[4..8].copy_from_slice(&seq.0.to_be_bytes());
    tcp[8..12].copy_from_slice(&ack.0.to_be_bytes());
    let words = ((20 + options.len()) / 4) as u16;
    tcp[12..14].copy_from_slice(&(words << 12 | flags.0).to_be_bytes());
    tcp[14..16].copy_from_slice(&window.to_be_bytes());
    tcp[18..20].copy_from_slice(&urgent.to_be_bytes());
    tcp[20..20 + options.len()].copy_from_slice(&options);
    let mut sum = checksum::pseudo_header(ip.src, ip.dst, protocol::TCP, tcp.len());
    sum.add_bytes(tcp);
    tcp[16..18].copy_from_slice(&sum.finish().to_be_bytes());
    if bends & 0x80 != 0 {
        bend_bytes(input, &mut packet);
    }
    Crafted { packet, flags, seq, scaled }
}

fn header_len(flow: &Flow) -> usize {
    if flow.remote.is_ipv4() { 20 } else { 40 }
}

fn ip_header(flow: &Flow, protocol: u8, payload_len: usize, bends: u8, input: &mut Input<'_>) -> IpEmit {
    let odd = bends & 0x40 != 0;
    IpEmit {
        src: flow.remote.ip(),
        dst: flow.local.ip(),
        protocol,
        hop_limit: if odd { input.u8() } else { 64 },
        traffic_class: if odd { input.u8() } else { 0 },
        flow_label: 0,
        identification: 7,
        dont_fragment: true,
        payload_len,
    }
}

/// Breaks a finished packet: cuts it, lengthens it, or changes bytes of it.
pub(super) fn bend_bytes(input: &mut Input<'_>, packet: &mut Vec<u8>) {
    let how = input.u8();
    match how & 3 {
        0 => packet.truncate(usize::from(input.u8())),
        1 => packet.extend_from_slice(input.counted()),
        _ => {
            for _ in 0..=how >> 5 {
                let (at, value) = (usize::from(input.u8()), input.u8());
                if let Some(byte) = packet.get_mut(at) {
                    *byte = value;
                }
            }
        }
    }
}

/// An ICMP error that quotes the last packet of the flow, or something like it.
pub(super) fn icmp_error(input: &mut Input<'_>, flow: &Flow) -> Vec<u8> {
    let v4 = flow.remote.is_ipv4();
    let (kind, code) = if v4 {
        input.choose(&[(3, 0), (3, 1), (3, 2), (3, 3), (3, 4), (3, 13), (4, 0), (11, 0), (12, 0), (3, 255)])
    } else {
        input.choose(&[(1, 0), (1, 1), (1, 3), (1, 4), (2, 0), (3, 0), (4, 1), (4, 0), (1, 255), (128, 0)])
    };
    let rest = input.choose(&[0, 1, 68, 296, 576, 1280, 1400, 1500, 9000, u32::MAX]);
    let mut quoted = flow.last.clone();
    quoted.truncate(if input.u8() & 1 == 0 { 60 } else { usize::from(input.u8()) });
    if input.u8() & 7 == 7 {
        bend_bytes(input, &mut quoted);
    }
    let mut body = vec![0; icmp::HEADER_LEN + quoted.len()];
    let (src, dst): (IpAddr, IpAddr) = (flow.remote.ip(), flow.local.ip());
    let ip = if v4 {
        icmp::emit_v4(kind, code, rest, &quoted, &mut body);
        ip_header(flow, protocol::ICMP, body.len(), 0, input)
    } else {
        icmp::emit_v6(src, dst, kind, code, rest, &quoted, &mut body);
        ip_header(flow, protocol::ICMPV6, body.len(), 0, input)
    };
    let mut packet = vec![0; header_len(flow)];
    ip.emit(&mut packet);
    packet.extend_from_slice(&body);
    packet
}

/// Cuts an IPv4 packet into two fragments that fit, overlap, contradict each other, or miss a part.
pub(super) fn fragments(input: &mut Input<'_>, packet: &[u8]) -> Vec<Vec<u8>> {
    let (Some(20), true) = (packet.first().map(|first| usize::from(first & 15) * 4), packet.len() >= 44)
    else {
        return vec![packet.to_vec()];
    };
    let body = &packet[20..];
    let cut = (usize::from(input.u8()) * 8).min(body.len() & !7);
    let overlap = if input.u8() & 3 == 3 { 8 } else { 0 };
    let second = cut.saturating_sub(overlap);
    let piece = |from: usize, to: usize, more: bool| {
        let mut piece = packet[..20].to_vec();
        piece.extend_from_slice(&body[from..to]);
        let len = piece.len() as u16;
        piece[2..4].copy_from_slice(&len.to_be_bytes());
        let word = u16::from(more) << 13 | (from / 8) as u16;
        piece[6..8].copy_from_slice(&word.to_be_bytes());
        piece[10..12].fill(0);
        let sum = checksum::checksum(&piece[..20]);
        piece[10..12].copy_from_slice(&sum.to_be_bytes());
        piece
    };
    let mut pieces = vec![piece(0, cut, true), piece(second, body.len(), false)];
    if input.u8() & 1 != 0 {
        pieces.swap(0, 1);
    }
    pieces
}
