//! The router at the entrance of a link: it tells senders of packets that are too long (RFC 1191, RFC 8201).

use bytes::Bytes;
use cauce_wire::{IpEmit, IpHeader, icmp};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where the router's ICMP errors come from, IPv4.
pub const ROUTER_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 255, 255, 254));
/// Where the router's ICMP errors come from, IPv6.
pub const ROUTER_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0xffff, 0, 0, 0, 0, 0, 0xfffe));

const DESTINATION_UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
const PACKET_TOO_BIG: u8 = 2;
/// Bytes of an IPv4 packet that are quoted (RFC 1812 4.3.2.3 allows up to 576 in all).
const QUOTED_V4: usize = 548;
/// Bytes of an IPv6 packet that are quoted: the error must fit 1280 (RFC 4443 2.4).
const QUOTED_V6: usize = 1280 - 48;

/// The ICMP error that goes back for a packet longer than `mtu`: "fragmentation needed" or "packet too big".
/// `None` for what is no IP packet and for ICMP itself, which is never answered.
pub fn too_big(packet: &[u8], mtu: u32) -> Option<Bytes> {
    let ip = IpHeader::parse(packet, packet.len()).ok()?;
    let v4 = ip.src.is_ipv4();
    let (protocol, quoted, src) = if v4 { (1, QUOTED_V4, ROUTER_V4) } else { (58, QUOTED_V6, ROUTER_V6) };
    if ip.protocol == protocol {
        return None;
    }
    let quoted = packet.get(..packet.len().min(quoted))?;
    let outer = IpEmit {
        src,
        dst: ip.src,
        protocol,
        hop_limit: 64,
        traffic_class: 0,
        flow_label: 0,
        identification: 0,
        dont_fragment: false,
        payload_len: 8 + quoted.len(),
    };
    let mut answer = vec![0; outer.len() + outer.payload_len];
    outer.emit(&mut answer);
    let message = answer.get_mut(outer.len()..)?;
    if v4 {
        icmp::emit_v4(DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED, mtu.min(0xffff), quoted, message);
    } else {
        icmp::emit_v6(src, ip.src, PACKET_TOO_BIG, 0, mtu, quoted, message);
    }
    Some(answer.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cauce_wire::{Flags, TcpHeader};

    fn packet(src: IpAddr, dst: IpAddr, payload: usize) -> Vec<u8> {
        let tcp = TcpHeader { src_port: 7, dst_port: 8, flags: Flags::ACK, ..TcpHeader::default() };
        let ip = IpEmit {
            src,
            dst,
            protocol: 6,
            hop_limit: 64,
            traffic_class: 0,
            flow_label: 0,
            identification: 0,
            dont_fragment: true,
            payload_len: 20 + payload,
        };
        let mut packet = vec![0; ip.len() + 20 + payload];
        ip.emit(&mut packet);
        tcp.emit(&mut packet[ip.len()..]);
        packet
    }

    #[test]
    fn quotes_the_packet_and_names_the_mtu() {
        let (a4, b4) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let answer = too_big(&packet(a4, b4, 1460), 1400).unwrap();
        let ip = IpHeader::parse(&answer, answer.len()).unwrap();
        assert_eq!((ip.src, ip.dst, ip.protocol, answer.len()), (ROUTER_V4, a4, 1, 576));
        let message = icmp::parse_v4(&answer[20..], ROUTER_V4).unwrap();
        assert!(format!("{message:?}").contains("1400"), "{message:?}");
        assert_eq!(too_big(&answer, 100), None);

        let (a6, b6) =
            (IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 1]), IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 2]));
        let answer = too_big(&packet(a6, b6, 1440), 1280).unwrap();
        assert_eq!(answer.len(), 1280);
        let message = icmp::parse_v6(&answer[40..], ROUTER_V6, a6).unwrap();
        assert!(format!("{message:?}").contains("1280"), "{message:?}");
        assert_eq!(too_big(b"no packet", 100), None);
    }
}
