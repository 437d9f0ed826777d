//! Packets taken apart: no bytes make a parser panic, and what is parsed and written again is the same.

use crate::input::Input;
use cauce_wire::arp::ArpPacket;
use cauce_wire::ethernet::EthernetHeader;
use cauce_wire::ndp::NdpMessage;
use cauce_wire::{IpHeader, TcpHeader, dissect, icmp, raw_options};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 and IPv6 headers with their extensions, whole and cut, and the line that describes the packet.
pub fn ip(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let more = usize::from(input.u16());
    let head = input.rest();
    for whole in [head.len(), head.len() + more] {
        if let Ok(header) = IpHeader::parse(head, whole) {
            assert!(header.header_len <= head.len() && header.header_len <= header.total_len);
            assert!(header.total_len <= whole, "{} of {whole}", header.total_len);
            assert_eq!(header.payload_len(), header.total_len - header.header_len);
        }
        let _ = dissect::print_head(head, whole);
    }
    let _ = dissect::print_with_addresses(head);
}

/// TCP headers and every option; the options that are understood survive being written and read again.
pub fn tcp(bytes: &[u8]) {
    let raw: Vec<_> = raw_options(bytes).collect();
    assert!(raw.len() <= bytes.len());
    let Ok((header, len)) = TcpHeader::parse(bytes) else { return };
    assert!((20..=60).contains(&len) && len <= bytes.len() && len.is_multiple_of(4));
    let mut out = [0xaa; 128];
    let written = header.emit(&mut out);
    assert_eq!(header.header_len() % 4, 0);
    // What a peer squeezes into 40 bytes without padding may not fit again with ours.
    if written > 0 {
        assert_eq!(written, header.header_len());
        let (again, again_len) = TcpHeader::parse(&out[..written]).expect("written by us");
        assert_eq!((again, again_len), (header, written));
    }
}

/// ICMP errors of both versions, with right and with wrong checksums.
pub fn icmp(bytes: &[u8]) {
    let v4 = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let v6 = [Ipv6Addr::LOCALHOST, Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)].map(IpAddr::V6);
    let _ = icmp::parse_v4(bytes, v4);
    let _ = icmp::parse_v6(bytes, v6[0], v6[1]);
    let mut input = Input::new(bytes);
    let (kind, code, rest) = (input.u8(), input.u8(), input.u32());
    let body = input.rest();
    let mut out = vec![0; body.len() + 8];
    let len = icmp::emit_v4(kind, code, rest, body, &mut out);
    let _ = icmp::parse_v4(&out[..len], v4);
    let len = icmp::emit_v6(v6[0], v6[1], kind, code, rest, body, &mut out);
    let _ = icmp::parse_v6(&out[..len], v6[0], v6[1]);
}

/// Ethernet frames with ARP and neighbour discovery in them.
pub fn ethernet(bytes: &[u8]) {
    let _ = EthernetHeader::parse(bytes);
    if let Ok(arp) = ArpPacket::parse(bytes) {
        let mut out = [0; 28];
        assert_eq!(arp.emit(&mut out), 28);
        assert_eq!(ArpPacket::parse(&out), Ok(arp));
    }
    let (us, all) = (Ipv6Addr::LOCALHOST, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));
    for dst in [us, all] {
        let _ = NdpMessage::parse(bytes, us, dst, 255);
        let Some((kind, body)) = bytes.split_first() else { continue };
        let flags = body.first().copied().unwrap_or(0);
        let mut out = vec![0; body.len() + 8];
        let len = icmp::emit_v6(us.into(), dst.into(), *kind, 0, u32::from(flags) << 24, body, &mut out);
        if let Ok(Some(message)) = NdpMessage::parse(&out[..len], us, dst, 255) {
            let mut again = [0; 64];
            let len = message.emit(us, dst, &mut again);
            assert_eq!(NdpMessage::parse(&again[..len], us, dst, 255), Ok(Some(message)));
        }
    }
}
