//! The Ethernet side: link headers, and a neighbour that answers ARP and NDP, truly or not.

use crate::input::Input;
use cauce_wire::arp::{ARP_LEN, ArpOperation, ArpPacket};
use cauce_wire::ethernet::{BROADCAST, EthernetHeader, HEADER_LEN, ethertype};
use cauce_wire::ndp::{NDP_HOP_LIMIT, NDP_LEN, NdpMessage, solicited_node};
use cauce_wire::{IpEmit, IpHeader, protocol};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The stack's hardware address.
pub(super) const STACK_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// Everybody else's.
pub(super) const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// Puts a link header before a packet.
pub(super) fn framed(packet: &[u8], kind: u16) -> Vec<u8> {
    let mut frame = vec![0; HEADER_LEN];
    EthernetHeader { dst: STACK_MAC, src: PEER_MAC, ethertype: kind }.emit(&mut frame);
    frame.extend_from_slice(packet);
    frame
}

/// The link header that an IP packet takes.
pub(super) fn framed_ip(packet: &[u8]) -> Vec<u8> {
    let v6 = packet.first().is_some_and(|first| first >> 4 == 6);
    framed(packet, if v6 { ethertype::IPV6 } else { ethertype::IPV4 })
}

/// What a neighbour answers to a frame of the stack, if it asks for one.
pub(super) fn answer(frame: &[u8]) -> Option<Vec<u8>> {
    let header = EthernetHeader::parse(frame).expect("the stack sends whole frames");
    let body = &frame[HEADER_LEN..];
    match header.ethertype {
        ethertype::ARP => {
            let asked = ArpPacket::parse(body).expect("the stack sends sound ARP");
            if asked.operation != ArpOperation::Request {
                return None;
            }
            let mut reply = [0; ARP_LEN];
            asked.reply_from(PEER_MAC).emit(&mut reply);
            Some(framed(&reply, ethertype::ARP))
        }
        ethertype::IPV6 => {
            let ip = IpHeader::parse(body, body.len()).expect("the stack sends sound IPv6");
            let (IpAddr::V6(src), IpAddr::V6(dst)) = (ip.src, ip.dst) else { return None };
            if ip.protocol != protocol::ICMPV6 {
                return None;
            }
            let message = NdpMessage::parse(&body[ip.header_len..], src, dst, ip.hop_limit);
            let Ok(Some(NdpMessage::Solicitation { target, .. })) = message else { return None };
            Some(advertisement(target, src, PEER_MAC))
        }
        _ => None,
    }
}

fn advertisement(target: Ipv6Addr, to: Ipv6Addr, mac: [u8; 6]) -> Vec<u8> {
    let message = NdpMessage::Advertisement {
        target,
        target_mac: Some(mac),
        router: false,
        solicited: true,
        overrides: true,
    };
    ndp(message, target, to)
}

fn ndp(message: NdpMessage, src: Ipv6Addr, dst: Ipv6Addr) -> Vec<u8> {
    let mut packet = vec![0; 40 + NDP_LEN];
    let len = message.emit(src, dst, &mut packet[40..]);
    packet.truncate(40 + len);
    let ip = IpEmit {
        src: src.into(),
        dst: dst.into(),
        protocol: protocol::ICMPV6,
        hop_limit: NDP_HOP_LIMIT,
        traffic_class: 0,
        flow_label: 0,
        identification: 0,
        dont_fragment: false,
        payload_len: len,
    };
    ip.emit(&mut packet);
    framed(&packet, ethertype::IPV6)
}

/// An ARP or NDP message that nobody asked for, or that lies.
pub(super) fn unasked(input: &mut Input<'_>, v4: [Ipv4Addr; 2], v6: [Ipv6Addr; 2]) -> Vec<u8> {
    let which = input.u8();
    let mac = if which & 4 != 0 { [input.u8(), 0, 0, 0, 0, input.u8()] } else { PEER_MAC };
    let [us, them] = if which & 8 != 0 { [1, 0] } else { [0, 1] };
    match which & 3 {
        0 | 1 => {
            let arp = ArpPacket {
                operation: if which & 1 == 0 { ArpOperation::Request } else { ArpOperation::Reply },
                sender_mac: mac,
                sender_ip: v4[them],
                target_mac: BROADCAST,
                target_ip: v4[us],
            };
            let mut packet = [0; ARP_LEN];
            arp.emit(&mut packet);
            framed(&packet, ethertype::ARP)
        }
        2 => advertisement(v6[them], v6[us], mac),
        _ => {
            let ask = NdpMessage::Solicitation { target: v6[us], source_mac: Some(mac) };
            ndp(ask, v6[them], solicited_node(v6[us]))
        }
    }
}
