//! Packets that a script injects, with right checksums.

use std::net::IpAddr;

use cauce_wire::checksum::pseudo_header;
use cauce_wire::{Flags, IpEmit, icmp, protocol};

use crate::ast::{Ecn, IcmpFamily, IcmpPacket, IpFields};

/// A TCP segment with everything that goes on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub src_port: u16,
    pub dst_port: u16,
    pub ip: IpFields,
    pub seq: u32,
    pub ack: u32,
    pub flags: Flags,
    pub window: u16,
    pub urgent: u16,
    /// Encoded and padded.
    pub options: Vec<u8>,
    /// Bytes of payload, all zero.
    pub len: usize,
}

fn ip_packet(src: IpAddr, dst: IpAddr, protocol: u8, fields: IpFields, payload: &[u8]) -> Vec<u8> {
    let ecn = match fields.ecn {
        None => fields.tos.unwrap_or(0) & 3,
        Some(Ecn::None) => 0,
        Some(Ecn::Ect1) => 1,
        Some(Ecn::Ect0 | Ecn::Either) => 2,
        Some(Ecn::Ce) => 3,
    };
    let header = IpEmit {
        src,
        dst,
        protocol,
        hop_limit: fields.ttl.unwrap_or(255),
        traffic_class: fields.tos.unwrap_or(0) & !3 | ecn,
        flow_label: fields.flow_label.unwrap_or(0),
        identification: 0,
        dont_fragment: fields.dont_fragment.unwrap_or(false),
        payload_len: payload.len(),
    };
    let mut packet = vec![0; header.len()];
    let _ = header.emit(&mut packet);
    packet.extend_from_slice(payload);
    packet
}

/// The packet that carries `segment`.
pub(crate) fn tcp_packet(segment: &Segment) -> Vec<u8> {
    let mut tcp = tcp_header(segment);
    tcp.resize(tcp.len() + segment.len, 0);
    let mut sum = pseudo_header(segment.src, segment.dst, protocol::TCP, tcp.len());
    sum.add_bytes(&tcp);
    let checksum = sum.finish();
    tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
    ip_packet(segment.src, segment.dst, protocol::TCP, segment.ip, &tcp)
}

/// Twenty bytes and the options, the checksum 0.
fn tcp_header(segment: &Segment) -> Vec<u8> {
    let [ae, flags] = (segment.flags.0 & Flags::ALL.0).to_be_bytes();
    let words = (20 + segment.options.len()) / 4;
    let mut tcp = Vec::with_capacity(words * 4);
    tcp.extend(segment.src_port.to_be_bytes());
    tcp.extend(segment.dst_port.to_be_bytes());
    tcp.extend(segment.seq.to_be_bytes());
    tcp.extend(segment.ack.to_be_bytes());
    tcp.extend([(words as u8) << 4 | ae, flags]);
    tcp.extend(segment.window.to_be_bytes());
    tcp.extend([0, 0]);
    tcp.extend(segment.urgent.to_be_bytes());
    tcp.extend(&segment.options);
    tcp
}

/// The ICMP error `packet` from `router` about the segment `quoted`, which went from the stack to the peer.
pub(crate) fn icmp_error(packet: &IcmpPacket, fields: IpFields, router: IpAddr, quoted: &Segment) -> Vec<u8> {
    let tcp = tcp_header(quoted);
    let mut body =
        ip_packet(quoted.src, quoted.dst, protocol::TCP, quoted.ip, &vec![0; tcp.len() + quoted.len]);
    let start = body.len() - tcp.len() - quoted.len;
    body[start..start + tcp.len()].copy_from_slice(&tcp);
    body.truncate(start + tcp.len());
    let rest = packet.mtu.unwrap_or(0);
    let mut message = vec![0; body.len() + 8];
    let (len, protocol) = match packet.family {
        IcmpFamily::V4 => {
            (icmp::emit_v4(packet.icmp_type, packet.code, rest, &body, &mut message), protocol::ICMP)
        }
        IcmpFamily::V6 => {
            let (src, dst) = (router, quoted.src);
            (
                icmp::emit_v6(src, dst, packet.icmp_type, packet.code, rest, &body, &mut message),
                protocol::ICMPV6,
            )
        }
    };
    ip_packet(router, quoted.src, protocol, fields, &message[..len])
}
