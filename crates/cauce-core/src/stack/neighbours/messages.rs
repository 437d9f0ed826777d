//! The packets that ask and answer, and the link header before all others.

use crate::batch::{MAX_HEADER, PartialChecksum, SendReason, Token, Transmit};
use crate::frame::DeviceId;
use arrayvec::ArrayVec;
use cauce_wire::arp::{ARP_LEN, ArpPacket};
use cauce_wire::ethernet::{EthernetHeader, HEADER_LEN, Mac, ethertype};
use cauce_wire::ndp::{NDP_HOP_LIMIT, NDP_LEN, NdpMessage};
use cauce_wire::{IpEmit, protocol};
use core::net::{IpAddr, Ipv6Addr};
use smallvec::SmallVec;

/// All nodes on the link.
pub(super) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The group address on Ethernet of an IPv6 group (RFC 2464 7).
pub(super) fn multicast_mac(group: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = group.octets();
    [0x33, 0x33, a, b, c, d]
}

/// Puts the Ethernet header before a packet and moves every offset that counts from its start.
pub(super) fn add_link_header(transmit: &mut Transmit, src: Mac, dst: Mac, v4: bool) {
    let ethertype = if v4 { ethertype::IPV4 } else { ethertype::IPV6 };
    let mut header = link_header(EthernetHeader { dst, src, ethertype });
    // Headers of 60 + 60 bytes and a link header still fit; a longer one is not made by this engine.
    if header.try_extend_from_slice(&transmit.header).is_err() {
        debug_assert!(false, "a header of {} bytes has no room for a link header", transmit.header.len());
        return;
    }
    transmit.header = header;
    transmit.network_offset += HEADER_LEN as u8;
    transmit.transport_offset += HEADER_LEN as u8;
    transmit.checksum = transmit
        .checksum
        .map(|partial| PartialChecksum { start: partial.start + HEADER_LEN as u16, ..partial });
}

/// An ARP packet in its frame.
pub(super) fn arp(device: DeviceId, packet: &ArpPacket, src: Mac, dst: Mac) -> Transmit {
    let mut body = [0; ARP_LEN];
    let len = packet.emit(&mut body);
    whole(
        device,
        link_header(EthernetHeader { dst, src, ethertype: ethertype::ARP }),
        &body[..len],
        HEADER_LEN,
    )
}

/// A message of neighbour discovery in its packet, in its frame.
pub(super) fn ndp(
    device: DeviceId,
    message: &NdpMessage,
    from: Ipv6Addr,
    to: Ipv6Addr,
    src: Mac,
    dst: Mac,
) -> Transmit {
    let mut icmp = [0; NDP_LEN];
    let payload_len = message.emit(from, to, &mut icmp);
    let ip = IpEmit {
        src: IpAddr::V6(from),
        dst: IpAddr::V6(to),
        protocol: protocol::ICMPV6,
        hop_limit: NDP_HOP_LIMIT,
        traffic_class: 0,
        flow_label: 0,
        identification: 0,
        dont_fragment: true,
        payload_len,
    };
    let mut packet = [0; 40 + NDP_LEN];
    let start = ip.emit(&mut packet);
    packet[start..start + payload_len].copy_from_slice(&icmp[..payload_len]);
    let link = link_header(EthernetHeader { dst, src, ethertype: ethertype::IPV6 });
    whole(device, link, &packet[..start + payload_len], HEADER_LEN + start)
}

fn link_header(header: EthernetHeader) -> ArrayVec<u8, MAX_HEADER> {
    let mut bytes = ArrayVec::from([0; MAX_HEADER]);
    header.emit(&mut bytes);
    bytes.truncate(HEADER_LEN);
    bytes
}

/// A finished packet behind its link header.
fn whole(
    device: DeviceId,
    mut header: ArrayVec<u8, MAX_HEADER>,
    packet: &[u8],
    transport: usize,
) -> Transmit {
    // 14 + 40 + 32 bytes at most.
    header.extend(packet.iter().copied());
    Transmit {
        header,
        payload: SmallVec::new(),
        gso: None,
        checksum: None,
        network_offset: HEADER_LEN as u8,
        transport_offset: transport as u8,
        device,
        reason: SendReason::Control,
        token: Token::NONE,
    }
}
